/* SPDX-License-Identifier: Apache-2.0 */
/* Where the MDS differs from any NFSv4.1 server: the hooks of nfs4/server.h. */
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "mds/durable.h"
#include "mds/fleet/fences.h"
#include "mds/ns/subject.h"
#include "mds/pnfs/devices.h"
#include "mds/state/client.h"
#include "mds/state/delegation.h"
#include "mds/state/layout.h"
#include "mds/state/lock.h"
#include "mds/state/offload.h"
#include "mds/state/open.h"
#include "mds/state/recovery.h"
#include "mds/state/revoked.h"
#include "mds/tier/admit.h"

/* --- handles */

/* §2.6.3.1: must the put-handle operation itself say WRONGSEC? Not when the next operation does (it names
 * something, or asks for the flavours), nor when there is none. */
static bool next_op_tells(const struct compound *c)
{
        struct xdr_in x = c->call.args; /* a copy: nothing is consumed */

        if (c->op_index + 1 >= c->op_count)
                return true;
        switch (xdr_get_u32(&x)) {
        case OP_PUTFH:
        case OP_PUTROOTFH:
        case OP_PUTPUBFH:
        case OP_RESTOREFH:
        case OP_SAVEFH:
        case OP_LOOKUP:
        case OP_LOOKUPP:
        case OP_SECINFO:
        case OP_SECINFO_NO_NAME: return true;
        default: return x.bad;
        }
}

static enum nfsstat4 check_flavour(const struct compound *c, const struct fh *fh)
{
        if (caller_rule(c, fh) || next_op_tells(c))
                return NFS4_OK;
        return export_refusal(c, fh->export_id) == NFS4ERR_WRONGSEC ? NFS4ERR_WRONGSEC : NFS4_OK;
}

/* A handle is ours by its MAC; it is stale when what it names is gone. Whether the caller may use it is the
 * operation's. */
static enum nfsstat4 resolve_fh(struct compound *c, struct slice bytes, struct fh *ret)
{
        const struct mds *mds = mds_of(c);
        const struct inode *inode;
        struct fh fh;
        int r;

        if (!fh_decode(bytes.data, bytes.length, c->server->key, &fh) || fh.kind != FH_MDS)
                return NFS4ERR_BADHANDLE;
        *ret = fh;
        if (fh.flags & FH_PSEUDO)
                return pseudo_by_id(mds->exports, fh.fileid) ? NFS4_OK : NFS4ERR_STALE;
        if (!export_by_id(mds->exports, fh.export_id))
                return NFS4ERR_STALE;
        r = meta_inode(mds->meta, fh.fileid, &inode);
        if (r < 0)
                return inode_status(r);
        return inode->generation == fh.generation ? check_flavour(c, &fh) : NFS4ERR_STALE;
}

static enum nfsstat4 root_fh(struct compound *c, struct fh *ret)
{
        enum nfsstat4 status = pseudo_enter(c, mds_of(c)->exports->root, ret);

        return status == NFS4_OK ? check_flavour(c, ret) : status;
}

static uint32_t flavors(struct compound *c, uint32_t ret[8])
{
        const struct mds *mds = mds_of(c);
        uint32_t mask = 1u << RPC_AUTH_SYS | 1u << RPC_AUTH_NONE, count = 0;

        if (!(c->fh.flags & FH_PSEUDO))
                mask = export_flavours(mds->exports, c->fh.export_id, conn_peer(c->call.conn), mds->names);
        if (mask & 1u << RPC_AUTH_SYS) /* first: clients take the first they can do */
                ret[count++] = RPC_AUTH_SYS;
        if (mask & 1u << RPC_AUTH_NONE)
                ret[count++] = RPC_AUTH_NONE;
        return count;
}

/* --- what replies wait for */

static void op_begin(struct compound *c)
{
        struct meta *meta = mds_of(c)->meta;

        meta_trim(meta); /* nobody holds a pointer into the cache between operations */
        meta_seq_reset(meta);
}

/* A reply may only tell what will still be true after a crash. */
static void op_end(struct compound *c, enum nfsstat4 status)
{
        uint64_t seq = meta_seq(mds_of(c)->meta);

        (void)status;
        if (seq > c->commit_seq)
                c->commit_seq = seq;
}

/* --- clients */

static enum nfsstat4 client_confirm(struct compound *c, struct client *client, struct client *old)
{
        return recovery_confirm(c, client, old);
}

static void fenced(struct fence_wait *wait)
{
        free(wait);
}

static bool has_written(void *arg, struct layout_state *state)
{
        *(bool *)arg |= (state->handles & 1u << LAYOUTIOMODE4_RW) != 0;
        return !*(bool *)arg;
}

/* One fence for all its files: there may be a hundred thousand. */
static void fence_client(struct mds *mds, const struct client *client)
{
        struct fence_wait *wait;
        bool writes = false;

        layouts_each(mds->layouts, client, has_written, &writes);
        if (!writes)
                return;
        wait = calloc(1, sizeof(*wait));
        CHECK(wait != NULL); /* without memory for a fence nothing may go on */
        wait->done = fenced;
        if (!fence_raise_client(mds->fleet, client->tag, wait))
                free(wait);
}

/* A client whose lease ran out may be alive behind a broken network: its write layouts end at the data
 * servers too. */
static void client_gone(struct nfs4_server *s, struct client *client)
{
        struct mds *mds = s->role;
        bool lapsed = env_now(mds->env) - client->renewed_ns >= s->lease_seconds * 1000000000ull;

        if (lapsed && !mds->stopping)
                fence_client(mds, client);
        devices_client_gone(client);
        layouts_drop_client(mds->layouts, client);
        offloads_drop_client(mds->offloads, client);
        delegations_drop_client(mds->delegations, client);
        opens_drop_client(mds->opens, client);
        revoked_drop_client(mds->revocations, client);
        recovery_client_gone(mds->recovery, client);
        mds_client_free(client);
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
        bool found = mds_client_holds(client);

        if (!found)
                layouts_each(mds->layouts, client, found_one, &found);
        return found;
}

static enum nfsstat4 reclaim_complete(struct compound *c, struct client *client)
{
        (void)client;
        return recovery_complete(c);
}

static uint32_t status_flags(struct nfs4_server *s, const struct client *client)
{
        (void)s;
        return revoked_flags(client) |
               (recovery_may_reclaim(client) ? SEQ4_STATUS_RESTART_RECLAIM_NEEDED : 0);
}

/* Who has nothing but layouts has nothing to be courteous about. */
static bool client_expired(struct nfs4_server *s, struct client *client)
{
        struct mds *mds = s->role;

        locks_client_lapsed(mds->locks, client);
        return mds_client_holds(client);
}

/* --- stateids */

static enum nfsstat4 test_stateid(struct compound *c, const struct stateid *s)
{
        struct mds *mds = mds_of(c);
        struct open_state *open;
        struct lock_state *lock;
        struct layout_state *layout;
        struct delegation *delegation;
        struct offload *copy;

        switch (s->other[4]) { /* include/stateid.h */
        case STATEID_OPEN: return open_find(mds->opens, c->client, s, &open);
        case STATEID_LOCK: return lock_find(mds->locks, c->client, s, &lock);
        case STATEID_DELEG: return delegation_find(mds->delegations, c->client, s, &delegation);
        case STATEID_LAYOUT: return layout_find(mds->layouts, c->client, s, &layout);
        case STATEID_COPY: return offload_find(c->client, 0, s, &copy);
        default: return NFS4ERR_BAD_STATEID;
        }
}

/* §18.38: only what is without locks may be freed; an open, a layout or a delegation in force never is. What
 * is left of one that was revoked is let go of, and who has let go of all that has a record again. */
static enum nfsstat4 free_stateid(struct compound *c, const struct stateid *s)
{
        struct mds *mds = mds_of(c);
        struct lock_state *lock;
        enum nfsstat4 status = revoked_let_go(mds->revocations, c->client, s);

        if (status == NFS4_OK)
                return mds_client_holds(c->client) ? recovery_record(c) : NFS4_OK;
        if (lock_find(mds->locks, c->client, s, &lock) == NFS4_OK)
                return lock_free(mds->locks, lock);
        status = test_stateid(c, s);
        return status == NFS4_OK ? NFS4ERR_LOCKS_HELD : status;
}

const struct nfs4_hooks mds_hooks = {
        .resolve_fh = resolve_fh,
        .root_fh = root_fh,
        .admit = tier_admit,
        .op_begin = op_begin,
        .op_end = op_end,
        .commit = durable_commit,
        .client_confirm = client_confirm,
        .client_gone = client_gone,
        .client_has_state = client_has_state,
        .reclaim_complete = reclaim_complete,
        .status_flags = status_flags,
        .client_expired = client_expired,
        .test_stateid = test_stateid,
        .free_stateid = free_stateid,
        .flavors = flavors,
};
