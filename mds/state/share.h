/* SPDX-License-Identifier: Apache-2.0 */
/* Share reservations (RFC 8881 §9.7), private to open.c: a file counts how many of its open states allow and
 * deny each kind of access, so that a conflict is found without walking them. */
#pragma once

#include "base/slab.h"
#include "mds/state/open.h"

enum { SHARE_KINDS = 2 /* read, write */ };

struct file_state {
        struct hnode by_fileid;
        uint64_t fileid;
        struct list opens; /* open_state.in_file */
        uint32_t allows[SHARE_KINDS], denies[SHARE_KINDS];
};

struct shares {
        struct hashtab files;
        struct slab slab;
};

bool shares_init(struct shares *s, uint32_t limit);
void shares_destroy(struct shares *s);
struct file_state *share_find(const struct shares *s, uint64_t fileid); /* NULL: nobody has it open */
struct file_state *share_get(struct shares *s, uint64_t fileid); /* made when new; NULL: at the limit */
void share_put(struct shares *s, struct file_state *file);       /* goes when nobody has it open */
/* STATE allows and denies this from now on. */
void share_set(struct file_state *file, struct open_state *state, uint8_t access, uint8_t deny);
/* Do others than EXCEPT (may be NULL) deny ACCESS, or have what DENY denies? */
bool share_conflicts(const struct file_state *file, const struct open_state *except, uint8_t access,
                     uint8_t deny);
