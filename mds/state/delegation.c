/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds which delegation, and who gets one: see delegation.h. */
#include "mds/state/delegation.h"

#include <stdlib.h>

#include "mds/ns/orphan.h"
#include "mds/pnfs/recall.h"
#include "mds/pnfs/size.h"
#include "mds/state/client.h"
#include "mds/state/delegation_private.h"
#include "mds/state/layout.h"
#include "mds/state/returned.h"
#include "mds/state/open.h"
#include "mds/state/recovery.h"
#include "mds/state/revoked.h"

static void wake_ready(struct task *task)
{
        struct delegations *d = CONTAINER(task, struct delegations, wake);

        for (struct list *node; (node = list_pop(&d->ready)) != NULL;)
                compound_wake(CONTAINER(node, struct delegation_wait, node)->compound);
}

static void count(struct delegations *d, struct metric *metric, const char *name, const char *help)
{
        *metric = (struct metric){ .name = name, .help = help, .kind = METRIC_COUNTER };
        metric_register(&d->mds->metrics, metric);
}

static void register_metrics(struct delegations *d)
{
        count(d, &d->granted, "nacre_delegations_granted_total", "Delegations given to clients");
        count(d, &d->recalls, "nacre_delegation_recalls_total",
              "Delegations that clients were asked to give back");
        count(d, &d->revoked, "nacre_delegations_revoked_total",
              "Delegations that were taken without the client's consent");
        count(d, &d->asked, "nacre_delegation_questions_total",
              "Times that clients were asked for attributes of a file that they write");
        count(d, &d->trims, "nacre_delegation_trims_total",
              "Times that clients were asked to give back some delegations of their choice");
        count(d, &d->refused, "nacre_delegations_refused_total",
              "Delegations that were not given because there were too many");
}

struct delegations *delegations_new(struct mds *mds)
{
        struct delegations *d = calloc(1, sizeof(*d));

        if (!d)
                return NULL;
        d->mds = mds;
        list_init(&d->waiting);
        list_init(&d->ready);
        list_init(&d->wake.node);
        d->wake.run = wake_ready;
        d->max = DELEGATIONS_MAX;
        d->client_max = CLIENT_DELEGATIONS_MAX;
        slab_init(&d->slab, sizeof(struct delegation), DELEGATIONS_MAX);
        if (!hashtab_init(&d->by_index, 64) || !hashtab_init(&d->by_file, 64)) {
                delegations_free(d);
                return NULL;
        }
        register_metrics(d);
        return d;
}

void delegations_free(struct delegations *d)
{
        if (!d)
                return;
        CHECK(d->by_index.count == 0 && list_empty(&d->waiting));
        list_remove(&d->wake.node);
        hashtab_destroy(&d->by_index);
        hashtab_destroy(&d->by_file);
        slab_destroy(&d->slab);
        free(d);
}

/* --- finding */

static struct delegation *of_file(struct hnode *node)
{
        return CONTAINER(node, struct delegation, by_file);
}

struct delegation *delegation_of(const struct delegations *d, const struct client *client, uint64_t fileid)
{
        HASHTAB_FOR_EACH(node, &d->by_file, hash_u64(fileid))
                if (of_file(node)->fileid == fileid && of_file(node)->client == client)
                        return of_file(node);
        return NULL;
}

struct delegation *delegation_of_other(const struct delegations *d, const struct client *except,
                                       uint64_t fileid, struct delegation *previous)
{
        struct hnode *node =
                previous ? hashtab_next(&previous->by_file) : hashtab_first(&d->by_file, hash_u64(fileid));

        while (node && (of_file(node)->fileid != fileid || of_file(node)->client == except))
                node = hashtab_next(node);
        return node ? of_file(node) : NULL;
}

struct delegation *delegation_of_writer(const struct delegations *d, const struct client *except,
                                        uint64_t fileid)
{
        struct delegation *one = d->writers > 0 ? delegation_of_other(d, except, fileid, NULL) : NULL;

        return one && one->type == OPEN_DELEGATE_WRITE ? one : NULL;
}

bool delegations_has_file(const struct delegations *d, uint64_t fileid)
{
        return delegation_of_other(d, NULL, fileid, NULL) != NULL;
}

static struct delegation *find_index(const struct delegations *d, uint32_t index)
{
        HASHTAB_FOR_EACH(node, &d->by_index, hash_u64(index)) {
                struct delegation *one = CONTAINER(node, struct delegation, by_index);
                uint32_t own;

                if (stateid_parse(d->mds, &one->stateid, STATEID_DELEG, &own) && own == index)
                        return one;
        }
        return NULL;
}

enum nfsstat4 delegation_find(struct delegations *d, const struct client *client, const struct stateid *s,
                              struct delegation **ret)
{
        struct delegation *one;
        enum nfsstat4 status;
        uint32_t index;

        if (!stateid_parse(d->mds, s, STATEID_DELEG, &index))
                return NFS4ERR_BAD_STATEID;
        one = find_index(d, index);
        if (!one || one->client != client)
                return revoked_status(d->mds->revocations, client, s);
        status = stateid_check(s, &one->stateid);
        if (status == NFS4_OK)
                *ret = one;
        return status;
}

enum nfsstat4 delegation_check(struct delegations *d, const struct client *client, const struct stateid *s,
                               uint64_t fileid, uint32_t access)
{
        struct delegation *one = NULL;
        enum nfsstat4 status = delegation_find(d, client, s, &one);

        if (status != NFS4_OK)
                return status;
        if (!one || one->fileid != fileid)
                return NFS4ERR_BAD_STATEID;
        if (access & OPEN4_SHARE_ACCESS_WRITE && one->type != OPEN_DELEGATE_WRITE)
                return NFS4ERR_OPENMODE;
        return one->taking ? NFS4ERR_DELAY : NFS4_OK;
}

uint32_t delegations_count(const struct delegations *d)
{
        return d->by_index.count;
}

/* --- giving */

/* The counter comes round after 2^32: what is still held keeps its number. */
static uint32_t new_index(struct delegations *d)
{
        do
                d->next_index++;
        while (d->next_index == 0 || find_index(d, d->next_index));
        return d->next_index;
}

/* NULL: at the limit, or the store does not take the record. */
static struct delegation *give(struct delegations *d, struct compound *c, const struct fh *fh, uint32_t type)
{
        struct mds_client *all = mds_client_of(c->client);
        struct delegation *one = NULL;

        if (all && delegation_has_room(d, c->client) && recovery_record_delegated(c) == NFS4_OK)
                one = slab_get(&d->slab);
        if (!one)
                return NULL;
        one->all = d;
        one->client = c->client;
        one->fileid = fh->fileid;
        one->generation = fh->generation;
        one->export_id = fh->export_id;
        one->type = type;
        d->writers += type == OPEN_DELEGATE_WRITE;
        one->given = referring_of(c);
        one->timer.fire = delegation_timer;
        stateid_make(d->mds, STATEID_DELEG, new_index(d), &one->stateid);
        stateid_bump(&one->stateid);
        hashtab_insert(&d->by_index, &one->by_index, hash_u64(d->next_index));
        hashtab_insert(&d->by_file, &one->by_file, hash_u64(one->fileid));
        list_push(&all->delegations, &one->in_client);
        all->delegation_count++;
        metric_add(&d->granted, 1);
        return one;
}

struct recent *delegation_recent(struct delegations *d, uint64_t fileid)
{
        struct recent *r = &d->recent[hash_u64(fileid) % RECENT_SLOTS];

        if (r->fileid != fileid)
                *r = (struct recent){ .fileid = fileid };
        return r;
}

static bool is_recent(const struct delegations *d, uint64_t when_ns)
{
        return when_ns != 0 && env_now(d->mds->env) - when_ns < RECENT_SECONDS * NS;
}

/* CLIENT opens it for reading: has anybody done that of late? For writing: has it, and nobody else since? */
static bool is_opened_again(const struct delegations *d, const struct client *client, struct recent *r,
                            uint32_t type)
{
        bool writes = type == OPEN_DELEGATE_WRITE;
        uint64_t *when = writes ? &r->written_ns : &r->read_ns;
        bool again = is_recent(d, *when) && (!writes || r->writer == client->tag);

        *when = env_now(d->mds->env);
        if (writes)
                r->writer = client->tag;
        return again;
}

static void called_back(struct fence_wait *wait)
{
        free(wait);
}

/* Nobody waits for it: the next OPEN finds them gone. */
static void call_layouts_back(struct delegations *d, const struct client *except, uint64_t fileid,
                              struct recent *r)
{
        struct mds *mds = d->mds;
        const struct inode *file;
        int64_t wall = (int64_t)env_wall(mds->env);
        struct fence_wait *wait;

        if (is_recent(d, r->layouts_ns) || meta_inode(mds->meta, fileid, &file) < 0 ||
            file->mtime + RECENT_SECONDS * (int64_t)NS > wall)
                return;
        wait = calloc(1, sizeof(*wait));
        if (!wait)
                return;
        wait->done = called_back;
        r->layouts_ns = env_now(mds->env);
        if (!recall_file(mds->recalls, file, RECALL_WRITERS, except, wait))
                free(wait);
}

/* With what opens does a delegation of TYPE not go together? As a deny. */
static uint8_t denied_by(uint32_t type)
{
        return type == OPEN_DELEGATE_WRITE ? OPEN4_SHARE_DENY_BOTH : OPEN4_SHARE_DENY_WRITE;
}

static bool is_opened_by_others(const struct mds *mds, const struct client *client, uint64_t fileid,
                                uint8_t deny)
{
        const struct open_state *s = NULL;

        while ((s = open_conflicting(mds->opens, fileid, NULL, 0, deny, s)) != NULL)
                if (s->client != client)
                        return true;
        return false;
}

/* Own opens for writing are no place for one for reading: it would be of no use to the next of them. */
static bool is_open(const struct delegations *d, const struct client *client, uint64_t fileid, uint32_t type)
{
        if (type == OPEN_DELEGATE_WRITE)
                return is_opened_by_others(d->mds, client, fileid, denied_by(type)) ||
                       delegation_of_other(d, client, fileid, NULL) != NULL;
        return open_conflicts(d->mds->opens, fileid, NULL, 0, denied_by(type));
}

static bool is_contended(struct delegations *d, const struct client *client, uint64_t fileid, uint32_t type,
                         struct recent *r)
{
        struct mds *mds = d->mds;

        if (is_recent(d, r->called_back_ns) || is_open(d, client, fileid, type))
                return true;
        returned_fence_file(mds->returned, fileid, client->tag); /* for the next time */
        if (layout_has_writer(mds->layouts, fileid, client)) {
                call_layouts_back(d, client, fileid, r);
                return true;
        }
        return !size_is_current(mds->sizes, fileid);
}

static void none(uint32_t want, uint32_t why, struct open_delegation *ret)
{
        uint32_t kind = want & OPEN4_SHARE_ACCESS_WANT_DELEG_MASK;

        *ret = (struct open_delegation){ .type = want == 0 ? OPEN_DELEGATE_NONE : OPEN_DELEGATE_NONE_EXT,
                                         .why = why };
        if (kind == OPEN4_SHARE_ACCESS_WANT_NO_DELEG)
                ret->why = WND4_NOT_WANTED;
        if (kind == OPEN4_SHARE_ACCESS_WANT_CANCEL)
                ret->why = WND4_CANCELLED;
}

void delegation_refuse(uint32_t want, struct open_delegation *ret)
{
        none(want, WND4_RESOURCE, ret);
}

static void granted(const struct delegation *one, struct open_delegation *ret)
{
        *ret = (struct open_delegation){ .type = one->type,
                                         .recall = one->recalled,
                                         .stateid = one->stateid };
}

static void note_change(struct delegation *one)
{
        const struct inode *file;

        if (meta_inode(one->all->mds->meta, one->fileid, &file) == 0)
                one->change = file->change;
}

void delegation_offer(struct compound *c, const struct fh *fh, uint32_t access, uint32_t deny, uint32_t want,
                      struct open_delegation *ret)
{
        struct delegations *d = mds_of(c)->delegations;
        uint32_t kind = want & OPEN4_SHARE_ACCESS_WANT_DELEG_MASK;
        bool writes = (access & OPEN4_SHARE_ACCESS_WRITE) != 0;
        uint32_t type = writes ? OPEN_DELEGATE_WRITE : OPEN_DELEGATE_READ;
        struct delegation *one;
        struct recent *recent;
        bool wished =
                kind == OPEN4_SHARE_ACCESS_WANT_ANY_DELEG ||
                kind == (writes ? OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG : OPEN4_SHARE_ACCESS_WANT_READ_DELEG);

        delegation_refuse(want, ret);
        if (!mds_of(c)->conf->delegations || deny != 0 || (kind != 0 && !wished))
                return;
        recent = delegation_recent(d, fh->fileid);
        if (!is_opened_again(d, c->client, recent, type) && !wished)
                return;
        if (!callback_proven(c->client) || delegation_of(d, c->client, fh->fileid))
                return;
        if (is_contended(d, c->client, fh->fileid, type, recent)) {
                none(want, WND4_CONTENTION, ret);
        } else if ((one = give(d, c, fh, type)) != NULL) {
                note_change(one);
                granted(one, ret);
        }
}

void delegation_reclaim(struct compound *c, const struct fh *fh, uint32_t type, uint32_t want,
                        struct open_delegation *ret)
{
        struct mds *mds = mds_of(c);
        struct delegations *d = mds->delegations;
        struct delegation *one = delegation_of(d, c->client, fh->fileid);

        if (!one)
                one = give(d, c, fh, type);
        if (!one) {
                delegation_refuse(want, ret);
                return;
        }
        if (!mds->conf->delegations || is_opened_by_others(mds, c->client, fh->fileid, denied_by(one->type)))
                delegation_recall(one);
        granted(one, ret);
}

/* --- ends */

static void go_on(struct delegations *d, struct delegation_wait *w)
{
        timer_stop(&w->timer);
        list_remove(&w->node);
        list_push(&d->ready, &w->node);
        env_defer(d->mds->env, &d->wake);
}

void delegation_go_on(struct delegations *d, uint64_t fileid)
{
        LIST_FOR_EACH_SAFE(node, &d->waiting) {
                struct delegation_wait *w = CONTAINER(node, struct delegation_wait, node);

                if (w->fileid == fileid)
                        go_on(d, w);
        }
}

void delegations_give_up(struct delegations *d)
{
        LIST_FOR_EACH_SAFE(node, &d->waiting)
                go_on(d, CONTAINER(node, struct delegation_wait, node));
        wake_ready(&d->wake);
}

void delegation_end(struct delegation *one, const struct client *by)
{
        struct delegations *d = one->all;
        struct mds_client *holder = one->client->role;
        uint64_t fileid = one->fileid;

        if (one->call)
                callback_forget(one->call);
        if (one->question)
                callback_forget(one->question);
        d->writers -= one->type == OPEN_DELEGATE_WRITE;
        timer_stop(&one->timer);
        hashtab_remove(&d->by_index, &one->by_index);
        hashtab_remove(&d->by_file, &one->by_file);
        list_remove(&one->in_client);
        holder->delegation_count--;
        slab_put(&d->slab, one);
        delegation_go_on(d, fileid);
        orphan_closed(d->mds, fileid, by);
}

void delegation_revoke(struct delegations *d, struct client *client, uint64_t fileid, enum nfsstat4 why)
{
        struct delegation *one = delegation_of(d, client, fileid);

        if (!one)
                return;
        revoked_add(d->mds->revocations, client, &one->stateid, why);
        metric_add(&d->revoked, 1);
        delegation_end(one, client);
}

/* Whose export is gone cannot even return it: no handle of it is good any more. */
static void check_export(struct delegations *d, struct delegation *one)
{
        const struct mds *mds = d->mds;
        const struct client *client = one->client;
        const struct export_rule *rule =
                export_match(mds->exports, one->export_id, &client->address, client->flavor, mds->names);

        if (!export_by_id(mds->exports, one->export_id))
                delegation_take(one);
        else if (rule != &export_undecided &&
                 (!rule || (one->type == OPEN_DELEGATE_WRITE && rule->access != EXPORT_RW)))
                delegation_recall(one);
}

static void check_exports(struct delegations *d, struct mds_client *holder)
{
        LIST_FOR_EACH_SAFE(node, &holder->delegations)
                check_export(d, CONTAINER(node, struct delegation, in_client));
}

void delegations_unexported(struct delegations *d)
{
        LIST_FOR_EACH(node, &d->mds->nfs.clients.lru)
                if (CONTAINER(node, struct client, in_lru)->role)
                        check_exports(d, CONTAINER(node, struct client, in_lru)->role);
}

void delegations_drop_client(struct delegations *d, struct client *client)
{
        struct mds_client *all = client->role;

        (void)d;
        while (all && !list_empty(&all->delegations))
                delegation_end(CONTAINER(all->delegations.next, struct delegation, in_client), client);
}
