/* SPDX-License-Identifier: Apache-2.0 */
/* What ONC RPC asks of a server, RFC 5531 §8, §9, §11, at the NFS doors of both servers; RFC 8881 §16.2.3 for
 * minor versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lab/door_lab.h"

/* The status of the compound that answers XID. */
static enum nfsstat4 compound_status(struct raw_peer *p, uint32_t xid)
{
        struct xdr_in x;

        door_run_ms(10);
        x = raw_expect(p, xid, RPC_SUCCESS);
        return xdr_get_u32(&x);
}

/* --- records and calls */

static void fragments_make_a_record(void **state)
{
        struct raw_peer *p = door_dial();

        (void)state;
        for (uint32_t fragment = 1; fragment < 100; fragment += 33) {
                door_exchange_id(p, fragment, &door_nobody, 1, fragment);
                assert_int_equal(compound_status(p, fragment), NFS4_OK);
        }
        raw_peer_free(p);
        door_run_ms(10);
}

static void many_calls_may_be_outstanding(void **state)
{
        struct raw_peer *p = door_dial();
        bool seen[64] = { false };
        struct slice reply;
        uint32_t count = 0;

        (void)state;
        for (uint32_t xid = 0; xid < 64; xid++)
                if (xid % 2)
                        door_null(p, xid, 0);
                else
                        door_exchange_id(p, xid, &door_nobody, 1, 0);
        door_run_ms(100);
        for (; raw_next(p, &reply); count++) {
                struct xdr_in x = xdr_in_of(reply);
                uint32_t xid = xdr_get_u32(&x);

                assert_true(xid < 64 && !seen[xid]);
                seen[xid] = true;
        }
        assert_int_equal(count, 64);
        raw_peer_free(p);
        door_run_ms(10);
}

static void both_flavours_and_minor_versions_are_served(void **state)
{
        static const struct rpc_cred unix_cred = { .flavor = RPC_AUTH_SYS,
                                                   .uid = 1,
                                                   .gid_count = RPC_MAX_GIDS };
        struct raw_peer *p = door_dial();

        (void)state;
        for (uint32_t minor = 0; minor < 4; minor++) {
                enum nfsstat4 wanted = minor == 1 || minor == 2 ? NFS4_OK : NFS4ERR_MINOR_VERS_MISMATCH;

                door_exchange_id(p, minor, &door_nobody, minor, 0);
                assert_int_equal(compound_status(p, minor), wanted);
                door_exchange_id(p, minor, &unix_cred, minor, 0);
                assert_int_equal(compound_status(p, minor), wanted);
        }
        raw_peer_free(p);
        door_run_ms(10);
}

static void calls_that_are_none_of_ours(void **state)
{
        struct raw_peer *p = door_dial();
        struct xdr_out out = door_begin(1, 100003 + 1, NFS4_VERSION, 0, &door_nobody);
        struct xdr_in x;

        (void)state;
        raw_send_record(p, door_record, xdr_head_length(&out), 0);
        out = door_begin(2, NFS4_PROGRAM, 3, 0, &door_nobody);
        raw_send_record(p, door_record, xdr_head_length(&out), 0);
        out = door_begin(3, NFS4_PROGRAM, NFS4_VERSION, 2, &door_nobody);
        raw_send_record(p, door_record, xdr_head_length(&out), 0);
        out = door_begin(4, NFS4_PROGRAM, NFS4_VERSION, NFSPROC4_COMPOUND, &door_nobody);
        raw_send_record(p, door_record, xdr_head_length(&out), 0);
        door_run_ms(10);
        raw_expect(p, 1, RPC_PROG_UNAVAIL);
        x = raw_expect(p, 2, RPC_PROG_MISMATCH);
        assert_int_equal(xdr_get_u32(&x), NFS4_VERSION);
        assert_int_equal(xdr_get_u32(&x), NFS4_VERSION);
        raw_expect(p, 3, RPC_PROC_UNAVAIL);
        raw_expect(p, 4, RPC_GARBAGE_ARGS);
        door_is_served(p);
        raw_peer_free(p);
        door_run_ms(10);
}

/* The next reply is MSG_DENIED, with these two numbers. */
static void is_denied(struct raw_peer *p, uint32_t stat, uint32_t why)
{
        struct slice reply = { 0 };
        struct xdr_in x;

        door_run_ms(10);
        assert_true(raw_next(p, &reply));
        x = xdr_in_of(reply);
        xdr_get_bytes(&x, 8);
        assert_int_equal(xdr_get_u32(&x), RPC_MSG_DENIED);
        assert_int_equal(xdr_get_u32(&x), stat);
        assert_int_equal(xdr_get_u32(&x), why);
}

static void credentials_that_are_none(void **state)
{
        enum { RPCVERS_AT = 8, FLAVOUR_AT = 24, LENGTH_AT = 28, VERIFIER_AT = 32 };
        static const struct rpc_cred unix_cred = { .flavor = RPC_AUTH_SYS };
        struct raw_peer *p = door_dial();
        struct xdr_out out = door_begin(1, NFS4_PROGRAM, NFS4_VERSION, 0, &door_nobody);

        (void)state;
        door_record[FLAVOUR_AT + 3] = RPC_AUTH_GSS;
        raw_send_record(p, door_record, xdr_head_length(&out), 0);
        is_denied(p, RPC_AUTH_ERROR, RPC_AUTH_REJECTEDCRED);
        out = door_begin(2, NFS4_PROGRAM, NFS4_VERSION, 0, &door_nobody);
        door_record[VERIFIER_AT + 3] = RPC_AUTH_SYS;
        raw_send_record(p, door_record, xdr_head_length(&out), 0);
        is_denied(p, RPC_AUTH_ERROR, RPC_AUTH_BADVERF);
        out = door_begin(3, NFS4_PROGRAM, NFS4_VERSION, 0, &unix_cred);
        door_record[LENGTH_AT + 4 + 20 + 3] = RPC_MAX_GIDS + 1; /* how many gids follow */
        raw_send_record(p, door_record, xdr_head_length(&out), 0);
        is_denied(p, RPC_AUTH_ERROR, RPC_AUTH_BADCRED);
        out = door_begin(4, NFS4_PROGRAM, NFS4_VERSION, 0, &door_nobody);
        door_record[RPCVERS_AT + 3] = 3;
        raw_send_record(p, door_record, xdr_head_length(&out), 0);
        is_denied(p, RPC_MISMATCH, RPC_VERS);
        door_is_served(p);
        raw_peer_free(p);
        door_run_ms(10);
}

/* --- replies in any order */

struct one_call {
        struct peer_call call;
        bool done;
};

static void make_folder(struct peer_call *call, struct xdr_out *x)
{
        call->ops = 2;
        xdr_put_u32(x, OP_PUTROOTFH);
        xdr_put_u32(x, OP_CREATE);
        xdr_put_u32(x, NF4DIR);
        xdr_put_string(x, "folder");
        xdr_put_u32(x, 0); /* no attributes */
        xdr_put_u32(x, 0);
}

static void only_sequence(struct peer_call *call, struct xdr_out *x)
{
        (void)x;
        call->ops = 0;
}

static void on_done(struct peer_call *call, enum rpc_result result, enum nfsstat4 status, struct xdr_in *x)
{
        (void)x;
        assert_int_equal(result, RPC_DONE);
        assert_int_equal(status, NFS4_OK);
        CONTAINER(call, struct one_call, call)->done = true;
}

/* The first call waits for what the second does not wait for. */
static void a_ds_replies_when_it_can(void **state)
{
        struct lab_client client;
        struct one_call later = { .call = { .done = on_done, .encode = only_sequence } };
        uint8_t data[8];
        struct lab_io read = { .opnum = OP_READ, .count = 8, .data = data };
        struct fh fh;

        (void)state;
        lab_client_start(&client, &door.ds, "client");
        fh = lab_fh(&client);
        door.ds.mds.hold_eof = true;
        lab_io_start(&client, &read, &fh);
        door_run_ms(10);
        assert_int_equal(peer_run(client.peer, &later.call, false), 0);
        door_run_ms(10);
        assert_true(later.done && !read.done);
        door.ds.mds.hold_eof = false;
        fake_mds_release(&door.ds.mds);
        assert_true(lab_io_wait(&read, 1000));
        assert_int_equal(read.status, NFS4_OK);
        lab_client_stop(&client);
        door_run_ms(10);
}

static bool is_ready(void *arg)
{
        return peer_ready(arg);
}

static void the_mds_replies_when_it_can(void **state)
{
        static const struct rpc_program nothing[1];
        struct rpc_server *dialler = rpc_server_new(&door.v->env, door.mds->pool, nothing, &lab_limits);
        struct peer_conf how = { .addr = door.addr,
                                 .owner = slice_str("client"),
                                 .minor = 1,
                                 .exchange_flags = EXCHGID4_FLAG_USE_PNFS_MDS,
                                 .slots = 8,
                                 .timeout_ns = 10000000000,
                                 .cred = { .flavor = RPC_AUTH_SYS } };
        struct peer *peer = peer_new(dialler, &door.v->env, &how, NULL, NULL);
        struct one_call first = { .call = { .done = on_done, .encode = make_folder } };
        struct one_call later = { .call = { .done = on_done, .encode = only_sequence } };

        (void)state;
        assert_true(virtual_env_run_until(door.v, 1000000000, is_ready, peer));
        store_memory_set_sync_ns(door.store, 1000000000);
        assert_int_equal(peer_run(peer, &first.call, false), 0);
        door_run_ms(10);
        assert_int_equal(peer_run(peer, &later.call, false), 0);
        door_run_ms(10);
        assert_true(later.done && !first.done);
        door_run_ms(2000);
        assert_true(first.done);
        store_memory_set_sync_ns(door.store, 0);
        peer_free(peer);
        door_run_ms(10);
        rpc_server_free(dialler);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                DOOR_BOTH(fragments_make_a_record),
                DOOR_BOTH(many_calls_may_be_outstanding),
                DOOR_BOTH(both_flavours_and_minor_versions_are_served),
                DOOR_BOTH(calls_that_are_none_of_ours),
                DOOR_BOTH(credentials_that_are_none),
                DOOR_DS(a_ds_replies_when_it_can),
                DOOR_MDS(the_mds_replies_when_it_can),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
