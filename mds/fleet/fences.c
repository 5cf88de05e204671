/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/fleet/fences.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct fence {
        struct hnode node;
        uint64_t fileid;
        uint32_t client, below;
        bool final;
};

struct fences {
        struct fleet *fleet;
        struct hashtab table;
        uint32_t floor;
        struct list waiting; /* struct pending: for the end of a trust */
        struct task send;    /* what was gathered in this turn */
};

enum { MESSAGE_FENCES = 256 };

/* All that one turn has to tell one data server, so that a thousand fences are a few calls. */
struct fence_message {
        struct fleet *fleet;
        struct server *server;
        struct conn *told_over; /* compared, never used: it may be gone */
        struct list pending;
        uint32_t count;
        ctl_fence fences[MESSAGE_FENCES];
};

/* Somebody who waits for one data server that has not acknowledged yet. */
struct pending {
        struct list node; /* in a message, then, when that failed, in fences->waiting */
        struct timer trust;
        struct fence_wait *wait;
};

static void send_gathered(struct task *task);

struct fences *fences_new(struct fleet *f)
{
        struct fences *x = calloc(1, sizeof(*x));

        if (!x || !hashtab_init(&x->table, 256)) {
                free(x);
                return NULL;
        }
        x->fleet = f;
        list_init(&x->waiting);
        list_init(&x->send.node);
        x->send.run = send_gathered;
        x->floor = meta_raise_epoch(f->mds->meta);
        return x;
}

static void clear(struct fences *x)
{
        struct hnode *node;
        uint32_t bucket = 0;

        while ((node = hashtab_walk(&x->table, &bucket, NULL)) != NULL) {
                hashtab_remove(&x->table, node);
                free(CONTAINER(node, struct fence, node));
                bucket = 0;
        }
}

void fences_free(struct fences *x)
{
        if (!x)
                return;
        clear(x);
        list_remove(&x->send.node);
        hashtab_destroy(&x->table);
        free(x);
}

uint32_t fences_floor(const struct fences *x)
{
        return x->floor;
}

uint32_t fences_list(const struct fences *x, ctl_fence *out)
{
        struct hnode *node = NULL;
        uint32_t bucket = 0, n = 0;

        while ((node = hashtab_walk(&x->table, &bucket, node)) != NULL) {
                const struct fence *e = CONTAINER(node, struct fence, node);

                out[n++] = (ctl_fence){
                        .fileid = e->fileid, .client = e->client, .below = e->below, .final = e->final
                };
        }
        return n;
}

static struct fence *find(struct fences *x, uint64_t fileid, uint32_t client)
{
        HASHTAB_FOR_EACH(node, &x->table, hash_u64(fileid ^ (uint64_t)client << 32)) {
                struct fence *e = CONTAINER(node, struct fence, node);

                if (e->fileid == fileid && e->client == client)
                        return e;
        }
        return NULL;
}

/* Note the fence; a full table becomes a floor: every client asks for its layouts again, once. */
static void note(struct fences *x, const ctl_fence *fence)
{
        struct fence *e = find(x, fence->fileid, fence->client);

        if (!e && x->table.count >= CTL_MAX_FENCES) {
                x->floor = fence->below;
                clear(x);
                log_warn("fence-table-full", "floor=%u", x->floor);
                return;
        }
        if (!e && (e = calloc(1, sizeof(*e))) != NULL) {
                e->fileid = fence->fileid;
                e->client = fence->client;
                hashtab_insert(&x->table, &e->node, hash_u64(e->fileid ^ (uint64_t)e->client << 32));
        }
        if (!e) {
                x->floor = fence->below;
                return;
        }
        e->below = fence->below;
        e->final = fence->final;
}

static void settle(struct pending *p)
{
        struct fence_wait *wait = p->wait;

        timer_stop(&p->trust);
        list_remove(&p->node);
        free(p);
        if (--wait->pending == 0)
                wait->done(wait);
}

static void trust_ran_out(struct timer *t)
{
        settle(CONTAINER(t, struct pending, trust));
}

/* It could not be told: what it serves ends with its trust, and when it comes back HELLO tells it first. */
static void await_trust(struct fleet *f, const struct server *server, struct pending *p)
{
        struct env *env = f->mds->env;
        uint64_t now = env_now(env), until = server->trusted_until_ns;

        p->trust.fire = trust_ran_out;
        timer_start(env, &p->trust, until > now ? until - now : 0);
        list_push(&f->fences->waiting, &p->node);
}

/* What goes on may come to wait for a fence once more: a truncation behind another. */
void fences_give_up(struct fleet *f)
{
        struct list *waiting = &f->fences->waiting;

        do {
                while (!list_empty(waiting)) {
                        struct pending *p = CONTAINER(waiting->next, struct pending, node);

                        p->wait->given_up = true;
                        settle(p);
                }
                env_run_tasks(f->mds->env);
        } while (!list_empty(waiting));
}

/* --- messages */

/* The connection that did not carry a fence is closed, or the heartbeats on it would go on renewing the
 * trust. */
static void not_acknowledged(struct fence_message *m)
{
        struct server *server = m->server;

        if (server->conn && server->conn == m->told_over) {
                log_warn("fence-not-acknowledged", "name=%s", server->name);
                conn_close(m->told_over);
        }
        for (struct list *node; (node = list_pop(&m->pending));)
                await_trust(m->fleet, server, CONTAINER(node, struct pending, node));
        free(m);
}

static void acknowledged(void *arg, struct server *server, void *result)
{
        struct fence_message *m = arg;
        const ctl_result *r = result;

        (void)server;
        if (!r || r->status != CTL_OK) {
                not_acknowledged(m);
                return;
        }
        for (struct list *node; (node = list_pop(&m->pending));)
                settle(CONTAINER(node, struct pending, node));
        free(m);
}

static void send_message(struct fence_message *m)
{
        struct server *server = m->server;
        ctl_fence_args args = { .floor = m->fleet->fences->floor,
                                .fences.fences_len = m->count,
                                .fences.fences_val = m->fences };

        server->gathering = NULL;
        m->told_over = server->conn;
        if (ctl_call(server, CTL_FENCE, (xdrproc_t)xdr_ctl_fence_args, &args, (xdrproc_t)xdr_ctl_result,
                     sizeof(ctl_result), acknowledged, m) < 0)
                not_acknowledged(m);
}

static void send_gathered(struct task *task)
{
        struct fleet *f = CONTAINER(task, struct fences, send)->fleet;

        for (uint32_t i = 0; i < f->count; i++)
                if (f->servers[i]->gathering)
                        send_message(f->servers[i]->gathering);
}

/* Without memory for a fence nothing may go on. */
static struct fence_message *message_to(struct fleet *f, struct server *s, uint32_t count)
{
        if (s->gathering && s->gathering->count + count > MESSAGE_FENCES)
                send_message(s->gathering);
        if (!s->gathering) {
                s->gathering = calloc(1, sizeof(*s->gathering));
                CHECK(s->gathering != NULL);
                s->gathering->fleet = f;
                s->gathering->server = s;
                list_init(&s->gathering->pending);
        }
        env_defer(f->mds->env, &f->fences->send);
        return s->gathering;
}

static void tell(struct fleet *f, struct server *s, const ctl_fence *fences, uint32_t count,
                 struct fence_wait *wait)
{
        struct fence_message *m = message_to(f, s, count);
        struct pending *p = calloc(1, sizeof(*p));

        CHECK(p != NULL);
        p->wait = wait;
        wait->pending++;
        list_push(&m->pending, &p->node);
        memcpy(m->fences + m->count, fences, count * sizeof(*fences));
        m->count += count;
}

void fence_raise(struct fleet *f, const struct inode *file, const uint32_t *tags, uint32_t count, bool final,
                 struct fence_wait *wait)
{
        ctl_fence fences[FENCE_CLIENTS];
        uint32_t below = meta_raise_epoch(f->mds->meta);

        CHECK(count > 0 && count <= FENCE_CLIENTS);
        wait->fleet = f;
        wait->pending = 0;
        wait->given_up = false;
        for (uint32_t i = 0; i < count; i++) {
                fences[i] = (ctl_fence){
                        .fileid = file->fileid, .client = tags[i], .below = below, .final = final
                };
                note(f->fences, &fences[i]);
        }
        metric_add(&f->fence_count, count);
        for (uint32_t i = 0; i < file->width; i++) {
                struct server *s = fleet_file_server(f, file, i);

                if (s)
                        tell(f, s, fences, count, wait);
        }
        CHECK(wait->pending > 0);
}

bool fence_raise_client(struct fleet *f, uint32_t tag, struct fence_wait *wait)
{
        ctl_fence fence = { .client = tag, .final = true };

        if (f->count == 0)
                return false;
        fence.below = meta_raise_epoch(f->mds->meta);
        *wait = (struct fence_wait){ .fleet = f, .done = wait->done };
        note(f->fences, &fence);
        metric_add(&f->fence_count, 1);
        for (uint32_t i = 0; i < f->count; i++)
                tell(f, f->servers[i], &fence, 1, wait);
        return true;
}

uint32_t fences_pools_of(const struct fleet *f, const struct server *s, ctl_pool *out)
{
        uint32_t n = 0;

        for (uint32_t i = 0; i < f->pool_count; i++) {
                int position = pool_position(f->pools[i], s->id);

                if (position >= 0)
                        out[n++] = (ctl_pool){ .generation = f->pools[i]->generation,
                                               .position = (unsigned)position,
                                               .size = f->pools[i]->count };
        }
        return n;
}

static void ignore(void *arg, struct server *server, void *result)
{
        (void)arg;
        if (!result)
                log_warn("pools-not-sent", "name=%s", server->name); /* HELLO tells it again */
}

void fences_send_pools(struct fleet *f)
{
        for (uint32_t i = 0; i < f->count; i++) {
                struct server *s = f->servers[i];
                ctl_pool pools[CTL_MAX_POOLS];
                ctl_fence_args args = { .floor = f->fences ? f->fences->floor : 0, .pools.pools_val = pools };

                if (!s->conn)
                        continue;
                args.pools.pools_len = fences_pools_of(f, s, pools);
                ctl_call(s, CTL_FENCE, (xdrproc_t)xdr_ctl_fence_args, &args, (xdrproc_t)xdr_ctl_result,
                         sizeof(ctl_result), ignore, NULL);
        }
}
