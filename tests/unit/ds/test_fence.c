/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ds/fence.h"

static struct fence_table table;

static int setup(void **state)
{
        const struct place places[] = { { .generation = 4, .position = 2, .size = 3 },
                                        { .generation = 1, .position = 0, .size = 1 } };

        (void)state;
        assert_true(fence_table_init(&table));
        fence_table_set_places(&table, places, 2);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        fence_table_destroy(&table);
        return 0;
}

static struct fh handle(uint64_t fileid, uint32_t client, uint32_t epoch)
{
        return (struct fh){
                .kind = FH_DS, .fileid = fileid, .client = client, .epoch = epoch, .width = 1, .pool = 1
        };
}

static enum nfsstat4 check(uint64_t fileid, uint32_t client, uint32_t epoch)
{
        struct fh fh = handle(fileid, client, epoch);
        uint32_t index;

        return fence_check(&table, &fh, &index);
}

static void nothing_is_fenced_at_first(void **state)
{
        (void)state;
        assert_int_equal(check(1, 1, 0), NFS4_OK);
}

static void a_recall_bounces_and_a_revocation_ends(void **state)
{
        (void)state;
        fence_table_raise(&table, 7, 0, 10, false);
        assert_int_equal(check(7, 1, 9), NFS4ERR_BAD_STATEID);
        assert_int_equal(check(7, 1, 10), NFS4_OK);
        assert_int_equal(check(8, 1, 9), NFS4_OK);
        fence_table_raise(&table, 7, 0, 10, true);
        assert_int_equal(check(7, 1, 9), NFS4ERR_PNFS_NO_LAYOUT);
        assert_int_equal(check(7, 1, 10), NFS4_OK);
}

static void a_fence_never_falls(void **state)
{
        (void)state;
        fence_table_raise(&table, 7, 0, 10, true);
        fence_table_raise(&table, 7, 0, 6, false);
        assert_int_equal(check(7, 1, 9), NFS4ERR_PNFS_NO_LAYOUT);
        fence_table_raise_floor(&table, 5);
        fence_table_raise_floor(&table, 3);
        assert_int_equal(check(1, 1, 4), NFS4ERR_PNFS_NO_LAYOUT);
}

static void a_fence_of_one_client_spares_the_others(void **state)
{
        (void)state;
        fence_table_raise(&table, 7, 1, 10, true);
        assert_int_equal(check(7, 1, 9), NFS4ERR_PNFS_NO_LAYOUT);
        assert_int_equal(check(7, 2, 9), NFS4_OK);
        fence_table_raise(&table, 7, 0, 8, false);
        assert_int_equal(check(7, 2, 7), NFS4ERR_BAD_STATEID);
        assert_int_equal(check(7, 1, 7), NFS4ERR_PNFS_NO_LAYOUT); /* the harder of the two */
}

static void the_floor_swallows_fences_below_it(void **state)
{
        (void)state;
        fence_table_raise(&table, 7, 0, 10, false);
        fence_table_raise(&table, 8, 0, 20, false);
        fence_table_raise_floor(&table, 10);
        assert_int_equal(table.table.count, 1);
        assert_int_equal(check(7, 1, 9), NFS4ERR_PNFS_NO_LAYOUT);
        assert_int_equal(check(8, 1, 19), NFS4ERR_BAD_STATEID);
}

static void a_full_table_refuses_more_never_less(void **state)
{
        (void)state;
        for (uint32_t i = 0; i <= FENCES_MAX; i++)
                fence_table_raise(&table, 1000 + i, 0, 50, false);
        assert_int_equal(table.floor, 50);
        for (uint32_t i = 0; i <= FENCES_MAX; i++)
                assert_int_equal(check(1000 + i, 1, 49), NFS4ERR_PNFS_NO_LAYOUT);
        assert_int_equal(check(1, 1, 50), NFS4_OK);
}

static void removed_files_stay_refused_as_long_as_there_is_room(void **state)
{
        (void)state;
        fence_table_raise(&table, 5, 0, 10, false);
        fence_table_removed(&table, 5);
        for (uint32_t i = 0; i < FENCES_REMOVED_MAX - 1; i++)
                fence_table_removed(&table, 1000 + i);
        assert_int_equal(check(5, 1, UINT32_MAX - 1), NFS4ERR_PNFS_NO_LAYOUT);
        fence_table_reset(&table);
        fence_table_raise_floor(&table, 3);
        assert_int_equal(check(5, 1, UINT32_MAX - 1), NFS4ERR_PNFS_NO_LAYOUT);
        fence_table_removed(&table, 1000); /* again */
        assert_int_equal(table.removed_count, FENCES_REMOVED_MAX);
        fence_table_removed(&table, 5000000);
        assert_int_equal(table.removed_count, FENCES_REMOVED_MAX);
        assert_int_not_equal(check(5, 1, UINT32_MAX - 1), NFS4ERR_PNFS_NO_LAYOUT);
        assert_int_equal(check(5000000, 1, 9), NFS4ERR_PNFS_NO_LAYOUT);
}

static void reset_forgets_floor_fences_and_places(void **state)
{
        (void)state;
        fence_table_raise(&table, 7, 0, 10, true);
        fence_table_raise_floor(&table, 6);
        fence_table_reset(&table);
        assert_int_equal(table.table.count, 0);
        assert_int_equal(check(7, 1, 1), NFS4ERR_BAD_STATEID); /* no places: told later */
}

static enum nfsstat4 check_device(uint16_t pool, uint8_t start, uint16_t width, uint32_t *ret_index)
{
        struct fh fh = { .kind = FH_DS, .epoch = 9, .pool = pool, .start = start, .width = width };

        return fence_check(&table, &fh, ret_index);
}

/* We stand at position 2 of 3 in generation 4. */
static void our_index_follows_from_the_place_in_the_pool(void **state)
{
        uint32_t index;

        (void)state;
        assert_int_equal(check_device(4, 0, 3, &index), NFS4_OK);
        assert_int_equal(index, 2);
        assert_int_equal(check_device(4, 2, 1, &index), NFS4_OK);
        assert_int_equal(index, 0);
        assert_int_equal(check_device(4, 1, 3, &index), NFS4_OK);
        assert_int_equal(index, 1);
        assert_int_equal(check_device(4, 0, 2, &index), NFS4ERR_PNFS_NO_LAYOUT); /* positions 0 and 1 */
        assert_int_equal(check_device(4, 3, 1, &index), NFS4ERR_PNFS_NO_LAYOUT); /* no such position */
        assert_int_equal(check_device(4, 0, 4, &index), NFS4ERR_PNFS_NO_LAYOUT); /* wider than the pool */
        assert_int_equal(check_device(3, 0, 1, &index), NFS4ERR_PNFS_NO_LAYOUT); /* we are not in that one */
        assert_int_equal(check_device(5, 0, 1, &index), NFS4ERR_BAD_STATEID);    /* newer than what we know */
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(nothing_is_fenced_at_first),
                TEST(a_recall_bounces_and_a_revocation_ends),
                TEST(a_fence_never_falls),
                TEST(a_fence_of_one_client_spares_the_others),
                TEST(the_floor_swallows_fences_below_it),
                TEST(a_full_table_refuses_more_never_less),
                TEST(removed_files_stay_refused_as_long_as_there_is_room),
                TEST(reset_forgets_floor_fences_and_places),
                TEST(our_index_follows_from_the_place_in_the_pool),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
