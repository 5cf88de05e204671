/* SPDX-License-Identifier: Apache-2.0 */
/* Spans of bytes that may overlap, found by what they overlap: a treap by first byte in which each node knows
 * the last byte of all below it (Cormen et al., Introduction to Algorithms, "Interval trees"; Seidel and
 * Aragon, "Randomized search trees", 1996). A tree is a pointer to its root; spans are members of what they
 * stand for. Depth is logarithmic as long as nobody can guess the priorities. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
        uint64_t first, last; /* both inside */
        uint64_t priority;    /* random, and no two spans of a tree have the same */
        uint64_t reach;       /* the highest last byte of this subtree */
        struct span *left, *right;
};

/* SPAN's bytes and priority are set, and stay as they are while it is in the tree. */
void span_insert(struct span **root, struct span *span);
void span_remove(struct span **root, struct span *span); /* must be in the tree */
/* The lowest span that overlaps FIRST to LAST; NULL. */
struct span *span_overlapping(struct span *root, uint64_t first, uint64_t last);
/* Every span that overlaps FIRST to LAST, lowest first, until EACH says false; it must not change the tree.
 * False: EACH did. */
bool span_each(struct span *root, uint64_t first, uint64_t last, bool (*each)(void *arg, struct span *),
               void *arg);
