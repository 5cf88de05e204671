/* SPDX-License-Identifier: Apache-2.0 */
/* Opens: see open.h. Owners and files are remembered while they have a state: with sessions there is nothing
 * to keep of an owner without one. */
#include "mds/state/open.h"

#include <stdlib.h>

#include "base/siphash.h"
#include "base/slab.h"
#include "mds/ns/orphan.h"
#include "mds/state/client.h"
#include "mds/state/courtesy.h"
#include "mds/state/limit.h"
#include "mds/state/lock.h"
#include "mds/state/revoked.h"
#include "mds/state/share.h"

enum { OWNER_SHORT = 64 };

struct open_owner {
        struct hnode by_name; /* client and name */
        struct list opens;    /* open_state.in_owner */
        struct client *client;
        uint32_t length;
        uint8_t *name; /* short_name, or malloc'd when longer */
        uint8_t short_name[OWNER_SHORT];
};

struct opens {
        struct mds *mds;
        struct hashtab by_index, owners;
        struct slab state_slab, owner_slab;
        struct shares shares;
        struct state_limit limit;
        uint32_t next_index;
};

struct opens *opens_new(struct mds *mds)
{
        struct opens *o = calloc(1, sizeof(*o));

        if (!o)
                return NULL;
        o->mds = mds;
        state_limit_init(&o->limit, &mds->metrics, mds->conf->limits.opens, "nacre_opens_refused_total",
                         "OPENs answered NFS4ERR_DELAY at a limit");
        slab_init(&o->state_slab, sizeof(struct open_state), o->limit.most);
        slab_init(&o->owner_slab, sizeof(struct open_owner), o->limit.most);
        if (!hashtab_init(&o->by_index, 1024) || !hashtab_init(&o->owners, 1024) ||
            !shares_init(&o->shares, o->limit.most)) {
                opens_free(o);
                return NULL;
        }
        return o;
}

/* Clients are gone before (client_gone), so nothing is left inside. */
void opens_free(struct opens *o)
{
        if (!o)
                return;
        CHECK(o->by_index.count == 0);
        hashtab_destroy(&o->by_index);
        hashtab_destroy(&o->owners);
        slab_destroy(&o->state_slab);
        slab_destroy(&o->owner_slab);
        shares_destroy(&o->shares);
        free(o);
}

/* --- owners */

static uint64_t owner_hash(const struct opens *o, const struct client *client, struct slice name)
{
        return siphash(name.data, name.length, o->mds->nfs.key) ^ hash_u64(client->clientid);
}

static struct open_owner *find_owner(const struct opens *o, const struct client *client, struct slice name)
{
        HASHTAB_FOR_EACH(node, &o->owners, owner_hash(o, client, name)) {
                struct open_owner *owner = CONTAINER(node, struct open_owner, by_name);

                if (owner->client == client && slice_equal(name, slice_of(owner->name, owner->length)))
                        return owner;
        }
        return NULL;
}

static struct open_owner *get_owner(struct opens *o, struct client *client, struct slice name)
{
        struct open_owner *owner = find_owner(o, client, name);

        if (owner || !(owner = slab_get(&o->owner_slab)))
                return owner;
        owner->name = name.length <= OWNER_SHORT ? owner->short_name : malloc(name.length);
        if (!owner->name) {
                slab_put(&o->owner_slab, owner);
                return NULL;
        }
        if (name.length > 0)
                memcpy(owner->name, name.data, name.length);
        owner->length = name.length;
        owner->client = client;
        list_init(&owner->opens);
        hashtab_insert(&o->owners, &owner->by_name, owner_hash(o, client, name));
        return owner;
}

static void put_owner(struct opens *o, struct open_owner *owner)
{
        if (!owner || !list_empty(&owner->opens))
                return;
        hashtab_remove(&o->owners, &owner->by_name);
        if (owner->name != owner->short_name)
                free(owner->name);
        slab_put(&o->owner_slab, owner);
}

/* --- states */

bool open_conflicts(struct opens *o, uint64_t fileid, const struct open_state *except, uint8_t access,
                    uint8_t deny)
{
        const struct file_state *file = share_find(&o->shares, fileid);

        return file && share_conflicts(file, except, access, deny);
}

struct open_state *open_conflicting(struct opens *o, uint64_t fileid, const struct open_state *except,
                                    uint8_t access, uint8_t deny, const struct open_state *previous)
{
        const struct file_state *file = share_find(&o->shares, fileid);
        struct list *node;

        if (!file || !share_conflicts(file, except, access, deny))
                return NULL;
        for (node = previous ? previous->in_file.next : file->opens.next; node != &file->opens;
             node = node->next) {
                struct open_state *state = CONTAINER(node, struct open_state, in_file);

                if (state != except && (state->deny & access || state->access & deny))
                        return state;
        }
        return NULL;
}

bool opens_file_is_open(struct opens *o, uint64_t fileid)
{
        return share_find(&o->shares, fileid) != NULL;
}

static struct open_state *find_index(const struct opens *o, uint32_t index)
{
        HASHTAB_FOR_EACH(node, &o->by_index, hash_u64(index)) {
                struct open_state *state = CONTAINER(node, struct open_state, by_index);
                uint32_t own;

                if (stateid_parse(o->mds, &state->stateid, STATEID_OPEN, &own) && own == index)
                        return state;
        }
        return NULL;
}

/* The counter comes round after 2^32 opens: what is still open keeps its number. */
static uint32_t new_index(struct opens *o)
{
        do
                o->next_index++;
        while (o->next_index == 0 || find_index(o, o->next_index));
        return o->next_index;
}

/* Of the file's few opens, not of the owner's many: Linux has one owner a user. */
static struct open_state *find_in_file(const struct file_state *file, const struct client *client,
                                       struct slice owner)
{
        LIST_FOR_EACH(node, &file->opens) {
                struct open_state *state = CONTAINER(node, struct open_state, in_file);

                if (state->client == client &&
                    slice_equal(owner, slice_of(state->owner->name, state->owner->length)))
                        return state;
        }
        return NULL;
}

struct open_state *open_of(struct opens *o, const struct client *client, struct slice owner, uint64_t fileid)
{
        const struct file_state *file = share_find(&o->shares, fileid);

        return file ? find_in_file(file, client, owner) : NULL;
}

static struct open_state *new_state(struct opens *o, struct client *client, struct slice owner_name,
                                    struct file_state *file)
{
        struct mds_client *all = mds_client_of(client);
        bool admitted = all && state_limit_admits(&o->limit, o->by_index.count, all->open_count);
        struct open_owner *owner = admitted ? get_owner(o, client, owner_name) : NULL;
        struct open_state *state = owner ? slab_get(&o->state_slab) : NULL;

        if (!state) {
                put_owner(o, owner);
                return NULL;
        }
        state->client = client;
        state->owner = owner;
        state->fileid = file->fileid;
        list_init(&state->locks);
        list_init(&state->waiters);
        stateid_make(o->mds, STATEID_OPEN, new_index(o), &state->stateid);
        hashtab_insert(&o->by_index, &state->by_index, hash_u64(o->next_index));
        list_push(&file->opens, &state->in_file);
        list_push(&owner->opens, &state->in_owner);
        list_push(&all->opens, &state->in_client);
        all->open_count++;
        return state;
}

enum nfsstat4 open_add(struct opens *o, struct client *client, struct slice owner, uint64_t fileid,
                       uint16_t export_id, uint8_t access, uint8_t deny, struct open_state **ret)
{
        struct file_state *file;
        struct open_state *state = open_of(o, client, owner, fileid);

        CHECK(access >= 1 && access <= 3 && deny <= 3);
        if (open_conflicts(o, fileid, state, access, deny))
                return NFS4ERR_SHARE_DENIED;
        file = share_get(&o->shares, fileid);
        if (file && !state)
                state = new_state(o, client, owner, file);
        if (!state) {
                share_put(&o->shares, file);
                if (o->by_index.count >= o->limit.most)
                        courtesy_make_room(o->mds->courtesy);
                return NFS4ERR_DELAY;
        }
        state->export_id = export_id;
        share_set(file, state, state->access | access, state->deny | deny);
        state->access_seen |= (uint8_t)(1u << access);
        state->deny_seen |= (uint8_t)(1u << deny);
        stateid_bump(&state->stateid);
        *ret = state;
        return NFS4_OK;
}

enum nfsstat4 open_find(struct opens *o, const struct client *client, const struct stateid *s,
                        struct open_state **ret)
{
        struct open_state *state;
        enum nfsstat4 status;
        uint32_t index;

        if (!stateid_parse(o->mds, s, STATEID_OPEN, &index))
                return NFS4ERR_BAD_STATEID;
        state = find_index(o, index);
        if (!state || state->client != client)
                return revoked_status(o->mds->revocations, client, s);
        status = stateid_check(s, &state->stateid);
        if (status == NFS4_OK)
                *ret = state;
        return status;
}

/* Is SHARE the union of some of the combinations in SEEN? */
static bool is_union(uint8_t seen, uint8_t share)
{
        unsigned of = 0;

        for (unsigned n = 0; n <= 3; n++)
                if (seen & 1u << n && (n & ~(unsigned)share) == 0)
                        of |= n;
        return of == share && (share != 0 || seen & 1);
}

/* The combinations that are inside SHARE. */
static uint8_t seen_within(uint8_t seen, uint8_t share)
{
        for (unsigned n = 0; n <= 3; n++)
                if (n & ~(unsigned)share)
                        seen &= (uint8_t) ~(1u << n);
        return seen;
}

enum nfsstat4 open_downgrade(struct opens *o, struct open_state *state, uint8_t access, uint8_t deny)
{
        if (access == 0 || !is_union(state->access_seen, access) || !is_union(state->deny_seen, deny))
                return NFS4ERR_INVAL;
        share_set(share_find(&o->shares, state->fileid), state, access, deny);
        state->access_seen = seen_within(state->access_seen, access);
        state->deny_seen = seen_within(state->deny_seen, deny);
        stateid_bump(&state->stateid);
        return NFS4_OK;
}

bool open_close(struct opens *o, struct open_state *state)
{
        struct file_state *file = share_find(&o->shares, state->fileid);
        struct mds_client *all = state->client->role;
        bool last;

        locks_open_gone(o->mds->locks, state);
        share_set(file, state, 0, 0);
        hashtab_remove(&o->by_index, &state->by_index);
        list_remove(&state->in_file);
        list_remove(&state->in_owner);
        list_remove(&state->in_client);
        all->open_count--;
        put_owner(o, state->owner);
        slab_put(&o->state_slab, state);
        last = list_empty(&file->opens);
        share_put(&o->shares, file);
        return last;
}

static struct open_state *first_of(const struct opens *o, const struct client *client, uint64_t fileid)
{
        const struct file_state *file = share_find(&o->shares, fileid);

        if (!file)
                return NULL;
        LIST_FOR_EACH(node, &file->opens) {
                struct open_state *state = CONTAINER(node, struct open_state, in_file);

                if (state->client == client)
                        return state;
        }
        return NULL;
}

bool opens_has_open(const struct opens *o, const struct client *client, uint64_t fileid)
{
        return first_of(o, client, fileid) != NULL;
}

void opens_revoke(struct opens *o, struct client *client, uint64_t fileid, enum nfsstat4 why)
{
        for (struct open_state *s = first_of(o, client, fileid); s; s = first_of(o, client, fileid)) {
                locks_revoke(o->mds->locks, s, why);
                revoked_add(o->mds->revocations, client, &s->stateid, why);
                if (open_close(o, s))
                        orphan_closed(o->mds, fileid, client);
        }
}

void opens_drop_client(struct opens *o, struct client *client)
{
        struct mds_client *all = client->role;

        if (!all)
                return;
        while (!list_empty(&all->opens)) {
                struct open_state *state = CONTAINER(all->opens.next, struct open_state, in_client);
                uint64_t fileid = state->fileid;

                if (open_close(o, state))
                        orphan_closed(o->mds, fileid, client);
        }
}

void opens_each_of_file(const struct opens *o, uint64_t fileid,
                        void (*each)(void *arg, const struct open_state *), void *arg)
{
        const struct file_state *file = share_find(&o->shares, fileid);

        if (file)
                LIST_FOR_EACH(node, &file->opens)
                        each(arg, CONTAINER(node, struct open_state, in_file));
}

uint32_t opens_count(const struct opens *o)
{
        return o->by_index.count;
}
