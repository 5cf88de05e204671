/* SPDX-License-Identifier: Apache-2.0 */
/* What an object says in its user metadata of the file that it is; docs/S3-METADATA.md has the table. Written
 * are the keys of FSx for Lustre (file-owner, file-group, file-permissions, file-atime, file-mtime,
 * user-agent), and nacre-id: which content of which file of which cluster it is; of a file with several names
 * also nacre-link: the file that all of them are names of. Read are these, and what
 * s3fs and rclone write (mode, uid, gid, mtime, atime), extended attributes as s3fs has them (xattr). What
 * others have given the object besides is kept beside the backing record, and goes back with whatever is
 * written later. */
#pragma once

#include "mds/mds.h"
#include "s3tier/s3.h"

struct describe_id {
        uint64_t cluster, fileid, change;
        uint32_t generation;
};
/* INODE with the content it had when its change attribute was CHANGE. */
struct describe_id describe_id(const struct mds *mds, const struct inode *inode, uint64_t change);
/* INODE, as an object of ID, together with KEPT, of its backing record; CONTENT_IS_NEW: other bytes than KEPT
 * was given with. What does not fit is logged. */
void describe(const struct mds *mds, const struct inode *inode, const struct describe_id *id,
              struct slice kept, bool content_is_new, struct s3_metadata *ret);
/* The same of what was written so before: what did not fit was logged then. */
void describe_again(const struct mds *mds, const struct inode *inode, const struct describe_id *id,
                    struct slice kept, struct s3_metadata *ret);
/* False: it says nothing of that kind. */
bool describe_read_id(const struct s3_metadata *m, struct describe_id *ret);
/* Was it written by this cluster? */
bool describe_is_ours(const struct mds *mds, const struct describe_id *id);

/* That it was written to KEY: a copy that somebody makes under another key keeps its metadata. */
void describe_key(struct s3_metadata *m, struct slice key);
/* As describe_read_id(), of an object at KEY that this cluster wrote there. */
bool describe_read_ours(const struct mds *mds, const struct s3_metadata *m, struct slice key,
                        struct describe_id *ret);

/* Of an object at KEY that a Nacre wrote there as one of several names of a file: whose; change says nothing.
 */
bool describe_read_link(const struct s3_metadata *m, struct slice key, struct describe_id *ret);

/* --- the other way round */

struct description {
        uint8_t type; /* NF4REG, NF4DIR, NF4LNK; 0: it does not say */
        bool has_mode, has_uid, has_gid, has_atime, has_mtime;
        uint16_t mode; /* 07777 */
        uint32_t uid, gid;
        int64_t atime, mtime; /* ns since 1970 */
};
/* What M says; nonsense says nothing. IS_DIR: of the object of a directory. */
void describe_read(const struct s3_metadata *m, bool is_dir, struct description *ret);
/* What D says; neither ctime nor change move. */
void describe_apply(const struct description *d, struct inode *inode);

/* --- describe_kept.c: what is not ours */

/* Into OUT (BACKING_KEPT_BYTES), for a backing record; how long it is. */
uint32_t describe_keep(const struct s3_metadata *m, uint8_t *out);
struct room { /* what M may still hold */
        int32_t bytes, count;
        bool quiet; /* what does not fit is not logged */
};
struct room describe_room(const struct s3_metadata *m);
bool describe_put(struct s3_metadata *m, struct room *room, const char *name, const char *value);
/* Into M. MODE with its type. Owner, mode and times in others' words are as INODE has them now. */
void describe_kept(const struct inode *inode, unsigned mode, struct slice kept, bool content_is_new,
                   struct s3_metadata *m, struct room *room);

/* Some stores take values of at most 256 bytes (Swift, whose answer is 500): what is longer leaves M. */
void describe_shorten(struct s3_metadata *m);

/* --- describe_xattrs.c */

/* Those of INODE into M, as many as fit. */
void describe_xattrs(const struct mds *mds, const struct inode *inode, struct s3_metadata *m,
                     struct room *room);
/* Those of M, on T's copy of INODE. 0, -EIO, -ENOMEM. */
int describe_set_xattrs(struct txn *t, struct inode *inode, const struct s3_metadata *m);
