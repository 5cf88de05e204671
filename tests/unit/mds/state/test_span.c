/* SPDX-License-Identifier: Apache-2.0 */
/* Spans against a model that looks at all of them; depth when they come in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hashtab.h"
#include "mds/state/span.h"
#include "tests/lab/virtual_env.h"

enum { SPANS = 64, MANY = 20000 };

static struct span spans[SPANS];
static bool in_tree[SPANS];
static struct span *root;

/* As the model sorts: -1, or the number of the first that overlaps and comes after AFTER (-1: at all). */
static int next_overlapping(int after, uint64_t first, uint64_t last)
{
        int best = -1;

        for (int i = 0; i < SPANS; i++) {
                const struct span *s = &spans[i], *b = best < 0 ? NULL : &spans[best],
                                  *a = after < 0 ? NULL : &spans[after];

                if (!in_tree[i] || s->first > last || s->last < first)
                        continue;
                if (a && (s->first < a->first || (s->first == a->first && s->priority <= a->priority)))
                        continue;
                if (!b || s->first < b->first || (s->first == b->first && s->priority < b->priority))
                        best = i;
        }
        return best;
}

struct walk {
        int expected, left;
        uint64_t first, last;
};

static bool visit(void *arg, struct span *span)
{
        struct walk *w = arg;

        assert_ptr_equal(span, &spans[w->expected]);
        w->expected = next_overlapping(w->expected, w->first, w->last);
        return --w->left > 0;
}

static void ask(uint64_t first, uint64_t last, int at_most)
{
        struct walk w = { next_overlapping(-1, first, last), at_most, first, last };
        struct span *found = span_overlapping(root, first, last);
        bool to_the_end;

        assert_ptr_equal(found, w.expected < 0 ? NULL : &spans[w.expected]);
        to_the_end = span_each(root, first, last, visit, &w);
        assert_int_equal(to_the_end, w.left > 0);
        if (w.left > 0)
                assert_int_equal(w.expected, -1); /* none was left out */
}

/* Some numbers near 0, some near the end. */
static uint64_t byte(uint64_t *dice)
{
        uint64_t n = lab_random_below(dice, 40);

        return n < 30 ? n : UINT64_MAX - (n - 30);
}

static void as_the_model_says(void **state)
{
        uint64_t dice = 11;

        (void)state;
        for (int step = 0; step < 50000; step++) {
                int i = (int)lab_random_below(&dice, SPANS);
                uint64_t a = byte(&dice), b = byte(&dice);

                if (in_tree[i]) {
                        span_remove(&root, &spans[i]);
                } else {
                        spans[i] = (struct span){ .first = a < b ? a : b,
                                                  .last = a < b ? b : a,
                                                  .priority = hash_u64((uint64_t)step) };
                        span_insert(&root, &spans[i]);
                }
                in_tree[i] = !in_tree[i];
                a = byte(&dice);
                b = byte(&dice);
                ask(a < b ? a : b, a < b ? b : a, 1 + (int)lab_random_below(&dice, SPANS));
        }
}

static int depth(const struct span *s)
{
        int left = s ? depth(s->left) : 0, right = s ? depth(s->right) : 0;

        return !s ? 0 : 1 + (left > right ? left : right);
}

static void depth_is_logarithmic(void **state)
{
        static struct span many[MANY];
        struct span *top = NULL;

        (void)state;
        for (uint64_t i = 0; i < MANY; i++) {
                many[i] = (struct span){ .first = i, .last = i, .priority = hash_u64(i) };
                span_insert(&top, &many[i]);
        }
        assert_in_range(depth(top), 14, 50);
        for (uint64_t i = 0; i < MANY; i++) {
                assert_ptr_equal(span_overlapping(top, 0, UINT64_MAX), &many[i]);
                span_remove(&top, &many[i]);
        }
        assert_null(top);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(as_the_model_says),
                                            cmocka_unit_test(depth_is_logarithmic) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
