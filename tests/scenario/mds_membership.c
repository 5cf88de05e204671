/* SPDX-License-Identifier: Apache-2.0 */
/* Data servers join over the control connection (include/ctl.x), fall silent, come back; what one of them
 * says that cannot be is answered with an error and changes nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mds/fleet/ctl_serve.h"
#include "mds/pnfs/size.h"
#include "tests/lab/fake_ds.h"
#include "tests/lab/mds_lab.h"
#include "tests/lab/rpc_lab.h"

static struct mds_lab lab;
static struct fake_ds ds, second;
static struct user u;
static struct user_fh root, file;
static uint64_t fileid;
static uint32_t generation;

static ctl_status beat_with(struct fake_ds *d, const ctl_space *space, uint32_t flags)
{
        ctl_heartbeat_args args = { .space = *space, .flags = flags };
        ctl_result res = { .status = CTL_OK };

        fake_ds_ask(d, &lab.v, CTL_HEARTBEAT, (xdrproc_t)xdr_ctl_heartbeat_args, &args,
                    (xdrproc_t)xdr_ctl_result, &res);
        return res.status;
}

static ctl_status beat(struct fake_ds *d, const ctl_space *space)
{
        return beat_with(d, space, 0);
}

static ctl_status push(struct fake_ds *d, ctl_push p)
{
        ctl_push_args args = { .files.files_len = 1, .files.files_val = &p };
        ctl_status status;
        ctl_push_res res = { .statuses.statuses_len = 0 };

        fake_ds_ask(d, &lab.v, CTL_PUSH, (xdrproc_t)xdr_ctl_push_args, &args, (xdrproc_t)xdr_ctl_push_res,
                    &res);
        assert_int_equal(res.statuses.statuses_len, 1);
        status = res.statuses.statuses_val[0];
        xdr_free((xdrproc_t)xdr_ctl_push_res, (char *)&res);
        return status;
}

static ctl_eof_res ask_eof(struct fake_ds *d)
{
        ctl_eof_args args = { .fileid = fileid, .generation = generation };
        ctl_eof_res res = { .status = CTL_IO };

        fake_ds_ask(d, &lab.v, CTL_EOF, (xdrproc_t)xdr_ctl_eof_args, &args, (xdrproc_t)xdr_ctl_eof_res, &res);
        return res;
}

static struct server *server_of(const struct fake_ds *d)
{
        return fleet_by_uuid(lab.mds.fleet, (const uint8_t *)d->hello.uuid);
}

static uint64_t size_of_file(void)
{
        const struct inode *inode;

        assert_int_equal(meta_inode(lab.mds.meta, fileid, &inode), 0);
        return inode->size;
}

/* DS has joined, and "f" is on it and on the lab's own. */
static int setup(void **state)
{
        const struct inode *inode;
        struct user_attrs attrs;

        (void)state;
        mds_lab_start(&lab, NULL);
        mds_lab_listen(&lab);
        fake_ds_start(&ds, &lab.v.env, &lab.conf.control, lab.mds.cluster_key, 1);
        fake_ds_start(&second, &lab.v.env, &lab.conf.control, lab.mds.cluster_key, 2);
        fake_ds_dial(&ds);
        fake_ds_dial(&second);
        assert_int_equal(fake_ds_hello(&ds, &lab.v, NULL), CTL_OK);
        user_start(&u, &lab, "client", 1, 0, 0);
        root = user_root(&u);
        assert_int_equal(user_touch(&u, &root, "f", 0644, &file), NFS4_OK);
        assert_int_equal(user_getattr(&u, &file, &attrs), NFS4_OK);
        fileid = attrs.fileid;
        assert_int_equal(meta_inode(lab.mds.meta, fileid, &inode), 0);
        generation = inode->generation;
        assert_true(fleet_file_is_on(lab.mds.fleet, inode, server_of(&ds)->id));
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        fake_ds_stop(&ds);
        fake_ds_stop(&second);
        mds_lab_stop(&lab);
        return 0;
}

/* --- members */

static void a_new_one_is_given_a_number_for_ever(void **state)
{
        ctl_hello_ok ok;

        (void)state;
        assert_int_equal(fake_ds_hello(&second, &lab.v, &ok), CTL_OK);
        assert_int_equal(ok.server_id, LAB_DATA_SERVERS + 2);
        assert_true(ok.heartbeat_ms < ok.trust_ms && ok.pools.pools_len == 1);
        fake_ds_dial(&second);
        assert_int_equal(fake_ds_hello(&second, &lab.v, &ok), CTL_OK);
        assert_int_equal(ok.server_id, LAB_DATA_SERVERS + 2);
        assert_int_equal(lab.mds.fleet->count, LAB_DATA_SERVERS + 2);
}

/* It dials again before we have noticed that the old connection is dead. */
static void one_that_comes_back_replaces_its_connection(void **state)
{
        struct conn *old = server_of(&ds)->conn;
        uint32_t pools = lab.mds.fleet->pool_count;

        (void)state;
        memcpy(second.hello.uuid, ds.hello.uuid, sizeof(ds.hello.uuid));
        second.hello.name = ds.hello.name;
        assert_int_equal(fake_ds_hello(&second, &lab.v, NULL), CTL_OK);
        mds_lab_run_ms(&lab, 10);
        assert_null(ds.conn);
        assert_ptr_not_equal(server_of(&second)->conn, old);
        assert_true(server_of(&second)->up);
        assert_int_equal(lab.mds.fleet->pool_count, pools);
        fake_ds_hang_up(&second);
        mds_lab_run_ms(&lab, 10);
        assert_null(server_of(&ds)->conn);
}

static bool gets_a_new_file(const struct fake_ds *d)
{
        const struct inode *inode;
        struct user_attrs attrs;
        struct user_fh fh;
        bool there;

        assert_int_equal(user_touch(&u, &root, "new", 0644, &fh), NFS4_OK);
        assert_int_equal(user_getattr(&u, &fh, &attrs), NFS4_OK);
        assert_int_equal(meta_inode(lab.mds.meta, attrs.fileid, &inode), 0);
        there = fleet_file_is_on(lab.mds.fleet, inode, server_of(d)->id);
        assert_int_equal(user_remove(&u, &root, "new"), NFS4_OK);
        return there;
}

static void a_silent_one_gets_no_new_files_and_is_closed_later(void **state)
{
        const struct server *s = server_of(&ds);

        (void)state;
        mds_lab_run_ms(&lab, TRUST_MS - 1000);
        assert_true(s->up);
        assert_true(gets_a_new_file(&ds));
        mds_lab_run_ms(&lab, 3000);
        assert_false(s->up);
        assert_false(gets_a_new_file(&ds));
        assert_non_null(ds.conn);
        assert_int_equal(beat(&ds, &ds.hello.space), CTL_OK);
        assert_true(s->up);
        assert_true(gets_a_new_file(&ds));
        mds_lab_run_ms(&lab, 5 * TRUST_MS);
        assert_null(ds.conn);
        assert_null(s->conn);
}

static void a_full_one_gets_no_new_files(void **state)
{
        static const uint32_t reasons[] = { CTL_HB_FULL, CTL_HB_FAILING, CTL_HB_LEAVING };

        (void)state;
        for (int i = 0; i < 3; i++) {
                assert_int_equal(beat_with(&ds, &ds.hello.space, reasons[i]), CTL_OK);
                assert_false(gets_a_new_file(&ds));
                assert_int_equal(beat(&ds, &ds.hello.space), CTL_OK);
                assert_true(gets_a_new_file(&ds));
        }
}

static void a_connection_has_one_owner(void **state)
{
        uint8_t uuid[16];

        (void)state;
        memcpy(uuid, ds.hello.uuid, sizeof(uuid));
        memcpy(ds.hello.uuid, second.hello.uuid, sizeof(uuid));
        assert_int_equal(fake_ds_hello(&ds, &lab.v, NULL), CTL_INVAL);
        assert_null(server_of(&second));
        memcpy(ds.hello.uuid, uuid, sizeof(uuid));
        assert_int_equal(fake_ds_hello(&ds, &lab.v, NULL), CTL_OK);
        fake_ds_hang_up(&ds);
        mds_lab_run_ms(&lab, 10);
        assert_null(server_of(&ds)->conn);
}

static void a_name_is_taken_while_its_owner_is_here(void **state)
{
        (void)state;
        second.hello.name = ds.hello.name;
        assert_int_equal(fake_ds_hello(&second, &lab.v, NULL), CTL_REFUSED);
        assert_null(server_of(&second));
        fake_ds_hang_up(&ds);
        mds_lab_run_ms(&lab, 10);
        assert_int_equal(fake_ds_hello(&second, &lab.v, NULL), CTL_OK);
}

/* --- what cannot be */

static void a_hello_that_makes_no_sense(void **state)
{
        static char empty[] = "", nowhere[] = "0.0.0.0.8.1", no_port[] = "192.0.2.7.0.0",
                    words[] = "over there";
        char *uaddrs[] = { nowhere, no_port, words }, *name = second.hello.name;
        ctl_space space = second.hello.space;

        (void)state;
        second.hello.protocol = CTL_VERSION_NUMBER - 1;
        assert_int_equal(fake_ds_hello(&second, &lab.v, NULL), CTL_VERSION);
        second.hello.protocol = CTL_VERSION_NUMBER;
        second.hello.name = empty;
        assert_int_equal(fake_ds_hello(&second, &lab.v, NULL), CTL_INVAL);
        second.hello.name = name;
        for (int i = 0; i < 3; i++) {
                second.addr.uaddr = uaddrs[i];
                assert_int_equal(fake_ds_hello(&second, &lab.v, NULL), CTL_INVAL);
        }
        second.hello.addrs.addrs_len = 0;
        assert_int_equal(fake_ds_hello(&second, &lab.v, NULL), CTL_INVAL);
        second.hello.addrs.addrs_len = 1;
        second.addr.uaddr = second.uaddr;
        second.hello.space = (ctl_space){ .total = 10, .free = 11 };
        assert_int_equal(fake_ds_hello(&second, &lab.v, NULL), CTL_INVAL);
        second.hello.space = (ctl_space){ .total = UINT64_MAX };
        assert_int_equal(fake_ds_hello(&second, &lab.v, NULL), CTL_INVAL);
        assert_null(server_of(&second));
        second.hello.space = space;
        assert_int_equal(fake_ds_hello(&second, &lab.v, NULL), CTL_OK);
}

static void a_heartbeat_that_makes_no_sense_is_none(void **state)
{
        const ctl_space wrong = { .total = 5, .free = 6 };
        uint64_t heard = server_of(&ds)->last_heard_ns, total, free_bytes, before;

        (void)state;
        fleet_space(lab.mds.fleet, &before, &free_bytes);
        mds_lab_run_ms(&lab, 100);
        assert_int_equal(beat(&ds, &wrong), CTL_INVAL);
        assert_int_equal(server_of(&ds)->last_heard_ns, heard);
        fleet_space(lab.mds.fleet, &total, &free_bytes);
        assert_int_equal(total, before);
}

static void a_push_that_makes_no_sense_changes_nothing(void **state)
{
        const ctl_push good = { .fileid = fileid, .generation = generation, .size = 1000 };
        ctl_push p;

        (void)state;
        assert_int_equal(push(&second, good), CTL_UNKNOWN); /* HELLO first */
        assert_int_equal(ask_eof(&second).status, CTL_UNKNOWN);
        assert_int_equal(beat(&second, &second.hello.space), CTL_UNKNOWN);
        assert_int_equal(fake_ds_hello(&second, &lab.v, NULL), CTL_OK);
        assert_int_equal(push(&second, good), CTL_INVAL); /* the file is older than SECOND */
        p = good;
        p.fileid += 1000;
        p.dirty = true;
        assert_int_equal(push(&ds, p), CTL_NOENT);
        p = good;
        p.generation++;
        assert_int_equal(push(&ds, p), CTL_NOENT);
        p = good;
        p.size = 1ull << 63;
        assert_int_equal(push(&ds, p), CTL_TOOBIG);
        assert_int_equal(size_of_file(), 0);
        assert_true(size_is_current(lab.mds.sizes, fileid));
        assert_int_equal(push(&ds, good), CTL_OK);
        assert_int_equal(size_of_file(), 1000);
}

/* NOENT would be STALE for the client, which has done nothing to the file. */
static void a_push_that_the_store_refuses_is_not_of_a_file_that_is_gone(void **state)
{
        const ctl_push p = { .fileid = fileid, .generation = generation, .size = 1000 };

        (void)state;
        store_memory_fail_write(lab.store, 0, -ENOSPC);
        assert_int_equal(push(&ds, p), CTL_NOSPC);
        store_memory_fail_write(lab.store, 0, -EIO);
        assert_int_equal(push(&ds, p), CTL_REFUSED);
        assert_int_equal(push(&ds, p), CTL_OK);
        assert_int_equal(size_of_file(), 1000);
}

/* --- answers that cannot be */

static ctl_size said;
static uint32_t sizes_said;

static bool on_call(void *arg, struct call *c)
{
        ctl_getsizes_res res = { .sizes.sizes_len = sizes_said, .sizes.sizes_val = &said };

        (void)arg;
        if (c->header.proc != CTL_GETSIZES)
                return false;
        ctl_lab_answer(c, (xdrproc_t)xdr_ctl_getsizes_res, &res);
        return true;
}

static enum nfsstat4 stat_with(uint32_t count, ctl_size size)
{
        struct user_attrs attrs;

        said = size;
        sizes_said = count;
        return user_getattr(&u, &file, &attrs);
}

static void a_size_that_cannot_be_is_no_answer(void **state)
{
        (void)state;
        ds.intercept = on_call;
        assert_int_equal(push(&ds, (ctl_push){ .fileid = fileid, .generation = generation, .dirty = true }),
                         CTL_OK);
        assert_int_equal(stat_with(1, (ctl_size){ .size = 1ull << 63, .settled = true }), NFS4ERR_DELAY);
        assert_int_equal(stat_with(1, (ctl_size){ .used = UINT64_MAX, .settled = true }), NFS4ERR_DELAY);
        assert_int_equal(stat_with(1, (ctl_size){ .status = CTL_INVAL, .settled = true }), NFS4ERR_DELAY);
        assert_int_equal(stat_with(0, said), NFS4ERR_DELAY);
        assert_int_equal(size_of_file(), 0);
        assert_int_equal(stat_with(1, (ctl_size){ .size = 77, .used = 4096, .settled = true }), NFS4_OK);
        assert_int_equal(size_of_file(), 77);
}

/* What is pushed may be less than what there is: another worker wrote more, or it waited for a connection. */
static void a_push_takes_no_announcement_back(void **state)
{
        ctl_push announced = { .fileid = fileid, .generation = generation, .dirty = true };
        ctl_push pushed = { .fileid = fileid, .generation = generation, .size = 1000 };

        (void)state;
        ds.intercept = on_call;
        assert_int_equal(push(&ds, announced), CTL_OK);
        assert_int_equal(push(&ds, pushed), CTL_OK);
        assert_int_equal(stat_with(1, (ctl_size){ .size = 77000, .settled = true }), NFS4_OK);
        assert_int_equal(size_of_file(), 77000);
}

/* A data server that does not answer costs the client a while, not for ever. */
static void one_that_does_not_answer(void **state)
{
        struct user_attrs attrs;

        (void)state;
        assert_int_equal(push(&ds, (ctl_push){ .fileid = fileid, .generation = generation, .dirty = true }),
                         CTL_OK);
        ds.hold = true;
        assert_int_equal(user_getattr(&u, &file, &attrs), NFS4ERR_DELAY);
        assert_int_equal(ds.calls > 0, true);
}

/* --- connections of nobody */

/* No TLS at all; TLS and no word; TLS and something that is no call. */
static void who_says_nothing_is_closed(void **state)
{
        struct raw_peer *plain;
        struct stream *stream;

        (void)state;
        assert_int_equal(lab.v.env.ops->connect(&lab.v.env, &lab.conf.control, &stream), 0);
        plain = raw_peer_new(stream);
        mds_lab_run_ms(&lab, 9000);
        assert_false(plain->ended);
        assert_non_null(second.conn);
        mds_lab_run_ms(&lab, 2000);
        assert_true(plain->ended);
        mds_lab_run_ms(&lab, 20000);
        assert_null(second.conn);
        raw_peer_free(plain);
}

static void who_speaks_without_the_key_is_closed(void **state)
{
        static const uint8_t noise[] = "\x80\x00\x00\x04 no TLS";
        static const uint8_t other_key[32] = { 1 };
        struct raw_peer *plain;
        struct stream *stream;

        (void)state;
        assert_int_equal(lab.v.env.ops->connect(&lab.v.env, &lab.conf.control, &stream), 0);
        plain = raw_peer_new(stream);
        raw_send(plain, noise, sizeof(noise));
        mds_lab_run_ms(&lab, 10);
        assert_true(plain->ended);
        raw_peer_free(plain);
        fake_ds_stop(&second);
        fake_ds_start(&second, &lab.v.env, &lab.conf.control, other_key, 2);
        fake_ds_dial(&second);
        mds_lab_run_ms(&lab, 10);
        assert_null(second.conn);
}

/* --- the end */

/* An EOF that waits for another data server, a PUSH that waits for the store: both go with the server. */
static void stopping_while_calls_wait(void **state)
{
        ctl_push p = { .fileid = fileid, .generation = generation, .dirty = true };
        ctl_push_args pushed = { .files.files_len = 1, .files.files_val = &p };
        ctl_eof_args asked = { .fileid = fileid, .generation = generation };
        ctl_push_res push_res = { .statuses.statuses_len = 0 };
        ctl_eof_res eof_res = { .status = CTL_IO };
        struct fake_call eof, size;

        (void)state;
        assert_int_equal(push(&ds, p), CTL_OK);
        ds.hold = true;
        fake_ds_call(&ds, &eof, CTL_EOF, (xdrproc_t)xdr_ctl_eof_args, &asked, (xdrproc_t)xdr_ctl_eof_res,
                     &eof_res);
        mds_lab_run_ms(&lab, 10);
        p.size = 5;
        fake_ds_call(&ds, &size, CTL_PUSH, (xdrproc_t)xdr_ctl_push_args, &pushed, (xdrproc_t)xdr_ctl_push_res,
                     &push_res);
        virtual_env_run(&lab.v, 1000); /* it is taken, and not durable yet */
        mds_lab_restart(&lab, false);
        assert_true(eof.done && !eof.ok);
        assert_true(size.done);
        xdr_free((xdrproc_t)xdr_ctl_push_res, (char *)&push_res);
        fake_ds_dial(&ds);
        assert_int_equal(fake_ds_hello(&ds, &lab.v, NULL), CTL_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_new_one_is_given_a_number_for_ever),
                TEST(one_that_comes_back_replaces_its_connection),
                TEST(a_silent_one_gets_no_new_files_and_is_closed_later),
                TEST(a_full_one_gets_no_new_files),
                TEST(a_connection_has_one_owner),
                TEST(a_name_is_taken_while_its_owner_is_here),
                TEST(a_hello_that_makes_no_sense),
                TEST(a_heartbeat_that_makes_no_sense_is_none),
                TEST(a_push_that_makes_no_sense_changes_nothing),
                TEST(a_push_that_the_store_refuses_is_not_of_a_file_that_is_gone),
                TEST(a_size_that_cannot_be_is_no_answer),
                TEST(a_push_takes_no_announcement_back),
                TEST(one_that_does_not_answer),
                TEST(who_says_nothing_is_closed),
                TEST(who_speaks_without_the_key_is_closed),
                TEST(stopping_while_calls_wait),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
