/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for a lock: see lock.h. RFC 8881 §9.6 (blocking locks), §20.11 (CB_NOTIFY_LOCK).
 *
 * The RFC: a server may keep a list of those who wait, in order, and may keep a lock free for the first of
 * them for as long as a lease. We: for a second, since one who has stopped waiting (killed, interrupted) does
 * not say so, and nobody else has the lock meanwhile. A waiter goes when it gets its range, when it asks
 * without waiting and is denied, when its second is over, when it has not asked again for twice as long as
 * Linux takes to, and with its open. */
#include "mds/state/courtesy.h"
#include "mds/state/lock_private.h"
#include "nfs4/callback.h"
#include "nfs4/codec.h"

enum { WINDOW_MS = 1000, FORGOTTEN_SECONDS = 60 };
#define WINDOW_NS (WINDOW_MS * 1000000ull)
#define FORGOTTEN_NS (FORGOTTEN_SECONDS * 1000000000ull)

static uint64_t now_of(const struct lock_file *file)
{
        return env_now(file->locks->mds->env);
}

static struct lock_waiter *in_file(struct list *node)
{
        return CONTAINER(node, struct lock_waiter, in_file);
}

/* --- one waiter */

static void withdraw(struct lock_waiter *w)
{
        if (w->call)
                callback_forget(w->call);
        w->call = NULL;
        w->offered = false;
}

static void drop(struct lock_waiter *w)
{
        struct lock_owner *owner = w->owner;
        struct locks *l = owner->file->locks;

        withdraw(w);
        list_remove(&w->in_file);
        list_remove(&w->in_owner);
        list_remove(&w->in_open);
        owner->file->waiter_count--;
        lock_client_count(owner->client, -1);
        slab_put(&l->waiter_slab, w);
        lock_owner_put(owner);
}

static struct lock_waiter *find(const struct lock_owner *owner, uint64_t first, uint64_t last)
{
        LIST_FOR_EACH(node, &owner->waiters) {
                struct lock_waiter *w = CONTAINER(node, struct lock_waiter, in_owner);

                if (w->first == first && w->last == last)
                        return w;
        }
        return NULL;
}

void lock_wait_over(struct lock_owner *owner, uint64_t first, uint64_t last)
{
        struct lock_waiter *w = find(owner, first, last);

        if (w)
                drop(w);
}

static struct lock_waiter *make(struct lock_owner *owner, struct open_state *open,
                                const struct lock_wish *wish)
{
        struct locks *l = owner->file->locks;
        struct lock_waiter *w;

        if (owner->file->waiter_count >= WAITERS_FILE_MAX || lock_client_is_full(l, wish->client, 0))
                return NULL;
        w = slab_get(&l->waiter_slab);
        if (!w)
                return NULL;
        w->owner = owner;
        w->fh = wish->fh;
        w->first = wish->first;
        w->last = wish->last;
        list_push(&owner->file->waiters, &w->in_file);
        list_push(&owner->waiters, &w->in_owner);
        list_push(&open->waiters, &w->in_open);
        owner->file->waiter_count++;
        lock_client_count(owner->client, 1);
        return w;
}

/* Without room for it, it asks again by itself. */
void lock_wait(struct locks *l, struct open_state *open, const struct lock_wish *wish)
{
        struct lock_owner *owner = callback_possible(wish->client) ? lock_owner_get(l, wish) : NULL;
        struct lock_waiter *w;

        if (!owner)
                return;
        w = find(owner, wish->first, wish->last);
        if (!w)
                w = make(owner, open, wish);
        if (w) {
                withdraw(w); /* what was offered is not what it wants now */
                w->kind = wish->kind;
                w->asked_ns = now_of(owner->file);
        }
        lock_owner_put(owner);
}

void lock_wait_open_gone(struct open_state *open)
{
        while (!list_empty(&open->waiters))
                drop(CONTAINER(open->waiters.next, struct lock_waiter, in_open));
}

/* --- offers */

const struct lock_waiter *lock_wait_conflict(const struct lock_file *file, const struct lock_owner *owner,
                                             enum range_kind kind, uint64_t first, uint64_t last)
{
        LIST_FOR_EACH(node, &file->waiters) {
                const struct lock_waiter *w = in_file(node);

                if (w->offered && w->owner != owner && w->first <= last && w->last >= first &&
                    (w->kind == RANGE_WRITE || kind == RANGE_WRITE))
                        return w;
        }
        return NULL;
}

static void encode(void *arg, struct xdr_out *x)
{
        const struct lock_waiter *w = arg;
        const struct lock_owner *owner = w->owner;
        uint8_t fh[FH_BYTES];

        fh_encode(&w->fh, owner->file->locks->mds->nfs.key, fh);
        xdr_put_opaque(x, fh, sizeof(fh));
        xdr_put_u64(x, owner->client->clientid);
        xdr_put_opaque(x, owner->name, owner->length);
}

/* Who understands it comes soon; who does not is not waited for. */
static void called(void *arg, enum nfsstat4 status, struct xdr_in *results)
{
        struct lock_waiter *w = arg;
        struct lock_file *file = w->owner->file;

        (void)results;
        w->call = NULL;
        if (status == NFS4_OK)
                return;
        lock_file_hold(file);
        drop(w);
        lock_wait_look(file);
        lock_file_release(file);
}

/* False: it cannot be called. */
static bool offer(struct lock_file *file, struct lock_waiter *w)
{
        struct mds *mds = file->locks->mds;
        const struct callback_what what = { .opnum = OP_CB_NOTIFY_LOCK,
                                            .seconds = 2 * WINDOW_MS / 1000,
                                            .arg = w,
                                            .encode = encode,
                                            .done = called };

        CHECK(!w->call);
        w->call = callback_send(&mds->nfs, w->owner->client, &what);
        if (!w->call)
                return false;
        metric_add(&file->locks->notified, 1);
        w->offered = true;
        w->offered_ns = now_of(file);
        if (!timer_running(&file->window))
                timer_start(mds->env, &file->window, WINDOW_NS);
        return true;
}

/* False: W is of no use any more. */
static bool look_at(struct lock_file *file, struct lock_waiter *w, uint64_t now)
{
        struct mds *mds = file->locks->mds;
        const struct range *r = range_conflict(&file->ranges, &w->owner->ranges, w->kind, w->first, w->last);

        if (now - w->asked_ns >= FORGOTTEN_NS || client_lapsed(&mds->nfs, w->owner->client))
                return false;
        if (!r)
                return lock_wait_conflict(file, w->owner, w->kind, w->first, w->last) || offer(file, w);
        /* Who does not live is asked to give it up; that it has is told by another look. */
        if (courtesy_yield(mds->courtesy, lock_owner_of(r)->client, file->fileid) == NFS4_OK)
                file->look_again = true;
        return true;
}

static void look_through(struct lock_file *file)
{
        uint64_t now = now_of(file);

        LIST_FOR_EACH_SAFE(node, &file->waiters) {
                struct lock_waiter *w = in_file(node);

                if (!w->offered && !look_at(file, w, now))
                        drop(w);
                if (file->look_again)
                        return; /* somebody's waiters may be gone */
        }
}

void lock_wait_look(struct lock_file *file)
{
        file->look_again = true;
        if (file->looking || list_empty(&file->waiters) || file->locks->mds->stopping)
                return;
        lock_file_hold(file);
        file->looking = true;
        while (file->look_again) {
                file->look_again = false;
                look_through(file);
        }
        file->looking = false;
        lock_file_release(file);
}

/* Whose second is over loses its place. */
void lock_wait_on_window(struct timer *t)
{
        struct lock_file *file = CONTAINER(t, struct lock_file, window);
        uint64_t now = now_of(file), left = UINT64_MAX;

        lock_file_hold(file);
        LIST_FOR_EACH_SAFE(node, &file->waiters) {
                struct lock_waiter *w = in_file(node);

                if (!w->offered)
                        continue;
                if (now - w->offered_ns >= WINDOW_NS)
                        drop(w);
                else if (w->offered_ns + WINDOW_NS - now < left)
                        left = w->offered_ns + WINDOW_NS - now;
        }
        if (left != UINT64_MAX)
                timer_start(file->locks->mds->env, t, left);
        lock_wait_look(file);
        lock_file_release(file);
}
