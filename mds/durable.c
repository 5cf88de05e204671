/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/durable.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* Compounds end in the order of their batches, nearly always: insert from the end. */
static void insert_compound(struct mds *mds, struct compound *c)
{
        struct list *at = &mds->committing;

        while (at->prev != &mds->committing &&
               CONTAINER(at->prev, struct compound, commit_node)->commit_seq > c->commit_seq)
                at = at->prev;
        list_insert_before(at, &c->commit_node);
}

bool durable_commit(struct compound *c)
{
        struct mds *mds = mds_of(c);

        if (c->commit_seq <= mds->store->durable)
                return true;
        insert_compound(mds, c);
        mds->store->ops->sync(mds->store, c->commit_seq);
        return false;
}

void mds_when_durable(struct mds *mds, struct durable_wait *w)
{
        struct list *at = &mds->durable_waits;

        while (at->prev != &mds->durable_waits &&
               CONTAINER(at->prev, struct durable_wait, node)->seq > w->seq)
                at = at->prev;
        list_insert_before(at, &w->node);
        if (w->seq <= mds->store->durable)
                env_defer(mds->env, &mds->durable_task);
        else
                mds->store->ops->sync(mds->store, w->seq);
}

static void release(struct mds *mds, uint64_t seq)
{
        while (!list_empty(&mds->committing)) {
                struct compound *c = CONTAINER(mds->committing.next, struct compound, commit_node);

                if (c->commit_seq > seq)
                        break;
                list_remove(&c->commit_node);
                compound_committed(c);
        }
        while (!list_empty(&mds->durable_waits)) {
                struct durable_wait *w = CONTAINER(mds->durable_waits.next, struct durable_wait, node);

                if (w->seq > seq)
                        break;
                list_remove(&w->node);
                w->done(w);
        }
}

static void run(struct task *t)
{
        struct mds *mds = CONTAINER(t, struct mds, durable_task);

        release(mds, mds->store->durable);
}

/* A log that cannot be written: nothing may be acknowledged any more, and what clients are owed they get from
 * the next start, which reads what is really there. */
static void on_durable(void *arg, uint64_t seq, int error)
{
        if (error < 0) {
                log_error("store-sync-failed", "error=%s action=%s", strerror(-error),
                          "stopping; check the disk, then start again");
                abort();
        }
        release(arg, seq);
}

static void close_conn(void *arg, struct conn *conn)
{
        (void)arg;
        conn_close(conn);
}

void durable_finish(struct mds *mds)
{
        int r = mds->store->ops->sync_now(mds->store);

        if (r < 0) { /* nothing may be acknowledged: the replies vanish with their connections */
                log_error("store-sync-failed", "error=%s", strerror(-r));
                rpc_server_each_conn(mds->rpc, close_conn, NULL);
        }
        do /* who waited for its own sake may let a compound go on */
                release(mds, UINT64_MAX);
        while (!list_empty(&mds->committing));
}

void durable_init(struct mds *mds)
{
        list_init(&mds->committing);
        list_init(&mds->durable_waits);
        mds->durable_task.run = run;
        list_init(&mds->durable_task.node);
        mds->store->on_durable = on_durable;
        mds->store->arg = mds;
}
