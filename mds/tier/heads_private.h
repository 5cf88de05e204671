/* SPDX-License-Identifier: Apache-2.0 */
/* Private to heads.c (who is asked about, and when) and head.c (what is asked, and what comes of it). */
#pragma once

#include "mds/tier/heads.h"

enum { HEADS_PAGE = 64 };

/* S3 is being asked about one. */
struct head {
        struct list node; /* in heads->active */
        struct heads *heads;
        struct repo *repo;
        uint64_t fileid;
        bool background;
        struct list waiting; /* struct head_wait */
        struct s3_call call;
        struct timer pause;
        unsigned rounds; /* that have failed */
        char key[BACKING_KEY_BYTES + 1];
        bool told;    /* call.object is the object */
        bool refused; /* S3 will not say */
        struct description description;
        struct iovec room;
        char target[NFS4_MAXPATH]; /* of a symlink */
};

struct heads {
        struct tier *tier;
        struct list active, hungry; /* struct head; struct head_wait for which there was no room */
        uint32_t count, background;
        struct timer turn;
        bool idle, stopping;
        /* the way through the records */
        uint64_t at; /* behind this number */
        bool whole;  /* this pass has begun at the first */
        bool found;  /* something to ask, in this pass */
        uint64_t page[HEADS_PAGE];
        uint32_t page_at, page_count;
        struct metric described, failed;
};

/* --- head.c */
void head_ask(struct head *head);
/* All who wait for it hear STATUS. */
void head_tell(struct head *head, enum nfsstat4 status);
void head_free(struct head *head); /* nobody waits for it */
