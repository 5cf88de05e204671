/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/store.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"

#define SYNC_MOST_NS (2 * MS_NS)

struct sim_store {
        struct node *node;
        struct store *inner;
        struct handle *handle; /* of the process that lives */
};

struct handle {
        struct store store;   /* first */
        struct sim_store *on; /* NULL: the process is dead */
        struct store *inner;
};

static struct handle *handle_of(struct store *s)
{
        return CONTAINER(s, struct handle, store);
}

static int handle_get(struct store *s, struct slice key, void *out, uint32_t capacity, uint32_t *ret_length)
{
        struct handle *h = handle_of(s);

        return h->on ? h->inner->ops->get(h->inner, key, out, capacity, ret_length) : -EIO;
}

static int handle_scan(struct store *s, struct slice prefix, struct slice from, store_each_fn *each,
                       void *arg)
{
        struct handle *h = handle_of(s);

        return h->on ? h->inner->ops->scan(h->inner, prefix, from, each, arg) : -EIO;
}

static int handle_write(struct store *s, const struct batch *batch, uint64_t *ret_seq)
{
        struct handle *h = handle_of(s);
        int r = h->on ? h->inner->ops->write(h->inner, batch, ret_seq) : -EIO;

        s->written = h->inner->written;
        return r;
}

static void handle_sync(struct store *s, uint64_t seq)
{
        struct handle *h = handle_of(s);

        if (!h->on)
                return;
        store_memory_set_sync_ns(h->inner, 1 + world_random(h->on->node->world, SYNC_MOST_NS));
        h->inner->ops->sync(h->inner, seq);
}

static int handle_sync_now(struct store *s)
{
        struct handle *h = handle_of(s);
        int r = h->on ? h->inner->ops->sync_now(h->inner) : -EIO;

        s->durable = h->inner->durable;
        return r;
}

static int handle_checkpoint(struct store *s, const char *dir)
{
        (void)s, (void)dir;
        return -EOPNOTSUPP;
}

static const char *handle_trouble(struct store *s)
{
        return handle_of(s)->inner->ops->trouble(handle_of(s)->inner);
}

static void handle_close(struct store *s)
{
        struct handle *h = handle_of(s);

        if (h->on) {
                h->on->handle = NULL;
                h->inner->on_durable = NULL;
        }
        free(h);
}

static void on_durable(void *arg, uint64_t seq, int error)
{
        struct handle *h = arg;

        h->store.durable = seq;
        if (h->store.on_durable)
                h->store.on_durable(h->store.arg, seq, error);
}

struct store *sim_store_attach(struct sim_store *s)
{
        static const struct store_ops ops = { .get = handle_get,
                                              .scan = handle_scan,
                                              .write = handle_write,
                                              .sync = handle_sync,
                                              .sync_now = handle_sync_now,
                                              .checkpoint = handle_checkpoint,
                                              .trouble = handle_trouble,
                                              .close = handle_close };
        struct handle *h = calloc(1, sizeof(*h));

        CHECK(h != NULL && !s->handle);
        h->store.ops = &ops;
        h->store.written = s->inner->written;
        h->store.durable = s->inner->durable;
        h->on = s;
        h->inner = s->inner;
        s->inner->on_durable = on_durable;
        s->inner->arg = h;
        s->handle = h;
        return &h->store;
}

void sim_store_crash(struct sim_store *s, bool power_lost)
{
        uint64_t unsynced = s->inner->written - s->inner->durable;

        if (s->handle)
                s->handle->on = NULL;
        s->handle = NULL;
        store_memory_crash(s->inner, power_lost ? world_random(s->node->world, unsynced + 1) : UINT64_MAX);
}

void sim_store_fail_next(struct sim_store *s, int error)
{
        store_memory_fail_write(s->inner, 0, error);
}

struct store *sim_store_inner(struct sim_store *s)
{
        CHECK(!s->handle);
        return s->inner;
}

struct sim_store *sim_store_new(struct node *node)
{
        struct sim_store *s = calloc(1, sizeof(*s));

        CHECK(s != NULL);
        s->node = node;
        s->inner = store_memory_new(&node->env);
        CHECK(s->inner != NULL);
        return s;
}

void sim_store_free(struct sim_store *s)
{
        CHECK(!s->handle);
        s->inner->ops->close(s->inner);
        free(s);
}
