/* SPDX-License-Identifier: Apache-2.0 */
/* Private to pnfs/size.c (who is dirty), size_ask.c (asking), size_recover.c (after a start) and truncate.c
 * (cutting): the work on one file's size, one thing at a time. */
#pragma once

#include "base/slab.h"
#include "mds/fleet/fences.h"
#include "mds/pnfs/size.h"
#include "mds/state/layout.h"

enum { DIRTY_WORDS = FLEET_MAX / 64 + 1, FILES_MAX = 1 << 20 };

struct size_file {
        struct hnode node;
        uint64_t fileid;
        uint64_t dirty[DIRTY_WORDS];   /* by server id */
        uint64_t suspect[DIRTY_WORDS]; /* of those: only because it has started anew, it has said nothing */
        bool announced;                /* a data server became dirty since the last question */
        bool recovered;                /* dirty because we have just started: nobody knows since when */
        bool recovering;               /* it is asked about for that reason */
        struct list in_unrecovered;    /* sizes.unrecovered or sizes.put_off, while recovered */
        uint64_t seen; /* object_mark() of what was not settled in the last answer, added up */
        bool busy;
        /* the question under way */
        uint64_t asked[DIRTY_WORDS];   /* who was dirty when it began */
        uint64_t settled[DIRTY_WORDS]; /* who said that it has nothing to add, and has not changed its mind */
        uint64_t asked_suspect[DIRTY_WORDS]; /* of those: suspects */
        bool asked_announced;                /* announced, when it began */
        bool suspected;                      /* any suspect was asked */
        uint32_t pending;                    /* answers awaited */
        bool failed;                         /* one of them did not come */
        bool exists;                         /* an object does */
        bool partial;                        /* who is away and not dirty was not asked */
        uint64_t size, used;
        int64_t mtime, suspect_mtime; /* of the objects, the latest; of those of suspects */
        uint64_t mark,
                unsettled_mark;    /* of who was asked for having announced itself; of who is not settled */
        struct list asking;        /* struct size_wait: for the answer being fetched */
        struct list waiting;       /* the same, for the next one: they came too late for this */
        struct list queued;        /* struct cut: truncations that wait their turn, or run */
        uint64_t cut[DIRTY_WORDS]; /* of the one that runs: whose objects are cut, or may be */
        uint64_t beyond;           /* the largest size that one of them has pushed since */
        struct sizes *sizes;
        struct task finish;
};

struct sizes {
        struct mds *mds;
        struct hashtab files;
        struct slab slab;
        struct list unrecovered, put_off; /* struct size_file: to be asked about; when a data server comes */
        uint32_t recovering;              /* that are being asked about */
};

static inline bool size_bit(const uint64_t words[DIRTY_WORDS], uint32_t server_id)
{
        return words[server_id / 64] >> (server_id % 64) & 1;
}
static inline bool size_any_dirty(const struct size_file *f)
{
        for (int i = 0; i < DIRTY_WORDS; i++)
                if (f->dirty[i])
                        return true;
        return false;
}

/* The first reason to ask about F, which is not dirty yet. */
void size_file_dirtied(struct size_file *f);
struct size_file *size_file_find(const struct sizes *s,
                                 uint64_t fileid);                 /* NULL: nothing is under way or dirty */
struct size_file *size_file_get(struct sizes *s, uint64_t fileid); /* made when new; NULL: too many */
/* Begin to ask; those in f->waiting are told. */
void size_file_ask(struct size_file *f);
/* One of the answers awaited is there: with the last one, f->finish runs. */
void size_file_answered(struct size_file *f);
void size_file_finish(struct task *task); /* f->finish.run while asking */
/* size_recover.c: the start; an answer, or that there is none, has come. */
int sizes_find_unrecovered(struct sizes *s); /* 0 or -errno */
void size_file_recovered(struct size_file *f, bool success);
/* What the file does next; nothing: it is forgotten. */
void size_file_next(struct size_file *f);
/* The first of f->queued is to be cut. */
void truncate_begin(struct size_file *f);
ctl_object size_object(const struct inode *inode, uint32_t index);
