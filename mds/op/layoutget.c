/* SPDX-License-Identifier: Apache-2.0 */
/* LAYOUTGET, RFC 8881 §18.43 (and §12.5 for stateids, §13.3 for the body).
 *
 * The RFC: a layout of the type, iomode and range asked, under a layout stateid whose seqid rises with every
 * one; may be answered with the current stateid of the OPEN in the same compound. We: always the whole file,
 * one segment. Soft reasons (policy, a data server away) are LAYOUTUNAVAILABLE, which sends the client
 * through us; other errors reach the application. A LAYOUTGET with an open stateid by a client that has a
 * layout means it has forgotten it (Linux): it is granted anew under the same stateid. A write layout is a
 * durable record before the reply leaves, so that after a crash of ours the sizes are asked from the data
 * servers. In the grace period a reclaimed open is as good as any. */
#include "mds/fleet/fleet.h"
#include "mds/ops.h"
#include "mds/op/io.h"
#include "mds/pnfs/files.h"
#include "mds/pnfs/recall.h"
#include "mds/state/delegation.h"
#include "mds/state/layout.h"
#include "mds/state/lock.h"
#include "mds/state/open.h"
#include "nfs4/codec.h"

struct layoutget_args {
        bool signal;
        uint32_t type, iomode, maxcount;
        uint64_t offset, length, minlength;
        struct stateid stateid;
};
struct layoutget_res {
        struct stateid stateid;
        struct inode file; /* a copy: geometry for the body */
        struct fh handle;
        uint32_t iomode;
        bool return_on_close;
};

enum { BODY_MAX = 44 + 44 * 64 };

static void decode(struct compound *c, struct xdr_in *x)
{
        struct layoutget_args *a = OP_ARGS(c, struct layoutget_args);

        a->signal = xdr_get_bool(x);
        a->type = xdr_get_u32(x);
        a->iomode = xdr_get_u32(x);
        a->offset = xdr_get_u64(x);
        a->length = xdr_get_u64(x);
        a->minlength = xdr_get_u64(x);
        get_stateid(x, &a->stateid);
        a->maxcount = xdr_get_u32(x);
}

static enum nfsstat4 check_args(const struct layoutget_args *a)
{
        if (a->type != LAYOUT4_NFSV4_1_FILES)
                return NFS4ERR_UNKNOWN_LAYOUTTYPE;
        if (a->iomode != LAYOUTIOMODE4_READ && a->iomode != LAYOUTIOMODE4_RW)
                return NFS4ERR_BADIOMODE;
        if (a->length == 0 || a->length < a->minlength)
                return NFS4ERR_INVAL;
        if (a->length != NFS4_UINT64_MAX && a->offset > NFS4_UINT64_MAX - a->length)
                return NFS4ERR_INVAL;
        if (a->minlength != NFS4_UINT64_MAX && a->offset > NFS4_UINT64_MAX - a->minlength)
                return NFS4ERR_INVAL;
        return NFS4_OK;
}

/* Could the layout be used for what another client's open denies? Our own opens know of each other. OPEN is
 * the one by whose stateid it is asked for; NULL: by a layout's, which may be without an open by now. */
static bool is_denied(const struct compound *c, const struct open_state *open, uint32_t iomode)
{
        uint8_t access = OPEN4_SHARE_ACCESS_READ;
        struct open_state *state = NULL;

        if (iomode == LAYOUTIOMODE4_RW)
                access = OPEN4_SHARE_ACCESS_BOTH;
        while ((state = open_conflicting(mds_of(c)->opens, c->fh.fileid, open, access, 0, state)) != NULL)
                if (state->client != c->client)
                        return true;
        return false;
}

static enum nfsstat4 check_layout_stateid(const struct compound *c, const struct layout_state *named,
                                          const struct layout_state *held, uint32_t iomode)
{
        if (named != held)
                return NFS4ERR_BAD_STATEID;
        return is_denied(c, NULL, iomode) ? NFS4ERR_LAYOUTUNAVAILABLE : recall_conflict(held);
}

static enum nfsstat4 check_open(const struct compound *c, const struct stateid *s, uint32_t iomode)
{
        struct open_state *open;
        enum nfsstat4 status = lock_find_open(mds_of(c), c->client, s, &open);

        if (status != NFS4_OK)
                return status;
        if (open->fileid != c->fh.fileid)
                return NFS4ERR_BAD_STATEID;
        if (iomode == LAYOUTIOMODE4_RW && !(open->access & OPEN4_SHARE_ACCESS_WRITE))
                return NFS4ERR_OPENMODE;
        return is_denied(c, open, iomode) ? NFS4ERR_LAYOUTUNAVAILABLE /* READ and WRITE say it right */
                                          : NFS4_OK;
}

/* Nobody denies what is delegated. */
static enum nfsstat4 check_delegation(const struct compound *c, const struct stateid *s, uint32_t iomode)
{
        return delegation_check(mds_of(c)->delegations, c->client, s, c->fh.fileid,
                                iomode == LAYOUTIOMODE4_RW ? OPEN4_SHARE_ACCESS_WRITE
                                                           : OPEN4_SHARE_ACCESS_READ);
}

/* By the stateid of an open, of its locks or of a delegation (first, or forgotten) or by the layout stateid
 * (more of it). §12.5.2. */
static enum nfsstat4 check_stateid(struct compound *c, struct layoutget_args *a)
{
        struct mds *mds = mds_of(c);
        struct layout_state *held = layout_of(mds->layouts, c->client, c->fh.fileid);
        struct layout_state *named;
        enum nfsstat4 status = compound_stateid(c, &a->stateid);

        if (status != NFS4_OK)
                return status;
        if (stateid_is_special(&a->stateid))
                return NFS4ERR_BAD_STATEID;
        status = layout_find(mds->layouts, c->client, &a->stateid, &named);
        if (status == NFS4_OK)
                return check_layout_stateid(c, named, held, a->iomode);
        if (status == NFS4ERR_OLD_STATEID)
                return status;
        status = a->stateid.other[4] == STATEID_DELEG ? check_delegation(c, &a->stateid, a->iomode)
                                                      : check_open(c, &a->stateid, a->iomode);
        if (status != NFS4_OK)
                return status;
        if (held)
                recall_end(held); /* forgotten; the handle that it gets now is of a new epoch */
        return NFS4_OK;
}

static enum nfsstat4 check_file(struct compound *c, const struct layoutget_args *a, const struct inode *file)
{
        struct mds *mds = mds_of(c);
        const struct export_rule *rule = caller_rule(c, &c->fh);

        if (file->type != NF4REG)
                return file->type == NF4DIR ? NFS4ERR_ISDIR : NFS4ERR_WRONG_TYPE;
        if (!rule)
                return NFS4ERR_ACCESS;
        if (!rule->pnfs || (a->iomode == LAYOUTIOMODE4_RW && rule->access != EXPORT_RW))
                return NFS4ERR_LAYOUTUNAVAILABLE;
        if (!fleet_file_is_up(mds->fleet, file))
                return NFS4ERR_LAYOUTUNAVAILABLE;
        if (io_permitted(c, file,
                         a->iomode == LAYOUTIOMODE4_RW ? OPEN4_SHARE_ACCESS_WRITE
                                                       : OPEN4_SHARE_ACCESS_READ) != NFS4_OK)
                return NFS4ERR_LAYOUTUNAVAILABLE; /* since the file was opened; READ and WRITE say it right */
        if (a->maxcount < 44 + 44u * file->width + 28)
                return NFS4ERR_TOOSMALL;
        return NFS4_OK;
}

/* The record that survives us: once a client and file. It need not be written again for a newer epoch. */
static enum nfsstat4 record_writer(struct compound *c, struct layout_state *state)
{
        struct mds *mds = mds_of(c);
        struct txn *t;
        int r;

        if (state->recorded)
                return NFS4_OK;
        t = txn_begin(mds->meta);
        layout_record(t, state, meta_epoch(mds->meta));
        r = txn_commit(t, &c->commit_seq);
        state->recorded = r == 0;
        return r == 0 ? NFS4_OK : NFS4ERR_LAYOUTUNAVAILABLE;
}

static struct fh make_handle(const struct compound *c, const struct inode *file, uint32_t iomode)
{
        return (struct fh){ .kind = FH_DS,
                            .flags = (uint8_t)((iomode == LAYOUTIOMODE4_RW ? FH_WRITE : 0) |
                                               (file->flags & INODE_COLD ? FH_TIERED : 0)),
                            .export_id = c->fh.export_id,
                            .fileid = file->fileid,
                            .generation = file->generation,
                            .epoch = meta_epoch(mds_of(c)->meta),
                            .client = c->client->tag,
                            .unit = file->unit,
                            .width = file->width,
                            .first = file->first,
                            .pool = file->pool,
                            .start = file->start };
}

static enum nfsstat4 execute(struct compound *c)
{
        struct layoutget_args *a = OP_ARGS(c, struct layoutget_args);
        struct layoutget_res *r = OP_RES(c, struct layoutget_res);
        struct mds *mds = mds_of(c);
        const struct inode *file;
        struct layout_state *state;
        enum nfsstat4 status = check_args(a);

        if (status != NFS4_OK)
                return status;
        if (meta_inode(mds->meta, c->fh.fileid, &file) < 0)
                return NFS4ERR_STALE;
        status = check_file(c, a, file);
        if (status == NFS4_OK)
                status = check_stateid(c, a);
        if (status != NFS4_OK)
                return status;
        status = layout_grant(mds->layouts, c, file, (uint8_t)a->iomode, &state);
        if (status == NFS4_OK && a->iomode == LAYOUTIOMODE4_RW)
                status = record_writer(c, state);
        if (status != NFS4_OK)
                return status;
        r->file = *file;
        r->handle = make_handle(c, file, a->iomode);
        r->iomode = a->iomode;
        r->return_on_close = state->return_on_close;
        r->stateid = state->stateid;
        metric_add(&mds->layouts_granted, 1);
        compound_set_stateid(c, &r->stateid);
        return NFS4_OK;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct layoutget_res *r = OP_RES(c, struct layoutget_res);
        uint8_t body[BODY_MAX];

        if (status == NFS4ERR_LAYOUTTRYLATER)
                xdr_put_bool(x, false); /* will not signal when a layout is available */
        if (status != NFS4_OK)
                return;
        xdr_put_bool(x, r->return_on_close);
        put_stateid(x, &r->stateid);
        xdr_put_u32(x, 1); /* one segment: the whole file */
        xdr_put_u64(x, 0);
        xdr_put_u64(x, NFS4_UINT64_MAX);
        xdr_put_u32(x, r->iomode);
        xdr_put_u32(x, LAYOUT4_NFSV4_1_FILES);
        xdr_put_opaque(x, body,
                       files_layout(mds_of(c)->fleet, &r->file, &r->handle, c->server->key, body,
                                    sizeof(body)));
}

const struct nfs4_op op_layoutget = {
        .name = "LAYOUTGET",
        .flags = OP_NEEDS_FH | OP_MUTATES | OP_ENCODES_ERRORS,
        .reply_max = 8 + 4 + 16 + 4 + 28 + BODY_MAX,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
