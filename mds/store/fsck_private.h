/* SPDX-License-Identifier: Apache-2.0 */
/* Private to fsck*.c. */
#pragma once

#include <inttypes.h>

#include "mds/store/fsck.h"
#include "mds/store/meta.h"

/* What is remembered of an inode: 40 bytes. */
struct node {
        uint64_t fileid, parent;
        uint64_t size; /* directories: entries; symlinks: bytes of the target */
        uint32_t nlink, names;
        uint8_t type;
        uint16_t marks;
};
enum {
        LISTED = 1,
        ORPHAN = 2,
        TARGET = 4,
        WALKING = 8,
        REACHED = 16,
        LOST = 32,
        HAS_XATTRS = 64, /* says its record */
        XATTRS = 128,    /* there are some */
        HAS_ACL = 256,
        ACL = 512,
        HAS_BACKING = 1024,
        BACKING = 2048,
        UNDESCRIBED = 4096,
        HEAD = 8192
};

struct fsck {
        struct store *store;
        FILE *out;
        struct fsck_report report;
        struct node *nodes; /* by fileid */
        uint64_t count, capacity;
        bool out_of_memory;
        uint64_t next_fileid, hash_mask;
        uint8_t hash_key[16];
        /* the directory, and the names with one hash in it, that the scan is in */
        uint64_t parent, entries, subdirectories, cookie;
        uint32_t run;
        struct dirent_record in_run[COOKIE_RUN];
};

/* One line: "problem: KIND FILEID: text". */
void fsck_problem(struct fsck *f, const char *kind, uint64_t fileid, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
struct node *fsck_node(const struct fsck *f, uint64_t fileid);

/* fsck_dir.c: one 'd' record, in order; and after the last. */
void fsck_dirent(struct fsck *f, struct slice key, struct slice value);
void fsck_end_directory(struct fsck *f);

/* fsck_tier.c: a record of what S3 has. False: it is of another kind. */
bool fsck_tier(struct fsck *f, struct slice key, struct slice value);
