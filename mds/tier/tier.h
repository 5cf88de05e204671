/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 tier at the metadata server: repos, each a bucket's prefix linked to a directory. A directory's
 * names come from S3 when somebody first looks into it (import.h); a file's bytes when they are first read,
 * by the data servers (ds/tier/), which ask here where they are. What is not here yet is INODE_COLD. */
#pragma once

#include "mds/mds.h"
#include "mds/tier/repo_conf.h"
#include "s3tier/s3.h"

struct tier;
struct archiver;  /* archive.h */
struct evictor;   /* evict.h */
struct heads;     /* heads.h */
struct jobs;      /* jobs.h */
struct manifests; /* manifest.h */
struct sweep;     /* sweep.h */
struct repo {
        struct list node; /* in struct tier */
        uint32_t number;  /* for ever; 0 is none */
        char name[REPO_NAME_BYTES + 1];
        uint64_t directory; /* fileid */
        uint64_t revision;  /* rises with each change of conf, also over restarts */
        struct repo_conf conf;
        struct creds_provider *creds;
        struct http *http;
        struct s3 *s3;
        bool adopted;                                                         /* adopt.h */
        uint64_t names;                                                       /* imported since the start */
        enum { MANIFESTS_UNKNOWN, MANIFESTS_NONE, MANIFESTS_SOME } manifests; /* in the bucket */
        bool unconditional;      /* S3 knows no conditions of writes: it is looked at before */
        bool no_part_copies;     /* S3 does not copy parts of objects */
        bool no_copy_conditions; /* it does not if it is to look at the ETag of what it copies of */
        struct sweep *sweep;
        char problem[256]; /* what S3 said last, if it was no; for people */
};

struct tier {
        struct mds *mds;
        struct list repos;
        struct list imports;  /* struct import */
        struct list releases; /* struct release */
        struct list restores; /* struct restore */
        uint32_t restoring;   /* how many */
        struct archiver *archiver;
        struct evictor *evictor;
        struct heads *heads;
        struct jobs *jobs;
        struct manifests *manifests;
        unsigned manifest_readers; /* under way */
        struct s3_metrics s3_metrics;
        struct metric manifest_described;
        struct metric imported, admission_waits, head_waits;
        struct metric released, not_released, released_bytes;
        /* How a repo's connections are made; http_new() on the MDS's loop unless the simulator has its own.
         */
        struct http *(*connect)(struct tier *, const struct repo_conf *);
        uint32_t revisions; /* so many were given since the start */
        struct list tasks;  /* struct tier_task */
        bool stopping;
};

/* What goes on for a while, for somebody who waits: stopped with the tier. */
struct tier_task {
        struct list node; /* in tier->tasks */
        void (*stop)(struct tier_task *);
};

/* With the repos of conf->repos, a directory of YAML files; one that is not right is left out, with the
 * reason logged. NULL: out of memory. */
struct tier *tier_new(struct mds *mds);
void tier_stop(struct tier *t); /* nothing begins any more, and who waits is told; NULL is fine */
void tier_free(struct tier *t); /* NULL is fine */

/* repo.c. A repo that is not linked yet, with its connections; takes CONF. NULL with *WHY a literal. */
struct repo *repo_new(struct tier *t, const char *name, struct repo_conf *conf, const char **why);
void repo_free(struct repo *r); /* NULL is fine */
/* Read NAME's file: link it, or have the repo of this name work as the file says now. 0, or -1 with a reason
 * in ERROR; then all is as it was. */
int repo_load(struct tier *t, const char *name, char *error, size_t error_bytes);
/* Why R cannot be linked, as long as it is not: another repo has its name or is in its way; NULL. */
const char *repo_in_the_way(const struct tier *t, const struct repo *r);
/* Forget R, which is freed: what it made stays, and is its own again when the same bucket is linked to the
 * same directory once more. 0 or -errno. */
int repo_unlink(struct tier *t, struct repo *r);
/* Link what CONF says as the repo NAME, for the first time or after a restart; takes CONF. 0, or -1
 * with a reason in ERROR: what is at the path (no directory, or not an empty one), a repo of another bucket
 * under this name, a directory that is in a repo already, S3's configuration. */
int repo_link(struct tier *t, const char *name, struct repo_conf *conf, char *error, size_t error_bytes);
struct repo *repo_by_number(const struct tier *t, uint32_t number);
struct repo *repo_by_name(const struct tier *t, const char *name);

/* What backs INODE, with RECORD (RECORD_MAX bytes) for its slices. 0, -ENOENT, -EIO. */
int tier_backing(struct mds *mds, const struct inode *inode, uint8_t *record, struct backing *ret);
/* On T's copy of INODE, which is backed from now on. */
void tier_put_backing(struct txn *t, struct inode *inode, const struct backing *b);
/* (Un)pin FILE, which is backed: *ret_t is to be committed. 0; -ENOENT, -ESTALE, -EIO: there is no *ret_t. */
int tier_pin(struct mds *mds, const struct inode *file, bool pinned, struct txn **ret_t);
/* FILE becomes cold: from now on its bytes are those of the object that B says, all of them, and it takes no
 * room here. On T's copy. Handles of the epoch that is returned, and later ones, know so; of earlier ones
 * none may be good any more. 0: the store refuses. */
uint32_t tier_chill(struct mds *mds, struct txn *t, struct inode *file, struct backing *b);
/* FILE is about to be cut to SIZE: what is behind is not the object's any more, even when the file grows
 * again. On T's copy; before data servers cut their objects, or they would fetch again what is gone. False:
 * what backs it cannot be read. */
bool tier_cut(struct mds *mds, struct txn *t, struct inode *file, uint64_t size);
