/* SPDX-License-Identifier: Apache-2.0 */
/* An ordered key-value store with atomic batches, in two steps: a batch is written (visible, ordered, not yet
 * durable), and later everything written so far is made durable in one sync. rocks.c is the one that ships
 * (RocksDB, C API); the simulator and quick tests use memory.c, which can be made to lose everything that was
 * not synced. Called only from the MDS's loop; the sync may run on a thread of the engine's own. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct store;
struct batch; /* batch.h */

/* One entry during a scan; the slices are good until the callback returns. False ends the scan. */
typedef bool store_each_fn(void *arg, struct slice key, struct slice value);

struct store_ops {
        /* Copies the value into OUT (its length into *ret_length). 0, -ENOENT, -ENOBUFS (longer than
         * CAPACITY), -EIO. */
        int (*get)(struct store *, struct slice key, void *out, uint32_t capacity, uint32_t *ret_length);
        /* Entries with key >= FROM that start with PREFIX, ascending. FROM starts with PREFIX. 0 or -EIO. */
        int (*scan)(struct store *, struct slice prefix, struct slice from, store_each_fn *each, void *arg);
        /* Apply all of BATCH or nothing. *ret_seq rises by one a write. 0, -ENOSPC, -EIO. */
        int (*write)(struct store *, const struct batch *, uint64_t *ret_seq);
        /* Ask that all up to SEQ becomes durable; on_durable follows, on the loop, never from inside. */
        void (*sync)(struct store *, uint64_t seq);
        /* Everything written is durable when it returns, and on_durable is not called: for start and stop.
         * 0 or -EIO. */
        int (*sync_now)(struct store *);
        /* A consistent copy of the whole store in the new directory DIR. */
        int (*checkpoint)(struct store *, const char *dir);
        /* For people: what is not accepted at present, and why; NULL: all is. */
        const char *(*trouble)(struct store *);
        void (*close)(struct store *);
};

struct store {
        const struct store_ops *ops;
        /* Everything up to SEQ is durable. ERROR < 0: the sync failed, nothing after the last call ever will
         * be: the MDS stops (a store whose log cannot be written must not acknowledge anything). */
        void (*on_durable)(void *arg, uint64_t seq, int error);
        void *arg;
        uint64_t written, durable; /* highest sequence numbers */
        struct {
                uint64_t gets, scans, batches, syncs, sync_ns;
        } stats;
};

struct loop;
/* Open (made when new) the RocksDB store in directory DIR. READ_ONLY: for fsck beside a running or dead
 * server. LOOP: where on_durable runs; NULL with READ_ONLY. NULL and a message for people in ERROR when it
 * cannot be opened. */
struct store *store_rocks_open(const char *dir, bool read_only, struct loop *loop, uint64_t cache_bytes,
                               char *error, uint32_t error_bytes);

struct env;
struct store *store_memory_new(struct env *env);
/* What a crash leaves: everything after the last finished sync is gone (or, with KEEP of the unsynced
 * batches, kept). */
void store_memory_crash(struct store *s, uint64_t keep);
/* How long a sync takes (a timer of the env); 0, as at first: until the end of the turn. */
void store_memory_set_sync_ns(struct store *s, uint64_t sync_ns);
/* The write after AFTER more fails once with ERROR; from now on every sync fails with ERROR. */
void store_memory_fail_write(struct store *s, uint64_t after, int error);
void store_memory_fail_sync(struct store *s, int error);
