/* SPDX-License-Identifier: Apache-2.0 */
/* The names that keys have in a directory: found again, or made. */
#pragma once

#include "mds/tier/describe.h"
#include "mds/tier/name.h"
#include "mds/tier/tier.h"
#include "s3tier/listing.h"

struct key_place {
        bool there; /* the key has its name: that of INODE, in DIRECTORY */
        uint64_t directory;
        const struct inode *inode; /* as meta_inode() */
        uint64_t member;           /* who is backed by the key: that, or a second name of it (second.h) */
        struct slice name;         /* the key's, whether it is there or not; in text */
        char text[TIER_NAME_BYTES];
};
/* The name of the entry E of a listing of PREFIX in DIRECTORY. */
void key_find(struct tier *t, uint64_t directory, const char *prefix, const struct s3_entry *e,
              struct key_place *ret);
/* Would a listing of PREFIX, up to the next slash, show KEY? */
bool key_is_in(struct slice prefix, struct slice key);
/* What the name of E would be if that were NAME with a suffix: "NAME.s3-conflict-ETAG". *ret is in TEXT. */
void key_conflict_name(struct slice name, const struct s3_entry *e, struct key_place *ret);

/* A cold file or directory of E in R's DIRECTORY, at PLACE, in a transaction of its own. 0; -ENOENT: the
 * directory is gone; -ENOSPC: no data server takes new files; -ENOMEM, -EIO. Who has looked into the
 * directory (TOUCH) sees that it has changed. */
int key_make_name(struct tier *t, struct repo *r, uint64_t directory, const struct key_place *place,
                  const struct s3_entry *e, bool touch);
/* The file at PLACE makes room for a cold one of E, with its owner and mode unless the metadata of E say
 * otherwise. Who has it open keeps it. */
int key_replace(struct tier *t, struct repo *r, uint64_t directory, const struct key_place *place,
                const struct s3_entry *e);
/* The file FILEID, called NAME in DIRECTORY, is in truth a symlink to TARGET: another inode, of the same
 * backing B, as D says. */
int key_make_symlink(struct tier *t, uint64_t directory, struct slice name, uint64_t fileid,
                     struct slice target, struct backing *b, const struct description *d);
/* NAME, a file or an empty directory of DIRECTORY, goes. Who has it open keeps it. 0, -ENOENT, -EIO … */
int key_remove(struct tier *t, uint64_t directory, struct slice name, uint64_t fileid);
