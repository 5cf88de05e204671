/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts are got, described by devices, and given back: of one file, of one file system, all. RFC 8881
 * §12.5, §13.2, §13.3, §18.40, §18.43, §18.44. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mds/fleet/fleet.h"
#include "mds/state/layout.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_lab.h"

enum { MAXCOUNT = 4096, BODY = 4096, MANY_SERVERS = 64 };

static const char exports[] = "exports:\n"
                              "  - path: /a\n    rules:\n      - clients: '*'\n        access: rw\n"
                              "        squash: none\n"
                              "  - path: /b\n    rules:\n      - clients: '*'\n        access: rw\n"
                              "        squash: none\n";

static struct mds_lab lab;
static struct user u, other;
static struct user_fh a, b;         /* the two file systems */
static struct user_open in_a, in_b; /* a file in each, open for reading and writing */

static int setup(void **state)
{
        struct user_fh root;

        (void)state;
        mds_lab_start(&lab, exports);
        user_start(&u, &lab, "client", 1, 0, 0);
        user_start(&other, &lab, "other", 2, 0, 0);
        root = user_root(&u);
        assert_int_equal(user_lookup(&u, &root, "a", &a), NFS4_OK);
        assert_int_equal(user_lookup(&u, &root, "b", &b), NFS4_OK);
        in_a = USER_CREATE(.how = GUARDED4);
        in_b = USER_CREATE(.how = GUARDED4);
        assert_int_equal(user_open(&u, &a, "file", &in_a), NFS4_OK);
        assert_int_equal(user_open(&u, &b, "file", &in_b), NFS4_OK);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

/* --- LAYOUTGET */

struct got {
        struct stateid stateid;
        uint32_t iomode, unit, first, handles, handle_length;
        uint8_t device[NFS4_DEVICEID_SIZE];
        bool same; /* all handles are */
};

/* The one segment of a files layout, §13.3. */
static void get_layout(struct user *who, struct got *ret)
{
        struct slice body, first = { 0 };
        struct xdr_in x;

        *ret = (struct got){ .same = true };
        user_result(who, OP_PUTFH);
        user_result(who, OP_LAYOUTGET);
        xdr_get_bool(&who->in);
        get_stateid(&who->in, &ret->stateid);
        assert_int_equal(xdr_get_u32(&who->in), 1);
        assert_int_equal(xdr_get_u64(&who->in), 0);
        assert_true(xdr_get_u64(&who->in) == NFS4_UINT64_MAX);
        ret->iomode = xdr_get_u32(&who->in);
        assert_int_equal(xdr_get_u32(&who->in), LAYOUT4_NFSV4_1_FILES);
        body = xdr_get_opaque(&who->in, BODY);
        x = xdr_in_of(body);
        xdr_get_fixed(&x, ret->device, sizeof(ret->device));
        ret->unit = xdr_get_u32(&x);
        ret->first = xdr_get_u32(&x);
        assert_int_equal(xdr_get_u64(&x), 0);
        ret->handles = xdr_get_u32(&x);
        for (uint32_t i = 0; i < ret->handles; i++) {
                struct slice fh = xdr_get_opaque(&x, NFS4_FHSIZE);

                first = i == 0 ? fh : first;
                ret->same &= fh.length == first.length && memcmp(fh.data, first.data, fh.length) == 0;
                ret->handle_length = fh.length;
        }
        assert_true(!x.bad && xdr_left(&x) == 0 && !who->in.bad);
}

struct ask { /* zeros: what Linux asks */
        uint32_t type, iomode, maxcount;
        uint64_t offset, length, minlength;
        bool of_nothing; /* length 0 */
};
#define ASK(...) (&(struct ask){ __VA_ARGS__ })

static enum nfsstat4 layoutget(struct user *who, const struct user_fh *fh, const struct stateid *s,
                               const struct ask *ask, struct got *ret)
{
        enum nfsstat4 status;

        user_begin(who);
        user_putfh(who, fh);
        xdr_put_bool(user_op(who, OP_LAYOUTGET), false);
        xdr_put_u32(who->x, ask->type ? ask->type : LAYOUT4_NFSV4_1_FILES);
        xdr_put_u32(who->x, ask->iomode ? ask->iomode : LAYOUTIOMODE4_RW);
        xdr_put_u64(who->x, ask->offset);
        xdr_put_u64(who->x, ask->of_nothing ? 0 : ask->length ? ask->length : NFS4_UINT64_MAX);
        xdr_put_u64(who->x, ask->minlength);
        put_stateid(who->x, s);
        xdr_put_u32(who->x, ask->maxcount ? ask->maxcount : MAXCOUNT);
        status = user_call(who);
        if (status == NFS4_OK)
                get_layout(who, ret);
        return status;
}

static struct got get(const struct user_open *o, uint32_t iomode)
{
        struct got got;

        assert_int_equal(layoutget(&u, &o->fh, &o->stateid, ASK(.iomode = iomode), &got), NFS4_OK);
        return got;
}

/* Sparse, the whole file, the handle once per data server (a single one would corrupt data: LINUX-CLIENT
 * §2.4). */
static void a_layout_is_of_the_whole_file(void **state)
{
        struct got read, rw;

        (void)state;
        assert_int_equal(layoutget(&u, &in_a.fh, &in_a.stateid,
                                   ASK(.iomode = LAYOUTIOMODE4_READ, .offset = 1 << 20, .length = 4096),
                                   &read),
                         NFS4_OK);
        assert_int_equal(read.iomode, LAYOUTIOMODE4_READ);
        assert_int_equal(read.unit, 1 << 20); /* and no flag in its low bits */
        assert_int_equal(read.handles, LAB_DATA_SERVERS);
        assert_int_equal(read.handle_length, FH_BYTES);
        assert_true(read.same && read.first < LAB_DATA_SERVERS);
        assert_int_equal(read.stateid.seqid, 1);
        assert_int_equal(layoutget(&u, &in_a.fh, &read.stateid, ASK(.minlength = 4096), &rw), NFS4_OK);
        assert_int_equal(rw.iomode, LAYOUTIOMODE4_RW);
        assert_int_equal(rw.stateid.seqid, 2);
        assert_memory_equal(rw.stateid.other, read.stateid.other, NFS4_OTHER_SIZE);
        assert_memory_equal(rw.device, read.device, sizeof(rw.device));
}

static void layouts_that_are_refused(void **state)
{
        struct user_open reader = USER_OPEN(.access = OPEN4_SHARE_ACCESS_READ, .owner = "reader");
        const struct stateid special = { 0 };
        const struct stateid *s = &in_a.stateid;
        struct got got;

        (void)state;
        assert_int_equal(layoutget(&u, &in_a.fh, s, ASK(.type = 2), &got), NFS4ERR_UNKNOWN_LAYOUTTYPE);
        assert_int_equal(layoutget(&u, &in_a.fh, s, ASK(.iomode = LAYOUTIOMODE4_ANY), &got),
                         NFS4ERR_BADIOMODE);
        assert_int_equal(layoutget(&u, &in_a.fh, s, ASK(.of_nothing = true), &got), NFS4ERR_INVAL);
        assert_int_equal(layoutget(&u, &in_a.fh, s, ASK(.length = 100, .minlength = 200), &got),
                         NFS4ERR_INVAL);
        assert_int_equal(layoutget(&u, &in_a.fh, s, ASK(.offset = 2, .length = NFS4_UINT64_MAX - 1), &got),
                         NFS4ERR_INVAL);
        assert_int_equal(layoutget(&u, &in_a.fh, s, ASK(.maxcount = 100), &got), NFS4ERR_TOOSMALL);
        assert_int_equal(layoutget(&u, &in_a.fh, &special, ASK(.minlength = 4096), &got),
                         NFS4ERR_BAD_STATEID);
        assert_int_equal(layoutget(&u, &in_a.fh, &in_b.stateid, ASK(.minlength = 4096), &got),
                         NFS4ERR_BAD_STATEID);
        assert_int_equal(layoutget(&u, &a, s, ASK(.minlength = 4096), &got), NFS4ERR_ISDIR);
        assert_int_equal(user_open(&u, &a, "file", &reader), NFS4_OK);
        assert_int_equal(layoutget(&u, &in_a.fh, &reader.stateid, ASK(.minlength = 4096), &got),
                         NFS4ERR_OPENMODE);
        lab.ds[2].server->up = false;
        assert_int_equal(layoutget(&u, &in_a.fh, s, ASK(.minlength = 4096), &got), NFS4ERR_LAYOUTUNAVAILABLE);
        lab.ds[2].server->up = true;
        assert_int_equal(layouts_count(lab.mds.layouts), 0);
}

/* --- GETDEVICEINFO */

static enum nfsstat4 getdeviceinfo(const uint8_t id[NFS4_DEVICEID_SIZE], uint32_t type, uint32_t maxcount,
                                   uint32_t notify)
{
        enum nfsstat4 status;

        user_begin(&u);
        xdr_put_fixed(user_op(&u, OP_GETDEVICEINFO), id, NFS4_DEVICEID_SIZE);
        xdr_put_u32(u.x, type);
        xdr_put_u32(u.x, maxcount);
        xdr_put_u32(u.x, 1);
        xdr_put_u32(u.x, notify);
        status = user_call(&u);
        assert_int_equal(user_result(&u, OP_GETDEVICEINFO), status);
        return status;
}

/* nfsv4_1_file_layout_ds_addr4: indices, then a list of addresses for each data server; returns how many
 * addresses there are in all. */
static uint32_t get_addresses(uint32_t servers, uint32_t *ret_least)
{
        struct slice body;
        struct xdr_in x;
        uint32_t sum = 0;

        assert_int_equal(xdr_get_u32(&u.in), LAYOUT4_NFSV4_1_FILES);
        body = xdr_get_opaque(&u.in, 65536);
        x = xdr_in_of(body);
        assert_int_equal(xdr_get_u32(&x), servers);
        for (uint32_t i = 0; i < servers; i++)
                assert_int_equal(xdr_get_u32(&x), i);
        assert_int_equal(xdr_get_u32(&x), servers);
        *ret_least = UINT32_MAX;
        for (uint32_t i = 0; i < servers; i++) {
                uint32_t count = xdr_get_u32(&x);

                for (uint32_t k = 0; k < count; k++) {
                        assert_true(xdr_get_opaque(&x, 8).length >= 3);
                        assert_true(xdr_get_opaque(&x, 64).length >= 9);
                }
                sum += count;
                *ret_least = count < *ret_least ? count : *ret_least;
        }
        assert_true(!x.bad && xdr_left(&x) == 0);
        return sum;
}

static uint32_t granted(void)
{
        assert_int_equal(xdr_get_u32(&u.in), 1);
        return xdr_get_u32(&u.in);
}

static void give_address(struct server *s, uint32_t i, uint8_t host)
{
        s->addrs[i] = (struct netaddr){ .family = 4, .port = 2049, .bytes = { 192, 0, 2, host } };
        s->addr_count = i + 1;
}

/* Fewer notifications than asked for make Linux rebuild its sessions for every file. */
static void a_device_is_described(void **state)
{
        const uint32_t both = 1 << NOTIFY_DEVICEID4_CHANGE | 1 << NOTIFY_DEVICEID4_DELETE;
        uint32_t mincount, least;
        struct got got;

        (void)state;
        for (uint8_t i = 0; i < LAB_DATA_SERVERS; i++)
                give_address(lab.ds[i].server, 0, i);
        give_address(lab.ds[1].server, 1, 99);
        got = get(&in_a, LAYOUTIOMODE4_RW);
        assert_int_equal(getdeviceinfo(got.device, LAYOUT4_NFSV4_1_FILES, 65536, both), NFS4_OK);
        assert_int_equal(get_addresses(LAB_DATA_SERVERS, &least), LAB_DATA_SERVERS + 1);
        assert_int_equal(granted(), both);
        assert_int_equal(getdeviceinfo(got.device, LAYOUT4_NFSV4_1_FILES, 65536,
                                       1 << NOTIFY_DEVICEID4_DELETE),
                         NFS4_OK);
        get_addresses(LAB_DATA_SERVERS, &least);
        assert_int_equal(granted(), 1 << NOTIFY_DEVICEID4_DELETE);
        assert_int_equal(getdeviceinfo(got.device, LAYOUT4_NFSV4_1_FILES, 40, both), NFS4ERR_TOOSMALL);
        mincount = xdr_get_u32(&u.in);
        assert_int_equal(getdeviceinfo(got.device, LAYOUT4_NFSV4_1_FILES, mincount - 1, both),
                         NFS4ERR_TOOSMALL);
        assert_int_equal(getdeviceinfo(got.device, LAYOUT4_NFSV4_1_FILES, mincount, both), NFS4_OK);
        assert_int_equal(getdeviceinfo(got.device, LAYOUT4_NFSV4_1_FILES, 0, both), NFS4_OK); /* a probe */
        assert_int_equal(xdr_get_u32(&u.in), LAYOUT4_NFSV4_1_FILES);
        assert_int_equal(xdr_get_u32(&u.in), 0);
        assert_int_equal(granted(), both);
        assert_int_equal(getdeviceinfo(got.device, 2, 65536, both), NFS4ERR_UNKNOWN_LAYOUTTYPE);
}

/* §12.2.10: what an id names never changes. */
static void a_data_server_that_moves_makes_a_new_device(void **state)
{
        struct got before, after;
        uint32_t least;

        (void)state;
        before = get(&in_a, LAYOUTIOMODE4_RW);
        give_address(lab.ds[3].server, 0, 77);
        assert_int_equal(getdeviceinfo(before.device, LAYOUT4_NFSV4_1_FILES, 65536, 0), NFS4ERR_NOENT);
        after = get(&in_a, LAYOUTIOMODE4_RW);
        assert_memory_not_equal(before.device, after.device, sizeof(after.device));
        assert_int_equal(getdeviceinfo(after.device, LAYOUT4_NFSV4_1_FILES, 65536, 0), NFS4_OK);
        assert_int_equal(get_addresses(LAB_DATA_SERVERS, &least), 1);
        memset(after.device, 0xff, sizeof(after.device));
        assert_int_equal(getdeviceinfo(after.device, LAYOUT4_NFSV4_1_FILES, 65536, 0), NFS4ERR_NOENT);
}

/* The widest device with the longest addresses still fits: not all of them are told, but some of each. */
static void a_wide_device_tells_some_addresses_of_each(void **state)
{
        struct user_open wide = USER_CREATE(.how = GUARDED4);
        uint32_t least;
        struct got got;

        (void)state;
        for (uint8_t n = LAB_DATA_SERVERS; n < MANY_SERVERS; n++) {
                struct server *s = fleet_add(lab.mds.fleet, "one more", (uint8_t[16]){ 7, n });

                s->up = true;
                s->addr_count = FLEET_MAX_ADDRS;
                for (uint32_t i = 0; i < FLEET_MAX_ADDRS; i++) {
                        s->addrs[i] = (struct netaddr){ .family = 6, .port = 65535 };
                        memset(s->addrs[i].bytes, 0xab, sizeof(s->addrs[i].bytes));
                }
                fleet_changed(lab.mds.fleet, s);
        }
        for (uint8_t i = 0; i < LAB_DATA_SERVERS; i++)
                give_address(lab.ds[i].server, 0, i);
        assert_int_equal(user_open(&u, &a, "wide", &wide), NFS4_OK);
        got = get(&wide, LAYOUTIOMODE4_RW);
        assert_int_equal(got.handles, DEVICE_WIDTH_MAX);
        assert_int_equal(getdeviceinfo(got.device, LAYOUT4_NFSV4_1_FILES, 65536, 0), NFS4_OK);
        assert_true(get_addresses(DEVICE_WIDTH_MAX, &least) > DEVICE_WIDTH_MAX);
        assert_int_equal(least, 1);
        got.device[12] = 1; /* wider than any device is made */
        assert_int_equal(getdeviceinfo(got.device, LAYOUT4_NFSV4_1_FILES, 65536, 0), NFS4ERR_NOENT);
}

/* --- LAYOUTRETURN */

struct back {
        uint32_t what, iomode, type;
        bool reclaim, no_handle;
        uint64_t length;
        const struct user_fh *fh;
        struct stateid stateid;
        bool present; /* out */
};

static enum nfsstat4 layoutreturn(struct back *r)
{
        enum nfsstat4 status;

        user_begin(&u);
        if (!r->no_handle)
                user_putfh(&u, r->fh ? r->fh : &in_a.fh);
        xdr_put_bool(user_op(&u, OP_LAYOUTRETURN), r->reclaim);
        xdr_put_u32(u.x, r->type ? r->type : LAYOUT4_NFSV4_1_FILES);
        xdr_put_u32(u.x, r->iomode);
        xdr_put_u32(u.x, r->what);
        if (r->what == LAYOUTRETURN4_FILE) {
                xdr_put_u64(u.x, 0);
                xdr_put_u64(u.x, r->length);
                put_stateid(u.x, &r->stateid);
                xdr_put_u32(u.x, 0);
        }
        status = user_call(&u);
        if (status != NFS4_OK)
                return status;
        if (!r->no_handle)
                user_result(&u, OP_PUTFH);
        user_result(&u, OP_LAYOUTRETURN);
        r->present = xdr_get_bool(&u.in);
        if (r->present)
                get_stateid(&u.in, &r->stateid);
        return status;
}

static uint32_t held(void)
{
        return layouts_count(lab.mds.layouts);
}

/* A stateid comes back as long as something is left; a true with zeros would make Linux loop. */
static void of_a_file_by_its_stateid(void **state)
{
        struct got read = get(&in_a, LAYOUTIOMODE4_READ), rw = get(&in_a, LAYOUTIOMODE4_RW);
        struct back r = { .what = LAYOUTRETURN4_FILE,
                          .iomode = LAYOUTIOMODE4_READ,
                          .length = NFS4_UINT64_MAX,
                          .stateid = read.stateid };

        (void)state;
        assert_int_equal(layoutreturn(&r), NFS4_OK); /* an older seqid is accepted */
        assert_true(r.present);
        assert_int_equal(r.stateid.seqid, rw.stateid.seqid + 1);
        assert_memory_equal(r.stateid.other, rw.stateid.other, NFS4_OTHER_SIZE);
        r.iomode = LAYOUTIOMODE4_ANY;
        assert_int_equal(layoutreturn(&r), NFS4_OK);
        assert_false(r.present);
        assert_int_equal(held(), 0);
        assert_int_equal(layoutreturn(&r), NFS4ERR_BAD_STATEID);
}

static void returns_that_are_refused(void **state)
{
        struct got a_layout = get(&in_a, LAYOUTIOMODE4_RW), b_layout = get(&in_b, LAYOUTIOMODE4_RW);
        const struct back good = { .what = LAYOUTRETURN4_FILE,
                                   .iomode = LAYOUTIOMODE4_ANY,
                                   .length = NFS4_UINT64_MAX,
                                   .stateid = a_layout.stateid };
        struct back r = good;

        (void)state;
        r.type = 2;
        assert_int_equal(layoutreturn(&r), NFS4ERR_UNKNOWN_LAYOUTTYPE);
        r = good;
        r.iomode = 0;
        assert_int_equal(layoutreturn(&r), NFS4ERR_BADIOMODE);
        r = good;
        r.reclaim = true;
        assert_int_equal(layoutreturn(&r), NFS4ERR_NO_GRACE);
        r = good;
        r.length = 0;
        assert_int_equal(layoutreturn(&r), NFS4ERR_INVAL);
        r = good;
        r.stateid.seqid = 0;
        assert_int_equal(layoutreturn(&r), NFS4ERR_BAD_STATEID);
        r.stateid.seqid = a_layout.stateid.seqid + 1;
        assert_int_equal(layoutreturn(&r), NFS4ERR_BAD_STATEID);
        r.stateid = b_layout.stateid;
        assert_int_equal(layoutreturn(&r), NFS4ERR_BAD_STATEID);
        r = (struct back){ .what = LAYOUTRETURN4_FSID, .iomode = LAYOUTIOMODE4_ANY, .no_handle = true };
        assert_int_equal(layoutreturn(&r), NFS4ERR_NOFILEHANDLE);
        assert_int_equal(held(), 2);
}

/* Another file in A, and another client's layout there: the first goes with its file system, the second
 * stays. */
static void of_a_file_system(void **state)
{
        struct user_open second = USER_CREATE(.how = GUARDED4), theirs = USER_OPEN(.access = 0);
        struct back r = { .what = LAYOUTRETURN4_FSID, .iomode = LAYOUTIOMODE4_READ };
        struct got got;

        (void)state;
        assert_int_equal(user_open(&u, &a, "second", &second), NFS4_OK);
        assert_int_equal(user_open(&other, &a, "file", &theirs), NFS4_OK);
        assert_int_equal(layoutget(&other, &in_a.fh, &theirs.stateid, ASK(.iomode = LAYOUTIOMODE4_READ),
                                   &got),
                         NFS4_OK);
        get(&in_a, LAYOUTIOMODE4_READ);
        get(&second, LAYOUTIOMODE4_RW);
        get(&in_b, LAYOUTIOMODE4_RW);
        assert_int_equal(held(), 4);
        assert_int_equal(layoutreturn(&r), NFS4_OK); /* for reading only: the others are for writing */
        assert_false(r.present);
        assert_int_equal(held(), 3);
        r.iomode = LAYOUTIOMODE4_ANY;
        assert_int_equal(layoutreturn(&r), NFS4_OK);
        assert_int_equal(held(), 2);
        assert_int_equal(layoutreturn(&r), NFS4_OK); /* nothing is left, which is fine */
        r.fh = &b;                                   /* any handle of the file system says which */
        assert_int_equal(layoutreturn(&r), NFS4_OK);
        assert_int_equal(held(), 1);
}

static void of_everything(void **state)
{
        struct back r = { .what = LAYOUTRETURN4_ALL, .iomode = LAYOUTIOMODE4_ANY, .no_handle = true };
        struct user_open theirs = USER_OPEN(.access = 0);
        struct got got;

        (void)state;
        assert_int_equal(user_open(&other, &b, "file", &theirs), NFS4_OK);
        assert_int_equal(layoutget(&other, &in_b.fh, &theirs.stateid, ASK(.iomode = LAYOUTIOMODE4_READ),
                                   &got),
                         NFS4_OK);
        get(&in_a, LAYOUTIOMODE4_RW);
        got = get(&in_b, LAYOUTIOMODE4_RW);
        assert_int_equal(held(), 3);
        assert_int_equal(layoutreturn(&r), NFS4_OK);
        assert_false(r.present);
        assert_int_equal(held(), 1);
        assert_int_equal(layoutget(&u, &in_b.fh, &got.stateid, ASK(.minlength = 4096), &got),
                         NFS4ERR_BAD_STATEID);
        got = get(&in_b, LAYOUTIOMODE4_RW); /* anew by the open stateid */
        assert_int_equal(got.stateid.seqid, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_layout_is_of_the_whole_file),
                TEST(layouts_that_are_refused),
                TEST(a_device_is_described),
                TEST(a_data_server_that_moves_makes_a_new_device),
                TEST(a_wide_device_tells_some_addresses_of_each),
                TEST(of_a_file_by_its_stateid),
                TEST(returns_that_are_refused),
                TEST(of_a_file_system),
                TEST(of_everything),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
