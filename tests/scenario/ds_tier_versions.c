/* SPDX-License-Identifier: Apache-2.0 */
/* A cold file whose object was overwritten or deleted is read from the version that it is of, where the
 * bucket keeps that; never does it show other bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ds/tier/tier.h"
#include "tests/lab/tier_lab.h"

static struct ds_lab lab;
static struct lab_client client;
static const uint8_t *content; /* the object's */
static uint8_t other[TIER_BYTES], buffer[1000];

static int setup(void **state)
{
        (void)state;
        tier_lab_begin(&lab, &client, false);
        fake_file(&lab.mds, LAB_FILE)->version = "v/1+";
        content = s3_model_find(&lab.s3, TIER_PATH)->data;
        s3_model_put(&lab.s3, TIER_PATH "?versionId=v%2F1%2B", "etag-1", content, TIER_BYTES);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        lab_client_stop(&client);
        ds_lab_stop(&lab);
        return 0;
}

static void overwrite(void)
{
        s3_model_put(&lab.s3, TIER_PATH, "etag-2", other, TIER_BYTES);
}

static void what_is_at_the_key_is_asked_for_first(void **state)
{
        struct fh fh = tier_fh(&client);

        (void)state;
        s3_model_delete(&lab.s3, TIER_PATH "?versionId=v%2F1%2B");
        tier_read(&client, &fh, 3 * LAB_UNIT + 100, 5000);
        assert_int_equal(tier_gets(&lab), 1);
}

static void an_object_that_was_overwritten_is_read_as_it_was(void **state)
{
        struct fh fh = tier_fh(&client);

        (void)state;
        tier_read(&client, &fh, 0, 5000);
        overwrite();
        for (uint64_t unit = 0; unit < TIER_UNITS - 1; unit++)
                tier_read(&client, &fh, unit * LAB_UNIT, LAB_UNIT);
        tier_read(&client, &fh, (TIER_UNITS - 1) * (uint64_t)LAB_UNIT, LAB_UNIT - 1000);
        tier_settle(&lab);
        assert_int_equal(tier_counts(&lab)->lost.value, 0);
        /* Only those that were under way have asked in vain. */
        assert_true(tier_gets(&lab) < 2 * TIER_UNITS);
        tier_lab_restart(&lab, &client);
        tier_read(&client, &fh, 0, LAB_UNIT);
}

static void one_that_was_deleted_too(void **state)
{
        struct fh fh = tier_fh(&client);

        (void)state;
        s3_model_delete(&lab.s3, TIER_PATH);
        tier_read(&client, &fh, 3 * LAB_UNIT, LAB_UNIT);
        assert_int_equal(tier_counts(&lab)->lost.value, 0);
}

static void assert_unreadable(uint32_t lost)
{
        struct fh fh = tier_fh(&client);
        uint32_t got;
        bool eof;

        fh.flags |= FH_PROXY;
        assert_int_equal(lab_read(&client, &fh, 2 * LAB_UNIT, buffer, sizeof buffer, &got, &eof), NFS4ERR_IO);
        tier_settle(&lab);
        assert_int_equal(tier_counts(&lab)->lost.value, lost);
}

static void without_the_version_nothing_is_shown(void **state)
{
        (void)state;
        overwrite();
        s3_model_delete(&lab.s3, TIER_PATH "?versionId=v%2F1%2B");
        assert_unreadable(1);
}

/* Nor if an endpoint gives something else under that name. */
static void a_version_that_is_another_is_not_shown(void **state)
{
        (void)state;
        overwrite();
        s3_model_put(&lab.s3, TIER_PATH "?versionId=v%2F1%2B", "etag-3", other, TIER_BYTES);
        assert_unreadable(1);
}

static void a_file_whose_version_is_not_known_is_lost(void **state)
{
        (void)state;
        fake_file(&lab.mds, LAB_FILE)->version = NULL;
        overwrite();
        assert_unreadable(1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_is_at_the_key_is_asked_for_first, setup, teardown),
                cmocka_unit_test_setup_teardown(an_object_that_was_overwritten_is_read_as_it_was, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(one_that_was_deleted_too, setup, teardown),
                cmocka_unit_test_setup_teardown(without_the_version_nothing_is_shown, setup, teardown),
                cmocka_unit_test_setup_teardown(a_version_that_is_another_is_not_shown, setup, teardown),
                cmocka_unit_test_setup_teardown(a_file_whose_version_is_not_known_is_lost, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
