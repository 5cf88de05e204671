/* SPDX-License-Identifier: Apache-2.0 */
/* Files, directories and symlinks that have another name than their key, and keep the key: what is renamed in
 * a repo that does not export that, and a directory whose names are in S3 only. Their objects are no new ones
 * for a listing, but theirs: when the object changes or goes, so does the file, wherever it is. A record 'w'
 * says where; nothing depends on it but that, so one that does not hold any more is taken out by whoever sees
 * it. */
#pragma once

#include "mds/tier/keys.h"

/* In T: MOVED, which is backed, has got NAME in TO, and the key of that stays: MEMBER's, which is MOVED or a
 * second name of it (second.h). It is as its object was, if it was before. */
void away_note(struct mds *mds, struct txn *t, const struct inode *to, struct slice name, struct inode *moved,
               const struct inode *member);
/* In T: nothing is new of FILE but its names. */
void away_keep(struct mds *mds, struct txn *t, struct inode *file);
/* Is what has the backing B noted to be NAME in DIRECTORY? */
bool away_is_at(struct mds *mds, const struct backing *b, uint64_t directory, struct slice name);
/* In T: INODE, which is backed, has lost its last name; or a second name is gone. */
void away_forget(struct mds *mds, struct txn *t, const struct inode *inode);
/* Where is what has KEY of R, if that is away? As key_find(); false: it is not, and RET is as it was. */
bool away_find(struct tier *t, const struct repo *r, struct slice key, struct key_place *ret);

/* The places of those whose keys are in the directory DIRECTORY of R, with the prefix PREFIX, but that are in
 * another one. From behind the key *AT (KEY_MAX bytes, *AT_LENGTH; 0: from the first) on; each is called
 * until it says false, *AT is where it goes on. False: there are no more. */
typedef bool away_fn(void *arg, uint64_t directory, struct slice name, uint64_t fileid);
bool away_each(struct tier *t, const struct repo *r, uint64_t directory, struct slice prefix, uint8_t *at,
               uint32_t *at_length, away_fn *each, void *arg);
