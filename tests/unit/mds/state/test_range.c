/* SPDX-License-Identifier: Apache-2.0 */
/* Byte ranges: the rules of POSIX one by one, then a hundred thousand random steps against a model that keeps
 * what every owner has of every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/list.h"
#include "mds/state/range.h"
#include "tests/lab/virtual_env.h"

enum { OWNERS = 5, POOL = 4096 };

static struct range_pool pool;
static struct ranges file;
static struct range_owner owners[OWNERS], *const a = &owners[0], *const b = &owners[1];

static int setup(void **state)
{
        (void)state;
        range_pool_init(&pool, POOL, 99);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        for (int i = 0; i < OWNERS; i++) {
                assert_true(range_clear(&pool, &file, &owners[i], 0, UINT64_MAX));
                assert_int_equal(owners[i].count, 0);
                assert_null(owners[i].all);
        }
        assert_null(file.reads);
        assert_null(file.writes);
        assert_int_equal(pool.slab.in_use, 0);
        range_pool_destroy(&pool);
        return 0;
}

/* --- by hand */

static bool take(struct range_owner *owner, enum range_kind kind, uint64_t first, uint64_t last)
{
        if (range_conflict(&file, owner, kind, first, last))
                return false;
        assert_true(range_set(&pool, &file, owner, kind, first, last));
        return true;
}

static void give(struct range_owner *owner, uint64_t first, uint64_t last)
{
        assert_true(range_clear(&pool, &file, owner, first, last));
}

struct text {
        char bytes[256];
        size_t length;
};

static bool print(void *arg, struct span *span)
{
        struct text *t = arg;
        const struct range *r = CONTAINER(span, struct range, in_owner);
        int n = snprintf(t->bytes + t->length, sizeof(t->bytes) - t->length, "%s%c%llu-%lld",
                         t->length ? " " : "", r->kind == RANGE_WRITE ? 'w' : 'r',
                         (unsigned long long)span->first, (long long)span->last);

        assert_true(n > 0 && (size_t)n < sizeof(t->bytes) - t->length);
        t->length += (size_t)n;
        return true;
}

/* "r0-9 w10--1": -1 is the end of file. */
static void assert_has(const struct range_owner *owner, const char *expected)
{
        struct text t = { .length = 0 };

        span_each(owner->all, 0, UINT64_MAX, print, &t);
        assert_string_equal(t.bytes, expected);
}

static void neighbours_of_a_kind_grow_together(void **state)
{
        (void)state;
        assert_true(take(a, RANGE_READ, 0, 9));
        assert_true(take(a, RANGE_READ, 20, 29));
        assert_has(a, "r0-9 r20-29");
        assert_true(take(a, RANGE_WRITE, 30, 39));
        assert_true(take(a, RANGE_READ, 10, 19));
        assert_has(a, "r0-29 w30-39");
        assert_true(take(a, RANGE_READ, 5, 12)); /* inside of its own */
        assert_has(a, "r0-29 w30-39");
        assert_true(take(a, RANGE_READ, 30, 39));
        assert_has(a, "r0-39");
}

static void an_unlock_splits(void **state)
{
        (void)state;
        assert_true(take(a, RANGE_WRITE, 0, UINT64_MAX));
        give(a, 10, 19);
        assert_has(a, "w0-9 w20--1");
        give(a, 0, 0);
        give(a, UINT64_MAX, UINT64_MAX);
        assert_has(a, "w1-9 w20--2");
        give(a, 5, 25);
        assert_has(a, "w1-4 w26--2");
        give(a, 100, 50000);
        give(a, 200, 300); /* nothing there */
        assert_has(a, "w1-4 w26-99 w50001--2");
        give(a, 0, UINT64_MAX);
        assert_has(a, "");
}

static void an_upgrade_in_the_middle_and_back(void **state)
{
        (void)state;
        assert_true(take(a, RANGE_READ, 0, 99));
        assert_true(take(a, RANGE_WRITE, 40, 59));
        assert_has(a, "r0-39 w40-59 r60-99");
        assert_true(take(b, RANGE_READ, 0, 39));
        assert_false(take(b, RANGE_READ, 0, 40));
        assert_false(take(a, RANGE_WRITE, 0, 50)); /* b reads there; nothing has changed */
        assert_has(a, "r0-39 w40-59 r60-99");
        assert_true(take(a, RANGE_READ, 40, 59));
        assert_has(a, "r0-99");
        assert_true(take(b, RANGE_READ, 40, UINT64_MAX));
        assert_has(b, "r0--1");
}

static void a_conflict_is_told(void **state)
{
        const struct range *r;

        (void)state;
        assert_true(take(a, RANGE_WRITE, 10, 19));
        assert_true(take(b, RANGE_READ, 30, 39));
        r = range_conflict(&file, b, RANGE_READ, 0, 10);
        assert_ptr_equal(r->owner, a);
        assert_int_equal(r->kind, RANGE_WRITE);
        assert_int_equal(r->in_file.first, 10);
        assert_int_equal(r->in_file.last, 19);
        assert_null(range_conflict(&file, NULL, RANGE_READ, 0, 9));
        assert_null(range_conflict(&file, NULL, RANGE_READ, 20, UINT64_MAX));
        assert_ptr_equal(range_conflict(&file, NULL, RANGE_WRITE, 20, UINT64_MAX)->owner, b);
        assert_null(range_conflict(&file, a, RANGE_WRITE, 0, 29));
}

static void without_memory_nothing_changes(void **state)
{
        struct range_pool small;

        (void)state;
        range_pool_init(&small, 3, 5);
        assert_true(range_set(&small, &file, a, RANGE_WRITE, 0, 99));
        assert_true(range_set(&small, &file, a, RANGE_WRITE, 10, 19)); /* it has that */
        assert_int_equal(small.slab.in_use, 1);
        assert_true(range_clear(&small, &file, a, 50, 59));
        assert_false(range_set(&small, &file, a, RANGE_READ, 70, 79)); /* three pieces of one */
        assert_has(a, "w0-49 w60-99");
        assert_true(range_clear(&small, &file, a, 70, 79));
        assert_false(range_set(&small, &file, b, RANGE_READ, 100, 199));
        assert_has(b, "");
        assert_false(range_clear(&small, &file, a, 10, 10));
        assert_has(a, "w0-49 w60-69 w80-99");
        assert_true(range_clear(&small, &file, a, 0, UINT64_MAX)); /* what splits nothing always works */
        assert_int_equal(small.slab.in_use, 0);
        range_pool_destroy(&small);
}

/* --- against a model: cells of one byte each, but the one in the middle, which is what lies between */

enum { NEAR = 30, CELLS = 2 * NEAR + 1, FREE = -1 };

static int model[OWNERS][CELLS];

static uint64_t cell_first(int cell)
{
        return cell <= NEAR ? (uint64_t)cell : UINT64_MAX - (uint64_t)(CELLS - 1 - cell);
}

static uint64_t cell_last(int cell)
{
        return cell == CELLS - 1 ? UINT64_MAX : cell_first(cell + 1) - 1;
}

static bool model_conflicts(int owner, enum range_kind kind, int from, int to)
{
        for (int o = 0; o < OWNERS; o++)
                for (int c = from; c <= to && o != owner; c++)
                        if (model[o][c] == RANGE_WRITE || (model[o][c] == RANGE_READ && kind == RANGE_WRITE))
                                return true;
        return false;
}

static void compare(int owner)
{
        uint32_t count = 0;

        for (int c = 0; c < CELLS; c++) {
                struct span *s = span_overlapping(owners[owner].all, cell_first(c), cell_first(c));
                const struct range *r = s ? CONTAINER(s, struct range, in_owner) : NULL;
                bool begins = c == 0 || model[owner][c] != model[owner][c - 1];

                assert_int_equal(r ? (int)r->kind : FREE, model[owner][c]);
                if (!r)
                        continue;
                assert_ptr_equal(r->owner, &owners[owner]);
                assert_int_equal(r->in_file.first, s->first);
                assert_int_equal(r->in_file.last, s->last);
                count += begins;
                if (begins)
                        assert_int_equal(s->first, cell_first(c));
                if (c == CELLS - 1 || model[owner][c + 1] != model[owner][c])
                        assert_int_equal(s->last, cell_last(c));
        }
        assert_int_equal(owners[owner].count, count);
}

static void as_the_model_says(void **state)
{
        uint64_t dice = 20260, denied = 0;

        (void)state;
        for (int o = 0; o < OWNERS; o++)
                for (int c = 0; c < CELLS; c++)
                        model[o][c] = FREE;
        for (int step = 0; step < 100000; step++) {
                int owner = (int)lab_random_below(&dice, OWNERS), what = (int)lab_random_below(&dice, 5);
                int x = (int)lab_random_below(&dice, CELLS),
                    y = x + (int)lab_random_below(&dice, what == 0 ? CELLS : 12),
                    to = y < CELLS ? y : CELLS - 1, kind = what < 2 ? FREE : what & 1;
                uint64_t first = cell_first(x), last = cell_last(to);

                if (kind != FREE) {
                        bool conflict = model_conflicts(owner, (enum range_kind)kind, x, to);

                        denied += conflict;
                        assert_int_equal(take(&owners[owner], (enum range_kind)kind, first, last), !conflict);
                        if (conflict)
                                continue;
                } else {
                        give(&owners[owner], first, last);
                }
                for (int c = x; c <= to; c++)
                        model[owner][c] = kind;
                compare(owner);
        }
        for (int o = 0; o < OWNERS; o++)
                compare(o);
        assert_in_range(denied, 1000, 90000); /* both ways were gone often */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(neighbours_of_a_kind_grow_together), TEST(an_unlock_splits),
                TEST(an_upgrade_in_the_middle_and_back),  TEST(a_conflict_is_told),
                TEST(without_memory_nothing_changes),     TEST(as_the_model_says),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
