/* SPDX-License-Identifier: Apache-2.0 */
#include "base/offload.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/check.h"

struct offload {
        struct loop *loop;
        pthread_mutex_t lock; /* of what follows */
        pthread_cond_t work_or_end;
        struct offload_job *first, **last; /* a queue */
        bool ending;
        unsigned threads;
        pthread_t thread[];
};

/* The next job; NULL when the pool ends and none is left. */
static struct offload_job *next_job(struct offload *o)
{
        struct offload_job *job;

        pthread_mutex_lock(&o->lock);
        while (!o->first && !o->ending)
                pthread_cond_wait(&o->work_or_end, &o->lock);
        job = o->first;
        if (job) {
                o->first = job->next;
                if (!o->first)
                        o->last = &o->first;
        }
        pthread_mutex_unlock(&o->lock);
        return job;
}

static void *work(void *arg)
{
        struct offload *o = arg;

        for (struct offload_job *job; (job = next_job(o));) {
                job->work(job);
                loop_post(o->loop, &job->back);
        }
        return NULL;
}

static void run_done(struct message *msg)
{
        struct offload_job *job = CONTAINER(msg, struct offload_job, back);

        job->done(job);
}

void offload_submit(struct offload *o, struct offload_job *job)
{
        CHECK(job->work && job->done);
        job->back.run = run_done;
        job->pool = o;
        job->next = NULL;
        pthread_mutex_lock(&o->lock);
        *o->last = job;
        o->last = &job->next;
        pthread_cond_signal(&o->work_or_end);
        pthread_mutex_unlock(&o->lock);
}

/* Signals are the loop's: its threads take none. */
static bool start_threads(struct offload *o, unsigned threads)
{
        sigset_t all, before;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        while (o->threads < threads && pthread_create(&o->thread[o->threads], NULL, work, o) == 0)
                o->threads++;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return o->threads == threads;
}

struct offload *offload_new(struct loop *loop, unsigned threads)
{
        struct offload *o;

        CHECK(threads > 0);
        o = calloc(1, sizeof(*o) + threads * sizeof(o->thread[0]));
        if (!o)
                return NULL;
        o->loop = loop;
        o->last = &o->first;
        pthread_mutex_init(&o->lock, NULL);
        pthread_cond_init(&o->work_or_end, NULL);
        if (!start_threads(o, threads)) {
                offload_free(o);
                return NULL;
        }
        return o;
}

void offload_free(struct offload *o)
{
        if (!o)
                return;
        pthread_mutex_lock(&o->lock);
        o->ending = true;
        pthread_cond_broadcast(&o->work_or_end);
        pthread_mutex_unlock(&o->lock);
        for (unsigned i = 0; i < o->threads; i++)
                pthread_join(o->thread[i], NULL);
        pthread_cond_destroy(&o->work_or_end);
        pthread_mutex_destroy(&o->lock);
        free(o);
}
