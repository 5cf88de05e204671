/* SPDX-License-Identifier: Apache-2.0 */
/* A data server that comes back with other addresses is another device: layouts that name the old one are
 * taken back, then those who asked for it hear that it is gone. RFC 8881 §12.2.10, §18.40, §20.12. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/pnfs/devices.h"
#include "mds/pnfs/files.h"
#include "mds/pnfs/recall.h"
#include "nfs4/codec.h"
#include "tests/lab/fake_ds.h"
#include "tests/lab/mds_lab.h"

enum { CHANGE = 1u << NOTIFY_DEVICEID4_CHANGE, DELETE = 1u << NOTIFY_DEVICEID4_DELETE };

static struct mds_lab lab;
static struct fake_ds ds;
static struct user u, other, again;
static struct user_fh root;
static struct user_open mine, theirs; /* of "f", which is on DS too */
static struct stateid layout, their_layout;
static uint8_t device[NFS4_DEVICEID_SIZE]; /* where "f" is, before DS moves */

static void device_of_file(uint8_t out[NFS4_DEVICEID_SIZE])
{
        const struct inode *inode;
        struct user_attrs a;

        assert_int_equal(user_getattr(&u, &mine.fh, &a), NFS4_OK);
        assert_int_equal(meta_inode(lab.mds.meta, a.fileid, &inode), 0);
        device_id(lab.mds.fleet, inode->pool, inode->start, inode->width, out);
}

static enum nfsstat4 getdeviceinfo(struct user *who, uint32_t notify)
{
        user_begin(who);
        xdr_put_fixed(user_op(who, OP_GETDEVICEINFO), device, sizeof(device));
        xdr_put_u32(who->x, LAYOUT4_NFSV4_1_FILES);
        xdr_put_u32(who->x, 65536);
        xdr_put_u32(who->x, 1);
        xdr_put_u32(who->x, notify);
        return user_call(who);
}

static int setup(void **state)
{
        (void)state;
        mds_lab_start(&lab, NULL);
        lab.conf.device_notifications = true;
        mds_lab_listen(&lab);
        lab.back_channels = true;
        fake_ds_start(&ds, &lab.v.env, &lab.conf.control, lab.mds.cluster_key, 1);
        fake_ds_dial(&ds);
        assert_int_equal(fake_ds_hello(&ds, &lab.v, NULL), CTL_OK);
        user_start(&u, &lab, "client", 1, 0, 0);
        user_start(&other, &lab, "other", 2, 0, 0);
        root = user_root(&u);
        mine = USER_CREATE(.how = GUARDED4);
        theirs = USER_OPEN(.how = UNCHECKED4);
        assert_int_equal(user_open(&u, &root, "f", &mine), NFS4_OK);
        assert_int_equal(user_open(&other, &root, "f", &theirs), NFS4_OK);
        assert_int_equal(user_layoutget(&u, &mine.fh, &mine.stateid, &layout), NFS4_OK);
        assert_int_equal(user_layoutget(&other, &mine.fh, &theirs.stateid, &their_layout), NFS4_OK);
        device_of_file(device);
        assert_int_equal(getdeviceinfo(&u, CHANGE | DELETE), NFS4_OK);
        assert_int_equal(getdeviceinfo(&other, CHANGE), NFS4_OK);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        fake_ds_stop(&ds);
        mds_lab_stop(&lab);
        return 0;
}

/* It says HELLO again, from 192.0.2.HOST. */
static void comes_from(uint8_t host)
{
        const struct netaddr addr = { .family = 4, .port = 2049, .bytes = { 192, 0, 2, host } };

        netaddr_universal(&addr, ds.uaddr);
        ds.hello.boot[0]++;
        fake_ds_dial(&ds);
        assert_int_equal(fake_ds_hello(&ds, &lab.v, NULL), CTL_OK);
        mds_lab_run_ms(&lab, 10);
}

static void give_back(struct user *who, const struct stateid *s)
{
        bool present;

        assert_int_equal(user_layoutreturn(who, &mine.fh, s, &present), NFS4_OK);
        assert_false(present);
        mds_lab_run_ms(&lab, 10);
}

static void is_told(const struct user *who)
{
        assert_int_equal(who->back.opnum, OP_CB_NOTIFY_DEVICEID);
        assert_memory_equal(who->back.device, device, sizeof(device));
        assert_int_equal(devices_count(lab.mds.devices), 0);
}

/* --- the tests */

static void first_the_layouts_then_the_device(void **state)
{
        struct stateid anew;

        (void)state;
        comes_from(77);
        assert_int_equal(getdeviceinfo(&u, DELETE), NFS4ERR_NOENT);
        assert_int_equal(u.back.opnum, OP_CB_LAYOUTRECALL);
        assert_int_equal(other.back.opnum, OP_CB_LAYOUTRECALL);
        assert_int_equal(u.back.calls, 1);
        give_back(&u, &layout);
        assert_int_equal(u.back.calls, 2);
        is_told(&u);
        assert_true(u.back.refers.seqid != 0);
        assert_int_equal(user_layoutget(&u, &mine.fh, &mine.stateid, &anew), NFS4_OK);
        device_of_file(device);
        assert_int_equal(getdeviceinfo(&u, DELETE), NFS4_OK);
        assert_int_equal(devices_count(lab.mds.devices), 1);
}

static void who_did_not_ask_is_not_told(void **state)
{
        (void)state;
        comes_from(77);
        give_back(&other, &their_layout);
        assert_int_equal(other.back.calls, 1);
        assert_int_equal(other.back.opnum, OP_CB_LAYOUTRECALL);
}

/* Linux does not take it well. */
static void by_default_nobody_is_told(void **state)
{
        (void)state;
        lab.conf.device_notifications = false;
        assert_int_equal(getdeviceinfo(&other, DELETE), NFS4_OK);
        assert_int_equal(devices_count(lab.mds.devices), 1); /* of before */
        comes_from(77);
        assert_int_equal(other.back.opnum, OP_CB_LAYOUTRECALL);
        give_back(&other, &their_layout);
        assert_int_equal(other.back.calls, 1);
}

static void what_it_asked_last_counts(void **state)
{
        (void)state;
        assert_int_equal(getdeviceinfo(&u, CHANGE), NFS4_OK);
        assert_int_equal(devices_count(lab.mds.devices), 0);
        assert_int_equal(getdeviceinfo(&u, DELETE), NFS4_OK);
        assert_int_equal(getdeviceinfo(&u, DELETE), NFS4_OK);
        assert_int_equal(devices_count(lab.mds.devices), 1);
}

static void without_a_layout_it_is_told_at_once(void **state)
{
        (void)state;
        give_back(&u, &layout);
        comes_from(77);
        assert_int_equal(u.back.calls, 1);
        is_told(&u);
}

/* The client has forgotten the old layout; the new one names the new device. */
static void a_layout_anew_is_as_good_as_a_return(void **state)
{
        (void)state;
        comes_from(77);
        assert_int_equal(user_layoutget(&u, &mine.fh, &mine.stateid, &layout), NFS4_OK);
        mds_lab_run_ms(&lab, 10);
        is_told(&u);
        assert_int_equal(recalls_count(lab.mds.recalls), 1); /* the other's */
}

static void who_keeps_its_layout_loses_it_and_is_told_then(void **state)
{
        (void)state;
        comes_from(77);
        user_renew_for(LAB_LEASE_SECONDS - 5, &u, &other);
        assert_int_equal(u.back.opnum, OP_CB_LAYOUTRECALL);
        user_renew_for(10, &u, &other);
        is_told(&u);
}

static void a_restart_in_place_is_nobodys_business(void **state)
{
        (void)state;
        ds.hello.boot[0]++;
        fake_ds_dial(&ds);
        assert_int_equal(fake_ds_hello(&ds, &lab.v, NULL), CTL_OK);
        mds_lab_run_ms(&lab, 10);
        assert_int_equal(u.back.calls, 0);
        assert_int_equal(getdeviceinfo(&u, DELETE), NFS4_OK);
}

static void one_that_moves_back_in_time_was_never_away(void **state)
{
        char before[sizeof(ds.uaddr)];

        (void)state;
        memcpy(before, ds.uaddr, sizeof(before));
        comes_from(77);
        memcpy(ds.uaddr, before, sizeof(before));
        ds.hello.boot[0]++;
        fake_ds_dial(&ds);
        assert_int_equal(fake_ds_hello(&ds, &lab.v, NULL), CTL_OK);
        give_back(&u, &layout);
        assert_int_equal(u.back.opnum, OP_CB_LAYOUTRECALL);
        assert_int_equal(getdeviceinfo(&u, DELETE), NFS4_OK);
        assert_int_equal(devices_count(lab.mds.devices), 1);
}

/* Whatever it says, or if it says nothing: GETDEVICEINFO would tell it. */
static void a_client_that_does_not_answer_is_not_asked_for_ever(void **state)
{
        (void)state;
        give_back(&u, &layout);
        u.back.answer = NFS4ERR_NOTSUPP;
        comes_from(77);
        is_told(&u);
        device_of_file(device);
        assert_int_equal(getdeviceinfo(&u, DELETE), NFS4_OK);
        u.back.mute = true;
        comes_from(78);
        assert_int_equal(devices_count(lab.mds.devices), 1);
        user_renew_for(LAB_LEASE_SECONDS + 5, &u, &other);
        is_told(&u);
        user_answer_held(&u);
}

static void a_client_that_goes_knows_nothing(void **state)
{
        (void)state;
        give_back(&u, &layout);
        u.back.mute = true;
        comes_from(77);
        assert_int_equal(devices_count(lab.mds.devices), 1);
        assert_int_equal(user_connect(&again, &lab, "client", 1, 0, 2), NFS4_OK); /* another instance */
        assert_int_equal(devices_count(lab.mds.devices), 0);
        user_answer_held(&u);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(first_the_layouts_then_the_device),
                TEST(who_did_not_ask_is_not_told),
                TEST(by_default_nobody_is_told),
                TEST(what_it_asked_last_counts),
                TEST(without_a_layout_it_is_told_at_once),
                TEST(a_layout_anew_is_as_good_as_a_return),
                TEST(who_keeps_its_layout_loses_it_and_is_told_then),
                TEST(a_restart_in_place_is_nobodys_business),
                TEST(one_that_moves_back_in_time_was_never_away),
                TEST(a_client_that_does_not_answer_is_not_asked_for_ever),
                TEST(a_client_that_goes_knows_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
