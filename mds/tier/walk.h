/* SPDX-License-Identifier: Apache-2.0 */
/* Everything below a directory, depth first, one at a time: the caller says when the next is due, so that a
 * large tree is walked in many turns of the loop. Memory grows with the depth alone. What is renamed
 * meanwhile may be seen twice or not at all. */
#pragma once

#include "mds/store/meta.h"

enum { WALK_PAGE = 64 };

struct walk_level {
        uint64_t directory, cookie; /* of the last entry that was taken */
};
struct walk_entry {
        uint64_t fileid, cookie;
        uint8_t type; /* enum nfs_ftype4 */
};
struct walk {
        struct meta *meta;
        struct walk_level *levels;
        unsigned depth, room;
        struct walk_entry page[WALK_PAGE]; /* of the innermost directory */
        unsigned at, count;
        int error;
};

/* What is in DIRECTORY, without itself. */
void walk_begin(struct walk *w, struct meta *meta, uint64_t directory);
/* Go on where another was, whose levels these are (DEPTH of them at least 1). */
void walk_resume(struct walk *w, struct meta *meta, const struct walk_level *levels, unsigned depth);
/* The next one; a directory comes before what is in it. False at the end, or with w->error -EIO, -ENOMEM. */
bool walk_next(struct walk *w, struct walk_entry *ret);
/* Where the last one is, below the start: "a/b/c". False: it is gone, or longer than BYTES. */
bool walk_path(const struct walk *w, char *out, size_t bytes);
void walk_end(struct walk *w); /* any number of times */
