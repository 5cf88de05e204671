/* SPDX-License-Identifier: Apache-2.0 */
/* What has changed in a bucket is found by listing it again: directory by directory, of those alone whose
 * names are here (the others are listed when somebody looks), each compared with what is in it.
 *
 *   new       gets its name, as in an import
 *   changed   a file that is as its object was makes room for a new cold one, as in rename(2): who has the
 * old one open keeps it. One that was changed here as well is a conflict: see `conflict` in repo_conf.h
 *             What was sent there by us before, and has arrived late, is not theirs (HEAD tells): the file
 *             is sent again
 *   deleted   goes, if it is as its object was. Counted first: when more than `delete_brake` percent (and
 * ten) of the names would go, none does, and the repo says so; else a second pass removes them, each after a
 * HEAD that finds nothing. A directory goes when it is empty, with a later sweep
 *
 * Which of the three, `import` of the repo says. A file that somebody is writing or has delegated is left to
 * the next sweep; so is each key that has to do with what is queued for S3 (archive.h), and no other (unless
 * more is queued than is counted). Memory does not grow with the bucket: the keys that were seen in a
 * directory are a Bloom filter; what it takes for seen by mistake is found by the next sweep, whose hashes
 * are others. */
#pragma once

#include "mds/tier/tier.h"

/* Begin one of R; DRY: nothing is changed, only told. -EALREADY: one is under way; -ENOMEM. */
int sweep_start(struct tier *t, struct repo *r, bool dry);
/* When R is to be swept next, as its configuration says; after it was linked or changed. */
void sweep_schedule(struct tier *t, struct repo *r);
/* Something of ours has arrived in S3 at KEY, or was deleted there: a listing under way may not know. */
void sweep_heard(struct repo *r, const char *key);
/* It ends where it is, and is forgotten; none is fine. */
void sweep_forget(struct repo *r);

/* {"running":…,"counts":{…},"problem":…,"report":[{"what":"new","key":…}, …]} of R's last one; the report
 * holds what fits into a mebibyte. */
void sweep_print(const struct repo *r, FILE *out);
