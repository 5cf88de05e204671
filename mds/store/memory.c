/* SPDX-License-Identifier: Apache-2.0 */
/* The store of the simulator and of quick tests, in memory. What was written since the last sync can be taken
 * back batch by batch, newest first, as a crash does with a log whose tail never reached the disk. */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/env.h"
#include "mds/store/batch.h"
#include "mds/store/skiplist.h"
#include "mds/store/store.h"

/* One change that is not durable yet: MADE was put in, OLD was there before (or NULL). */
struct undo {
        struct list node;
        uint64_t seq;
        struct item *made, *old;
};

struct memory {
        struct store store; /* first */
        struct env *env;
        struct skiplist list;
        struct list undos; /* oldest first */
        uint64_t syncing;  /* seq of the sync under way; 0: none */
        uint64_t asked;    /* highest seq that a sync was asked for */
        uint64_t sync_ns;
        struct task sync_task;
        struct timer sync_timer;
        uint64_t fail_after; /* writes that still succeed */
        int write_error, sync_error;
        bool dead;
};

static struct memory *memory_of(struct store *s)
{
        return CONTAINER(s, struct memory, store);
}

/* --- what can be undone */

static void change(struct memory *m, uint64_t seq, bool is_put, struct slice key, struct slice value)
{
        struct undo *u = calloc(1, sizeof(*u));

        CHECK(u != NULL);
        u->seq = seq;
        u->old = skiplist_take(&m->list, key);
        if (is_put)
                u->made = skiplist_add(&m->list, key, value);
        list_push(&m->undos, &u->node);
}

static void take_back(struct memory *m, struct undo *u)
{
        if (u->made)
                free(skiplist_take(&m->list, item_key(u->made)));
        if (u->old)
                skiplist_put_back(&m->list, u->old);
        list_remove(&u->node);
        free(u);
}

static void settle(struct memory *m, uint64_t seq)
{
        while (!list_empty(&m->undos)) {
                struct undo *u = CONTAINER(m->undos.next, struct undo, node);

                if (u->seq > seq)
                        return;
                list_remove(&u->node);
                free(u->old);
                free(u);
        }
}

/* --- operations */

static int memory_get(struct store *s, struct slice key, void *out, uint32_t capacity, uint32_t *ret_length)
{
        const struct item *i = skiplist_find(&memory_of(s)->list, key);

        s->stats.gets++;
        if (!i)
                return -ENOENT;
        if (i->value_length > capacity)
                return -ENOBUFS;
        memcpy(out, item_value(i).data, i->value_length);
        *ret_length = i->value_length;
        return 0;
}

static int memory_scan(struct store *s, struct slice prefix, struct slice from, store_each_fn *each,
                       void *arg)
{
        s->stats.scans++;
        for (const struct item *i = skiplist_seek(&memory_of(s)->list, from); i; i = i->next[0]) {
                if (i->key_length < prefix.length || memcmp(i->bytes, prefix.data, prefix.length) != 0)
                        break;
                if (!each(arg, item_key(i), item_value(i)))
                        break;
        }
        return 0;
}

static int memory_write(struct store *s, const struct batch *batch, uint64_t *ret_seq)
{
        struct memory *m = memory_of(s);
        struct slice key, value;
        uint32_t at = 0;
        bool is_put;

        if (m->dead)
                return -EIO;
        if (batch->failed)
                return -ENOSPC;
        if (m->write_error && m->fail_after-- == 0) {
                int error = m->write_error;

                m->write_error = 0;
                return error;
        }
        s->written++;
        s->stats.batches++;
        while (batch_next(batch, &at, &is_put, &key, &value))
                change(m, s->written, is_put, key, value);
        *ret_seq = s->written;
        return 0;
}

static void start_sync(struct memory *m)
{
        m->syncing = m->store.written;
        if (m->sync_ns == 0)
                env_defer(m->env, &m->sync_task);
        else
                timer_start(m->env, &m->sync_timer, m->sync_ns);
}

static void finish_sync(struct memory *m)
{
        struct store *s = &m->store;

        s->stats.syncs++;
        if (m->sync_error)
                m->dead = true;
        else
                s->durable = m->syncing;
        m->syncing = 0;
        settle(m, s->durable);
        if (!m->dead && m->asked > s->durable)
                start_sync(m);
        if (s->on_durable)
                s->on_durable(s->arg, s->durable, m->sync_error);
}

static void on_sync_task(struct task *t)
{
        finish_sync(CONTAINER(t, struct memory, sync_task));
}
static void on_sync_timer(struct timer *t)
{
        finish_sync(CONTAINER(t, struct memory, sync_timer));
}

static void memory_sync(struct store *s, uint64_t seq)
{
        struct memory *m = memory_of(s);

        if (m->dead || seq <= s->durable)
                return;
        if (seq > m->asked)
                m->asked = seq;
        if (m->syncing == 0)
                start_sync(m);
}

static int memory_sync_now(struct store *s)
{
        struct memory *m = memory_of(s);

        if (m->dead || m->sync_error)
                return -EIO;
        s->durable = s->written;
        settle(m, s->durable);
        return 0;
}

static int memory_checkpoint(struct store *s, const char *dir)
{
        (void)s, (void)dir;
        return -EOPNOTSUPP;
}

static void memory_close(struct store *s)
{
        struct memory *m = memory_of(s);

        list_remove(&m->sync_task.node);
        timer_stop(&m->sync_timer);
        settle(m, UINT64_MAX);
        skiplist_destroy(&m->list);
        free(m);
}

static const char *memory_trouble(struct store *s)
{
        (void)s;
        return NULL;
}

struct store *store_memory_new(struct env *env)
{
        static const struct store_ops ops = {
                memory_get,      memory_scan,       memory_write,   memory_sync,
                memory_sync_now, memory_checkpoint, memory_trouble, memory_close
        };
        struct memory *m = calloc(1, sizeof(*m));

        if (!m)
                return NULL;
        m->store.ops = &ops;
        m->env = env;
        skiplist_init(&m->list);
        list_init(&m->undos);
        list_init(&m->sync_task.node);
        m->sync_task.run = on_sync_task;
        m->sync_timer.fire = on_sync_timer;
        return &m->store;
}

void store_memory_crash(struct store *s, uint64_t keep)
{
        struct memory *m = memory_of(s);
        uint64_t last = keep < s->written - s->durable ? s->durable + keep : s->written;

        list_remove(&m->sync_task.node);
        timer_stop(&m->sync_timer);
        while (!list_empty(&m->undos)) {
                struct undo *u = CONTAINER(m->undos.prev, struct undo, node);

                if (u->seq <= last)
                        break;
                take_back(m, u);
        }
        settle(m, last);
        s->written = s->durable = last;
        m->syncing = m->asked = 0;
        m->write_error = m->sync_error = 0;
        m->dead = false;
        s->on_durable = NULL;
}

void store_memory_set_sync_ns(struct store *s, uint64_t sync_ns)
{
        memory_of(s)->sync_ns = sync_ns;
}

void store_memory_fail_write(struct store *s, uint64_t after, int error)
{
        memory_of(s)->fail_after = after;
        memory_of(s)->write_error = error;
}

void store_memory_fail_sync(struct store *s, int error)
{
        memory_of(s)->sync_error = error;
}
