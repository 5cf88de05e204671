/* SPDX-License-Identifier: Apache-2.0 */
/* What both servers do for sessions, each as it is in production: slots that grow with their use, connections
 * that are bound, a back channel only at the metadata server, stateids that nobody made, the end. RFC 8881
 * §2.10, §18.33 to §18.38, §18.45, §18.46, §18.48, §18.50, §18.51; §13.6 for data servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lab/door_session.h"

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
                                 .exchange_flags = door_is_mds() ? EXCHGID4_FLAG_USE_PNFS_MDS
                                                                 : EXCHGID4_FLAG_USE_PNFS_DS,
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

/* --- sessions by hand */

static struct door_session client;

static void make_session(void)
{
        door_session_start(&client, "owner", 0, 8);
}

static void hang_up(void)
{
        door_session_stop(&client);
}

static void begin_bare(void)
{
        door_bare(&client.cred);
}

static void begin(void)
{
        door_in_session(&client);
}

static enum nfsstat4 call(void)
{
        return door_run(&client);
}

static void connections_are_bound(void **state)
{
        struct raw_peer *second;

        (void)state;
        make_session();
        second = door_dial();
        begin_bare();
        door_op(OP_BIND_CONN_TO_SESSION);
        xdr_put_fixed(&door_x, client.id, sizeof(client.id));
        xdr_put_u32(&door_x, CDFC4_FORE_OR_BOTH);
        xdr_put_bool(&door_x, true); /* RDMA */
        assert_int_equal(door_call(second), NFS4_OK);
        assert_int_equal(door_result(OP_BIND_CONN_TO_SESSION), NFS4_OK);
        xdr_get_bytes(&door_in, NFS4_SESSIONID_SIZE);
        assert_int_equal(xdr_get_u32(&door_in), door_is_mds() ? CDFS4_BOTH : CDFS4_FORE);
        assert_int_equal(xdr_get_u32(&door_in), 0);
        begin_bare();
        door_op(OP_BIND_CONN_TO_SESSION);
        xdr_put_fixed(&door_x, client.id, sizeof(client.id));
        xdr_put_u32(&door_x, CDFC4_BACK);
        xdr_put_bool(&door_x, false);
        assert_int_equal(door_call(second), door_is_mds() ? NFS4_OK : NFS4ERR_INVAL);
        raw_peer_free(client.conn);
        client.conn = second;
        begin();
        assert_int_equal(call(), NFS4_OK);
        hang_up();
}

static void the_back_channel_is_set_anew(void **state)
{
        (void)state;
        make_session();
        begin();
        door_op(OP_BACKCHANNEL_CTL);
        xdr_put_u32(&door_x, 0x40000001);
        xdr_put_u32(&door_x, 1);
        xdr_put_u32(&door_x, RPC_AUTH_NONE);
        assert_int_equal(call(), NFS4_OK);
        begin();
        door_op(OP_BACKCHANNEL_CTL);
        xdr_put_u32(&door_x, 0x40000001);
        xdr_put_u32(&door_x, 0); /* no flavour at all */
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
        door_op(OP_TEST_STATEID);
        xdr_put_u32(&door_x, 3);
        for (int i = 0; i < 3; i++)
                put_stateid(&door_x, &ids[i]);
        assert_int_equal(call(), NFS4_OK);
        assert_int_equal(door_result(OP_TEST_STATEID), NFS4_OK);
        assert_int_equal(xdr_get_u32(&door_in), 3);
        for (int i = 0; i < 3; i++)
                assert_int_equal(xdr_get_u32(&door_in), NFS4ERR_BAD_STATEID);
        for (int i = 0; i < 3; i++) {
                begin();
                door_op(OP_FREE_STATEID);
                put_stateid(&door_x, &ids[i]);
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
                door_op(OP_RECLAIM_COMPLETE);
                xdr_put_bool(&door_x, false);
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
        door_op(OP_PUTROOTFH);
        door_op(OP_SECINFO_NO_NAME);
        xdr_put_u32(&door_x, 0);
        door_op(OP_GETATTR);
        xdr_put_u32(&door_x, 0);
        assert_int_equal(call(), NFS4ERR_NOFILEHANDLE);
        assert_int_equal(door_result(OP_PUTROOTFH), NFS4_OK);
        assert_int_equal(door_result(OP_SECINFO_NO_NAME), NFS4_OK);
        assert_in_range(xdr_get_u32(&door_in), 1, 2);
        assert_int_equal(xdr_get_u32(&door_in), RPC_AUTH_SYS);
        hang_up();
}

static void the_root_is_no_file(void **state)
{
        (void)state;
        make_session();
        begin();
        door_op(OP_PUTROOTFH);
        door_op(OP_COMMIT);
        xdr_put_u64(&door_x, 0);
        xdr_put_u32(&door_x, 0);
        assert_int_equal(call(), NFS4ERR_ISDIR);
        hang_up();
}

static enum nfsstat4 destroy_clientid(void)
{
        begin_bare();
        door_op(OP_DESTROY_CLIENTID);
        xdr_put_u64(&door_x, client.clientid);
        return door_call(client.conn);
}

static enum nfsstat4 destroy_session(void)
{
        begin_bare();
        door_op(OP_DESTROY_SESSION);
        xdr_put_fixed(&door_x, client.id, sizeof(client.id));
        return door_call(client.conn);
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
