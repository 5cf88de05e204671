/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/state/span.h"

#include "base/check.h"

static bool is_before(const struct span *a, const struct span *b)
{
        return a->first != b->first ? a->first < b->first : a->priority < b->priority;
}

/* After its children have changed. */
static void update(struct span *s)
{
        s->reach = s->last;
        if (s->left && s->left->reach > s->reach)
                s->reach = s->left->reach;
        if (s->right && s->right->reach > s->reach)
                s->reach = s->right->reach;
}

/* The tree S, cut in two: what comes before AT, and the rest. */
static void split(struct span *s, const struct span *at, struct span **ret_before, struct span **ret_rest)
{
        if (!s) {
                *ret_before = *ret_rest = NULL;
                return;
        }
        if (is_before(s, at)) {
                *ret_before = s;
                split(s->right, at, &s->right, ret_rest);
        } else {
                *ret_rest = s;
                split(s->left, at, ret_before, &s->left);
        }
        update(s);
}

/* All of A comes before all of B. */
static struct span *join(struct span *a, struct span *b)
{
        if (!a || !b)
                return a ? a : b;
        if (a->priority > b->priority) {
                a->right = join(a->right, b);
                update(a);
                return a;
        }
        b->left = join(a, b->left);
        update(b);
        return b;
}

void span_insert(struct span **root, struct span *span)
{
        struct span *s = *root;

        if (s && s->priority > span->priority) {
                span_insert(is_before(span, s) ? &s->left : &s->right, span);
                update(s);
                return;
        }
        split(s, span, &span->left, &span->right);
        update(span);
        *root = span;
}

void span_remove(struct span **root, struct span *span)
{
        struct span *s = *root;

        CHECK(s != NULL);
        if (s == span) {
                *root = join(s->left, s->right);
                return;
        }
        span_remove(is_before(span, s) ? &s->left : &s->right, span);
        update(s);
}

/* When the left subtree reaches FIRST but holds nothing that overlaps, what reaches so far begins behind
 * LAST, and so does all that follows: no need to come back. */
struct span *span_overlapping(struct span *root, uint64_t first, uint64_t last)
{
        struct span *s = root;

        while (s && s->reach >= first)
                if (s->left && s->left->reach >= first)
                        s = s->left;
                else if (s->first > last)
                        return NULL;
                else if (s->last >= first)
                        return s;
                else
                        s = s->right;
        return NULL;
}

bool span_each(struct span *root, uint64_t first, uint64_t last, bool (*each)(void *arg, struct span *),
               void *arg)
{
        if (!root || root->reach < first)
                return true;
        if (!span_each(root->left, first, last, each, arg))
                return false;
        if (root->first > last)
                return true;
        if (root->last >= first && !each(arg, root))
                return false;
        return span_each(root->right, first, last, each, arg);
}
