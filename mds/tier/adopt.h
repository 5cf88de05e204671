/* SPDX-License-Identifier: Apache-2.0 */
/* What was made in a repo's directory while it did not export is not of the repo: nothing says what its key
 * is, and nobody would send it. When a repo exports new files for the first time, or again, a job `archive`
 * of all of it walks there: it makes members of what is none, and sends them. Until such a job has come to
 * its end the repo is not "adopted", which is durable (struct repo_record), and `nacre repo status` says that
 * it is not safe to destroy. */
#pragma once

#include "mds/tier/jobs.h"
#include "mds/tier/tier.h"

/* R is linked, or has changed: begin the job that it needs, unless there is one. */
void adopt_begin(struct tier *t, struct repo *r);
/* A job of all that is below TOP, filtered by nothing, has looked at each file there. */
void adopt_done(struct tier *t, uint64_t top);
/* The job has come to INODE, which is NAME in the directory DIR. */
void adopt(struct mds *mds, uint64_t dir, struct slice name, const struct inode *inode);
