/* SPDX-License-Identifier: Apache-2.0 */
/* Layout states: see layout.h. RFC 8881 §12.5.2 (stateid rules), §12.5.3 (seqid arithmetic). */
#include "mds/state/layout.h"

#include <stdlib.h>

#include "base/slab.h"
#include "mds/pnfs/recall.h"
#include "mds/pnfs/size.h"
#include "mds/state/courtesy.h"
#include "mds/state/limit.h"
#include "mds/state/returned.h"

/* What one client holds. */
struct holder {
        struct hnode node;
        struct client *client;
        struct list layouts;
        uint32_t count;
};

/* Records of a file whose states are gone. */
struct leftover {
        struct hnode node;
        uint64_t fileid;
        uint32_t count;
};

struct layouts {
        struct mds *mds;
        struct hashtab by_index, by_file, holders, leftovers;
        struct slab states;
        struct state_limit limit;
        uint32_t next_index;
};

static uint64_t client_hash(const struct client *c)
{
        return hash_u64((uint64_t)(uintptr_t)c);
}

struct layouts *layouts_new(struct mds *mds)
{
        struct layouts *l = calloc(1, sizeof(*l));

        if (!l)
                return NULL;
        l->mds = mds;
        state_limit_init(&l->limit, &mds->metrics, mds->conf->limits.layouts, "nacre_layouts_refused_total",
                         "LAYOUTGETs answered NFS4ERR_LAYOUTUNAVAILABLE at a limit");
        slab_init(&l->states, sizeof(struct layout_state), l->limit.most);
        if (!hashtab_init(&l->by_index, 1024) || !hashtab_init(&l->by_file, 1024) ||
            !hashtab_init(&l->holders, 64) || !hashtab_init(&l->leftovers, 64)) {
                layouts_free(l);
                return NULL;
        }
        return l;
}

static struct holder *find_holder(const struct layouts *l, const struct client *client)
{
        HASHTAB_FOR_EACH(node, &l->holders, client_hash(client)) {
                struct holder *h = CONTAINER(node, struct holder, node);

                if (h->client == client)
                        return h;
        }
        return NULL;
}

static struct holder *get_holder(struct layouts *l, struct client *client)
{
        struct holder *h = find_holder(l, client);

        if (h)
                return h;
        h = calloc(1, sizeof(*h));
        if (!h)
                return NULL;
        h->client = client;
        list_init(&h->layouts);
        hashtab_insert(&l->holders, &h->node, client_hash(client));
        return h;
}

/* --- leftovers */

static struct leftover *find_leftover(const struct layouts *l, uint64_t fileid)
{
        HASHTAB_FOR_EACH(node, &l->leftovers, hash_u64(fileid)) {
                struct leftover *left = CONTAINER(node, struct leftover, node);

                if (left->fileid == fileid)
                        return left;
        }
        return NULL;
}

void layout_leftover(struct layouts *l, uint64_t fileid)
{
        struct leftover *left = find_leftover(l, fileid);

        if (!left && (left = calloc(1, sizeof(*left))) != NULL) {
                left->fileid = fileid;
                hashtab_insert(&l->leftovers, &left->node, hash_u64(fileid));
        }
        if (left)
                left->count++;
}

bool layout_has_leftover(const struct layouts *l, uint64_t fileid)
{
        return find_leftover(l, fileid) != NULL;
}

static void forget_leftover(struct layouts *l, struct leftover *left)
{
        hashtab_remove(&l->leftovers, &left->node);
        free(left);
}

void layout_drop(struct layouts *l, struct layout_state *state)
{
        struct holder *h = find_holder(l, state->client);

        recall_end(state);
        if (state->recorded)
                layout_leftover(l, state->fileid);
        hashtab_remove(&l->by_index, &state->by_index);
        hashtab_remove(&l->by_file, &state->by_file);
        list_remove(&state->in_client);
        h->count--;
        slab_put(&l->states, state);
        if (list_empty(&h->layouts)) {
                hashtab_remove(&l->holders, &h->node);
                free(h);
        }
}

void layouts_free(struct layouts *l)
{
        struct hnode *node;
        uint32_t bucket = 0;

        if (!l)
                return;
        while ((node = hashtab_walk(&l->by_index, &bucket, NULL)) != NULL) {
                layout_drop(l, CONTAINER(node, struct layout_state, by_index));
                bucket = 0;
        }
        hashtab_destroy(&l->by_index);
        hashtab_destroy(&l->by_file);
        hashtab_destroy(&l->holders);
        bucket = 0;
        while ((node = hashtab_walk(&l->leftovers, &bucket, NULL)) != NULL) {
                forget_leftover(l, CONTAINER(node, struct leftover, node));
                bucket = 0;
        }
        hashtab_destroy(&l->leftovers);
        slab_destroy(&l->states);
        free(l);
}

struct layout_state *layout_of(struct layouts *l, const struct client *client, uint64_t fileid)
{
        HASHTAB_FOR_EACH(node, &l->by_file, hash_u64(fileid)) {
                struct layout_state *state = CONTAINER(node, struct layout_state, by_file);

                if (state->fileid == fileid && state->client == client)
                        return state;
        }
        return NULL;
}

static struct layout_state *make(struct layouts *l, const struct compound *c, const struct inode *file)
{
        const struct holder *own = find_holder(l, c->client);
        bool admitted = state_limit_admits(&l->limit, l->by_index.count, own ? own->count : 0);
        struct layout_state *state = admitted ? slab_get(&l->states) : NULL;
        struct holder *h = state ? get_holder(l, c->client) : NULL;

        if (!h) {
                slab_put(&l->states, state);
                return NULL;
        }
        state->client = c->client;
        state->fileid = file->fileid;
        state->generation = file->generation;
        state->export_id = c->fh.export_id;
        state->return_on_close = l->mds->conf->return_on_close;
        state->handles = returned_again(l->mds->returned, file->fileid, c->client->tag);
        stateid_make(l->mds, STATEID_LAYOUT, ++l->next_index, &state->stateid);
        hashtab_insert(&l->by_index, &state->by_index, hash_u64(l->next_index));
        hashtab_insert(&l->by_file, &state->by_file, hash_u64(file->fileid));
        list_push(&h->layouts, &state->in_client);
        h->count++;
        return state;
}

/* §8.2.2: 2^32-1 is followed by 1. */
void layout_bump(struct layout_state *state)
{
        struct stateid *s = &state->stateid;

        s->seqid = s->seqid == UINT32_MAX ? 1 : s->seqid + 1;
}

enum nfsstat4 layout_grant(struct layouts *l, const struct compound *c, const struct inode *file,
                           uint8_t iomode, struct layout_state **ret)
{
        struct layout_state *state = layout_of(l, c->client, file->fileid);

        if (!state)
                state = make(l, c, file);
        if (!state) {
                if (l->by_index.count >= l->limit.most)
                        courtesy_make_room(l->mds->courtesy);
                return NFS4ERR_LAYOUTUNAVAILABLE; /* TRYLATER makes Linux wait for two leases */
        }
        layout_bump(state);
        state->iomodes |= (uint8_t)(1u << iomode);
        state->handles |= (uint8_t)(1u << iomode);
        state->given_seqid[iomode] = state->stateid.seqid;
        state->epoch = meta_epoch(l->mds->meta);
        state->given = referring_of(c);
        *ret = state;
        return NFS4_OK;
}

/* By how much GIVEN is behind NOW; a very large number: it is ahead. There is no 0. */
static uint32_t behind(uint32_t given, uint32_t now)
{
        return now >= given ? now - given : now + (UINT32_MAX - given);
}

/* §12.5.5.2.1.4: so many requests can be under way together, at least. */
static uint32_t parallel_requests(const struct client *client)
{
        uint32_t sum = 0;

        LIST_FOR_EACH(node, &client->sessions) {
                const struct session *s = CONTAINER(node, struct session, in_client);

                sum += s->slot_count * (s->fore.max_ops - 1);
        }
        return sum;
}

static enum nfsstat4 check_seqid(const struct client *client, uint32_t given, uint32_t now)
{
        uint32_t age = behind(given, now);

        if (given == 0 || age > UINT32_MAX / 2)
                return NFS4ERR_BAD_STATEID;
        return age <= parallel_requests(client) ? NFS4_OK : NFS4ERR_OLD_STATEID;
}

enum nfsstat4 layout_find(struct layouts *l, const struct client *client, const struct stateid *s,
                          struct layout_state **ret)
{
        uint32_t index;

        if (!stateid_parse(l->mds, s, STATEID_LAYOUT, &index))
                return NFS4ERR_BAD_STATEID;
        HASHTAB_FOR_EACH(node, &l->by_index, hash_u64(index)) {
                struct layout_state *state = CONTAINER(node, struct layout_state, by_index);

                if (memcmp(state->stateid.other, s->other, NFS4_OTHER_SIZE) != 0 || state->client != client)
                        continue;
                *ret = state;
                return check_seqid(client, s->seqid, state->stateid.seqid);
        }
        return NFS4ERR_BAD_STATEID;
}

bool layout_has_writer(struct layouts *l, uint64_t fileid, const struct client *except)
{
        HASHTAB_FOR_EACH(node, &l->by_file, hash_u64(fileid)) {
                struct layout_state *state = CONTAINER(node, struct layout_state, by_file);

                if (state->fileid == fileid && state->client != except &&
                    state->handles & 1u << LAYOUTIOMODE4_RW)
                        return true;
        }
        return returned_tags(l->mds->returned, fileid, 1u << LAYOUTIOMODE4_RW, 0, except ? except->tag : 0,
                             NULL, 0) > 0;
}

/* Nobody asks it for its layouts any more; a recall that was under way has fenced it. */
static void drop_unasked(struct layouts *l, struct layout_state *state)
{
        if (!state->recall)
                returned_note(l->mds->returned, state->fileid, state->client->tag, state->handles,
                              state->epoch);
        layout_drop(l, state);
}

void layouts_drop_client(struct layouts *l, struct client *client)
{
        for (struct holder *h = find_holder(l, client); h; h = find_holder(l, client))
                drop_unasked(l, CONTAINER(h->layouts.next, struct layout_state, in_client));
}

void layouts_each_holder(struct layouts *l, uint64_t fileid, void (*each)(void *arg, struct layout_state *),
                         void *arg)
{
        struct hnode *node = hashtab_first(&l->by_file, hash_u64(fileid));

        while (node) {
                struct layout_state *state = CONTAINER(node, struct layout_state, by_file);

                node = hashtab_next(node);
                if (state->fileid == fileid)
                        each(arg, state);
        }
}

void layouts_each_of_all(struct layouts *l, void (*each)(void *arg, struct layout_state *), void *arg)
{
        uint32_t bucket = 0;
        struct hnode *node = hashtab_walk(&l->by_index, &bucket, NULL);

        while (node) {
                struct layout_state *state = CONTAINER(node, struct layout_state, by_index);

                node = hashtab_walk(&l->by_index, &bucket, node);
                each(arg, state);
        }
}

static void drop_it(void *arg, struct layout_state *state)
{
        layout_drop(arg, state);
}

void layouts_file_gone(struct layouts *l, uint64_t fileid)
{
        struct leftover *left;

        layouts_each_holder(l, fileid, drop_it, l);
        returned_forget(l->mds->returned, fileid, 0);
        left = find_leftover(l, fileid);
        if (left)
                forget_leftover(l, left);
}

/* --- records */

void layout_record(struct txn *t, const struct layout_state *state, uint32_t epoch)
{
        uint8_t key[KEY_MAX];

        epoch = htobe32(epoch);
        txn_put(t, key_layout(key, state->fileid, state->client->tag), slice_of(&epoch, 4));
}

/* After a drop: the record of CLIENT's write layout goes too, unless data servers know more than we do. */
static enum nfsstat4 forget_record(struct layouts *l, uint64_t fileid, const struct client *client,
                                   uint64_t *seq)
{
        struct leftover *left;
        struct txn *t;
        uint8_t key[KEY_MAX];
        int r;

        if (!size_is_current(l->mds->sizes, fileid))
                return NFS4_OK;
        left = find_leftover(l, fileid);
        t = txn_begin(l->mds->meta);
        txn_delete(t, key_layout(key, fileid, client->tag));
        r = txn_commit(t, seq);
        if (r == 0 && left && --left->count == 0)
                forget_leftover(l, left);
        return nfs4_status_from_errno(r);
}

/* What is IOMODE of STATE, but for what was given after SEQID: the client had not seen it. */
static uint8_t meant_by(const struct layout_state *state, uint8_t iomode, uint32_t seqid)
{
        uint8_t meant = 0;

        for (unsigned one = LAYOUTIOMODE4_READ; one <= LAYOUTIOMODE4_RW; one++)
                if ((iomode == one || iomode == LAYOUTIOMODE4_ANY) &&
                    (seqid == 0 || behind(state->given_seqid[one], seqid) <= UINT32_MAX / 2))
                        meant |= (uint8_t)(1u << one);
        return meant;
}

enum nfsstat4 layout_return(struct layouts *l, struct layout_state *state, uint8_t iomode, uint32_t seqid,
                            uint64_t *seq, bool *ret_gone)
{
        struct client *client = state->client;
        uint64_t fileid = state->fileid;
        bool recorded = state->recorded;

        state->iomodes &= (uint8_t)~meant_by(state, iomode, seqid);
        *ret_gone = state->iomodes == 0;
        if (!*ret_gone) {
                layout_bump(state);
                return NFS4_OK;
        }
        drop_unasked(l, state);
        return recorded ? forget_record(l, fileid, client, seq) : NFS4_OK;
}

static bool delete_record(void *arg, struct slice key, struct slice value)
{
        (void)value;
        txn_delete(arg, key);
        return true;
}

void layout_records_delete(struct layouts *l, struct txn *t, uint64_t fileid)
{
        uint8_t key[KEY_MAX];

        if (find_leftover(l, fileid)) {
                meta_scan(l->mds->meta, key_layouts(key, fileid), delete_record, t);
                return;
        }
        HASHTAB_FOR_EACH(node, &l->by_file, hash_u64(fileid)) {
                const struct layout_state *state = CONTAINER(node, struct layout_state, by_file);

                if (state->fileid == fileid && state->recorded)
                        txn_delete(t, key_layout(key, fileid, state->client->tag));
        }
}

void layout_records_settle(struct layouts *l, uint64_t fileid)
{
        struct leftover *left = find_leftover(l, fileid);
        struct txn *t;
        uint64_t seq;

        if (!left || layout_has_writer(l, fileid, NULL))
                return;
        t = txn_begin(l->mds->meta);
        layout_records_delete(l, t, fileid);
        if (txn_commit(t, &seq) == 0)
                forget_leftover(l, left);
}

void layouts_each(struct layouts *l, const struct client *client,
                  bool (*each)(void *arg, struct layout_state *), void *arg)
{
        struct holder *h = find_holder(l, client);

        if (!h)
                return;
        LIST_FOR_EACH(node, &h->layouts)
                if (!each(arg, CONTAINER(node, struct layout_state, in_client)))
                        return;
}

uint32_t layouts_count(const struct layouts *l)
{
        return l->by_index.count;
}
