/* SPDX-License-Identifier: Apache-2.0 */
/* Delegations that others are in want of: see delegation.h. RFC 8881 §10.4.5, §10.4.6, §20.2.
 *
 * What clients answer: OK, and the delegation follows (DELEGRETURN) when they have reclaimed the opens that
 * they had under it; BAD_STATEID or BADHANDLE, they do not know it, or have just begun to return it (Linux
 * says so then), so they are asked a few times more before it is believed; anything else is asked again,
 * until the lease is over.
 *
 * §10.2: who flushes what it has written may be given longer than usual, but not without end. Who holds one
 * for writing and has answered OK keeps it beyond the lease for as long as the file is written to, as the
 * data servers see it every half lease, and for LEASES_MOST leases at the most. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "mds/state/courtesy.h"
#include "mds/fleet/fences.h"
#include "mds/state/delegation_private.h"
#include "mds/state/layout.h"
#include "mds/state/recovery.h"
#include "nfs4/codec.h"

enum { WAIT_MS = 1000, AGAIN_MS = 1000, UNKNOWN_SECONDS = 5, LEASES_MOST = 4 };

static uint64_t now_of(const struct delegation *one)
{
        return env_now(one->all->mds->env);
}

static uint64_t lease_ns(const struct delegation *one)
{
        return one->all->mds->nfs.lease_seconds * NS;
}

/* --- asking */

void delegation_put_fh(const struct delegation *one, struct xdr_out *x)
{
        const struct fh fh = { .kind = FH_MDS,
                               .export_id = one->export_id,
                               .fileid = one->fileid,
                               .generation = one->generation };
        uint8_t bytes[FH_BYTES];

        fh_encode(&fh, one->all->mds->nfs.key, bytes);
        xdr_put_opaque(x, bytes, FH_BYTES);
}

static void encode(void *arg, struct xdr_out *x)
{
        const struct delegation *one = arg;

        put_stateid(x, &one->stateid);
        xdr_put_bool(x, false); /* truncate: it is about to be cut, so nothing need be written back */
        delegation_put_fh(one, x);
}

static void wait_until(struct delegation *one, uint64_t due_ns)
{
        uint64_t now = now_of(one);

        timer_start(one->all->mds->env, &one->timer, due_ns > now ? due_ns - now : 1);
}

/* The usual limit, or half a lease from now. */
static void wait_for_return(struct delegation *one)
{
        uint64_t now = now_of(one), half = now + lease_ns(one) / 2, limit = one->recalled_ns + lease_ns(one);
        bool may_flush = one->promised && one->type == OPEN_DELEGATE_WRITE;

        wait_until(one, may_flush && (half < limit || limit <= now) ? half : limit);
}

static void answered(void *arg, enum nfsstat4 status, struct xdr_in *results)
{
        struct delegation *one = arg;
        bool unknown = status == NFS4ERR_BAD_STATEID || status == NFS4ERR_BADHANDLE;

        (void)results;
        one->call = NULL;
        one->promised = status == NFS4_OK;
        if (!unknown)
                one->unknown_ns = 0;
        else if (one->unknown_ns == 0)
                one->unknown_ns = now_of(one);
        if (unknown && now_of(one) - one->unknown_ns >= UNKNOWN_SECONDS * NS)
                delegation_end(one, NULL);
        else if (status == NFS4_OK || status == NFS4ERR_CB_PATH_DOWN)
                wait_for_return(one);
        else
                wait_until(one, now_of(one) + AGAIN_MS * 1000000ull);
}

static void ask(struct delegation *one)
{
        uint64_t left = lease_ns(one) - (now_of(one) - one->recalled_ns);
        const struct callback_what what = { .opnum = OP_CB_RECALL,
                                            .seconds = (uint32_t)((left + NS - 1) / NS),
                                            .refers = one->given,
                                            .arg = one,
                                            .encode = encode,
                                            .done = answered };

        one->call = callback_send(&one->all->mds->nfs, one->client, &what);
        if (!one->call)
                wait_until(one, now_of(one) + AGAIN_MS * 1000000ull);
}

/* §10.4.6. */
static void taken(struct delegation *one)
{
        struct delegations *d = one->all;
        struct client *client = one->client;

        if (recovery_revoke(d->mds->recovery, client) < 0) {
                wait_until(one, now_of(one) + AGAIN_MS * 1000000ull);
                return;
        }
        log_info("delegation-revoked", "fileid=%" PRIu64 " clientid=%016" PRIx64, one->fileid,
                 client->clientid);
        delegation_revoke(d, client, one->fileid,
                          client_lapsed(&d->mds->nfs, client) ? NFS4ERR_EXPIRED : NFS4ERR_DELEG_REVOKED);
}

/* A delegation for writing whose holder's layout ends at the data servers; both may be gone by then. */
struct taking {
        struct fence_wait fence;
        struct delegations *all;
        uint64_t clientid;
        struct stateid stateid;
};

static void fenced(struct fence_wait *wait)
{
        struct taking *taking = CONTAINER(wait, struct taking, fence);
        struct delegations *d = taking->all;
        struct client *client = client_by_id(&d->mds->nfs, taking->clientid);
        struct delegation *one;

        if (!wait->given_up && client && delegation_find(d, client, &taking->stateid, &one) == NFS4_OK) {
                one->fenced = true;
                taken(one);
        }
        free(taking);
}

static bool fence_its_layout(struct delegation *one)
{
        struct mds *mds = one->all->mds;
        struct layout_state *layout = layout_of(mds->layouts, one->client, one->fileid);
        struct taking *taking;
        const struct inode *file;

        if (!layout || meta_inode(mds->meta, one->fileid, &file) < 0)
                return false;
        taking = calloc(1, sizeof(*taking));
        CHECK(taking != NULL);
        *taking = (struct taking){ .fence.done = fenced,
                                   .all = one->all,
                                   .clientid = one->client->clientid,
                                   .stateid = one->stateid };
        fence_raise(mds->fleet, file, &one->client->tag, 1, true, &taking->fence);
        layout_drop(mds->layouts, layout);
        return true;
}

void delegation_take(struct delegation *one)
{
        if (one->taking)
                return;
        one->taking = one->type == OPEN_DELEGATE_WRITE && fence_its_layout(one);
        if (!one->taking)
                taken(one);
}

static uint64_t change_of(const struct delegation *one)
{
        const struct inode *file;

        return meta_inode(one->all->mds->meta, one->fileid, &file) == 0 ? file->change : 0;
}

/* The data servers have been heard: has the file been written to since the last time? */
static void looked(struct size_wait *look, enum nfsstat4 status)
{
        struct delegation *one = CONTAINER(look, struct delegation, look);
        uint64_t passed = now_of(one) - one->recalled_ns, change = change_of(one);
        bool moves = status == NFS4_OK && change != one->change_seen;

        one->change_seen = change;
        if (passed >= lease_ns(one) && (!moves || passed >= LEASES_MOST * lease_ns(one)))
                delegation_take(one);
        else
                wait_for_return(one);
}

void delegation_timer(struct timer *t)
{
        struct delegation *one = CONTAINER(t, struct delegation, timer);
        const struct mds *mds = one->all->mds;
        bool may_flush =
                one->promised && one->type == OPEN_DELEGATE_WRITE && !client_lapsed(&mds->nfs, one->client);

        if (one->fenced) { /* the store did not take the record */
                taken(one);
        } else if (one->taking) {
                return; /* when it is fenced */
        } else if (may_flush) {
                one->look.done = looked;
                size_wait(mds->sizes, one->fileid, &one->look);
        } else if (now_of(one) - one->recalled_ns >= lease_ns(one)) {
                delegation_take(one);
        } else if (one->promised) {
                wait_for_return(one);
        } else {
                ask(one);
        }
}

void delegation_recall(struct delegation *one)
{
        struct delegations *d = one->all;

        if (one->recalled)
                return;
        one->recalled = true;
        one->recalled_ns = now_of(one);
        one->change_seen = change_of(one);
        delegation_recent(d, one->fileid)->called_back_ns = one->recalled_ns;
        metric_add(&d->recalls, 1);
        ask(one);
}

/* --- waiting */

static void waited(struct timer *t)
{
        struct delegation_wait *w = CONTAINER(t, struct delegation_wait, timer);

        list_remove(&w->node);
        compound_wake(w->compound);
}

enum nfsstat4 delegation_wait_for(struct delegations *d, struct compound *c, uint64_t fileid,
                                  struct delegation_wait *w)
{
        uint64_t passed = env_now(d->mds->env) - c->call.arrived_ns, limit = WAIT_MS * 1000000ull;

        if (passed >= limit || d->mds->stopping)
                return NFS4ERR_DELAY;
        *w = (struct delegation_wait){ .compound = c, .fileid = fileid, .timer.fire = waited };
        if (delegation_of_other(d, c->client, fileid, NULL)) {
                list_push(&d->waiting, &w->node);
                timer_start(d->mds->env, &w->timer, limit - passed);
        } else {
                list_push(&d->ready, &w->node);
                env_defer(d->mds->env, &d->wake);
        }
        return NFS4_WAIT;
}

/* Who does not live is not asked. The file may go with what is taken: the operation looks again. */
static void take_from_the_lapsed(struct delegations *d, const struct client *except, uint64_t fileid)
{
        struct delegation *one = NULL;

        while ((one = delegation_of_other(d, except, fileid, one)) != NULL)
                if (client_lapsed(&d->mds->nfs, one->client) &&
                    courtesy_yield(d->mds->courtesy, one->client, fileid) == NFS4_OK)
                        one = NULL; /* from the front */
}

enum nfsstat4 delegation_conflict(struct compound *c, uint64_t fileid, struct delegation_wait *w)
{
        struct delegations *d = mds_of(c)->delegations;
        struct delegation *one = NULL;

        if (!delegation_of_other(d, c->client, fileid, NULL))
                return NFS4_OK;
        take_from_the_lapsed(d, c->client, fileid);
        while ((one = delegation_of_other(d, c->client, fileid, one)) != NULL)
                if (!client_lapsed(&d->mds->nfs, one->client))
                        delegation_recall(one);
        return w ? delegation_wait_for(d, c, fileid, w) : NFS4ERR_DELAY;
}

enum nfsstat4 delegation_conflict_by_reading(struct compound *c, uint64_t fileid, struct delegation_wait *w)
{
        return delegation_of_writer(mds_of(c)->delegations, c->client, fileid)
                       ? delegation_conflict(c, fileid, w)
                       : NFS4_OK;
}

enum nfsstat4 delegation_conflict_by_change(struct compound *c, uint64_t fileid, struct delegation_wait *w)
{
        const struct mds *mds = mds_of(c);
        const struct inode *file;

        if (recovery_awaits_delegations(mds->recovery, c->client) &&
            meta_inode(mds->meta, fileid, &file) == 0 && file->type == NF4REG)
                return NFS4ERR_GRACE;
        return delegation_conflict(c, fileid, w);
}
