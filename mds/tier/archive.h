/* SPDX-License-Identifier: Apache-2.0 */
/* Results go to S3 (`export:` of a repo; Lustre's word is archive). What is made in a repo's directory
 * becomes a member: it gets a backing record with the key that it shall have. Whatever S3 does not have of a
 * member is queued in the transaction that makes it so ('q' and 'z' in mds/store/record.h); therefore nothing
 * is forgotten, whatever crashes. A while after the last close it is sent:
 *
 *   files        by a data server that has a part of it (CTL_UPLOAD): in one PUT when one has all of it, else
 *                as a multipart upload that we begin and complete. The change attribute before and after says
 *                whether what was sent is the file; if not, an upload is not completed, and all begins again
 *   directories  as an empty object "path/", symlinks as one that holds the target; by us
 *   new owners, modes, times     by a copy of the object onto itself, inside S3
 *   new names    by a copy to the new key, inside S3; then the old one is deleted. Until then the old key is
 *                the file's, which is recorded and not made from its path
 *   removals     leave a tombstone; the object goes when the repo's grace is over (tombs.c)
 *
 * Every write says what it expects to find (If-None-Match, If-Match): an object that somebody else has put
 * there is a conflict, and the repo's `conflict:` says what becomes of it (conflict.c). Our own are known by
 * their metadata (describe.h), so that what was written by a server that crashed before it could note it is
 * recognised.
 *
 * An object has one key; of a file with several names each has an object (second.h). */
#pragma once

#include "mds/tier/tier.h"

struct archiver;
struct archiver *archiver_new(struct tier *t); /* NULL: out of memory */
/* Nothing is begun any more, no answer is waited for. NULL is fine, as in the next two. */
void archiver_stop(struct archiver *a);
/* A repo is linked, or has changed. NULL is fine. */
void archiver_go(struct archiver *a);
/* Nobody has a call of R's under way any more; what was is begun anew. */
void archiver_quieten(struct archiver *a, const struct repo *r);
void archiver_free(struct archiver *a);

/* --- operations on names, inside their transaction, on T's copies */

/* INODE has got the NAME in DIR, which is counted. False: no memory. */
bool archive_linked(struct mds *mds, struct txn *t, const struct inode *dir, struct slice name,
                    struct inode *inode);
/* INODE has lost its last name. */
void archive_unlinked(struct mds *mds, struct txn *t, const struct inode *inode);
/* It has lost NAME in DIR, which is not its last: it was removed here; or taken from it because the object
 * there is gone or another, and stamped. */
void archive_name_removed(struct mds *mds, struct txn *t, const struct inode *dir, struct slice name,
                          struct inode *inode);
void archive_name_taken(struct mds *mds, struct txn *t, const struct inode *dir, struct slice name,
                        struct inode *inode);
/* May INODE, not a directory, be NAME in DIR as well? OK; XDEV, whereupon programs copy: one of both is in a
 * repo, and not the other in the same, or that does not export; MLINK. */
enum nfsstat4 archive_may_link(struct mds *mds, const struct inode *inode, const struct inode *dir,
                               struct slice name);
/* May a directory in DIR be called NAME? OK; PERM: in a bucket that is what we keep for ourselves
 * (manifest.h). */
enum nfsstat4 archive_may_name(struct mds *mds, const struct inode *dir, struct slice name);
/* May MOVED go from the directory FROM to TO? OK; XDEV: out of, into or between repos when it is a directory
 * with something in it, bytes of it are in S3 only or it has several names: mv(1) copies then. */
enum nfsstat4 archive_may_move(struct mds *mds, const struct inode *moved, const struct inode *from,
                               const struct inode *to);
/* It has: from OLD_NAME in FROM to NAME in TO. */
void archive_moved(struct mds *mds, struct txn *t, const struct inode *from, struct slice old_name,
                   const struct inode *to, struct slice name, struct inode *moved);

/* --- what else is heard */

/* Data servers may have something of FILEID that is not in its change attribute yet. */
void archive_written(struct mds *mds, uint64_t fileid);
/* Somebody has closed FILEID. */
void archive_closed(struct mds *mds, uint64_t fileid);

/* --- questions */

/* Send FILEID now, without the delay, and again if it has failed. 0; -ENOENT: no such file, -EINVAL: it
 * belongs to no repo that exports; -EALREADY: S3 has all of it. */
int archive_now(struct mds *mds, uint64_t fileid);
/* Has FILEID something that S3 does not have, as far as we know? */
bool archive_is_pending(struct mds *mds, uint64_t fileid);
/* What has become of FILEID, a file? WAITS: it is queued, or was changed and will be; FAILED: after several
 * attempts, and REFUSED: in a repo that does not export or is paused, or open for writing; both with why in
 * FSx's words. */
enum archive_progress { ARCHIVE_WAITS, ARCHIVE_DONE, ARCHIVE_FAILED, ARCHIVE_REFUSED };
enum archive_progress archive_progress(struct mds *mds, uint64_t fileid, const char **ret_error);
/* Is FILEID, of which CHANGE is being sent to KEY, still to go there, and as that? Its sizes are known. */
bool archive_is_same(struct mds *mds, uint64_t fileid, uint32_t generation, uint64_t change,
                     struct slice key);
/* Was the object KEY of REPO (with this ETAG) deleted here, and S3 does not know yet? Also when that has to
 * be found out: then it is known the next time. */
bool archive_is_deleted(struct mds *mds, struct repo *repo, struct slice key, struct slice etag);

/* The keys of REPO's bucket that may be otherwise than S3 says yet, for what is queued: where that is, was
 * sent, or is to be. BELOW: and all that are below KEY, a directory's old one. False: not all were told. */
typedef void archive_key_fn(void *arg, struct slice key, bool below);
bool archive_each_key(struct mds *mds, const struct repo *repo, archive_key_fn *each, void *arg);

/* May an object of MODIFIED (ns since 1970) at the key of B be one that was sent there before the one that B
 * speaks of, and arrived after it? */
bool archive_may_be_late(const struct mds *mds, const struct backing *b, uint64_t modified);

struct archive_status {          /* of one repo */
        uint64_t pending, bytes; /* files, directories, symlinks; bytes of the files */
        uint64_t deletions;      /* objects that are still to be deleted */
        uint64_t failed;         /* of the pending: after several attempts */
        uint64_t oldest_ns;      /* for how long the oldest has been waiting */
        bool more;               /* there are more than were counted */
};
void archive_status(struct mds *mds, const struct repo *repo, struct archive_status *ret);
/* For how long S3 has lacked something, of all repos; what does not fit into memory does not count. */
uint64_t archive_oldest_ns(const struct mds *mds);
/* Those of REPO that have failed: key, and why in FSx's words. */
typedef void archive_failed_fn(void *arg, struct slice key, const char *error);
void archive_each_failed(struct mds *mds, const struct repo *repo, archive_failed_fn *each, void *arg);
