/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/tier/digests.h"

#include <stdlib.h>
#include <string.h>

#include "s3tier/multipart.h"

bool digests_make(struct digests *d, uint64_t size, uint64_t part_bytes, unsigned count)
{
        *d = (struct digests){ size, part_bytes, count, calloc(count, DIGEST_BYTES) };
        return d->list != NULL;
}

void digests_free(struct digests *d)
{
        free(d->list);
        *d = (struct digests){ 0 };
}

bool digests_has(const struct digests *d, unsigned i)
{
        static const uint8_t nothing[DIGEST_BYTES];

        return i < d->count && memcmp(d->list[i], nothing, DIGEST_BYTES) != 0;
}

/* --- records */

struct reading {
        const char *etag;
        struct digests *digests;
        unsigned count; /* so many, from the first on, were read */
        bool bad;       /* of another object, or no memory */
};

static bool begin(struct reading *r, const struct digests_record *d)
{
        uint64_t count = (d->size + d->part_bytes - 1) / d->part_bytes;

        return count > 0 && count <= S3_PARTS &&
               digests_make(r->digests, d->size, d->part_bytes, (unsigned)count);
}

static bool read_one(void *arg, struct slice key, struct slice value)
{
        struct reading *r = arg;
        struct digests *all = r->digests;
        struct digests_record d = { 0 };
        uint64_t fileid, first;
        unsigned count;

        r->bad = !key_parse_u64_u64(key, 'y', &fileid, &first) || !digests_decode(value, &d) ||
                 first != r->count || !slice_equal(d.etag, slice_str(r->etag)) ||
                 (first == 0 && !begin(r, &d));
        count = d.digests.length / DIGEST_BYTES;
        if (r->bad || d.size != all->size || d.part_bytes != all->part_bytes ||
            count > all->count - r->count) {
                r->bad = true;
                return false;
        }
        memcpy(all->list[r->count], d.digests.data, d.digests.length);
        r->count += count;
        return true;
}

bool digests_read(struct mds *mds, uint64_t fileid, const char *etag, struct digests *ret)
{
        struct reading r = { .etag = etag, .digests = ret };
        uint8_t prefix[KEY_MAX];

        *ret = (struct digests){ 0 };
        if (meta_scan(mds->meta, key_all_digests(prefix, fileid), read_one, &r) == 0 && !r.bad &&
            r.count > 0 && r.count == ret->count)
                return true;
        digests_free(ret);
        return false;
}

void digests_put(struct txn *t, uint64_t fileid, const char *etag, const struct digests *d)
{
        uint8_t key[KEY_MAX], value[RECORD_MAX];

        txn_delete_all(t, key_all_digests(key, fileid));
        for (unsigned first = 0; d && first < d->count; first += DIGESTS_A_RECORD) {
                unsigned count = d->count - first < DIGESTS_A_RECORD ? d->count - first : DIGESTS_A_RECORD;
                struct digests_record record = { .size = d->size,
                                                 .part_bytes = d->part_bytes,
                                                 .etag = slice_str(etag),
                                                 .digests = slice_of(d->list[first], count * DIGEST_BYTES) };

                txn_put(t, key_digests(key, fileid, first), digests_encode(value, &record));
        }
}
