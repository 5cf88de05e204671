/* SPDX-License-Identifier: Apache-2.0 */
/* Private to jobs: jobs.c (records, which one runs), job_run.c (one that runs), job_way.c (through the tree),
 * job_item.c (a file that is under way), job_verbs.c (what is done with it), job_print.c. */
#pragma once

#include "mds/tier/archive.h"
#include "mds/tier/import.h"
#include "mds/tier/jobs.h"
#include "mds/tier/release.h"
#include "mds/tier/restore.h"
#include "mds/tier/walk.h"

struct job_run;
struct tree_job {
        struct list node; /* in jobs->all, by number */
        struct jobs *jobs;
        uint64_t number;
        struct job_record record; /* path and match point into: */
        char *text;
        struct job_run *run; /* while it runs */
        bool forgotten;      /* its records are being deleted */
};

struct jobs {
        struct tier *tier;
        struct mds *mds;
        struct list all;
        uint64_t last; /* number */
        uint32_t unended, ended;
        struct timer later; /* begin what waits, forget what is too old */
        bool stopping;
};

/* --- jobs.c */
/* Does it archive all that is below its top? */
bool job_archives_all(const struct tree_job *job);
struct tree_job *job_find(const struct jobs *jobs, uint64_t number);
/* JOB as it is now, with T's other records. 0 or -errno; *ret_seq may be NULL. */
int job_save(struct tree_job *job, struct txn *t, uint64_t *ret_seq);
void job_set_problem(struct tree_job *job, const char *literal);
/* Its run is over, and its record says so. */
void job_ended(struct tree_job *job);

/* --- one that runs */
struct job_item {
        struct list node; /* in run->items */
        struct job_run *run;
        uint64_t fileid, bytes;
        bool late;  /* begun after run->noted */
        bool begun; /* else it is tried again: */
        uint64_t again_ns;
        uint32_t tries;
        union {
                struct release_wait release;
                struct restore_wait restore;
        } wait;
        char path[];
};

struct job_place {
        uint32_t depth;
        struct job_level levels[JOB_LEVELS];
};

struct job_run {
        struct tree_job *job;
        const struct job_verb_ops *verb;
        struct timer turn, tick, names_again;
        struct durable_wait durable;
        struct list items;
        uint32_t under_way, at_once;
        bool all_begun; /* nothing more is */
        bool cancelled, resumed, ending;

        /* the way: a walk; with JOB_AGAIN from failure to failure */
        struct walk walk;
        uint64_t again;     /* the fileid of the last */
        uint64_t walk_anew; /* that was a directory: a walk, after all */
        struct import_wait names;
        bool waits;      /* for names, or to ask again */
        uint64_t listed; /* the directory whose names are here, or cannot be had */
        uint32_t names_tries;

        /* What is durable or will be: all that was begun before NOTED. It becomes so when the last of it has
         * ended; then a new place is noted. */
        struct job_place noted;
        uint64_t noted_ns;
        uint32_t early; /* items that are still under way from before it */
        struct job_counts before, after;

        /* progress, since this start */
        struct walk ahead;           /* counts */
        bool counted, unlisted;      /* all was; some directories have no names here */
        uint64_t total, total_bytes; /* files that are to be looked at */
        uint64_t begun_ns, passed, passed_bytes, failed_again;
};

static inline struct mds *run_mds(const struct job_run *run)
{
        return run->job->jobs->mds;
}

/* --- job_run.c */

/* Begin; false: out of memory. */
bool run_start(struct tree_job *job);
struct job_counts run_counts(const struct job_run *run); /* up to now */
void run_cancel(struct job_run *run);
void run_free(struct job_run *run); /* nothing is under way */
void run_stop(struct job_run *run); /* nothing begins any more */
void run_next_turn(struct job_run *run, uint64_t ns);
/* Where it is now, is what becomes durable next. */
void run_note_place(struct job_run *run);

/* --- job_way.c */
void way_begin(struct job_run *run); /* of a tree, from the record's place on */
/* A step: to the next file, which begins; or run->all_begun, or run->waits. */
void way_go_on(struct job_run *run);
void way_count(struct job_run *run); /* some of what is ahead */
void way_ask_again(struct timer *names_again);
/* A second pass has come to a directory: a walk of all. */
void way_anew(struct job_run *run);

/* --- job_item.c */

/* Does the job speak of FILE at PATH (of no use without a pattern)? */
bool job_means(const struct job_run *run, const struct inode *file, const char *path);
struct job_item *item_new(struct job_run *run, const struct inode *file,
                          const char *path);                                     /* NULL: no memory */
void item_begin(struct job_item *item);                                          /* it may have ended then */
void item_take(struct job_run *run, const struct inode *file, const char *path); /* new, and begun */
/* In T: FILEID is none, or none any more, that the job has failed with. */
void item_forget_failure(struct job_run *run, struct txn *t, uint64_t fileid);

enum item_result {
        ITEM_DONE, /* of a check: it is to be done */
        ITEM_SAME, /* nothing was */
        ITEM_FAILED
};
/* What became of it; ERROR with FAILED. The item is freed. */
void item_end(struct job_item *item, enum item_result result, const char *error);
/* It could not be done for a reason that passes: again in a second, for a minute. */
void item_again(struct job_item *item, const char *error);

/* --- job_verbs.c */
struct job_verb_ops {
        const char *name;
        uint32_t at_once;
        bool lists; /* also wants what is in directories that nobody has looked into */
        enum item_result (*check)(struct mds *mds, const struct inode *file, const char **error);
        /* Ends in item_end() or item_again(), perhaps from inside. */
        void (*begin)(struct job_item *item);
        void (*look)(struct job_item *item);   /* has it ended? Asked now and then; NULL: it says so itself */
        void (*cancel)(struct job_item *item); /* nobody waits any more; NULL: it cannot be */
};
extern const struct job_verb_ops job_verbs[JOB_VERBS]; /* by enum job_verb */
static inline struct mds *item_mds(const struct job_item *item)
{
        return run_mds(item->run);
}
