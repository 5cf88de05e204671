/* SPDX-License-Identifier: Apache-2.0 */
/* The data server: what its parts share.
 *
 * Workers: each has a loop, connections, an NFS server, a disk, a cache of descriptors and a copy of the
 * fences, and shares nothing that needs a lock. A client's connections all go to one worker (by its address),
 * so a session lives on one loop. Worker 0 runs on the main thread and holds the control connection; the
 * others talk to it by messages, and what the MDS says visits every worker (visit.h). */
#pragma once

#include <pthread.h>

#include "base/admin.h"
#include "base/loop.h"
#include "ds/conf.h"
#include "ds/announce.h"
#include "ds/eof.h"
#include "ds/fence.h"
#include "ds/front.h"
#include "ds/inflight.h"
#include "ds/push.h"
#include "ds/store/fdcache.h"
#include "ds/trust.h"
#include "nfs4/server.h"

enum { DS_MAX_WORKERS = 256, DS_CALLS = 2048 /* in progress in one worker */ };

struct ds;
struct ctl_client; /* ctl_client.h */
struct visit;      /* visit.h */
struct leg;
struct hello;       /* hello.h */
struct metric_sums; /* metrics.c */
struct ds_tier;     /* tier/tier.h */
struct tier_worker;
struct http;

struct worker_metrics {
        struct metric read_bytes, written_bytes, parked, fenced, eof_asked, sync_writes, disk_errors;
};

struct worker {
        struct ds *ds;
        uint32_t number;
        struct loop *loop; /* NULL in the simulator */
        struct env *env;
        pthread_t thread; /* of workers 1... */
        bool has_thread;
        struct bufpool *pool;
        struct disk *disk;
        uint64_t room; /* space.h: bytes to use before the disk is asked again */
        struct objects objects;
        struct fence_table fences;
        struct inflight inflight,
                reads; /* writes; what reads objects, for who takes bytes away that are not to be zeros */
        struct list mapped; /* mapped.h: answers that are still in the page cache */
        struct slab mapped_bufs;
        struct tier_worker *tier;
        struct nfs4_server nfs; /* nfs.role is this struct */
        struct rpc_program programs[2];
        struct rpc_server *rpc; /* NULL until the first HELLO */
        struct list parked;     /* struct io without trust */
        struct list starved;    /* struct io without a buffer */
        struct timer starved_timer;
        struct task starved_task;
        bool turned_away;                 /* TRUST_CLOSED, or stopping: whoever cannot go on ends */
        uint32_t busy;                    /* READs, WRITEs and COMMITs in progress */
        void (*on_idle)(struct worker *); /* set by worker_stop() */
        struct leg *stop_leg;
        struct task idle_task;
        struct metrics metrics;
        struct worker_metrics counts;
};

struct ds_metrics {
        struct metric fences, removed, trusted, objects_open, lag_ns;
};

struct ds {
        const struct ds_conf *conf;
        struct env *env; /* worker 0's */
        struct loop *loop;
        struct identity identity;
        struct folder_marks marks;
        uint8_t boot[8];                 /* of this start */
        _Atomic uint64_t write_verifier; /* boot at first; another one after an fdatasync failed */
        _Atomic uint64_t disk_failed_ns; /* when a disk answered EIO last, 0 = never */
        uint64_t objects_at_start;
        struct worker *workers[DS_MAX_WORKERS];
        uint32_t worker_count; /* made so far */
        uint32_t worker_share; /* wanted: limits are divided by it */
        struct trust trust;
        struct front front;
        struct ctl_client *ctl; /* NULL until the store is open */
        struct pusher pusher;
        struct asker asker;
        struct ds_tier *tier;
        uint32_t ctl_requests;   /* calls of the MDS in progress */
        struct hello *hello;     /* being taken: calls of the MDS wait, since they came after it; else NULL */
        struct list ctl_waiting; /* struct ctl_request */
        bool joined;             /* HELLO was answered and taken once */
        uint32_t server_id;
        struct admin *admin;
        struct metrics metrics; /* sums over the workers, and what there is one of */
        struct metric_sums *sums;
        struct ds_metrics counts;
        struct disk *given_disk; /* the simulator's */
        struct http *(*make_http)(void *arg,
                                  struct env *env); /* the simulator's, to its S3; NULL: the real one */
        void *make_http_arg;
        int root_fd; /* locked while we run; -1 in the simulator */
        struct visit *trust_visit;
        enum trust_state trust_told; /* what that visit brings */
        bool trust_changed;          /* since it left */
        /* the end */
        bool opening, stopping, workers_idle;
        char problem[256]; /* why it ended, "" = it was asked to */
        struct task start_task, end_task;
        void (*ended)(void *arg, const char *problem);
        void *ended_arg;
};

static inline struct worker *worker_of(const struct compound *c)
{
        return c->server->role;
}
/* Run MSG on TO's thread; at once when that is FROM's. */
static inline void worker_post(struct worker *from, struct worker *to, struct message *msg)
{
        if (from == to)
                msg->run(msg);
        else
                loop_post(to->loop, msg);
}

/* Start in ENV (LOOP: its loop, NULL in the simulator) on DISK, which it takes; NULL: disks of conf->store.
 * ENDED runs once, on the loop, when it has stopped or cannot go on (PROBLEM is for people, NULL when
 * ds_stop() was called); then ds_free(). NULL: out of memory. */
struct ds *ds_new(const struct ds_conf *conf, struct env *env, struct loop *loop, struct disk *disk,
                  void (*ended)(void *arg, const char *problem), void *arg);
void ds_stop(struct ds *ds); /* twice is harmless */
void ds_free(struct ds *ds);
/* Stop because of a problem; the first one counts. */
__attribute__((format(printf, 2, 3))) void ds_fail(struct ds *ds, const char *format, ...);
/* setup.c: the directory (unless FIRST is a disk already) and the workers. False, perhaps after ds_fail(). */
bool ds_make_workers(struct ds *ds, struct disk *first);
/* A disk answered ERROR. DATA_LOST: unstable data may be gone; a new verifier makes clients send it again
 * (RFC 8881 §18.32). From any worker. */
void ds_disk_failed(struct ds *ds, int error, bool data_lost);
/* Something ended that ds_stop() waits for. */
void ds_stop_step(struct ds *ds);

/* metrics.c */
void ds_metrics_register(struct ds *ds);
void ds_metrics_refresh(void *arg); /* the struct ds: before /metrics is answered */
void ds_metrics_free(struct ds *ds);

/* ops.c, hooks.c */
extern const struct nfs4_op *const ds_ops[NFS4_OP_LIMIT];
extern const struct nfs4_hooks ds_hooks;
extern const struct nfs4_op ds_op_read, ds_op_write, ds_op_commit, ds_op_getattr, ds_op_copy, ds_op_clone,
        ds_op_savefh;
