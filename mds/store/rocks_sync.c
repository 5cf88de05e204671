/* SPDX-License-Identifier: Apache-2.0 */
/* Group commit. sync() only notes what is asked for; at the end of the loop's turn everything written so far
 * is synced in one go, by a thread, and while that runs the next group gathers. Where a sync costs less than
 * the two thread switches (tmpfs, a cache with a battery) it is done on the spot instead. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "mds/store/rocks.h"

/* Below this average a sync is done on the loop. */
enum { CHEAP_NS = 60000, AVERAGE_OVER = 8 };

static uint64_t now_ns(const struct rocks *r)
{
        return env_now(loop_env(r->loop));
}

int rocks_die(struct rocks *r, const char *what, int error)
{
        CHECK(error < 0);
        if (r->dead)
                return r->dead;
        log_error("store-dead", "what=%s error=%s", what, strerror(-error));
        r->dead = error;
        env_defer(loop_env(r->loop), &r->nudge);
        return error;
}

static int flush_log(struct rocks *r, uint64_t *ret_took_ns)
{
        uint64_t began = now_ns(r);
        char *message = NULL;
        int error;

        rocksdb_flush_wal(r->db, 1, &message);
        error = rocks_errno("sync", message);
        *ret_took_ns = now_ns(r) - began;
        return error;
}

/* Everything up to SEQ is on disk, or it will never be. */
static void note_sync(struct rocks *r, uint64_t seq, uint64_t took_ns, int error)
{
        r->store.stats.syncs++;
        r->store.stats.sync_ns += took_ns;
        if (r->sync_average_ns == 0)
                r->sync_average_ns = took_ns;
        r->sync_average_ns += took_ns / AVERAGE_OVER;
        r->sync_average_ns -= r->sync_average_ns / AVERAGE_OVER;
        if (error)
                rocks_die(r, "sync", error);
        else if (seq > r->synced)
                r->synced = seq;
}

static int sync_here(struct rocks *r)
{
        uint64_t took_ns;
        int error = rocks_apply(r);

        if (error)
                return error;
        error = flush_log(r, &took_ns);
        note_sync(r, r->store.written, took_ns, error);
        return error;
}

/* --- the thread */

static void *run_flusher(void *arg)
{
        struct rocks *r = arg;
        struct flusher *f = &r->flusher;

        pthread_mutex_lock(&f->lock);
        for (;;) {
                while (!f->work && !f->stop)
                        pthread_cond_wait(&f->wake, &f->lock);
                if (!f->work)
                        break;
                f->work = false;
                pthread_mutex_unlock(&f->lock);
                f->error = flush_log(r, &f->took_ns); /* the loop does not look until it has the message */
                loop_post(r->loop, &f->done);
                pthread_mutex_lock(&f->lock);
        }
        pthread_mutex_unlock(&f->lock);
        return NULL;
}

static void start_flush(struct rocks *r)
{
        struct flusher *f = &r->flusher;

        r->flushing = true;
        f->seq = r->store.written;
        pthread_mutex_lock(&f->lock);
        f->work = true;
        pthread_cond_signal(&f->wake);
        pthread_mutex_unlock(&f->lock);
}

/* --- on the loop */

static void report(struct rocks *r)
{
        struct store *s = &r->store;
        bool rose = r->synced > s->durable;

        s->durable = r->synced;
        if (r->told || (!rose && !r->dead))
                return;
        r->told = r->dead != 0;
        if (s->on_durable)
                s->on_durable(s->arg, s->durable, r->dead);
}

static void on_flushed(struct message *msg)
{
        struct flusher *f = CONTAINER(msg, struct flusher, done);
        struct rocks *r = CONTAINER(f, struct rocks, flusher);

        r->flushing = false;
        if (r->closed) {
                free(r);
                return;
        }
        note_sync(r, f->seq, f->took_ns, f->error);
        report(r);
}

static void on_turn_end(struct turn_hook *hook)
{
        struct rocks *r = CONTAINER(hook, struct rocks, hook);

        if (rocks_apply(r) == 0 && !r->flushing && r->asked > r->synced) {
                if (r->sync_average_ns == 0 || r->sync_average_ns >= CHEAP_NS)
                        start_flush(r);
                else
                        sync_here(r);
        }
        if (r->synced > r->store.durable || (r->dead && !r->told))
                report(r);
}

static void do_nothing(struct task *task)
{
        (void)task;
}

void rocks_sync(struct store *s, uint64_t seq)
{
        struct rocks *r = rocks_of(s);

        CHECK(seq <= s->written);
        if (r->dead || seq <= r->asked)
                return;
        r->asked = seq;
        if (!r->flushing)
                env_defer(loop_env(r->loop), &r->nudge);
}

int rocks_sync_now(struct store *s)
{
        struct rocks *r = rocks_of(s);
        int error = r->dead ? r->dead : sync_here(r);

        if (error == 0)
                s->durable = r->synced;
        return error ? -EIO : 0;
}

int rocks_rotate_log(struct rocks *r)
{
        char *message = NULL;
        int error = sync_here(r);

        if (error)
                return error;
        rocksdb_flush(r->db, r->flush, &message);
        error = rocks_errno("flush", message);
        if (error)
                return rocks_die(r, "flush", error);
        r->log_bytes = 0;
        r->space_check_at = 0;
        env_defer(loop_env(r->loop), &r->nudge); /* what became durable by the way */
        return 0;
}

bool rocks_sync_start(struct rocks *r)
{
        struct flusher *f = &r->flusher;

        list_init(&r->nudge.node);
        r->nudge.run = do_nothing;
        r->hook.fn = on_turn_end;
        loop_at_turn_end(r->loop, &r->hook);
        f->done.run = on_flushed;
        pthread_mutex_init(&f->lock, NULL);
        pthread_cond_init(&f->wake, NULL);
        f->started = pthread_create(&f->thread, NULL, run_flusher, r) == 0;
        return f->started;
}

void rocks_sync_stop(struct rocks *r)
{
        struct flusher *f = &r->flusher;

        list_remove(&r->hook.node);
        if (f->started) {
                pthread_mutex_lock(&f->lock);
                f->stop = true;
                pthread_cond_signal(&f->wake);
                pthread_mutex_unlock(&f->lock);
                pthread_join(f->thread, NULL);
        }
        pthread_cond_destroy(&f->wake);
        pthread_mutex_destroy(&f->lock);
}

void rocks_sync_free(struct rocks *r)
{
        list_remove(&r->nudge.node);
        r->closed = true;
        if (!r->flushing)
                free(r);
}
