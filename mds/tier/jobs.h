/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs: what an administrator wants done with a file, or with all files below a directory of a repo:
 *
 *   archive   S3 gets what it does not have            release   the bytes leave the data servers
 *   restore   all bytes are brought here               pin       they are never released
 *   prefetch  the same                                 unpin     they may be again
 *
 * A job is a record in the store ('j' in mds/store/record.h) with the place where its walk is, and a record
 * of each file with which it failed ('f'). A restart of the server goes on from the place that was noted
 * last, about a second old: a file that is done twice is found to be done. Memory does not grow with the
 * tree: a walk, and as many files under way as the verb's row in job_verbs.c says. Those in directories that
 * nobody has looked into are listed on the way, where the verb wants bytes here.
 *
 * Two jobs of a verb run at a time, the others wait in order; so a restore never waits for an archive. */
#pragma once

#include "mds/tier/tier.h"

enum {
        JOBS_AT_ONCE = 2,     /* of a verb */
        JOBS_UNENDED = 100,   /* waiting and running */
        JOBS_REMEMBERED = 100 /* that have ended; the oldest are forgotten */
};

struct jobs;
struct jobs *jobs_new(struct tier *t); /* those of the store go on; NULL: out of memory */
void jobs_stop(struct jobs *jobs);     /* nothing begins any more; NULL is fine, as in the next */
void jobs_free(struct jobs *jobs);     /* nothing is under way */

struct job_request {
        enum job_verb verb;
        uint8_t options;        /* JOB_RECURSIVE, JOB_DRY */
        uint64_t older_seconds; /* neither opened nor written for so long; 0: any */
        uint64_t min_size;
        const char *match; /* a pattern as of fnmatch(3), of names, or, with a '/', of paths; "": any */
        uint64_t top;      /* the fileid at: */
        const char *path;
};
/* Is there an unended one that archives all that is below the directory TOP? */
bool jobs_has_archive_of(const struct jobs *jobs, uint64_t top);
/* "archive" …; 0: none is called NAME. */
enum job_verb job_verb_by_name(const char *name);
/* Its number; durable with *ret_seq. 0, with a reason for people in *WHY. */
uint64_t jobs_start(struct jobs *jobs, const struct job_request *r, uint64_t *ret_seq, const char **why);
/* NULL, or why not, for people. What is under way in S3 or at data servers may still get there. */
const char *jobs_cancel(struct jobs *jobs, uint64_t number);
/* What an ended job has failed with is tried again, by the same job. */
const char *jobs_retry(struct jobs *jobs, uint64_t number);

/* {"number":7,"verb":"archive","path":…,"state":"running",…}; false: there is none. */
bool jobs_print(struct jobs *jobs, uint64_t number, FILE *out);
void jobs_print_all(struct jobs *jobs, FILE *out); /* an array of them */
/* {"failures":[{"path":…,"error":…},…],"next":N}: with files numbered above AFTER; N: what AFTER is to be
 * for more, 0: there is no more. */
bool jobs_report(struct jobs *jobs, uint64_t number, uint64_t after, FILE *out);
