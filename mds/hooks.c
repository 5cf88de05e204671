/* SPDX-License-Identifier: Apache-2.0 */
/* Where the MDS differs from any NFSv4.1 server: the hooks of nfs4/server.h. */
#include <errno.h>

#include "mds/durable.h"
#include "mds/ns/subject.h"
#include "mds/state/layout.h"
#include "mds/state/open.h"

/* A handle is ours by its MAC; it is stale when what it names is gone. Whether the caller may use it is the operation's. */
static enum nfsstat4 resolve_fh(struct compound *c, struct slice bytes, struct fh *ret)
{
        const struct inode *inode;
        int r;

        if (!fh_decode(bytes.data, bytes.length, c->server->key, ret) || ret->kind != FH_MDS)
                return NFS4ERR_BADHANDLE;
        if (ret->flags & FH_PSEUDO)
                return pseudo_by_id(mds_of(c)->exports, ret->fileid) ? NFS4_OK : NFS4ERR_STALE;
        r = meta_inode(mds_of(c)->meta, ret->fileid, &inode);
        if (r < 0)
                return inode_status(r);
        return inode->generation == ret->generation ? NFS4_OK : NFS4ERR_STALE;
}

static enum nfsstat4 root_fh(struct compound *c, struct fh *ret)
{
        return pseudo_enter(c, mds_of(c)->exports->root, ret);
}

static void op_begin(struct compound *c)
{
        meta_seq_reset(mds_of(c)->meta);
}

/* The reply waits for whatever this operation has seen that is not durable yet. */
static void op_end(struct compound *c, enum nfsstat4 status)
{
        struct mds *mds = mds_of(c);
        uint64_t seq = meta_seq(mds->meta);

        if (status != NFS4_WAIT && seq > c->commit_seq)
                c->commit_seq = seq;
        meta_trim(mds->meta);
}

static bool commit(struct compound *c)
{
        return durable_commit(c);
}

/* A confirmed client is a durable record: its owner, its verifier and its tag, for reclaim after our restart. */
static enum nfsstat4 client_confirm(struct compound *c, struct client *client, struct client *old)
{
        struct mds *mds = mds_of(c);
        struct txn *t = txn_begin(mds->meta);
        uint8_t key[KEY_MAX], value[64];
        struct xdr_out x;

        (void)old; /* the same owner: the same key */
        xdr_out_init(&x, value, sizeof(value));
        xdr_put_u32(&x, 1); /* record version */
        xdr_put_fixed(&x, client->verifier, NFS4_VERIFIER_SIZE);
        xdr_put_u32(&x, client->tag);
        xdr_put_u32(&x, client->flavor);
        xdr_put_u32(&x, client->uid);
        txn_put(t, key_client(key, slice_of(client->owner, client->owner_length)), slice_of(value, xdr_head_length(&x)));
        return nfs4_status_from_errno(txn_commit(t, &c->commit_seq));
}

static void forget_record(struct mds *mds, const struct client *client)
{
        struct txn *t = txn_begin(mds->meta);
        uint8_t key[KEY_MAX];
        uint64_t seq;

        txn_delete(t, key_client(key, slice_of(client->owner, client->owner_length)));
        txn_commit(t, &seq);
}

static void client_gone(struct nfs4_server *s, struct client *client)
{
        struct mds *mds = s->role;

        opens_drop_client(mds->opens, client);
        layouts_drop_client(mds->layouts, client);
        if (client->confirmed && !mds->stopping && !client_by_owner(s, slice_of(client->owner, client->owner_length), false))
                forget_record(mds, client);
}

static bool found_one(void *arg, struct layout_state *state)
{
        (void)state;
        *(bool *)arg = true;
        return false;
}

static bool client_has_state(struct nfs4_server *s, const struct client *client)
{
        struct mds *mds = s->role;
        bool found = opens_client_has_any(client);

        layouts_each(mds->layouts, client, found_one, &found);
        return found;
}

static enum nfsstat4 test_stateid(struct compound *c, const struct stateid *s)
{
        struct mds *mds = mds_of(c);
        struct open_state *open;
        struct layout_state *layout;

        if (layout_find(mds->layouts, c->client, s, &layout) == NFS4_OK)
                return NFS4_OK;
        return stateid_is_special(s) ? NFS4ERR_BAD_STATEID : open_find(mds->opens, c->client, s, &open);
}

/* Opens go by CLOSE and layouts by LAYOUTRETURN; nothing here is left for FREE_STATEID. */
static enum nfsstat4 free_stateid(struct compound *c, const struct stateid *s)
{
        struct open_state *open;
        enum nfsstat4 status = open_find(mds_of(c)->opens, c->client, s, &open);

        return status == NFS4_OK ? NFS4ERR_LOCKS_HELD : status;
}

static uint32_t flavors(struct compound *c, uint32_t out[8])
{
        const struct mds *mds = mds_of(c);
        uint32_t mask = c->fh.flags & FH_PSEUDO ? 1u << RPC_AUTH_SYS :
                                                  export_flavours(mds->exports, c->fh.export_id, conn_peer(c->call.conn), mds->names);
        uint32_t n = 0;

        if (mask & 1u << RPC_AUTH_SYS)
                out[n++] = RPC_AUTH_SYS;
        if (mask & 1u << RPC_AUTH_NONE)
                out[n++] = RPC_AUTH_NONE;
        return n;
}

const struct nfs4_hooks mds_hooks = {
        .resolve_fh = resolve_fh,
        .root_fh = root_fh,
        .op_begin = op_begin,
        .op_end = op_end,
        .commit = commit,
        .client_confirm = client_confirm,
        .client_gone = client_gone,
        .client_has_state = client_has_state,
        .test_stateid = test_stateid,
        .free_stateid = free_stateid,
        .flavors = flavors,
};
