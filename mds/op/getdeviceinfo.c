/* SPDX-License-Identifier: Apache-2.0 */
/* GETDEVICEINFO, RFC 8881 §18.40: the addresses behind a device id.
 *
 * The RFC: TOOSMALL with the size needed when the answer is longer than gdia_maxcount; maxcount 0 asks only
 * about notifications. We: exactly the notification bits asked for that we know (change, delete) are granted;
 * with fewer, Linux rebuilds its data server sessions for every file. No id ever changes; that one has ended
 * can be told (pnfs/devices.h). */
#include "mds/fleet/fleet.h"
#include "mds/ops.h"
#include "mds/pnfs/devices.h"
#include "mds/pnfs/files.h"
#include "nfs4/codec.h"

struct getdeviceinfo_args {
        uint8_t id[NFS4_DEVICEID_SIZE];
        uint32_t type, maxcount;
        struct bitmap4 notify;
};
struct getdeviceinfo_res {
        uint16_t pool, width;
        uint8_t start;
        uint32_t mincount;
};

enum { ADDR_MAX = 12 * 1024, KNOWN_NOTIFY = 1u << NOTIFY_DEVICEID4_CHANGE | 1u << NOTIFY_DEVICEID4_DELETE };

static void decode(struct compound *c, struct xdr_in *x)
{
        struct getdeviceinfo_args *a = OP_ARGS(c, struct getdeviceinfo_args);

        xdr_get_fixed(x, a->id, sizeof(a->id));
        a->type = xdr_get_u32(x);
        a->maxcount = xdr_get_u32(x);
        get_bitmap(x, &a->notify);
}

static enum nfsstat4 execute(struct compound *c)
{
        const struct getdeviceinfo_args *a = OP_ARGS(c, struct getdeviceinfo_args);
        struct getdeviceinfo_res *r = OP_RES(c, struct getdeviceinfo_res);
        struct fleet *f = mds_of(c)->fleet;
        uint8_t body[ADDR_MAX];
        uint32_t length;

        if (a->type != LAYOUT4_NFSV4_1_FILES)
                return NFS4ERR_UNKNOWN_LAYOUTTYPE;
        if (!device_parse(f, a->id, &r->pool, &r->start, &r->width))
                return NFS4ERR_NOENT;
        length = device_addr(f, r->pool, r->start, r->width, body, sizeof(body));
        r->mincount = 4 + 4 + length + 8; /* device_addr4 and the notification bitmap */
        if (a->maxcount != 0 && a->maxcount < r->mincount)
                return NFS4ERR_TOOSMALL;
        devices_told(mds_of(c)->devices, c, a->id, (a->notify.word[0] & 1u << NOTIFY_DEVICEID4_DELETE) != 0);
        return NFS4_OK;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct getdeviceinfo_args *a = OP_ARGS(c, struct getdeviceinfo_args);
        const struct getdeviceinfo_res *r = OP_RES(c, struct getdeviceinfo_res);
        uint8_t body[ADDR_MAX];
        uint32_t length;
        struct bitmap4 granted = { .word = { a->notify.word[0] & KNOWN_NOTIFY } };

        if (status == NFS4ERR_TOOSMALL)
                xdr_put_u32(x, r->mincount);
        if (status != NFS4_OK)
                return;
        xdr_put_u32(x, LAYOUT4_NFSV4_1_FILES);
        length = a->maxcount == 0
                         ? 0
                         : device_addr(mds_of(c)->fleet, r->pool, r->start, r->width, body, sizeof(body));
        xdr_put_opaque(x, body, length);
        put_bitmap(x, &granted);
}

const struct nfs4_op op_getdeviceinfo = {
        .name = "GETDEVICEINFO",
        .flags = OP_ENCODES_ERRORS,
        .reply_max = 8 + 8 + ADDR_MAX + 20,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
