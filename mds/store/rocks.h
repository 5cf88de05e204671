/* SPDX-License-Identifier: Apache-2.0 */
/* Private to rocks*.c. */
#pragma once

#include <pthread.h>
#include <rocksdb/c.h>

#include "base/loop.h"
#include "mds/store/batch.h"
#include "mds/store/record.h"
#include "mds/store/store.h"

/* The loop's thread owns everything but `flusher`. */
struct rocks {
        struct store store; /* first */
        struct loop *loop;  /* NULL: read-only */
        char *dir;
        rocksdb_t *db;
        rocksdb_options_t *options;
        rocksdb_readoptions_t *read;
        rocksdb_writeoptions_t *write;
        rocksdb_writebatch_t *batch; /* accepted, and not yet RocksDB's: see rocks_apply() */
        rocksdb_flushoptions_t *flush;

        uint64_t gathered_bytes; /* in `batch` */
        int dead;                /* -errno: a write or sync failed, nothing is accepted any more */
        bool told;               /* on_durable() has heard of it */
        uint64_t asked;          /* highest seq that sync() was called with */
        uint64_t synced;         /* that is on disk; store.durable: and said so */
        uint64_t log_limit;      /* a log with more bytes is closed */
        uint64_t log_bytes;      /* in the log since it was begun */
        uint64_t space_check_at; /* log_bytes at which free space is looked at again */
        enum space { SPACE_ENOUGH, SPACE_LOW, SPACE_NONE } space;
        uint64_t sync_average_ns; /* 0: not known yet */
        struct turn_hook hook;
        struct task nudge; /* an empty task: has the hook run (again) before the loop sleeps */

        bool flushing; /* the flusher has work, or its message is on the way; the loop's view */
        bool closed;   /* only waits for that message */
        struct flusher {
                pthread_t thread;
                pthread_mutex_t lock; /* of what follows; never held during a call into RocksDB */
                pthread_cond_t wake;
                bool started, stop, work;
                uint64_t seq, took_ns;
                int error;
                struct message done;
        } flusher;
};

static inline struct rocks *rocks_of(struct store *s)
{
        return CONTAINER(s, struct rocks, store);
}

/* rocks_options.c: all that RocksDB is told. CACHE_BYTES holds blocks, indexes and filters; LOG_BYTES is what
 * a log, and so a table of level 0, grows to. NULL and a message. */
rocksdb_options_t *rocks_options(uint64_t cache_bytes, uint64_t log_bytes, bool read_only, char **ret_error);

/* rocks_sync.c */
bool rocks_sync_start(struct rocks *r);
void rocks_sync_stop(struct rocks *r);
/* After that: free(r), at once or when the flusher's last message arrives. */
void rocks_sync_free(struct rocks *r);
void rocks_sync(struct store *s, uint64_t seq);
int rocks_sync_now(struct store *s);
/* Begin a new log, after everything in the old one is on disk; its memtable is written out behind. */
int rocks_rotate_log(struct rocks *r);
/* The first failure counts; on_durable() hears of it at the end of the turn. */
int rocks_die(struct rocks *r, const char *what, int error);

/* rocks.c: give RocksDB what was gathered, in one write: a write costs it more than what is written. Before
 * anything is read or synced, and at the end of every turn. 0, or -errno of a dead store. */
int rocks_apply(struct rocks *r);

/* RocksDB's message to -errno (0 for NULL), logged; frees it. */
int rocks_errno(const char *what, char *message);
