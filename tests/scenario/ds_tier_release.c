/* SPDX-License-Identifier: Apache-2.0 */
/* RELEASE: what is in S3 leaves the disk, and every byte can still be read; what was written since the MDS
 * looked stays, whoever is reading or writing, and wherever it is interrupted. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ds/tier/residency.h"
#include "tests/lab/tier_lab.h"

enum { BEFORE = 5, SINCE = 6 /* epochs: the lab's handles are of 5 */, WAIT_MS = 20000 };

static struct ds_lab lab;
static struct lab_client client;
static uint8_t buffer[2 * LAB_UNIT], ones[2 * LAB_UNIT];

static int setup(void **state)
{
        (void)state;
        tier_lab_begin(&lab, &client, true);
        memset(ones, 0xff, sizeof(ones));
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        lab_client_stop(&client);
        ds_lab_stop(&lab);
        return 0;
}

static struct fh handle(uint32_t epoch)
{
        struct fh fh = tier_fh(&client);

        fh.epoch = epoch;
        return fh;
}

static ctl_status release(uint64_t *ret_freed)
{
        struct fh fh = handle(BEFORE);

        return lab_tier_release(&lab, &fh, SINCE, ret_freed);
}

static void read_all(void)
{
        struct fh fh = handle(SINCE);

        for (uint64_t at = 0; at < TIER_BYTES; at += LAB_UNIT)
                tier_read(&client, &fh, at,
                          TIER_BYTES - at < LAB_UNIT ? (uint32_t)(TIER_BYTES - at) : LAB_UNIT);
}

/* All of it is here, durably. */
static void hydrate(void)
{
        read_all();
        tier_settle(&lab);
        assert_true(tier_has_units_file(&lab));
        assert_int_equal(fake_file(&lab.mds, LAB_FILE)->residents, 1);
}

static void expect(uint64_t offset, uint32_t count, uint8_t byte)
{
        struct fh fh = handle(SINCE);
        uint32_t got;
        bool eof;

        assert_int_equal(lab_read(&client, &fh, offset, buffer, count, &got, &eof), NFS4_OK);
        assert_int_equal(got, count);
        for (uint32_t i = 0; i < count; i++)
                assert_int_equal(buffer[i], byte);
}

struct pending {
        struct fake_call call;
        ctl_release_args args;
        ctl_release_res res;
};

static void start_release(struct pending *p)
{
        *p = (struct pending){ .args = { .object = { LAB_FILE, LAB_GENERATION, LAB_UNIT, 1, 0, 0 },
                                         .epoch = SINCE },
                               .res = { .status = CTL_INVAL } };
        fake_mds_call(&lab.mds, &p->call, CTL_RELEASE, (xdrproc_t)xdr_ctl_release_args, &p->args,
                      (xdrproc_t)xdr_ctl_release_res, &p->res);
}

static ctl_status wait_release(struct pending *p)
{
        assert_true(lab_fake_call_wait(&lab, &p->call, WAIT_MS));
        return p->res.status;
}

static void what_was_released_is_fetched_again(void **state)
{
        struct fh fh = handle(BEFORE);
        uint64_t freed = 0, mtime;

        (void)state;
        hydrate();
        mtime = lab_getsize(&lab, &fh).mtime_ns;
        assert_int_equal(release(&freed), CTL_OK);
        assert_true(freed >= TIER_BYTES - LAB_UNIT);
        assert_false(tier_has_units_file(&lab));
        assert_int_equal(lab_getsize(&lab, &fh).used, 0);
        assert_int_equal(lab_getsize(&lab, &fh).mtime_ns, mtime);
        read_all();
        assert_int_equal(tier_gets(&lab), 2 * TIER_UNITS);
        tier_settle(&lab);
        assert_int_equal(fake_file(&lab.mds, LAB_FILE)->residents, 2); /* and it is told again */
}

static void what_was_never_here_can_be_released(void **state)
{
        uint64_t freed = 1;

        (void)state;
        assert_int_equal(release(&freed), CTL_OK);
        assert_int_equal(freed, 0);
        read_all();
}

static void it_stays_released_after_a_restart(void **state)
{
        (void)state;
        hydrate();
        assert_int_equal(release(NULL), CTL_OK);
        tier_lab_restart(&lab, &client);
        read_all();
        assert_int_equal(tier_gets(&lab), 2 * TIER_UNITS);
}

/* The MDS has archived it, or it would not ask. */
static void what_was_written_before_goes(void **state)
{
        struct fh fh = handle(BEFORE);

        (void)state;
        assert_int_equal(lab_write(&client, &fh, LAB_UNIT, ones, LAB_UNIT, FILE_SYNC4, NULL), NFS4_OK);
        assert_int_equal(release(NULL), CTL_OK);
        read_all();
}

static void what_was_written_since_stays(void **state)
{
        struct fh fh = handle(SINCE);

        (void)state;
        hydrate();
        assert_int_equal(lab_write(&client, &fh, LAB_UNIT, ones, LAB_UNIT, FILE_SYNC4, NULL), NFS4_OK);
        assert_int_equal(release(NULL), CTL_REFUSED);
        expect(LAB_UNIT, LAB_UNIT, 0xff);
        tier_lab_restart(&lab, &client);
        expect(LAB_UNIT, LAB_UNIT, 0xff);
        assert_int_equal(tier_gets(&lab), TIER_UNITS);
}

/* The same when the data server never heard of the release: the new source is asked for before the write. */
static void what_is_written_to_a_new_source_is_not_fetched_over(void **state)
{
        static uint8_t other[TIER_BYTES];
        struct fh fh = handle(SINCE);

        (void)state;
        fh.epoch = BEFORE;
        hydrate();
        memset(other, 0x11, sizeof(other));
        s3_model_put(&lab.s3, TIER_PATH, "etag-2", other, sizeof(other));
        fake_file(&lab.mds, LAB_FILE)->etag = "etag-2";
        fh.epoch = SINCE + 1;
        assert_int_equal(lab_write(&client, &fh, LAB_UNIT, ones, LAB_UNIT, FILE_SYNC4, NULL), NFS4_OK);
        tier_lab_restart(&lab, &client);
        expect(LAB_UNIT, LAB_UNIT, 0xff);
        expect(0, LAB_UNIT, 0x11);
}

static void a_read_under_way_gets_its_bytes(void **state)
{
        struct lab_io read = { .opnum = OP_READ, .offset = 10, .count = 100, .data = buffer };
        struct lab_io late = { .opnum = OP_READ, .offset = 3 * LAB_UNIT, .count = 100, .data = ones };
        struct fh fh = handle(BEFORE);
        struct pending p;

        (void)state;
        hydrate();
        fault_disk_hold(lab.fault, DISK_READ);
        lab_io_start(&client, &read, &fh);
        ds_lab_wait_held(&lab, 1);
        start_release(&p);
        assert_false(lab_fake_call_wait(&lab, &p.call, 50));
        lab_io_start(&client, &late, &fh); /* waits for what the release comes to */
        assert_false(lab_io_wait(&late, 50));
        fault_disk_let_go(lab.fault, false);
        assert_int_equal(wait_release(&p), CTL_OK);
        assert_true(lab_io_wait(&read, WAIT_MS) && lab_io_wait(&late, WAIT_MS));
        assert_int_equal(read.status, NFS4_OK);
        assert_int_equal(late.status, NFS4_OK);
        for (uint32_t i = 0; i < 100; i++) {
                assert_int_equal(buffer[i], tier_byte(10 + i));
                assert_int_equal(ones[i], tier_byte(3 * LAB_UNIT + i));
        }
        assert_int_equal(tier_gets(&lab), TIER_UNITS + 1);
}

static void a_write_that_comes_meanwhile_comes_after(void **state)
{
        struct lab_io write = { .opnum = OP_WRITE, .offset = LAB_UNIT, .count = LAB_UNIT, .data = ones };
        struct fh fh = handle(SINCE);
        struct pending p;

        (void)state;
        hydrate();
        fault_disk_hold(lab.fault, DISK_UNLINK);
        start_release(&p);
        ds_lab_wait_held(&lab, 1);
        lab_io_start(&client, &write, &fh);
        assert_false(lab_io_wait(&write, 50));
        fault_disk_let_go(lab.fault, false);
        assert_int_equal(wait_release(&p), CTL_OK);
        assert_true(lab_io_wait(&write, WAIT_MS));
        assert_int_equal(write.status, NFS4_OK);
        assert_int_equal(lab_commit(&client, &fh, NULL), NFS4_OK);
        tier_lab_restart(&lab, &client);
        expect(LAB_UNIT, LAB_UNIT, 0xff);
        tier_read(&client, &fh, 0, LAB_UNIT);
}

static void what_cannot_be_forgotten_stays(void **state)
{
        (void)state;
        hydrate();
        fault_disk_fail(lab.fault, DISK_UNLINK, -EIO);
        assert_int_equal(release(NULL), CTL_IO);
        fault_disk_fail(lab.fault, DISK_UNLINK, 0);
        read_all();
        assert_int_equal(tier_gets(&lab), TIER_UNITS);
}

/* As if it had crashed between: bytes without bits are fetched over. */
static void what_cannot_be_cut_is_fetched_all_the_same(void **state)
{
        (void)state;
        hydrate();
        fault_disk_fail(lab.fault, DISK_TRUNCATE, -EIO);
        assert_int_equal(release(NULL), CTL_IO);
        fault_disk_fail(lab.fault, DISK_TRUNCATE, 0);
        assert_false(tier_has_units_file(&lab));
        tier_lab_restart(&lab, &client);
        read_all();
        assert_int_equal(tier_gets(&lab), 2 * TIER_UNITS);
}

/* Or it would make the units' file anew, with bits of what is gone. */
static void who_writes_the_units_file_is_waited_for(void **state)
{
        struct lab_io commit = { .opnum = OP_COMMIT };
        struct fh fh = handle(BEFORE);
        struct pending p;

        (void)state;
        assert_int_equal(lab_write(&client, &fh, LAB_UNIT, ones, LAB_UNIT, UNSTABLE4, NULL), NFS4_OK);
        fault_disk_hold(lab.fault, DISK_WRITE);
        lab_io_start(&client, &commit, &fh);
        ds_lab_wait_held(&lab, 1); /* the object is synced, the units' file is open */
        start_release(&p);
        assert_false(lab_fake_call_wait(&lab, &p.call, 100));
        assert_int_equal(fault_disk_count(lab.fault, DISK_UNLINK), 0);
        fault_disk_let_go(lab.fault, false);
        assert_int_equal(wait_release(&p), CTL_OK);
        assert_true(lab_io_wait(&commit, WAIT_MS));
        assert_false(tier_has_units_file(&lab));
        tier_lab_restart(&lab, &client);
        read_all();
}

static void a_fetch_under_way_writes_nothing(void **state)
{
        struct lab_io read = { .opnum = OP_READ, .offset = 10, .count = 100, .data = buffer };
        struct fh fh = handle(BEFORE);

        (void)state;
        lab.s3.latency_ns = 500000000;
        lab_io_start(&client, &read, &fh);
        ds_lab_run(&lab, 100);
        assert_int_equal(tier_gets(&lab), 2); /* the next one too */
        assert_int_equal(release(NULL), CTL_OK);
        assert_true(lab_io_wait(&read, WAIT_MS));
        assert_int_equal(read.status, NFS4_OK);
        assert_int_equal(buffer[0], tier_byte(10));
        assert_int_equal(tier_gets(&lab), 4);
}

/* RESIDENT, held back at the MDS. */
static struct call *told;

static bool hold_resident(void *arg, struct call *call)
{
        (void)arg;
        if (call->header.prog != NACRE_CTL_MDS || call->header.proc != CTL_RESIDENT || told)
                return false;
        told = call;
        return true;
}

static void answer_resident(ctl_status status)
{
        ctl_result result = { .status = status };

        ctl_lab_answer(told, (xdrproc_t)xdr_ctl_result, &result);
        lab.mds.intercept = NULL;
}

static void release_while_it_says_resident(struct pending *p)
{
        told = NULL;
        lab.mds.intercept = hold_resident;
        read_all();
        tier_settle(&lab);
        assert_non_null(told);
        start_release(p);
        assert_false(lab_fake_call_wait(&lab, &p->call, 100));
}

static void a_resident_that_is_refused_holds_nothing_up(void **state)
{
        struct pending p;

        (void)state;
        release_while_it_says_resident(&p);
        answer_resident(CTL_REFUSED);
        assert_int_equal(wait_release(&p), CTL_OK);
        read_all();
        assert_int_equal(tier_gets(&lab), 2 * TIER_UNITS);
}

/* Then the MDS does not wait for us any more, and gives handles without FH_TIERED. */
static void a_resident_that_is_taken_keeps_all_here(void **state)
{
        struct pending p;

        (void)state;
        release_while_it_says_resident(&p);
        answer_resident(CTL_OK);
        assert_int_equal(wait_release(&p), CTL_REFUSED);
        read_all();
        assert_int_equal(tier_gets(&lab), TIER_UNITS);
}

static void a_cut_and_a_removal_meanwhile(void **state)
{
        struct fh fh = handle(SINCE);
        struct pending p;
        uint32_t got;
        bool eof;

        (void)state;
        hydrate();
        fault_disk_hold(lab.fault, DISK_UNLINK);
        start_release(&p);
        ds_lab_wait_held(&lab, 1);
        fake_file(&lab.mds, LAB_FILE)->size = fake_file(&lab.mds, LAB_FILE)->valid = 3 * LAB_UNIT;
        assert_int_equal(lab_truncate(&lab, &fh, 3 * LAB_UNIT), CTL_OK);
        fault_disk_let_go(lab.fault, false);
        assert_int_equal(wait_release(&p), CTL_OK);
        fake_file(&lab.mds, LAB_FILE)->size = TIER_BYTES;
        expect(5 * LAB_UNIT, 100, 0);
        assert_int_equal(lab_read(&client, &fh, LAB_UNIT, buffer, 100, &got, &eof), NFS4_OK);
        assert_int_equal(buffer[0], tier_byte(LAB_UNIT));
        tier_settle(&lab);
        start_release(&p);
        assert_int_equal(lab_remove(&lab, &fh), CTL_OK);
        wait_release(&p);
        assert_int_equal(lab_getsize(&lab, &fh).status, CTL_NOENT);
        assert_false(tier_has_units_file(&lab));
}

/* Its answer would be of zeros. */
static void the_mds_that_comes_late_is_refused(void **state)
{
        struct fh fh = handle(BEFORE);
        uint32_t got;
        bool eof;

        (void)state;
        fh.flags = (fh.flags | FH_PROXY) & (uint8_t)~FH_TIERED;
        hydrate();
        assert_int_equal(lab_read(&client, &fh, 0, buffer, 100, &got, &eof), NFS4_OK);
        assert_int_equal(release(NULL), CTL_OK);
        assert_int_equal(lab_read(&client, &fh, 0, buffer, 100, &got, &eof), NFS4ERR_BAD_STATEID);
        assert_int_equal(lab_write(&client, &fh, 0, ones, 100, FILE_SYNC4, NULL), NFS4ERR_BAD_STATEID);
        fh.epoch = SINCE; /* all was fetched since, the MDS believes */
        assert_int_equal(lab_write(&client, &fh, 0, ones, 100, FILE_SYNC4, NULL), NFS4_OK);
}

/* The disk is full; the MDS releases something; the WRITE goes on. */
static void a_write_waits_for_room(void **state)
{
        struct lab_io write = { .opnum = OP_WRITE, .offset = 0, .count = 1000, .data = ones };
        struct fh fh = handle(SINCE), other = handle(SINCE);

        (void)state;
        hydrate();
        other.fileid++;
        other.flags &= (uint8_t)~FH_TIERED;
        fault_disk_fail(lab.fault, DISK_WRITE, -ENOSPC);
        lab_io_start(&client, &write, &other);
        assert_false(lab_io_wait(&write, 2000));
        assert_int_equal(release(NULL), CTL_OK);
        assert_false(lab_io_wait(&write, 4000));
        fault_disk_fail(lab.fault, DISK_WRITE, 0);
        assert_true(lab_io_wait(&write, 200));
        assert_int_equal(write.status, NFS4_OK);
        /* but not for ever */
        fault_disk_fail(lab.fault, DISK_WRITE, -ENOSPC);
        write = (struct lab_io){ .opnum = OP_WRITE, .offset = 0, .count = 1000, .data = ones };
        lab_io_start(&client, &write, &other);
        assert_true(lab_io_wait(&write, 11000));
        assert_int_equal(write.status, NFS4ERR_NOSPC);
        fault_disk_fail(lab.fault, DISK_WRITE, 0);
        tier_read(&client, &fh, 0, LAB_UNIT);
}

static void nonsense_is_refused(void **state)
{
        struct fh fh = handle(SINCE);

        (void)state;
        fh.width = 0;
        assert_int_equal(lab_tier_release(&lab, &fh, SINCE, NULL), CTL_INVAL);
}

static void it_stops_while_it_waits(void **state)
{
        struct pending p;

        (void)state;
        release_while_it_says_resident(&p);
        lab_client_stop(&client);
        ds_lab_stop_ds(&lab);
        answer_resident(CTL_OK);
        ds_lab_start_ds(&lab);
        lab_client_start(&client, &lab, "client 1");
        read_all();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(what_was_released_is_fetched_again),
                TEST(what_was_never_here_can_be_released),
                TEST(it_stays_released_after_a_restart),
                TEST(what_was_written_before_goes),
                TEST(what_was_written_since_stays),
                TEST(what_is_written_to_a_new_source_is_not_fetched_over),
                TEST(a_read_under_way_gets_its_bytes),
                TEST(a_write_that_comes_meanwhile_comes_after),
                TEST(what_cannot_be_forgotten_stays),
                TEST(what_cannot_be_cut_is_fetched_all_the_same),
                TEST(who_writes_the_units_file_is_waited_for),
                TEST(a_fetch_under_way_writes_nothing),
                TEST(a_resident_that_is_refused_holds_nothing_up),
                TEST(a_resident_that_is_taken_keeps_all_here),
                TEST(a_cut_and_a_removal_meanwhile),
                TEST(the_mds_that_comes_late_is_refused),
                TEST(a_write_waits_for_room),
                TEST(nonsense_is_refused),
                TEST(it_stops_while_it_waits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
