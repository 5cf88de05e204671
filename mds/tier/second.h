/* SPDX-License-Identifier: Apache-2.0 */
/* Second names of files in a repo (hard links). To who reads the bucket each name is an object with the
 * bytes; to S3 they have nothing to do with each other. Here the file has one key of its own, where its bytes
 * are fetched from and sent to, and each name besides is an inode of type INODE_NAME: with a backing record
 * of its own key, a queue record, tombstones and an id (describe.h), as any member has, so that all that is
 * true of a member's object is true of this one. What is sent of it is a copy, inside S3, of the file's
 * object, once S3 has all of the file; whenever that has arrived anew all of these are queued.
 *
 * When the name goes that the file's own key is of, the file is renamed to the key of another one, whose
 * inode goes. So the names that have no inode here are at most one a file. */
#pragma once

#include "mds/tier/tier.h"

enum { SECONDS_MAX = 1000 /* of a file: they are queued in one transaction */ };

struct archiver;
struct second {
        uint64_t number; /* of its inode */
        uint64_t directory;
        struct slice name; /* in TEXT, as long as this is not copied */
        char text[NFS4_MAXNAME];
};
/* That of FILE, which is called NAME in DIRECTORY. False: it is none. */
bool second_find(struct mds *mds, const struct inode *file, uint64_t directory, struct slice name,
                 struct second *ret);
/* The next of FILEID behind the number AFTER; false: there is none. */
bool second_next(struct mds *mds, uint64_t fileid, uint64_t after, struct second *ret);

/* As tier_backing(), of FILE under its NAME in DIRECTORY: *ret_member is whose record it is, the file's or a
 * second name's. RET->change of the latter is the file's exactly if S3 has all of the file there. */
int second_backing(struct mds *mds, const struct inode *file, uint64_t directory, struct slice name,
                   uint8_t *record, struct backing *ret, uint64_t *ret_member);

/* --- inside a transaction, on T's copies */

/* FILE, a member, has got NAME in DIR, besides another. False: no memory. */
bool second_made(struct archiver *a, struct txn *t, const struct inode *dir, struct slice name,
                 const struct inode *file);
/* FILE has got NAME in DIRECTORY, whose object B is as S3 has it. False: no memory. */
bool second_adopted(struct txn *t, const struct inode *file, uint64_t directory, struct slice name,
                    const struct backing *b);
/* FILE had the name OLD_NAME in FROM, and has NAME in TO. False: that is no second name. */
bool second_moved(struct archiver *a, struct txn *t, const struct inode *from, struct slice old_name,
                  const struct inode *to, struct slice name, struct inode *file);
/* S3 has all of FILEID, with bytes or metadata that are new to it: so it is to have at the others' keys. */
void seconds_renew(struct archiver *a, struct txn *t, uint64_t fileid);

/* --- outside */

/* Those of FILEID that are queued are sent now. True: there are some. */
bool seconds_hurry(struct archiver *a, uint64_t fileid);
