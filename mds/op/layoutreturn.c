/* SPDX-License-Identifier: Apache-2.0 */
/* LAYOUTRETURN, RFC 8881 §18.44: gives layouts back, of one file, of a file system, or all.
 *
 * The RFC: for a file by its layout stateid; lrs_present tells whether something is left. A sequence id may
 * be older than ours by as many requests as can be under way together (§12.5.5.2.1.4); beyond that it is
 * OLD_STATEID. We: the range does not matter, layouts are whole-file; what was given after the sequence id
 * that it names stays, since the client cannot have meant it (Linux answers a recall with the recall's, and
 * has a LAYOUTGET in an OPEN on its way meanwhile). It is no write barrier (LINUX): mds/state/returned.h. */
#include "mds/mds.h"
#include "mds/ops.h"
#include "mds/state/layout.h"
#include "nfs4/codec.h"

struct layoutreturn_args {
        bool reclaim;
        uint32_t type, iomode, what;
        uint64_t offset, length;
        struct stateid stateid;
};
struct layoutreturn_res {
        bool present;
        struct stateid stateid;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct layoutreturn_args *a = OP_ARGS(c, struct layoutreturn_args);

        a->reclaim = xdr_get_bool(x);
        a->type = xdr_get_u32(x);
        a->iomode = xdr_get_u32(x);
        a->what = xdr_get_u32(x);
        if (a->what == LAYOUTRETURN4_FILE) {
                a->offset = xdr_get_u64(x);
                a->length = xdr_get_u64(x);
                get_stateid(x, &a->stateid);
                xdr_get_opaque(x, 65536);
        } else if (a->what != LAYOUTRETURN4_FSID && a->what != LAYOUTRETURN4_ALL) {
                x->bad = true;
        }
}

static enum nfsstat4 return_file(struct compound *c, struct layoutreturn_args *a)
{
        struct layoutreturn_res *r = OP_RES(c, struct layoutreturn_res);
        struct layouts *layouts = mds_of(c)->layouts;
        struct layout_state *state;
        bool gone;
        enum nfsstat4 status;

        if (!c->has_fh)
                return NFS4ERR_NOFILEHANDLE;
        if (a->length == 0 || (a->length != NFS4_UINT64_MAX && a->offset > NFS4_UINT64_MAX - a->length))
                return NFS4ERR_INVAL;
        status = compound_stateid(c, &a->stateid);
        if (status == NFS4_OK)
                status = layout_find(layouts, c->client, &a->stateid, &state);
        if (status != NFS4_OK)
                return status;
        if (state->fileid != c->fh.fileid)
                return NFS4ERR_BAD_STATEID;
        status = layout_return(layouts, state, (uint8_t)a->iomode, a->stateid.seqid, &c->commit_seq, &gone);
        r->present = !gone;
        if (r->present)
                r->stateid = state->stateid;
        return status;
}

struct sweep {
        uint32_t iomode;
        bool one_export;
        uint16_t export_id;
        struct layout_state *found;
};

static bool pick(void *arg, struct layout_state *state)
{
        struct sweep *s = arg;
        bool held = s->iomode == LAYOUTIOMODE4_ANY || state->iomodes & 1u << s->iomode;

        if (!held || (s->one_export && state->export_id != s->export_id))
                return true;
        s->found = state;
        return false;
}

/* FSID and ALL: every match of this client goes. */
static enum nfsstat4 return_many(struct compound *c, const struct layoutreturn_args *a)
{
        struct sweep s = { .iomode = a->iomode,
                           .one_export = a->what == LAYOUTRETURN4_FSID,
                           .export_id = c->fh.export_id };
        struct layouts *layouts = mds_of(c)->layouts;

        if (s.one_export && !c->has_fh)
                return NFS4ERR_NOFILEHANDLE;
        for (;;) {
                enum nfsstat4 status;
                bool gone;

                s.found = NULL;
                layouts_each(layouts, c->client, pick, &s);
                if (!s.found)
                        return NFS4_OK;
                status = layout_return(layouts, s.found, (uint8_t)a->iomode, 0, &c->commit_seq, &gone);
                if (status != NFS4_OK)
                        return status;
        }
}

static enum nfsstat4 execute(struct compound *c)
{
        struct layoutreturn_args *a = OP_ARGS(c, struct layoutreturn_args);

        OP_RES(c, struct layoutreturn_res)->present = false;
        if (a->type != LAYOUT4_NFSV4_1_FILES)
                return NFS4ERR_UNKNOWN_LAYOUTTYPE;
        if (a->iomode < LAYOUTIOMODE4_READ || a->iomode > LAYOUTIOMODE4_ANY)
                return NFS4ERR_BADIOMODE;
        if (a->reclaim)
                return NFS4ERR_NO_GRACE;
        return a->what == LAYOUTRETURN4_FILE ? return_file(c, a) : return_many(c, a);
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct layoutreturn_res *r = OP_RES(c, struct layoutreturn_res);

        (void)status;
        xdr_put_bool(x, r->present);
        if (r->present)
                put_stateid(x, &r->stateid);
}

const struct nfs4_op op_layoutreturn = {
        .name = "LAYOUTRETURN",
        .flags = OP_MUTATES,
        .reply_max = 28,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
