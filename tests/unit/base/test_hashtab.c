/* SPDX-License-Identifier: Apache-2.0 */
/* Growth, equal hashes, removal during a walk; and random operations against a plain array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hashtab.h"
#include "base/list.h"

struct item {
        struct hnode node;
        uint64_t key;
        bool in_table;
        int seen;
};

static struct item *item_of(struct hnode *node)
{
        return CONTAINER(node, struct item, node);
}

static struct item *find(const struct hashtab *t, uint64_t key)
{
        HASHTAB_FOR_EACH(node, t, hash_u64(key))
                if (item_of(node)->key == key)
                        return item_of(node);
        return NULL;
}

static void grows_and_finds(void **state)
{
        enum { N = 10000 };
        struct item *items = calloc(N, sizeof(*items));
        struct hashtab t;

        (void)state;
        assert_true(hashtab_init(&t, 1));
        for (uint64_t i = 0; i < N; i++) {
                items[i].key = i;
                hashtab_insert(&t, &items[i].node, hash_u64(i));
        }
        assert_int_equal(t.count, N);
        assert_true(t.bucket_count >= N);
        for (uint64_t i = 0; i < N; i++)
                assert_ptr_equal(find(&t, i), &items[i]);
        assert_null(find(&t, N));
        hashtab_destroy(&t);
        free(items);
}

static void does_not_grow_when_told_the_size(void **state)
{
        struct item items[100] = { 0 };
        struct hashtab t;
        uint32_t buckets;

        (void)state;
        assert_true(hashtab_init(&t, 100));
        buckets = t.bucket_count;
        for (uint64_t i = 0; i < 100; i++)
                hashtab_insert(&t, &items[i].node, hash_u64(i));
        assert_int_equal(t.bucket_count, buckets);
        hashtab_destroy(&t);
}

static void equal_hashes_are_all_visited(void **state)
{
        struct item items[5] = { 0 }, other = { 0 };
        struct hashtab t;
        int count = 0;

        (void)state;
        assert_true(hashtab_init(&t, 0));
        for (int i = 0; i < 5; i++)
                hashtab_insert(&t, &items[i].node, 42);
        hashtab_insert(&t, &other.node, 42 + 16); /* the same chain, another hash */
        hashtab_remove(&t, &items[2].node);
        HASHTAB_FOR_EACH(node, &t, 42) {
                assert_ptr_not_equal(node, &other.node);
                assert_ptr_not_equal(node, &items[2].node);
                count++;
        }
        assert_int_equal(count, 4);
        hashtab_destroy(&t);
}

static void a_walk_sees_each_once_and_may_remove(void **state)
{
        enum { N = 1000 };
        struct item items[N] = { 0 };
        struct hashtab t;
        uint32_t bucket = 0;
        struct hnode *previous = NULL, *node;

        (void)state;
        assert_true(hashtab_init(&t, 100));
        assert_null(hashtab_walk(&t, &bucket, NULL));
        for (uint64_t i = 0; i < N; i++)
                hashtab_insert(&t, &items[i].node, hash_u64(i / 2)); /* pairs share a hash */
        bucket = 0;
        while ((node = hashtab_walk(&t, &bucket, previous))) {
                item_of(node)->seen++;
                if (previous)
                        hashtab_remove(&t, previous);
                previous = node;
        }
        hashtab_remove(&t, previous);
        for (int i = 0; i < N; i++)
                assert_int_equal(items[i].seen, 1);
        assert_int_equal(t.count, 0);
        hashtab_destroy(&t);
}

static void random_operations_match_an_array(void **state)
{
        enum { KEYS = 500 };
        struct item items[KEYS] = { 0 };
        struct hashtab t;
        uint64_t random = 1;
        uint32_t count = 0;

        (void)state;
        assert_true(hashtab_init(&t, 0));
        for (uint64_t i = 0; i < KEYS; i++)
                items[i].key = i;
        for (uint64_t step = 0; step < 100000; step++) {
                struct item *item;

                random = hash_u64(random + step);
                item = &items[random % KEYS];
                assert_ptr_equal(find(&t, item->key), item->in_table ? item : NULL);
                if (item->in_table)
                        hashtab_remove(&t, &item->node);
                else
                        hashtab_insert(&t, &item->node, hash_u64(item->key));
                count = item->in_table ? count - 1 : count + 1;
                item->in_table = !item->in_table;
                assert_int_equal(t.count, count);
        }
        hashtab_destroy(&t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(grows_and_finds),
                cmocka_unit_test(does_not_grow_when_told_the_size),
                cmocka_unit_test(equal_hashes_are_all_visited),
                cmocka_unit_test(a_walk_sees_each_once_and_may_remove),
                cmocka_unit_test(random_operations_match_an_array),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
