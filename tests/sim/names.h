/* SPDX-License-Identifier: Apache-2.0 */
/* What must be true of the names in the shared folder: a name means the same file until a REMOVE, and what
 * was removed is never found again. */
#pragma once

#include "tests/sim/model.h"

enum { NAMES = 4 };

struct name {
        struct model_file *file; /* that it meant last; NULL: none was seen */
        uint64_t seen_since;
        uint32_t removing;               /* REMOVEs without an answer */
        uint64_t removed_until;          /* when the last of the others ended */
        uint64_t removed_since, removed; /* the last one that was OK: sent, answered */
};

struct names {
        struct model *model;
        struct name names[NAMES];
        bool moves; /* there are RENAMEs: what went from a name may come to it again */
        /* NULL, or there is somebody who takes names from files: F was seen under one at UNTIL last */
        void (*vanished)(void *arg, const struct model_file *f, uint64_t until);
        void *arg;
};

/* An OPEN or LOOKUP of name WHICH, sent at SINCE and answered now, found F. */
void names_seen(struct names *n, uint32_t which, uint64_t since, struct model_file *f);
/* A REMOVE is sent; it was answered, OK or not. One that was lost may come at any time. */
void names_removing(struct names *n, uint32_t which);
void names_removed(struct names *n, uint32_t which, uint64_t since, bool ok);
/* The file that the only REMOVE that is under way, since SINCE, removes; NULL: not known. */
const struct model_file *names_certain(const struct names *n, uint32_t which, uint64_t since);
/* Could WHICH have been removed at SINCE or later? */
bool names_may_be_removed(const struct names *n, uint32_t which, uint64_t since);
