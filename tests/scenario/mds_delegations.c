/* SPDX-License-Identifier: Apache-2.0 */
/* Who reads a file again and again is given a delegation of it, when it can be called back and nobody is
 * about to write; what others do to the file waits until it is returned, or lost. RFC 8881 §10.2, §10.4,
 * §18.6, §18.16, §20.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/pnfs/size.h"
#include "mds/state/delegation_private.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_user_locks.h"

enum { READ = OPEN4_SHARE_ACCESS_READ, WRITE = OPEN4_SHARE_ACCESS_WRITE };

static struct mds_lab lab;
static struct user u, other;
static struct user_fh root, f, dir;
static struct user_open held; /* f, open by u, who is given its delegation */
static uint64_t fileid;

static int setup(void **state)
{
        struct user_attrs a;

        (void)state;
        mds_lab_start_delegating(&lab, &u, &other);
        root = user_root(&u);
        assert_int_equal(user_touch(&u, &root, "f", 0666, &f), NFS4_OK);
        assert_int_equal(user_mkdir(&u, &root, "d", 0777, &dir), NFS4_OK);
        assert_int_equal(user_getattr(&u, &f, &a), NFS4_OK);
        fileid = a.fileid;
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        user_answer_held(&u);
        mds_lab_stop(&lab);
        return 0;
}

static uint32_t delegations(void)
{
        return delegations_count(lab.mds.delegations);
}

/* OPEN of NAME for reading, and CLOSE: the delegation it gave, if any, is in *RET. */
static uint32_t read_once(struct user *who, const char *name, uint32_t want, struct user_open *ret)
{
        *ret = USER_OPEN(.access = READ, .want = want);
        assert_int_equal(user_open(who, &root, name, ret), NFS4_OK);
        assert_int_equal(user_close(who, &ret->fh, &ret->stateid), NFS4_OK);
        return ret->delegation;
}

/* U has f open for reading, with a delegation. */
static void hold(void)
{
        held = USER_OPEN(.access = READ, .want = OPEN4_SHARE_ACCESS_WANT_READ_DELEG);
        assert_int_equal(user_open(&u, &root, "f", &held), NFS4_OK);
        assert_int_equal(held.delegation, OPEN_DELEGATE_READ);
        assert_int_equal(delegations(), 1);
}

/* --- when one is given */

static void what_is_read_again_is_delegated(void **state)
{
        struct user_open o;

        (void)state;
        assert_int_equal(read_once(&u, "f", 0, &o), OPEN_DELEGATE_NONE);
        assert_int_equal(read_once(&u, "f", 0, &o), OPEN_DELEGATE_READ);
        assert_int_equal(o.delegated.seqid, 1);
        assert_false(o.recall);
        assert_int_equal(user_test_stateid(&u, &o.delegated), NFS4_OK);
        assert_int_equal(user_test_stateid(&other, &o.delegated), NFS4ERR_BAD_STATEID);
        assert_int_equal(user_free_stateid(&u, &o.delegated), NFS4ERR_LOCKS_HELD);
        assert_int_equal(read_once(&other, "f", 0, &o), OPEN_DELEGATE_READ); /* each has its own */
        assert_int_equal(delegations(), 2);
        assert_int_equal(read_once(&u, "f", 0, &o), OPEN_DELEGATE_NONE); /* it has it */
        assert_int_equal(delegations(), 2);
        assert_int_equal(user_delegreturn(&u, &f, &o.delegated), NFS4ERR_BAD_STATEID);
        assert_int_equal(u.back.calls + other.back.calls, 0);
}

static void what_is_read_rarely_is_not(void **state)
{
        struct user_open o;

        (void)state;
        for (int i = 0; i < 3; i++) {
                assert_int_equal(read_once(&u, "f", 0, &o), OPEN_DELEGATE_NONE);
                user_renew_for(61, &u, &other);
        }
}

static void wishes_are_heard(void **state)
{
        static const struct {
                uint32_t want, why;
        } refused[] = { { OPEN4_SHARE_ACCESS_WANT_NO_DELEG, WND4_NOT_WANTED },
                        { OPEN4_SHARE_ACCESS_WANT_CANCEL, WND4_CANCELLED },
                        { 0x200 /* one for writing */, WND4_RESOURCE } };
        struct user_open o;

        (void)state;
        read_once(&u, "f", 0, &o);
        for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
                assert_int_equal(read_once(&u, "f", refused[i].want, &o), OPEN_DELEGATE_NONE_EXT);
                assert_int_equal(o.why, refused[i].why);
        }
        assert_int_equal(user_touch(&u, &root, "new", 0644, NULL), NFS4_OK);
        assert_int_equal(read_once(&u, "new", OPEN4_SHARE_ACCESS_WANT_ANY_DELEG, &o), OPEN_DELEGATE_READ);
        assert_int_equal(user_delegreturn(&u, &o.fh, &o.delegated), NFS4_OK);
        assert_int_equal(read_once(&u, "new", OPEN4_SHARE_ACCESS_WANT_READ_DELEG, &o), OPEN_DELEGATE_READ);
}

/* OPEN of NAME as *O says, and CLOSE. */
static void assert_refused(struct user_open o, const char *name, uint32_t why)
{
        o.want = OPEN4_SHARE_ACCESS_WANT_READ_DELEG;
        assert_int_equal(user_open(&u, &root, name, &o), NFS4_OK);
        assert_int_equal(o.delegation, OPEN_DELEGATE_NONE_EXT);
        assert_int_equal(o.why, why);
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4_OK);
}

static void not_with_a_create_a_cut_a_write_or_a_deny(void **state)
{
        struct user_open cut = USER_CREATE(.access = READ);

        (void)state;
        cut.size = 0;
        for (int i = 0; i < 2; i++) {
                assert_refused(cut, "f", WND4_RESOURCE);
                assert_refused(USER_OPEN(.access = READ, .deny = OPEN4_SHARE_DENY_WRITE), "f", WND4_RESOURCE);
                assert_refused(USER_OPEN(.access = WRITE), "f", WND4_RESOURCE);
        }
        assert_refused(USER_CREATE(.access = READ), "new", WND4_RESOURCE);
        assert_int_equal(delegations(), 0);
}

static void not_while_somebody_writes(void **state)
{
        struct user_open w = USER_OPEN();
        struct user_attrs a;
        struct stateid layout;
        bool present;

        (void)state;
        lab_ds_object(&lab.ds[1], fileid)->settled = true;
        assert_int_equal(user_open(&other, &root, "f", &w), NFS4_OK);
        assert_refused(USER_OPEN(.access = READ), "f", WND4_CONTENTION);
        assert_int_equal(user_layoutget(&other, &f, &w.stateid, &layout), NFS4_OK);
        assert_int_equal(user_close(&other, &f, &w.stateid), NFS4_OK);
        assert_refused(USER_OPEN(.access = READ), "f", WND4_CONTENTION); /* TRAPS: its layout is out */
        assert_int_equal(user_layoutreturn(&other, &f, &layout, &present), NFS4_OK);
        assert_refused(USER_OPEN(.access = READ), "f", WND4_CONTENTION); /* until its handles are fenced */
        lab.ds[1].deaf = CTL_GETSIZES;
        size_mark(lab.mds.sizes, fileid, lab.ds[1].server->id);
        assert_refused(USER_OPEN(.access = READ), "f", WND4_CONTENTION); /* who knows its size? */
        lab.ds[1].deaf = 0;
        assert_int_equal(user_getattr(&u, &f, &a), NFS4_OK);
        hold();
}

/* Clients keep layouts beyond CLOSE. */
static void a_layout_that_is_only_left_over_is_called_back(void **state)
{
        struct attr_set old = { .time_modify = 1000 };
        struct user_open w = USER_OPEN();
        struct stateid layout;
        uint32_t fences = lab.ds[0].fences;
        bool present;

        (void)state;
        assert_int_equal(user_open(&other, &root, "f", &w), NFS4_OK);
        assert_int_equal(user_layoutget(&other, &f, &w.stateid, &layout), NFS4_OK);
        assert_int_equal(user_close(&other, &f, &w.stateid), NFS4_OK);
        assert_refused(USER_OPEN(.access = READ), "f", WND4_CONTENTION);
        assert_int_equal(other.back.calls, 0); /* it was written a moment ago */
        bitmap_set(&old.mask, FATTR4_TIME_MODIFY_SET);
        assert_int_equal(user_setattr(&other, &f, NULL, &old), NFS4_OK);
        for (int i = 0; i < 3; i++)
                assert_refused(USER_OPEN(.access = READ), "f", WND4_CONTENTION);
        assert_int_equal(other.back.calls, 1);
        assert_int_equal(other.back.opnum, OP_CB_LAYOUTRECALL);
        assert_int_equal(lab.ds[0].fences, fences + 1);
        assert_int_equal(user_layoutreturn(&other, &f, &other.back.stateid, &present), NFS4_OK);
        hold();
}

static void not_to_one_that_cannot_be_called(void **state)
{
        (void)state;
        lab.back_channels = false;
        user_start(&u, &lab, "deaf", 3, 0, 0);
        assert_int_equal(u.back.probes, 0);
        assert_refused(USER_OPEN(.access = READ), "f", WND4_RESOURCE);
        lab.back_channels = true;
        assert_int_equal(user_connect(&u, &lab, "mute", 4, 0, 1), NFS4_OK);
        u.back.mute = true;
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        assert_int_equal(u.back.probes, 1);
        assert_refused(USER_OPEN(.access = READ), "f", WND4_RESOURCE);
        u.back.mute = false;
        user_answer_held(&u);
        mds_lab_run_ms(&lab, 10);
        hold();
}

static void not_when_they_are_switched_off(void **state)
{
        (void)state;
        lab.conf.delegations = false;
        assert_refused(USER_OPEN(.access = READ), "f", WND4_RESOURCE);
        assert_refused(USER_OPEN(.access = READ), "f", WND4_RESOURCE);
}

/* --- too many of them */

enum { MANY = 16 };

/* Of MANY files the client opens all: how many does it get? It gives back what it is asked for. */
static uint32_t read_many(struct user *who, bool generous)
{
        struct user_open given[MANY], *back = given;
        uint32_t held_now = 0, calls = who->back.calls;
        char name[8];

        for (unsigned i = 0; i < MANY; i++) {
                snprintf(name, sizeof(name), "m%u", i);
                assert_int_equal(user_touch(who, &root, name, 0666, NULL), NFS4_OK);
                held_now += read_once(who, name, OPEN4_SHARE_ACCESS_WANT_READ_DELEG, &given[i]) ==
                            OPEN_DELEGATE_READ;
                if (generous && who->back.calls > calls) {
                        calls = who->back.calls;
                        for (; held_now > who->back.keep; held_now--, back++)
                                assert_int_equal(user_delegreturn(who, &back->fh, &back->delegated), NFS4_OK);
                }
        }
        return held_now;
}

static void a_client_with_many_is_asked_for_some(void **state)
{
        uint64_t refused;

        (void)state;
        lab.mds.delegations->client_max = 8;
        assert_int_equal(read_many(&u, false), 8); /* it may keep them */
        assert_int_equal(u.back.calls, 1);
        assert_int_equal(u.back.opnum, OP_CB_RECALL_ANY);
        assert_int_equal(u.back.keep, 6); /* of the seven that it had then */
        refused = lab.mds.delegations->refused.value;
        user_renew_for(11, &u, &other);
        assert_refused(USER_OPEN(.access = READ), "m15", WND4_RESOURCE);
        assert_true(lab.mds.delegations->refused.value > refused);
        assert_int_equal(u.back.calls, 2); /* again */
        assert_int_equal(u.back.keep, 6);
        assert_int_equal(other.back.calls, 0);
}

static void who_gives_some_back_gets_others(void **state)
{
        (void)state;
        lab.mds.delegations->client_max = 14;
        assert_true(read_many(&u, true) < 14);
        assert_int_equal(lab.mds.delegations->refused.value, 0);
        assert_int_equal(u.back.keep, 10); /* of thirteen */
}

static void all_are_asked_when_there_are_too_many(void **state)
{
        struct user_open o;

        (void)state;
        lab.mds.delegations->max = 8;
        assert_int_equal(read_once(&other, "f", OPEN4_SHARE_ACCESS_WANT_READ_DELEG, &o), OPEN_DELEGATE_READ);
        assert_int_equal(read_many(&u, false), 7);
        assert_int_equal(u.back.opnum, OP_CB_RECALL_ANY);
        assert_int_equal(other.back.opnum, OP_CB_RECALL_ANY);
        assert_int_equal(other.back.calls, 1);
}

/* --- what it is good for */

static void it_stands_for_an_open(void **state)
{
        struct stateid layout;

        (void)state;
        hold();
        assert_int_equal(user_close(&u, &f, &held.stateid), NFS4_OK);
        assert_int_equal(user_read(&u, &f, &held.delegated), NFS4_OK);
        assert_int_equal(user_write(&u, &f, &held.delegated), NFS4ERR_OPENMODE);
        assert_int_equal(user_read(&other, &f, &held.delegated), NFS4ERR_BAD_STATEID);
        assert_int_equal(user_read(&u, &root, &held.delegated), NFS4ERR_ISDIR);
        assert_int_equal(user_layoutget(&u, &f, &held.delegated, &layout), NFS4ERR_OPENMODE);
        assert_int_equal(user_layoutget_of(&u, &f, &held.delegated, LAYOUTIOMODE4_READ, &layout), NFS4_OK);
        assert_int_equal(user_delegreturn(&other, &f, &held.delegated), NFS4ERR_BAD_STATEID);
        assert_int_equal(user_delegreturn(&u, &dir, &held.delegated), NFS4ERR_BAD_STATEID);
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4ERR_BAD_STATEID);
        assert_int_equal(user_read(&u, &f, &held.delegated), NFS4ERR_BAD_STATEID);
}

static void its_holder_does_what_it_likes(void **state)
{
        struct attr_set mode = { .mode = 0600 };
        struct user_open w = USER_OPEN(.owner = "writer");
        struct user_attrs a;

        (void)state;
        hold();
        bitmap_set(&mode.mask, FATTR4_MODE);
        assert_int_equal(user_open(&u, &root, "f", &w), NFS4_OK);
        assert_int_equal(user_setattr(&u, &f, NULL, &mode), NFS4_OK);
        assert_int_equal(user_link(&u, &f, &root, "g"), NFS4_OK);
        assert_int_equal(user_rename(&u, &root, "g", &root, "h"), NFS4_OK);
        assert_int_equal(user_remove(&u, &root, "h"), NFS4_OK);
        assert_int_equal(user_remove(&u, &root, "f"), NFS4_OK);
        assert_int_equal(user_close(&u, &f, &w.stateid), NFS4_OK);
        assert_int_equal(user_close(&u, &f, &held.stateid), NFS4_OK);
        assert_int_equal(u.back.calls, 0);
        assert_int_equal(user_getattr(&u, &f, &a), NFS4_OK); /* it may be open, for all we know */
        assert_int_equal(a.links, 0);
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
        assert_int_equal(user_getattr(&u, &f, &a), NFS4ERR_STALE);
}

static void a_layout_that_goes_with_the_last_close_waits_for_it(void **state)
{
        struct stateid layout;

        (void)state;
        lab.conf.return_on_close = true;
        hold();
        assert_int_equal(user_layoutget_of(&u, &f, &held.stateid, LAYOUTIOMODE4_READ, &layout), NFS4_OK);
        assert_int_equal(user_close(&u, &f, &held.stateid), NFS4_OK);
        assert_int_equal(user_test_stateid(&u, &layout), NFS4_OK);
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
        assert_int_equal(user_test_stateid(&u, &layout), NFS4ERR_BAD_STATEID);
}

/* A client that goes takes it along. */
static void it_goes_with_its_client(void **state)
{
        (void)state;
        hold();
        assert_int_equal(user_connect(&u, &lab, "client", 1, 0, 4711), NFS4_OK);
        assert_int_equal(delegations(), 0);
        assert_int_equal(user_remove(&other, &root, "f"), NFS4_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(what_is_read_again_is_delegated),
                TEST(what_is_read_rarely_is_not),
                TEST(wishes_are_heard),
                TEST(not_with_a_create_a_cut_a_write_or_a_deny),
                TEST(not_while_somebody_writes),
                TEST(a_layout_that_is_only_left_over_is_called_back),
                TEST(not_to_one_that_cannot_be_called),
                TEST(not_when_they_are_switched_off),
                TEST(a_client_with_many_is_asked_for_some),
                TEST(who_gives_some_back_gets_others),
                TEST(all_are_asked_when_there_are_too_many),
                TEST(it_stands_for_an_open),
                TEST(its_holder_does_what_it_likes),
                TEST(a_layout_that_goes_with_the_last_close_waits_for_it),
                TEST(it_goes_with_its_client),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
