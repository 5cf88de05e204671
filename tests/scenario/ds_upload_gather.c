/* SPDX-License-Identifier: Apache-2.0 */
/* A range that lies on several data servers is sent by one of them, which reads at the others what they have;
 * who does not answer is waited for, but not for ever. RFC 8881 §13.4, §18.22. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ds/tier/tier.h"
#include "ds/tier/gather.h"
#include "tests/lab/second_ds.h"
#include "tests/lab/tier_lab.h"
#include "tests/lab/upload_lab.h"

enum { UNITS = 33, BYTES = UNITS * LAB_UNIT - 123 };

static struct ds_lab lab;
static struct second_ds second;
static struct lab_client clients[2];
static struct lab_upload upload;
static uint8_t content[BYTES];
static ctl_member members[2];
static ctl_addr addrs[2];
static char uaddrs[2][NETADDR_TEXT];

static void name_member(uint32_t i, const struct netaddr *addr)
{
        netaddr_universal(addr, uaddrs[i]);
        addrs[i] = (ctl_addr){ .netid = (char *)(uintptr_t) "tcp", .uaddr = uaddrs[i] };
        members[i].addrs.addrs_len = 1;
        members[i].addrs.addrs_val = &addrs[i];
}

static int setup(void **state)
{
        const struct ds_lab_conf how = { .virtual_time = true, .width = 2 };

        (void)state;
        ds_lab_start(&lab, &how);
        tier_lab_start(&lab);
        fake_file(&lab.mds, LAB_FILE)->size = 0;
        second_ds_start(&second, &lab);
        lab_client_start(&clients[0], &lab, "client 1");
        second_ds_client(&second, &clients[1], "client 1");
        name_member(0, &lab.ds_addr);
        name_member(1, &second.addr);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        upload_end(&upload);
        lab_client_stop(&clients[0]);
        lab_client_stop(&clients[1]);
        second_ds_stop(&second);
        ds_lab_stop(&lab);
        return 0;
}

/* The MDS's, of the file whose units lie on both. */
static struct fh proxy_fh(void)
{
        struct fh fh = lab_fh(&clients[0]);

        fh.flags |= FH_PROXY;
        return fh;
}

static void write_unit(const struct fh *fh, uint32_t unit, uint32_t bytes)
{
        assert_int_equal(lab_write(&clients[unit % 2], fh, (uint64_t)unit * LAB_UNIT,
                                   content + (size_t)unit * LAB_UNIT, bytes, UNSTABLE4, NULL),
                         NFS4_OK);
}

/* All units but those from HOLE on, four of them. */
static struct fh written(uint32_t hole)
{
        struct fh fh = proxy_fh();

        memset(content, 0, sizeof(content));
        for (uint32_t unit = 0; unit < UNITS; unit++) {
                uint32_t bytes = unit == UNITS - 1 ? LAB_UNIT - 123 : LAB_UNIT;

                if (unit >= hole && unit < hole + 4)
                        continue;
                for (uint32_t i = 0; i < bytes; i++)
                        content[unit * LAB_UNIT + i] = (uint8_t)(unit * 11 + i * 7 + i / 333);
                write_unit(&fh, unit, bytes);
        }
        fake_file(&lab.mds, LAB_FILE)->size = BYTES;
        return fh;
}

static void name_all(const struct fh *fh, const char *key, uint64_t length)
{
        upload_end(&upload);
        upload_whole(&lab, &upload, fh, key, length);
        upload.args.members.members_len = 2;
        upload.args.members.members_val = members;
}

static void assert_object(const char *path, const void *bytes, uint64_t size)
{
        const struct s3_model_object *o = s3_model_find(&lab.s3, path);

        assert_non_null(o);
        assert_int_equal(o->size, size);
        assert_memory_equal(o->data, bytes, size);
}

static uint64_t gathered(void)
{
        return lab.ds->workers[0]->tier->counts.gathered_bytes.value;
}

static void one_data_server_sends_what_both_have(void **state)
{
        struct fh fh = written(20);

        (void)state;
        name_all(&fh, "all", BYTES);
        assert_int_equal(upload_run(&upload), CTL_OK);
        assert_object("/bucket/all", content, BYTES);
        assert_in_range(gathered(), 14 * LAB_UNIT, 16 * LAB_UNIT);
        assert_int_equal(second.ds->workers[0]->counts.read_bytes.value, gathered());
}

static void a_part_begins_and_ends_anywhere(void **state)
{
        struct fh fh = written(UNITS);

        (void)state;
        name_all(&fh, "parts", 5 * LAB_UNIT + 1);
        upload.args.offset = 3 * LAB_UNIT - 1;
        upload.args.upload_id = (char *)(uintptr_t) "id";
        upload.args.part = 7;
        assert_int_equal(upload_run(&upload), CTL_OK);
        assert_object("/bucket/parts?partNumber=7&uploadId=id", content + 3 * LAB_UNIT - 1, 5 * LAB_UNIT + 1);
        assert_int_equal(gathered(), 3 * LAB_UNIT);
}

/* What the own data server has needs no other; what the other has alone is asked there. */
static void one_unit_comes_from_where_it_is(void **state)
{
        struct fh fh = written(UNITS);

        (void)state;
        name_all(&fh, "own", LAB_UNIT);
        upload.args.members.members_len = 0;
        assert_int_equal(upload_run(&upload), CTL_OK);
        assert_int_equal(gathered(), 0);
        name_all(&fh, "others", LAB_UNIT);
        upload.args.offset = LAB_UNIT;
        assert_int_equal(upload_run(&upload), CTL_OK);
        assert_object("/bucket/others", content + LAB_UNIT, LAB_UNIT);
        assert_int_equal(gathered(), LAB_UNIT);
}

static void a_data_server_that_is_away_is_waited_for(void **state)
{
        struct fh fh = written(UNITS);

        (void)state;
        second_ds_stop(&second);
        name_all(&fh, "later", BYTES);
        upload_start_call(&upload);
        assert_false(upload_wait(&upload, GATHER_SECONDS * 1000 - 2000));
        assert_true(upload_wait(&upload, 40000));
        assert_int_equal(upload.res.status, CTL_IO);
        assert_string_equal(upload.res.message, "a data server of the file does not answer");
        assert_null(s3_model_find(&lab.s3, "/bucket/later"));
        assert_int_equal(lab.ds->workers[0]->tier->counts.uploading.value, 0);
}

static void a_data_server_that_is_not_named_is_told_at_once(void **state)
{
        struct fh fh = written(UNITS);

        (void)state;
        members[1].addrs.addrs_len = 0;
        name_all(&fh, "unknown", BYTES);
        upload_start_call(&upload);
        assert_true(upload_wait(&upload, 1000));
        assert_int_equal(upload.res.status, CTL_IO);
        addrs[1].uaddr = (char *)(uintptr_t) "nonsense";
        members[1].addrs.addrs_len = 1;
        name_all(&fh, "unknown", BYTES);
        assert_int_equal(upload_run(&upload), CTL_IO);
}

/* A handle that is fenced there is not asked about for ever: the MDS has a newer one. */
static void who_refuses_the_handle_is_not_asked_again(void **state)
{
        struct fh fh = written(UNITS);

        (void)state;
        fence_table_raise(&second.ds->workers[0]->fences, fh.fileid, 0, fh.epoch + 1, true);
        name_all(&fh, "fenced", BYTES);
        upload_start_call(&upload);
        assert_true(upload_wait(&upload, 1000));
        assert_int_equal(upload.res.status, CTL_IO);
        assert_string_equal(upload.res.message, "a data server of the file refuses to read it");
}

/* It is asked to stop in the middle of it. */
static void stopping_ends_what_waits_for_others(void **state)
{
        struct fh fh = written(UNITS);

        (void)state;
        second_ds_stop(&second);
        name_all(&fh, "stopped", BYTES);
        upload_start_call(&upload);
        ds_lab_run(&lab, 1000);
        ds_lab_stop_ds(&lab); /* aborts when it does not come to an end */
        assert_true(upload_wait(&upload, 100) && !upload.call.ok);
        assert_null(s3_model_find(&lab.s3, "/bucket/stopped"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(one_data_server_sends_what_both_have, setup, teardown),
                cmocka_unit_test_setup_teardown(a_part_begins_and_ends_anywhere, setup, teardown),
                cmocka_unit_test_setup_teardown(one_unit_comes_from_where_it_is, setup, teardown),
                cmocka_unit_test_setup_teardown(a_data_server_that_is_away_is_waited_for, setup, teardown),
                cmocka_unit_test_setup_teardown(a_data_server_that_is_not_named_is_told_at_once, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(who_refuses_the_handle_is_not_asked_again, setup, teardown),
                cmocka_unit_test_setup_teardown(stopping_ends_what_waits_for_others, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
