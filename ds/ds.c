/* SPDX-License-Identifier: Apache-2.0 */
/* Start: the directory is locked, disks and workers are made, its identity is read, we listen (and keep
 * clients waiting), dial the MDS, and serve when HELLO was taken. Stop: refuse clients, say farewell to the
 * MDS, end what waits, wait for what is under way. */
#include "ds/ds.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ds/ctl_client.h"
#include "ds/health.h"
#include "ds/tier/tier.h"
#include "ds/visit.h"
#include "ds/worker.h"

void ds_fail(struct ds *ds, const char *format, ...)
{
        va_list args;

        if (ds->problem[0] == '\0') {
                va_start(args, format);
                vsnprintf(ds->problem, sizeof(ds->problem), format, args);
                va_end(args);
        }
        ds_stop(ds);
}

/* --- trust */

static void trust_at_worker(struct leg *leg)
{
        worker_trust(leg->worker, leg->visit->ds->trust_told);
        leg_done(leg);
}

static void tell_workers(struct ds *ds)
{
        if (ds->worker_count == 0)
                return; /* it is still starting: there is nobody to tell */
        if (ds->trust_visit->pending > 0) {
                ds->trust_changed = true; /* once more when it is back */
                return;
        }
        ds->trust_changed = false;
        ds->trust_told = ds->trust.state;
        visit_start(ds->trust_visit);
}

static void trust_told(struct visit *v)
{
        if (v->ds->trust_changed)
                tell_workers(v->ds);
        ds_stop_step(v->ds);
}

static void listen_again(struct ds *ds)
{
        struct netaddr bad;
        char text[NETADDR_TEXT];
        int error = front_listen(&ds->front, &bad);

        if (error)
                ds_fail(ds, "cannot listen on %s: %s", netaddr_format(&bad, text), strerror(-error));
}

static void on_trust(void *arg, enum trust_state state)
{
        struct ds *ds = arg;

        switch (state) {
        case TRUST_HELD: listen_again(ds); break;
        case TRUST_LOST: break;
        case TRUST_CLOSED:
                front_close(&ds->front);
                if (ds->ctl)
                        ctl_client_reset(ds->ctl,
                                         "the MDS is silent"); /* what waits for its answers ends too */
                pusher_give_up(&ds->pusher);
                asker_give_up(&ds->asker);
                tier_asker_give_up(&ds->tier->asker);
                break;
        }
        tell_workers(ds);
}

static const char *health(void *arg)
{
        return ds_health(arg);
}

/* --- start: the doors */

static bool open_admin(struct ds *ds)
{
        const struct ds_conf *conf = ds->conf;
        char text[NETADDR_TEXT];
        int error = 0;

        if (!ds->loop || (conf->metrics.family == 0 && !conf->admin_socket))
                return true;
        ds->admin = admin_new(ds->loop, &ds->metrics);
        if (!ds->admin)
                return false;
        admin_health(ds->admin, health, ds);
        admin_before_metrics(ds->admin, ds_metrics_refresh, ds);
        if (conf->metrics.family != 0 && (error = admin_listen_http(ds->admin, &conf->metrics)) < 0)
                ds_fail(ds, "cannot listen on %s for metrics: %s", netaddr_format(&conf->metrics, text),
                        strerror(-error));
        else if (conf->admin_socket && (error = admin_listen_unix(ds->admin, conf->admin_socket)) < 0)
                ds_fail(ds, "cannot listen on %s: %s", conf->admin_socket, strerror(-error));
        return error == 0;
}

static void opened(struct identity *id)
{
        struct ds *ds = CONTAINER(id, struct ds, identity);

        ds->opening = false;
        if (id->problem[0] != '\0')
                ds_fail(ds, "the store %s cannot be used: %s", ds->conf->store, id->problem);
        if (ds->stopping) {
                ds_stop_step(ds);
                return;
        }
        ds->objects_at_start = objects_count(ds->workers[0]->disk);
        ds_tier_opened(ds->tier);
        if (!open_admin(ds)) {
                ds_fail(ds, "no memory");
                return;
        }
        listen_again(ds);
        if (ds->stopping)
                return;
        ds->ctl = ctl_client_new(ds);
        if (!ds->ctl)
                ds_fail(ds, "no memory, or no TLS");
        else
                log_info("started", "store=%s workers=%u objects=%llu", ds->conf->store, ds->worker_count,
                         (unsigned long long)ds->objects_at_start);
}

static void start(struct task *task)
{
        struct ds *ds = CONTAINER(task, struct ds, start_task);

        if (ds->stopping)
                return;
        if (!ds_make_workers(ds, ds->given_disk)) {
                ds_fail(ds, "no memory, threads or descriptors for workers");
                return;
        }
        ds->opening = true;
        ds->identity.done = opened;
        identity_load(&ds->identity, ds->env, ds->workers[0]->disk);
}

static void tell_end(struct task *task)
{
        struct ds *ds = CONTAINER(task, struct ds, end_task);

        ds->ended(ds->ended_arg, ds->problem[0] == '\0' ? NULL : ds->problem);
}

static void set_addresses(struct ds *ds)
{
        const struct conf_addrs *listen = &ds->conf->listen;

        ds->front.ds = ds;
        ds->front.count = listen->count < FRONT_LISTENERS ? listen->count : FRONT_LISTENERS;
        for (unsigned i = 0; i < ds->front.count; i++)
                ds->front.addrs[i] = listen->items[i];
}

struct ds *ds_new(const struct ds_conf *conf, struct env *env, struct loop *loop, struct disk *disk,
                  void (*ended)(void *arg, const char *problem), void *arg)
{
        struct ds *ds = calloc(1, sizeof(*ds));
        uint64_t verifier;

        if (!ds)
                return NULL;
        ds->conf = conf;
        ds->env = env;
        ds->loop = loop;
        ds->given_disk = disk;
        ds->ended = ended;
        ds->ended_arg = arg;
        ds->root_fd = -1;
        list_init(&ds->ctl_waiting);
        list_init(&ds->start_task.node);
        list_init(&ds->end_task.node);
        ds->start_task.run = start;
        ds->end_task.run = tell_end;
        env_random(env, ds->boot, sizeof(ds->boot));
        memcpy(&verifier, ds->boot, sizeof(verifier));
        atomic_init(&ds->write_verifier, verifier);
        folder_marks_init(&ds->marks);
        set_addresses(ds);
        ds->trust_visit = calloc(1, sizeof(*ds->trust_visit));
        ds->tier = ds_tier_new(ds);
        if (!ds->trust_visit || !ds->tier || !pusher_init(&ds->pusher, ds) || !asker_init(&ds->asker, ds)) {
                ds_tier_free(ds->tier);
                free(ds->trust_visit);
                free(ds);
                return NULL;
        }
        *ds->trust_visit = (struct visit){ .ds = ds, .each = trust_at_worker, .done = trust_told };
        ds_metrics_register(ds);
        trust_init(&ds->trust, env, TRUST_PARK_MS, on_trust, ds);
        env_defer(env, &ds->start_task);
        return ds;
}

/* --- stop */

static void worker_idle(struct worker *w)
{
        leg_done(w->stop_leg);
}

static void stop_at_worker(struct leg *leg)
{
        leg->worker->stop_leg = leg;
        worker_stop(leg->worker, worker_idle);
}

static void workers_stopped(struct visit *v)
{
        struct ds *ds = v->ds;

        free(v);
        ds->workers_idle = true;
        ds_stop_step(ds);
}

static void farewell_said(void *arg)
{
        struct ds *ds = arg;
        struct visit *v = calloc(1, sizeof(*v));

        CHECK(v != NULL);
        pusher_give_up(&ds->pusher);
        asker_give_up(&ds->asker);
        tier_asker_give_up(&ds->tier->asker);
        upload_queue_give_up(&ds->tier->uploads, ds->env);
        *v = (struct visit){ .ds = ds, .each = stop_at_worker, .done = workers_stopped };
        visit_start(v);
}

void ds_stop(struct ds *ds)
{
        if (ds->stopping)
                return;
        ds->stopping = true;
        log_info("stopping", "why=%s", ds->problem[0] == '\0' ? "asked to" : ds->problem);
        trust_stop(&ds->trust);
        front_close(&ds->front);
        if (ds->ctl)
                ctl_client_leave(ds->ctl, farewell_said, ds);
        else if (ds->worker_count > 0)
                farewell_said(ds);
        else
                ds->workers_idle = true;
        ds_stop_step(ds);
}

void ds_stop_step(struct ds *ds)
{
        if (ds->stopping && ds->workers_idle && !ds->opening && !ds->hello && ds->ctl_requests == 0 &&
            ds->trust_visit->pending == 0)
                env_defer(ds->env, &ds->end_task);
}

void ds_free(struct ds *ds)
{
        if (!ds)
                return;
        list_remove(&ds->start_task.node);
        list_remove(&ds->end_task.node);
        trust_stop(&ds->trust);
        ctl_client_free(ds->ctl);
        for (uint32_t i = ds->worker_count; i-- > 0;)
                worker_free(ds->workers[i]);
        if (ds->admin)
                admin_free(ds->admin);
        pusher_destroy(&ds->pusher);
        asker_destroy(&ds->asker);
        ds_tier_free(ds->tier);
        ds_metrics_free(ds);
        if (ds->root_fd >= 0)
                close(ds->root_fd);
        free(ds->trust_visit);
        free(ds);
}
