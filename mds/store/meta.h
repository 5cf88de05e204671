/* SPDX-License-Identifier: Apache-2.0 */
/* Private to mds/store: what meta.c (open, reads, numbers) and txn.c (changes) share. */
#pragma once

#include "base/env.h"
#include "mds/store/cache.h"
#include "mds/store/fsck.h"
#include "mds/store/txn.h"

struct edit {
        struct inode inode;
        struct cached_inode *fresh; /* new inodes: memory for the cache, taken before anything is written */
        bool deleted;
        bool xattrs; /* they change */
};

struct txn {
        struct meta *meta;
        bool open;
        int64_t now; /* wall clock of this transaction; 0 until asked for */
        uint32_t edit_count, name_count;
        struct edit edits[TXN_MAX_INODES];
        struct cached_entry *names[TXN_MAX_NAMES]; /* what the cache will hold */
        struct batch batch;
};

struct meta {
        struct env *env;
        struct store *store;
        struct cache cache;
        uint64_t read_seq;
        uint8_t fsid[16], hash_key[16], generation_key[16];
        uint32_t boot;
        uint64_t next_fileid, fileid_limit; /* ids up to the limit, exclusive, are reserved in the store */
        uint32_t epoch, epoch_limit;        /* epochs up to the limit, inclusive */
        uint64_t hash_mask;                 /* all ones; tests take bits away to make names collide */
        meta_watch_fn *watch;
        void *watch_arg;
        struct txn txn;
};

/* What was read depends on the batch SEQ. */
static inline void meta_note(struct meta *m, uint64_t seq)
{
        if (seq > m->read_seq)
                m->read_seq = seq;
}

/* The cookie of NAME when it is the first with its hash; extended attributes have no other. */
uint64_t name_cookie(struct slice name, const uint8_t hash_key[16], uint64_t hash_mask);
uint64_t meta_cookie(const struct meta *m, struct slice name);
/* As meta_inode(). */
int meta_load(struct meta *m, uint64_t fileid, struct cached_inode **ret);
/* Reads one slot of a directory; with T, as its batch leaves it. 0 (a hole has type 0), -ENOENT, -EIO. */
int meta_read_slot(struct meta *m, const struct txn *t, uint64_t parent, uint64_t cookie,
                   struct dirent_record *ret);

/* Where NAME is among the names with its hash, or where it could go. */
struct place {
        uint64_t cookie; /* of the name when found, else of the first free slot */
        bool found;
        bool alone; /* nothing else has this hash */
        uint64_t fileid;
};
/* 0, -ENOSPC (not found and no slot is free), -EIO. Without T it stops at the name: ALONE is then false for
 * one found. */
int meta_find_place(struct meta *m, const struct txn *t, uint64_t parent, struct slice name,
                    struct place *ret);

/* T's copy of FILEID, or NULL. */
struct edit *txn_find_edit(struct txn *t, uint64_t fileid);

/* xattr.c: for an inode that is deleted. */
void txn_delete_xattrs(struct txn *t, uint64_t fileid);

/* meta_open.c: the value of an 'm' record. 0, -ENOENT, -EIO (also when it is of another length). */
int meta_value_bytes(struct store *store, const char *name, void *out, uint32_t bytes);
int meta_value_number(struct store *store, const char *name, uint64_t *ret);

/* fsck.c: as fsck_run(), for a store whose names were hashed under a mask. */
int fsck_run_masked(struct store *store, uint64_t hash_mask, FILE *out, struct fsck_report *ret);
