/* SPDX-License-Identifier: Apache-2.0 */
/* Objects in use and objects kept open: a bounded number of descriptors, the least recently used closed
 * first, none while somebody uses it. One cache a worker; the file behind an object is the same for all of
 * them. */
#pragma once

#include "base/hashtab.h"
#include "base/slab.h"
#include "ds/store/folders.h"

/* Somebody who waits for an object's descriptor. */
struct opener {
        struct list node;
        bool create; /* make the object when it is missing */
        void (*opened)(struct opener *,
                       int error); /* 0, -ENOENT (only without create), or what the disk said */
};

/* Somebody who waits until what was written to an object is durable. */
struct sync_wait {
        struct list node;
        void (*synced)(struct sync_wait *, int error); /* 0 or -errno */
};

/* Somebody who waits until nobody else uses an object. */
struct idle_wait {
        struct list node;
        void (*idle)(struct idle_wait *);
};

struct residency;

struct object {
        struct objects *objects;
        struct hnode node;
        struct list in_idle; /* while refs is 0 */
        uint64_t fileid;
        uint32_t generation;
        uint32_t refs, removers;
        int fd; /* -1: not open */
        bool opening, creating;
        bool unsynced; /* written since the last fdatasync */
        uint64_t size; /* the file is at least so long: only a cut or a removal makes it shorter */
        struct list openers, idle_waits;
        struct list syncing, sync_waits; /* whom the fdatasync under way is for; whom the next one */
        struct disk_req req;             /* open, sync */
        char path[STORE_PATH];

        /* WRITEs wait here while the object is being cut (ds/io.h) */
        uint32_t cuts;
        struct list held;
        /* what the MDS was told of unstable data (ds/push.h) */
        uint64_t announced; /* handles with a lower epoch need not tell it; 0 = all must */
        bool announcing;
        bool pushed; /* a synced write was pushed: those that follow announce instead (op/write.c) */
        struct list announce_waits;
        /* of a file of the S3 tier (ds/tier/): which units are here, NULL: not asked yet; where a reader is
         */
        struct residency *residency;
        uint64_t next_unit;
        uint32_t window;
};

struct objects {
        struct disk *disk;
        struct hashtab table;
        struct slab slab;
        struct list idle; /* least recently used first */
        uint32_t open_count, evicting, fd_limit;
        struct folders folders;
        void (*eviction_ended)(void *arg,
                               int error); /* it was synced before; with an error unstable data may be lost */
        void *arg;
        void (*forget)(struct residency *); /* the object that had it leaves */
        _Atomic uint64_t created;           /* counters; this one is read by others */
        uint64_t opens, evictions;
};

/* A cache of at most FD_LIMIT open objects beside those in use, which are at most IN_USE_LIMIT. False: out of
 * memory. */
bool objects_init(struct objects *s, struct disk *disk, struct folder_marks *marks, uint32_t fd_limit,
                  uint32_t in_use_limit);
/* Closes everything; nobody may use anything. */
void objects_destroy(struct objects *s);

/* The object, with one reference more; it need not exist on disk. NULL: out of memory or too many in use. */
struct object *object_hold(struct objects *s, uint64_t fileid, uint32_t generation);
/* The same, but only when it is in the cache. */
struct object *object_find(struct objects *s, uint64_t fileid, uint32_t generation);
struct object *object_ref(struct object *o);
void object_release(struct object *o);

/* 0: o->fd is open. -EINPROGRESS: OPENER->opened() runs later; the caller's reference must last until then.
 */
int object_open(struct object *o, struct opener *opener);
/* fdatasync of an open object: W->synced() runs later, and then, without an error, everything written before
 * this call is durable. One is under way at a time; who asks meanwhile shares the next. When one fails, those
 * who wait for the next fail with it: the kernel tells of a lost page once, and it may have been one of
 * theirs. */
void object_sync(struct object *o, struct sync_wait *w);
/* Size (stored in o->size too), bytes allocated and mtime of an open object, as of now. 0 or -errno. */
int object_stat(struct object *o, uint64_t *ret_allocated, uint64_t *ret_mtime_ns);
/* Bytes up to END were written. */
static inline void object_written(struct object *o, uint64_t end)
{
        o->unsynced = true;
        if (end > o->size)
                o->size = end;
}

/* The MDS has forgotten what was announced. */
void objects_forget_announced(struct objects *s);

/* The object is being removed: true when only removers hold references, else W->idle() runs later. Then
 * object_close(). */
bool object_when_idle(struct object *o, struct idle_wait *w);
/* Close the descriptor of an object that only removers hold: the caller's removal ends, its reference stays.
 */
void object_close(struct object *o);
