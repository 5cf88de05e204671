/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds which delegation: see delegation.h. */
#include "mds/state/delegation.h"

#include <stdlib.h>

#include "mds/ns/orphan.h"
#include "mds/state/client.h"
#include "mds/state/delegation_private.h"
#include "mds/state/revoked.h"

static void wake_ready(struct task *task)
{
        struct delegations *d = CONTAINER(task, struct delegations, wake);

        for (struct list *node; (node = list_pop(&d->ready)) != NULL;)
                compound_wake(CONTAINER(node, struct delegation_wait, node)->compound);
}

static void register_metrics(struct delegations *d)
{
        struct metrics *all = &d->mds->metrics;

        metric_counter(all, &d->granted, "nacre_delegations_granted_total", "Delegations given to clients");
        metric_counter(all, &d->recalls, "nacre_delegation_recalls_total",
                       "Delegations that clients were asked to give back");
        metric_counter(all, &d->revoked, "nacre_delegations_revoked_total",
                       "Delegations that were taken without the client's consent");
        metric_counter(all, &d->asked, "nacre_delegation_questions_total",
                       "Times that clients were asked for attributes of a file that they write");
        metric_counter(all, &d->trims, "nacre_delegation_trims_total",
                       "Times that clients were asked to give back some delegations of their choice");
        metric_counter(all, &d->refused, "nacre_delegations_refused_total",
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

/* --- beginning and end */

/* The counter comes round after 2^32: what is still held keeps its number. */
static uint32_t new_index(struct delegations *d)
{
        do
                d->next_index++;
        while (d->next_index == 0 || find_index(d, d->next_index));
        return d->next_index;
}

struct delegation *delegation_new(struct delegations *d, const struct compound *c, const struct fh *fh,
                                  uint32_t type)
{
        struct mds_client *holder = c->client->role;
        struct delegation *one = slab_get(&d->slab);

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
        list_init(&one->look.node);
        stateid_make(d->mds, STATEID_DELEG, new_index(d), &one->stateid);
        stateid_bump(&one->stateid);
        hashtab_insert(&d->by_index, &one->by_index, hash_u64(d->next_index));
        hashtab_insert(&d->by_file, &one->by_file, hash_u64(one->fileid));
        list_push(&holder->delegations, &one->in_client);
        holder->delegation_count++;
        return one;
}

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
        list_remove(&one->look.node);
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
