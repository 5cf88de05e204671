/* SPDX-License-Identifier: Apache-2.0 */
/* What both servers do for sessions, each as it is in production: slots that grow with their use, connections
 * that are bound, a back channel only at the metadata server, stateids that nobody made, the end. RFC 8881
 * §2.10, §18.33 to §18.38, §18.45, §18.46, §18.48, §18.50, §18.51; §13.6 for data servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lab/door_lab.h"

static bool is_mds(void)
{
        return door.v == &door.mds_v;
}

/* --- slots */

enum { CALLS = SESSION_MAX_SLOTS + 10 };

struct one_call {
        struct peer_call call;
        bool done;
};
static struct one_call calls[CALLS];

static void nothing_else(struct peer_call *call, struct xdr_out *x)
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

static bool is_ready(void *arg)
{
        return peer_ready(arg);
}

static void run_at_once(struct peer *peer, uint32_t count)
{
        for (uint32_t i = 0; i < count; i++) {
                calls[i] = (struct one_call){ .call = { .done = on_done, .encode = nothing_else } };
                assert_int_equal(peer_run(peer, &calls[i].call, false), 0);
        }
        door_run_ms(1000);
        for (uint32_t i = 0; i < count; i++)
                assert_true(calls[i].done);
}

static void slots_grow_with_their_use(void **state)
{
        static const struct rpc_program nothing[1];
        struct rpc_server *dialler = rpc_server_new(&door.v->env, door.pool, nothing, &lab_limits);
        struct peer_conf how = { .addr = door.addr,
                                 .owner = slice_str("client"),
                                 .minor = 1,
                                 .exchange_flags =
                                         is_mds() ? EXCHGID4_FLAG_USE_PNFS_MDS : EXCHGID4_FLAG_USE_PNFS_DS,
                                 .slots = SESSION_MAX_SLOTS,
                                 .timeout_ns = 10000000000,
                                 .cred = { .flavor = RPC_AUTH_SYS } };
        struct peer *peer = peer_new(dialler, &door.v->env, &how, NULL, NULL);

        (void)state;
        assert_true(virtual_env_run_until(door.v, 1000000000, is_ready, peer));
        assert_int_equal(peer_slots(peer), 64);
        run_at_once(peer, 63);
        assert_int_equal(peer_slots(peer), 64);
        run_at_once(peer, 64);
        assert_int_equal(peer_slots(peer), 128);
        run_at_once(peer, 128);
        assert_int_equal(peer_slots(peer), 256);
        run_at_once(peer, CALLS);
        assert_int_equal(peer_slots(peer), 256);
        peer_free(peer);
        door_run_ms(10);
        rpc_server_free(dialler);
}

/* --- a session by hand */

static struct raw_peer *conn;
static struct xdr_out x;
static struct xdr_in in; /* behind the status and count of the compound */
static uint64_t clientid;
static uint8_t session[NFS4_SESSIONID_SIZE];
static uint32_t seqid, count_at, ops;

static void begin_bare(void)
{
        x = door_begin(1, NFS4_PROGRAM, NFS4_VERSION, NFSPROC4_COMPOUND, &door_nobody);
        xdr_put_u32(&x, 0);
        xdr_put_u32(&x, 1);
        count_at = xdr_head_length(&x);
        xdr_put_u32(&x, 0);
        ops = 0;
}

static void op(uint32_t opnum)
{
        ops++;
        xdr_put_u32(&x, opnum);
}

static enum nfsstat4 call_over(struct raw_peer *p)
{
        enum nfsstat4 status;

        xdr_patch_u32(&x, count_at, ops);
        raw_send_record(p, door_record, xdr_head_length(&x), 0);
        door_run_ms(10);
        in = raw_expect(p, 1, RPC_SUCCESS);
        status = xdr_get_u32(&in);
        xdr_get_u32(&in);
        xdr_get_u32(&in);
        return status;
}

static void begin(void)
{
        begin_bare();
        op(OP_SEQUENCE);
        xdr_put_fixed(&x, session, sizeof(session));
        xdr_put_u32(&x, ++seqid);
        xdr_put_u32(&x, 0);
        xdr_put_u32(&x, 0);
        xdr_put_bool(&x, false);
}

/* The results stand behind SEQUENCE's. */
static enum nfsstat4 call(void)
{
        enum nfsstat4 status = call_over(conn);

        assert_int_equal(xdr_get_u32(&in), OP_SEQUENCE);
        assert_int_equal(xdr_get_u32(&in), NFS4_OK);
        xdr_get_bytes(&in, NFS4_SESSIONID_SIZE + 5 * 4);
        return status;
}

static enum nfsstat4 result(uint32_t opnum)
{
        assert_int_equal(xdr_get_u32(&in), opnum);
        return xdr_get_u32(&in);
}

static void put_channel(uint32_t requests)
{
        xdr_put_u32(&x, 0);
        xdr_put_u32(&x, 1049620);
        xdr_put_u32(&x, 1049480);
        xdr_put_u32(&x, 2048);
        xdr_put_u32(&x, 8);
        xdr_put_u32(&x, requests);
        xdr_put_u32(&x, 0);
}

/* Sizes as Linux asks for them are given as they are. */
static void expect_channel(uint32_t requests)
{
        xdr_get_u32(&in);
        assert_int_equal(xdr_get_u32(&in), 1049620);
        assert_int_equal(xdr_get_u32(&in), 1049480);
        xdr_get_u32(&in);
        assert_in_range(xdr_get_u32(&in), 8, 64);
        assert_int_equal(xdr_get_u32(&in), requests);
        assert_int_equal(xdr_get_u32(&in), 0);
}

static void make_session(void)
{
        conn = door_dial();
        door_exchange_id(conn, 1, &door_nobody, 1, 0);
        door_run_ms(10);
        in = raw_expect(conn, 1, RPC_SUCCESS);
        assert_int_equal(xdr_get_u32(&in), NFS4_OK);
        xdr_get_opaque(&in, 10);
        xdr_get_u32(&in);
        assert_int_equal(result(OP_EXCHANGE_ID), NFS4_OK);
        clientid = xdr_get_u64(&in);
        assert_int_equal(xdr_get_u32(&in), 1);
        assert_true(xdr_get_u32(&in) & (is_mds() ? EXCHGID4_FLAG_USE_PNFS_MDS : EXCHGID4_FLAG_USE_PNFS_DS));
        begin_bare();
        op(OP_CREATE_SESSION);
        xdr_put_u64(&x, clientid);
        xdr_put_u32(&x, 1);
        xdr_put_u32(&x, CREATE_SESSION4_FLAG_PERSIST | CREATE_SESSION4_FLAG_CONN_BACK_CHAN);
        put_channel(64);
        put_channel(16);
        xdr_put_u32(&x, 0x40000000);
        xdr_put_u32(&x, 1);
        xdr_put_u32(&x, RPC_AUTH_NONE);
        assert_int_equal(call_over(conn), NFS4_OK);
        assert_int_equal(result(OP_CREATE_SESSION), NFS4_OK);
        xdr_get_fixed(&in, session, sizeof(session));
        xdr_get_u32(&in);
        assert_int_equal(xdr_get_u32(&in),
                         is_mds() ? CREATE_SESSION4_FLAG_CONN_BACK_CHAN : 0); /* never PERSIST */
        expect_channel(64);
        seqid = 0;
}

static void hang_up(void)
{
        raw_peer_free(conn);
        door_run_ms(10);
}

static void connections_are_bound(void **state)
{
        struct raw_peer *second;

        (void)state;
        make_session();
        second = door_dial();
        begin_bare();
        op(OP_BIND_CONN_TO_SESSION);
        xdr_put_fixed(&x, session, sizeof(session));
        xdr_put_u32(&x, CDFC4_FORE_OR_BOTH);
        xdr_put_bool(&x, true); /* RDMA */
        assert_int_equal(call_over(second), NFS4_OK);
        assert_int_equal(result(OP_BIND_CONN_TO_SESSION), NFS4_OK);
        xdr_get_bytes(&in, NFS4_SESSIONID_SIZE);
        assert_int_equal(xdr_get_u32(&in), is_mds() ? CDFS4_BOTH : CDFS4_FORE);
        assert_int_equal(xdr_get_u32(&in), 0);
        begin_bare();
        op(OP_BIND_CONN_TO_SESSION);
        xdr_put_fixed(&x, session, sizeof(session));
        xdr_put_u32(&x, CDFC4_BACK);
        xdr_put_bool(&x, false);
        assert_int_equal(call_over(second), is_mds() ? NFS4_OK : NFS4ERR_INVAL);
        raw_peer_free(conn);
        conn = second;
        begin();
        assert_int_equal(call(), NFS4_OK);
        hang_up();
}

static void the_back_channel_is_set_anew(void **state)
{
        (void)state;
        make_session();
        begin();
        op(OP_BACKCHANNEL_CTL);
        xdr_put_u32(&x, 0x40000001);
        xdr_put_u32(&x, 1);
        xdr_put_u32(&x, RPC_AUTH_NONE);
        assert_int_equal(call(), NFS4_OK);
        begin();
        op(OP_BACKCHANNEL_CTL);
        xdr_put_u32(&x, 0x40000001);
        xdr_put_u32(&x, 0); /* no flavour at all */
        assert_int_equal(call(), NFS4ERR_NOENT);
        hang_up();
}

static void stateids_that_nobody_made(void **state)
{
        struct stateid ids[] = { { 0 }, { .seqid = 1, .other = "open state 1" }, { .seqid = UINT32_MAX } };

        (void)state;
        memset(ids[2].other, 0xff, sizeof(ids[2].other));
        make_session();
        begin();
        op(OP_TEST_STATEID);
        xdr_put_u32(&x, 3);
        for (int i = 0; i < 3; i++)
                put_stateid(&x, &ids[i]);
        assert_int_equal(call(), NFS4_OK);
        assert_int_equal(result(OP_TEST_STATEID), NFS4_OK);
        assert_int_equal(xdr_get_u32(&in), 3);
        for (int i = 0; i < 3; i++)
                assert_int_equal(xdr_get_u32(&in), NFS4ERR_BAD_STATEID);
        for (int i = 0; i < 3; i++) {
                begin();
                op(OP_FREE_STATEID);
                put_stateid(&x, &ids[i]);
                assert_int_equal(call(), NFS4ERR_BAD_STATEID);
        }
        hang_up();
}

static void reclaiming_ends_once(void **state)
{
        (void)state;
        make_session();
        for (int i = 0; i < 2; i++) {
                begin();
                op(OP_RECLAIM_COMPLETE);
                xdr_put_bool(&x, false);
                assert_int_equal(call(), i == 0 ? NFS4_OK : NFS4ERR_COMPLETE_ALREADY);
        }
        hang_up();
}

/* AUTH_SYS first, and the handle is consumed. */
static void the_root_tells_its_flavours(void **state)
{
        (void)state;
        make_session();
        begin();
        op(OP_PUTROOTFH);
        op(OP_SECINFO_NO_NAME);
        xdr_put_u32(&x, 0);
        op(OP_GETATTR);
        xdr_put_u32(&x, 0);
        assert_int_equal(call(), NFS4ERR_NOFILEHANDLE);
        assert_int_equal(result(OP_PUTROOTFH), NFS4_OK);
        assert_int_equal(result(OP_SECINFO_NO_NAME), NFS4_OK);
        assert_in_range(xdr_get_u32(&in), 1, 2);
        assert_int_equal(xdr_get_u32(&in), RPC_AUTH_SYS);
        hang_up();
}

static void the_root_is_no_file(void **state)
{
        (void)state;
        make_session();
        begin();
        op(OP_PUTROOTFH);
        op(OP_COMMIT);
        xdr_put_u64(&x, 0);
        xdr_put_u32(&x, 0);
        assert_int_equal(call(), NFS4ERR_ISDIR);
        hang_up();
}

static enum nfsstat4 destroy_clientid(void)
{
        begin_bare();
        op(OP_DESTROY_CLIENTID);
        xdr_put_u64(&x, clientid);
        return call_over(conn);
}

static enum nfsstat4 destroy_session(void)
{
        begin_bare();
        op(OP_DESTROY_SESSION);
        xdr_put_fixed(&x, session, sizeof(session));
        return call_over(conn);
}

static void a_client_goes_when_its_sessions_have_gone(void **state)
{
        (void)state;
        make_session();
        assert_int_equal(destroy_clientid(), NFS4ERR_CLIENTID_BUSY);
        assert_int_equal(destroy_session(), NFS4_OK);
        assert_int_equal(destroy_session(), NFS4ERR_BADSESSION);
        assert_int_equal(destroy_clientid(), NFS4_OK);
        assert_int_equal(destroy_clientid(), NFS4ERR_STALE_CLIENTID);
        hang_up();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                DOOR_BOTH(slots_grow_with_their_use),
                DOOR_BOTH(connections_are_bound),
                DOOR_BOTH(the_back_channel_is_set_anew),
                DOOR_BOTH(stateids_that_nobody_made),
                DOOR_BOTH(reclaiming_ends_once),
                DOOR_BOTH(the_root_tells_its_flavours),
                DOOR_DS(the_root_is_no_file),
                DOOR_BOTH(a_client_goes_when_its_sessions_have_gone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
