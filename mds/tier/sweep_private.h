/* SPDX-License-Identifier: Apache-2.0 */
/* Private to sweep.c (the way), sweep_entry.c (what is made of each entry), sweep_motion.c (which keys are
 * not to be touched now) and sweep_doubts.c. */
#pragma once

#include "mds/tier/keys.h"
#include "mds/tier/sweep.h"
#include "mds/tier/walk.h"

enum { SWEEP_REPORT_BYTES = 1 << 20, SWEEP_FILTER_BYTES = 1 << 19, SWEEP_PAGE = 32 };

struct sweep_counts {
        uint64_t directories, names; /* looked at */
        uint64_t new_names, changed, deleted, conflicts, odd;
        uint64_t left; /* of these: not taken over, since the repo does not want it or somebody is busy */
};

struct sweep_name { /* of an entry of the directory, or of what has left it */
        uint64_t fileid, directory;
        struct slice name;
        char text[NFS4_MAXNAME];
};

/* Keys: a Bloom filter. */
struct sweep_filter {
        uint8_t *bits; /* SWEEP_FILTER_BYTES */
        uint8_t salt[16];
};

/* An object whose owner HEAD is asked for, once its page of the listing is over. */
struct sweep_doubt {
        struct list node; /* in sweep->doubts */
        struct sweep *sweep;
        struct s3_call call;
        uint64_t modified_ns;
        char key[BACKING_KEY_BYTES + 1];
};

struct sweep {
        struct tier *tier;
        struct repo *repo;
        struct timer due, turn;
        bool running, dry;
        bool removing; /* the second pass */
        bool look;     /* the listing of the directory is over: what of it was not there? */
        bool relist;   /* from behind REACHED */
        int error;     /* of the store, in this page */
        struct walk walk;
        struct s3_list list;
        struct s3_call head;
        struct list doubts; /* struct sweep_doubt */

        /* the directory under way */
        uint64_t directory, cookie; /* of the last entry that was looked at */
        char prefix[BACKING_KEY_BYTES + 1], reached[BACKING_KEY_BYTES + 1];
        struct sweep_filter seen;
        struct sweep_filter heard; /* of ours: see sweep_heard(); since its listing began */
        /* what is queued, as of this page: keys, and prefixes below which all is */
        struct sweep_filter queued, queued_below;
        enum { QUEUE_UNASKED, QUEUE_KNOWN, QUEUE_TOO_LONG } queue;
        bool away; /* its entries were looked at: now those of others (away.h) */
        uint8_t away_at[KEY_MAX];
        uint32_t away_at_length;
        struct sweep_name page[SWEEP_PAGE];
        unsigned page_at, page_count;
        char key[BACKING_KEY_BYTES + 1]; /* HEAD asks for it */

        struct sweep_counts counts;
        char problem[256];
        char *report;
        size_t report_length;
        bool report_cut;
};

/* An entry of the listing. 0; -ENOMEM: again from here, later; -ENOENT: the directory is gone; -ENOSPC, -EIO
 */
int sweep_entry(struct sweep *s, const struct s3_entry *e);
/* HEAD has told of an object E, with M, that the listing had under another ETag than ours. */
void sweep_told(struct sweep *s, const struct s3_entry *e, const struct s3_metadata *m);
/* Entries of the directory that the listing did not have, from COOKIE on; ends in one of the following. */
void sweep_look_for_gone(struct sweep *s);

/* sweep_doubts.c. Whose is E? It is asked for by sweep_doubts_ask(). 0, -ENOMEM. */
int sweep_doubt(struct sweep *s, const struct s3_entry *e);
/* All that were doubted, at once; sweep_page_over() when the last is told. False: there are none. */
bool sweep_doubts_ask(struct sweep *s);
void sweep_doubts_forget(struct sweep *s);

/* --- sweep_motion.c */

bool sweep_filters_make(struct sweep *s); /* false: no memory */
void sweep_filters_free(struct sweep *s);
void filter_clear(struct sweep *s, struct sweep_filter *f);
void filter_add(struct sweep_filter *f, struct slice key);
bool filter_has(const struct sweep_filter *f, struct slice key);
/* Is KEY perhaps not as the listing says, because of what we do to it ourselves? What is queued for it may be
 * in S3 already or not yet, and what has arrived since the listing was asked for may be in it or not. */
bool sweep_is_in_motion(struct sweep *s, struct slice key);

void sweep_page_over(struct sweep *s);
void sweep_look_on(struct sweep *s); /* in the next turn */
void sweep_next_directory(struct sweep *s);
void sweep_end(struct sweep *s, const char *problem); /* "": there is none */
void sweep_report(struct sweep *s, const char *what, const char *key);
