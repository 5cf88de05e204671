/* SPDX-License-Identifier: Apache-2.0 */
/* Locks: see lock.h. Owners, states and ranges; who waits is lock_wait.c. */
#include <stdlib.h>

#include "base/siphash.h"
#include "mds/state/courtesy.h"
#include "mds/state/lock_private.h"
#include "mds/state/revoked.h"

static void init_metrics(struct locks *l)
{
        metric_counter(&l->mds->metrics, &l->refused, "nacre_lock_limit_total",
                       "LOCK and LOCKU answered NFS4ERR_DELAY at a limit");
        metric_counter(&l->mds->metrics, &l->notified, "nacre_lock_notifications_total",
                       "CB_NOTIFY_LOCK sent");
}

struct locks *locks_new(struct mds *mds)
{
        struct locks *l = calloc(1, sizeof(*l));

        if (!l)
                return NULL;
        l->mds = mds;
        l->most = mds->conf->limits.locks ? (uint32_t)mds->conf->limits.locks : LOCKS_MAX;
        slab_init(&l->file_slab, sizeof(struct lock_file), l->most);
        slab_init(&l->owner_slab, sizeof(struct lock_owner), 2 * l->most);
        slab_init(&l->state_slab, sizeof(struct lock_state), l->most);
        slab_init(&l->waiter_slab, sizeof(struct lock_waiter), l->most);
        range_pool_init(&l->pool, l->most + LOCKS_SLACK, env_random_u64(mds->env));
        if (!hashtab_init(&l->by_index, 64) || !hashtab_init(&l->files, 64) ||
            !hashtab_init(&l->owners, 64)) {
                locks_free(l);
                return NULL;
        }
        init_metrics(l);
        return l;
}

void locks_free(struct locks *l)
{
        if (!l)
                return;
        CHECK(l->by_index.count == 0 && l->files.count == 0 && l->owners.count == 0);
        hashtab_destroy(&l->by_index);
        hashtab_destroy(&l->files);
        hashtab_destroy(&l->owners);
        slab_destroy(&l->file_slab);
        slab_destroy(&l->owner_slab);
        slab_destroy(&l->state_slab);
        slab_destroy(&l->waiter_slab);
        range_pool_destroy(&l->pool);
        free(l);
}

/* --- limits */

void lock_client_count(struct client *client, int more)
{
        struct mds_client *m = client->role; /* it has an open */

        m->locks += (uint32_t)more;
}

bool lock_client_is_full(const struct locks *l, const struct client *client, uint32_t slack)
{
        const struct mds_client *m = client->role;

        return m->locks >= (l->most + LOCKS_CLIENT_SHARE - 1) / LOCKS_CLIENT_SHARE + slack;
}

static enum nfsstat4 refuse(struct locks *l)
{
        metric_add(&l->refused, 1);
        return NFS4ERR_DELAY;
}

/* --- files */

static struct lock_file *find_file(const struct locks *l, uint64_t fileid)
{
        HASHTAB_FOR_EACH(node, &l->files, hash_u64(fileid)) {
                struct lock_file *file = CONTAINER(node, struct lock_file, by_fileid);

                if (file->fileid == fileid)
                        return file;
        }
        return NULL;
}

static struct lock_file *get_file(struct locks *l, uint64_t fileid)
{
        struct lock_file *file = find_file(l, fileid);

        if (file || !(file = slab_get(&l->file_slab)))
                return file;
        file->locks = l;
        file->fileid = fileid;
        file->window.fire = lock_wait_on_window;
        list_init(&file->waiters);
        hashtab_insert(&l->files, &file->by_fileid, hash_u64(fileid));
        return file;
}

void lock_file_release(struct lock_file *file)
{
        struct locks *l = file->locks;

        CHECK(file->users > 0);
        if (--file->users > 0)
                return;
        CHECK(list_empty(&file->waiters));
        timer_stop(&file->window);
        hashtab_remove(&l->files, &file->by_fileid);
        slab_put(&l->file_slab, file);
}

/* --- owners */

static uint64_t owner_hash(const struct locks *l, const struct client *client, uint64_t fileid,
                           struct slice name)
{
        return siphash(name.data, name.length, l->mds->nfs.key) ^
               hash_u64(client->clientid ^ hash_u64(fileid));
}

static struct slice name_of(const struct lock_owner *owner)
{
        return slice_of(owner->name, owner->length);
}

static struct lock_owner *find_owner(const struct locks *l, const struct lock_wish *w)
{
        HASHTAB_FOR_EACH(node, &l->owners, owner_hash(l, w->client, w->fh.fileid, w->owner)) {
                struct lock_owner *owner = CONTAINER(node, struct lock_owner, by_name);

                if (owner->client == w->client && owner->file->fileid == w->fh.fileid &&
                    slice_equal(w->owner, name_of(owner)))
                        return owner;
        }
        return NULL;
}

static struct lock_owner *new_owner(struct locks *l, struct slice name)
{
        struct lock_owner *owner = slab_get(&l->owner_slab);

        if (!owner)
                return NULL;
        owner->name = name.length <= LOCK_OWNER_SHORT ? owner->short_name : malloc(name.length);
        if (!owner->name) {
                slab_put(&l->owner_slab, owner);
                return NULL;
        }
        if (name.length > 0)
                memcpy(owner->name, name.data, name.length);
        owner->length = name.length;
        list_init(&owner->states);
        list_init(&owner->waiters);
        return owner;
}

struct lock_owner *lock_owner_get(struct locks *l, const struct lock_wish *w)
{
        struct lock_owner *owner = find_owner(l, w);
        struct lock_file *file;

        if (owner || !(owner = new_owner(l, w->owner)))
                return owner;
        file = get_file(l, w->fh.fileid);
        if (!file) {
                if (owner->name != owner->short_name)
                        free(owner->name);
                slab_put(&l->owner_slab, owner);
                return NULL;
        }
        lock_file_hold(file);
        owner->file = file;
        owner->client = w->client;
        hashtab_insert(&l->owners, &owner->by_name, owner_hash(l, w->client, w->fh.fileid, w->owner));
        return owner;
}

void lock_owner_put(struct lock_owner *owner)
{
        struct locks *l = owner->file->locks;

        if (!list_empty(&owner->states) || !list_empty(&owner->waiters))
                return;
        CHECK(owner->ranges.count == 0);
        hashtab_remove(&l->owners, &owner->by_name);
        lock_file_release(owner->file);
        if (owner->name != owner->short_name)
                free(owner->name);
        slab_put(&l->owner_slab, owner);
}

/* --- ranges: what a client has is counted */

static bool take_range(struct lock_owner *owner, const struct lock_wish *w)
{
        struct lock_file *file = owner->file;
        uint32_t before = owner->ranges.count;
        bool ok = range_set(&file->locks->pool, &file->ranges, &owner->ranges, w->kind, w->first, w->last);

        lock_client_count(owner->client, (int)owner->ranges.count - (int)before);
        return ok;
}

static bool give_range(struct lock_owner *owner, uint64_t first, uint64_t last)
{
        struct lock_file *file = owner->file;
        uint32_t before = owner->ranges.count;
        bool ok = range_clear(&file->locks->pool, &file->ranges, &owner->ranges, first, last);

        lock_client_count(owner->client, (int)owner->ranges.count - (int)before);
        return ok;
}

/* --- states */

static struct lock_state *find_index(const struct locks *l, uint32_t index)
{
        HASHTAB_FOR_EACH(node, &l->by_index, hash_u64(index)) {
                struct lock_state *state = CONTAINER(node, struct lock_state, by_index);
                uint32_t own;

                if (stateid_parse(l->mds, &state->stateid, STATEID_LOCK, &own) && own == index)
                        return state;
        }
        return NULL;
}

/* The counter comes round after 2^32 states: what is still there keeps its number. */
static uint32_t new_index(struct locks *l)
{
        do
                l->next_index++;
        while (l->next_index == 0 || find_index(l, l->next_index));
        return l->next_index;
}

static struct lock_state *get_state(struct lock_owner *owner, struct open_state *open)
{
        struct locks *l = owner->file->locks;
        struct lock_state *state;

        LIST_FOR_EACH(node, &owner->states) {
                state = CONTAINER(node, struct lock_state, in_owner);
                if (state->open == open)
                        return state;
        }
        state = slab_get(&l->state_slab);
        if (!state)
                return NULL;
        state->owner = owner;
        state->open = open;
        stateid_make(l->mds, STATEID_LOCK, new_index(l), &state->stateid);
        hashtab_insert(&l->by_index, &state->by_index, hash_u64(l->next_index));
        list_push(&owner->states, &state->in_owner);
        list_push(&open->locks, &state->in_open);
        lock_client_count(owner->client, 1);
        return state;
}

/* The owner's ranges in this file go with its last state here. */
static void drop_state(struct lock_state *state)
{
        struct lock_owner *owner = state->owner;
        struct locks *l = owner->file->locks;

        hashtab_remove(&l->by_index, &state->by_index);
        list_remove(&state->in_owner);
        list_remove(&state->in_open);
        slab_put(&l->state_slab, state);
        lock_client_count(owner->client, -1);
        if (list_empty(&owner->states))
                give_range(owner, 0, UINT64_MAX); /* all of it: needs no range */
        lock_owner_put(owner);
}

enum nfsstat4 lock_find(struct locks *l, const struct client *client, const struct stateid *s,
                        struct lock_state **ret)
{
        struct lock_state *state;
        enum nfsstat4 status;
        uint32_t index;

        if (!stateid_parse(l->mds, s, STATEID_LOCK, &index))
                return NFS4ERR_BAD_STATEID;
        state = find_index(l, index);
        if (!state || state->open->client != client)
                return revoked_status(l->mds->revocations, client, s);
        status = stateid_check(s, &state->stateid);
        if (status == NFS4_OK)
                *ret = state;
        return status;
}

enum nfsstat4 lock_find_open(struct mds *mds, const struct client *client, const struct stateid *s,
                             struct open_state **ret)
{
        struct lock_state *state = NULL;
        enum nfsstat4 status;

        if (s->other[4] != STATEID_LOCK) /* include/stateid.h */
                return open_find(mds->opens, client, s, ret);
        status = lock_find(mds->locks, client, s, &state);
        if (status != NFS4_OK)
                return status;
        CHECK(state != NULL);
        *ret = state->open;
        return NFS4_OK;
}

struct slice lock_owner_name(const struct lock_state *state)
{
        return name_of(state->owner);
}

uint64_t lock_fileid(const struct lock_state *state)
{
        return state->owner->file->fileid;
}

/* --- operations */

static struct lock_denied denied_by_range(const struct range *r)
{
        const struct lock_owner *holder = lock_owner_of(r);

        return (struct lock_denied){ .kind = r->kind,
                                     .first = r->in_file.first,
                                     .last = r->in_file.last,
                                     .clientid = holder->client->clientid,
                                     .owner = name_of(holder) };
}

static struct lock_denied denied_by_offer(const struct lock_waiter *w)
{
        return (struct lock_denied){ .kind = w->kind,
                                     .first = w->first,
                                     .last = w->last,
                                     .clientid = w->owner->client->clientid,
                                     .owner = name_of(w->owner) };
}

/* Who has, or is offered, what is in the way; NULL: nobody. */
static struct client *find_holder(struct locks *l, const struct lock_wish *w, struct lock_denied *ret_denied)
{
        const struct lock_file *file = find_file(l, w->fh.fileid);
        const struct lock_owner *owner = find_owner(l, w);
        const struct lock_waiter *offered;
        const struct range *r;

        if (!file)
                return NULL;
        r = range_conflict(&file->ranges, owner ? &owner->ranges : NULL, w->kind, w->first, w->last);
        if (r) {
                *ret_denied = denied_by_range(r);
                return lock_owner_of(r)->client;
        }
        offered = lock_wait_conflict(file, owner, w->kind, w->first, w->last);
        if (!offered)
                return NULL;
        *ret_denied = denied_by_offer(offered);
        return offered->owner->client;
}

enum nfsstat4 lock_test(struct locks *l, const struct lock_wish *w, struct lock_denied *ret_denied)
{
        struct client *holder;
        enum nfsstat4 status = NFS4_OK;

        CHECK(w->first <= w->last);
        while (status == NFS4_OK && (holder = find_holder(l, w, ret_denied)) != NULL)
                status = courtesy_yield(l->mds->courtesy, holder, w->fh.fileid);
        return status;
}

static enum nfsstat4 grant(struct locks *l, struct open_state *open, const struct lock_wish *w,
                           struct lock_state **ret)
{
        struct lock_owner *owner;
        struct lock_state *state;
        bool new_state;

        if (l->pool.slab.in_use >= l->most || lock_client_is_full(l, w->client, 0))
                return refuse(l);
        owner = lock_owner_get(l, w);
        if (!owner)
                return refuse(l);
        state = get_state(owner, open);
        if (!state) {
                lock_owner_put(owner);
                return refuse(l);
        }
        new_state = state->stateid.seqid == 0;
        if (!take_range(owner, w)) {
                if (new_state)
                        drop_state(state);
                return refuse(l);
        }
        stateid_bump(&state->stateid);
        lock_wait_over(owner, w->first, w->last);
        lock_wait_look(owner->file); /* it may have had more than it asked for now */
        *ret = state;
        return NFS4_OK;
}

enum nfsstat4 lock_take(struct locks *l, struct open_state *open, const struct lock_wish *w,
                        struct lock_state **ret, struct lock_denied *ret_denied)
{
        struct lock_owner *owner;
        enum nfsstat4 status = lock_test(l, w, ret_denied);

        CHECK(open->client == w->client && open->fileid == w->fh.fileid);
        if (status == NFS4_OK)
                return grant(l, open, w, ret);
        owner = find_owner(l, w);
        if (w->waits)
                lock_wait(l, open, w);
        else if (owner && status == NFS4ERR_DENIED)
                lock_wait_over(owner, w->first, w->last);
        return status;
}

enum nfsstat4 lock_release(struct locks *l, struct lock_state *state, uint64_t first, uint64_t last)
{
        struct lock_owner *owner = state->owner;

        if (lock_client_is_full(l, owner->client, LOCKS_SLACK) && range_is_split(&owner->ranges, first, last))
                return refuse(l);
        if (!give_range(owner, first, last))
                return refuse(l);
        stateid_bump(&state->stateid);
        lock_wait_look(owner->file);
        return NFS4_OK;
}

enum nfsstat4 lock_free(struct locks *l, struct lock_state *state)
{
        (void)l;
        if (state->owner->ranges.count > 0)
                return NFS4ERR_LOCKS_HELD;
        drop_state(state);
        return NFS4_OK;
}

void locks_revoke(struct locks *l, const struct open_state *open, enum nfsstat4 why)
{
        LIST_FOR_EACH(node, &open->locks)
                revoked_add(l->mds->revocations, open->client,
                            &CONTAINER(node, struct lock_state, in_open)->stateid, why);
}

/* Later: whoever says so is looking through clients. */
void locks_client_lapsed(struct locks *l, const struct client *client)
{
        const struct mds_client *m = client->role;

        if (!m)
                return;
        LIST_FOR_EACH(node, &m->opens) {
                const struct open_state *open = CONTAINER(node, struct open_state, in_client);
                struct lock_file *file = list_empty(&open->locks) ? NULL : find_file(l, open->fileid);

                if (file && !list_empty(&file->waiters))
                        timer_start(l->mds->env, &file->window, 1);
        }
}

void locks_open_gone(struct locks *l, struct open_state *open)
{
        struct lock_file *file = find_file(l, open->fileid);

        if (!file)
                return;
        lock_file_hold(file);
        lock_wait_open_gone(open);
        while (!list_empty(&open->locks))
                drop_state(CONTAINER(open->locks.next, struct lock_state, in_open));
        lock_wait_look(file);
        lock_file_release(file);
}

uint32_t locks_count(const struct locks *l)
{
        return l->pool.slab.in_use;
}

uint32_t locks_waiters_count(const struct locks *l)
{
        return l->waiter_slab.in_use;
}
