/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as fattr4 of a client, and as a bitmap of what it asks: decoded whole or refused; what is encoded
 * is what was asked, in the length that is said. */
#include <string.h>

#include "nfs4/attrs.h"

/* What was taken is given back the same. */
static void check_acl(struct slice bytes)
{
        struct xdr_in x = xdr_in_of(bytes);
        uint8_t out[ACL_WIRE_BYTES];
        struct acl acl, again;
        struct xdr_out w;

        if (acl_get(&x, &acl) != NFS4_OK || x.bad)
                return;
        xdr_out_init(&w, out, sizeof(out));
        acl_put(&w, &acl);
        CHECK(!w.full);
        x = xdr_in_of(slice_of(out, xdr_head_length(&w)));
        CHECK(acl_get(&x, &again) == NFS4_OK && !x.bad && again.count == acl.count);
        for (uint32_t i = 0; i < acl.count; i++)
                CHECK(again.aces[i].mask == acl.aces[i].mask && again.aces[i].who == acl.aces[i].who &&
                      again.aces[i].id == acl.aces[i].id && again.aces[i].flags == acl.aces[i].flags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_decoded(struct slice bytes)
{
        struct xdr_in x = xdr_in_of(bytes);
        struct attr_set set;
        enum nfsstat4 status;

        attrs_decode(&x, &set, &status);
        CHECK((status == NFS4ERR_BADXDR) == x.bad);
        if (status != NFS4_OK)
                return;
        CHECK(!set.mask.beyond && set.mode <= 07777 && set.mode_mask <= 07777 && set.size <= INT64_MAX);
        for (int i = 0; i < 3; i++)
                CHECK((set.mask.word[i] & ~attrs_writable.word[i]) == 0);
}

static void check_encoded(struct slice bytes)
{
        static struct acl acl = { .count = ACL_ACES };
        static const struct attr_values values = {
                .supported = &attrs_supported, .uid = 4294967294, .gid = 0, .pnfs = true, .acl = &acl
        };
        struct xdr_in x = xdr_in_of(bytes);
        struct bitmap4 asked, given;
        uint8_t out[4096];
        struct xdr_out w;

        get_bitmap(&x, &asked);
        xdr_out_init(&w, out, sizeof(out));
        attrs_encode(&w, &asked, &values);
        CHECK(!w.full && xdr_head_length(&w) <= attrs_encoded_max(&asked));
        x = xdr_in_of(slice_of(out, xdr_head_length(&w)));
        get_bitmap(&x, &given);
        xdr_get_opaque(&x, UINT32_MAX);
        CHECK(!x.bad && xdr_left(&x) == 0);
        for (int i = 0; i < 3; i++)
                CHECK((given.word[i] & ~(asked.word[i] & attrs_supported.word[i])) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct slice bytes = slice_of(data, (uint32_t)(size > 65536 ? 65536 : size));
        struct xdr_in x = xdr_in_of(bytes);
        struct raw_attrs raw;

        check_decoded(bytes);
        check_encoded(bytes);
        attrs_get_raw(&x, &raw);
        check_acl(bytes);
        check_name(bytes);
        return 0;
}
