/* SPDX-License-Identifier: Apache-2.0 */
/* Start: the directory is locked, disks and workers are made, its identity is read, we listen (and keep clients waiting),
 * dial the MDS, and serve when HELLO was taken. Stop: refuse clients, say farewell to the MDS, end what waits, wait for what
 * is under way. */
#include "ds/ds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "ds/ctl_client.h"
#include "ds/visit.h"
#include "ds/worker.h"

enum { RING_ENTRIES = 1024, DISK_THREADS = 16 };

__attribute__((format(printf, 2, 3))) static void fail(struct ds *ds, const char *format, ...)
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
        worker_trust(leg->worker, leg->visit->ds->trust.state);
        leg_done(leg);
}

static void tell_workers(struct ds *ds)
{
        if (ds->trust_visit->pending > 0) {
                ds->trust_changed = true; /* once more when it is back */
                return;
        }
        ds->trust_changed = false;
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
                fail(ds, "cannot listen on %s: %s", netaddr_format(&bad, text), strerror(-error));
}

static void on_trust(void *arg, enum trust_state state)
{
        struct ds *ds = arg;

        switch (state) {
        case TRUST_HELD:
                listen_again(ds);
                break;
        case TRUST_LOST:
                break;
        case TRUST_CLOSED:
                front_close(&ds->front);
                if (ds->ctl)
                        ctl_client_reset(ds->ctl, "the MDS is silent"); /* what waits for its answers ends too */
                pusher_give_up(&ds->pusher);
                asker_give_up(&ds->asker);
                break;
        }
        tell_workers(ds);
}

/* --- health */

void ds_disk_failed(struct ds *ds, int error, bool data_lost)
{
        uint64_t verifier;

        log_error("disk-failed", "error=%s data_lost=%d", strerror(-error), data_lost);
        atomic_store(&ds->disk_failed_ns, env_now(ds->env));
        if (!data_lost)
                return;
        env_random(ds->env, &verifier, sizeof(verifier));
        atomic_store(&ds->write_verifier, verifier);
}

const char *ds_health(const struct ds *ds)
{
        if (ds->stopping)
                return "stopping\n";
        if (ds->trust.state == TRUST_HELD)
                return NULL;
        return ds->ctl && ctl_client_problem(ds->ctl)[0] != '\0' ? ctl_client_problem(ds->ctl) : "not joined yet\n";
}

static const char *health(void *arg)
{
        return ds_health(arg);
}

/* --- start: the directory, disks, workers */

static uint32_t choose_worker_count(const struct ds *ds)
{
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        uint64_t count = ds->conf->loops > 0 ? ds->conf->loops : processors > 0 ? (uint64_t)processors : 1;

        return !ds->loop ? 1 : count > DS_MAX_WORKERS ? DS_MAX_WORKERS : (uint32_t)count;
}

/* One daemon a directory: two would not see each other's fences. */
static bool open_directory(struct ds *ds)
{
        const char *path = ds->conf->store;

        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                fail(ds, "cannot make the store %s: %s", path, strerror(errno));
        else if ((ds->root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
                fail(ds, "cannot open the store %s: %s", path, strerror(errno));
        else if (flock(ds->root_fd, LOCK_EX | LOCK_NB) < 0)
                fail(ds, errno == EWOULDBLOCK ? "the store %s is in use by another process" : "cannot lock the store %s", path);
        else
                return true;
        return false;
}

static void raise_fd_limit(const struct ds *ds)
{
        rlim_t need = ds->conf->fd_cache + ds->conf->limits.connections + ds->worker_count * (DS_CALLS + STORE_FOLDERS) + 256;
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= need)
                return;
        limit.rlim_cur = need < limit.rlim_max ? need : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        if (limit.rlim_cur < need)
                log_warn("few-descriptors", "have=%llu need=%llu", (unsigned long long)limit.rlim_cur, (unsigned long long)need);
}

static struct disk *open_disk(struct ds *ds, struct loop *loop)
{
        int fd = fcntl(ds->root_fd, F_DUPFD_CLOEXEC, 0);
        struct disk *disk = NULL;

        if (fd < 0)
                return NULL;
        if (ds->conf->io == DS_IO_URING) {
                disk = disk_uring_new(loop, fd, RING_ENTRIES);
                if (!disk)
                        log_warn("io-uring-refused", "error=%s instead=threads", strerror(errno));
        }
        if (!disk)
                disk = disk_threads_new(loop, fd, DISK_THREADS);
        if (!disk)
                close(fd);
        return disk;
}

static bool add_worker(struct ds *ds, struct loop *loop, struct disk *disk)
{
        uint32_t number = ds->worker_count;
        struct env *env = number == 0 ? ds->env : loop_env(loop);

        if (disk)
                ds->workers[number] = worker_new(ds, number, env, loop, disk);
        if (!ds->workers[number]) {
                if (number > 0)
                        loop_free(loop);
                return false;
        }
        ds->worker_count++;
        return number == 0 || worker_start(ds->workers[number]);
}

/* COUNT is known before the first is made: they share the limits. */
static bool make_workers(struct ds *ds, struct disk *first)
{
        uint32_t count = choose_worker_count(ds);

        ds->worker_share = count;
        if (!first) {
                if (!open_directory(ds))
                        return false;
                raise_fd_limit(ds);
                first = open_disk(ds, ds->loop);
        }
        if (!add_worker(ds, ds->loop, first))
                return false;
        while (ds->worker_count < count) {
                struct loop *loop = loop_new();

                if (!loop || !add_worker(ds, loop, open_disk(ds, loop)))
                        return false;
        }
        return true;
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
                fail(ds, "cannot listen on %s for metrics: %s", netaddr_format(&conf->metrics, text), strerror(-error));
        else if (conf->admin_socket && (error = admin_listen_unix(ds->admin, conf->admin_socket)) < 0)
                fail(ds, "cannot listen on %s: %s", conf->admin_socket, strerror(-error));
        return error == 0;
}

static void opened(struct identity *id)
{
        struct ds *ds = CONTAINER(id, struct ds, identity);

        ds->opening = false;
        if (id->problem[0] != '\0') {
                fail(ds, "the store %s cannot be used: %s", ds->conf->store, id->problem);
                return;
        }
        if (ds->stopping) {
                ds_stop_step(ds);
                return;
        }
        ds->objects_at_start = objects_count(ds->workers[0]->disk);
        if (!open_admin(ds)) {
                fail(ds, "no memory");
                return;
        }
        listen_again(ds);
        if (ds->stopping)
                return;
        ds->ctl = ctl_client_new(ds);
        if (!ds->ctl)
                fail(ds, "no memory, or no TLS");
        else
                log_info("started", "store=%s workers=%u objects=%llu", ds->conf->store, ds->worker_count,
                         (unsigned long long)ds->objects_at_start);
}

static void start(struct task *task)
{
        struct ds *ds = CONTAINER(task, struct ds, start_task);

        if (ds->stopping)
                return;
        if (!make_workers(ds, ds->given_disk)) {
                fail(ds, "no memory, threads or descriptors for workers");
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
        if (!ds->trust_visit || !pusher_init(&ds->pusher, ds) || !asker_init(&ds->asker, ds)) {
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
        if (ds->stopping && ds->workers_idle && !ds->opening && !ds->hello && ds->ctl_requests == 0 && ds->trust_visit->pending == 0)
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
        ds_metrics_free(ds);
        if (ds->root_fd >= 0)
                close(ds->root_fd);
        free(ds->trust_visit);
        free(ds);
}
