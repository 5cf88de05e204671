/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/door_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct xdr_out door_x;
struct xdr_in door_in;
static uint32_t count_at, ops;

bool door_is_mds(void)
{
        return door.v == &door.mds_v;
}

struct nfs4_server *door_nfs(void)
{
        return door_is_mds() ? &door.mds->nfs : &door.ds.ds->workers[0]->nfs;
}

void door_bare(const struct rpc_cred *cred)
{
        door_x = door_begin(1, NFS4_PROGRAM, NFS4_VERSION, NFSPROC4_COMPOUND, cred);
        xdr_put_u32(&door_x, 0);
        xdr_put_u32(&door_x, 1);
        count_at = xdr_head_length(&door_x);
        xdr_put_u32(&door_x, 0);
        ops = 0;
}

void door_op(uint32_t opnum)
{
        ops++;
        xdr_put_u32(&door_x, opnum);
}

enum nfsstat4 door_call(struct raw_peer *p)
{
        return door_call_with(p, 0);
}

enum nfsstat4 door_call_with(struct raw_peer *p, uint32_t zeros)
{
        uint32_t length = xdr_head_length(&door_x);
        uint8_t *record = calloc(1, length + zeros);
        enum nfsstat4 status;

        assert_non_null(record);
        xdr_patch_u32(&door_x, count_at, ops);
        memcpy(record, door_record, length);
        raw_send_record(p, record, length + zeros, 0);
        free(record);
        door_run_ms(10);
        door_in = raw_expect(p, 1, RPC_SUCCESS);
        status = xdr_get_u32(&door_in);
        xdr_get_u32(&door_in);
        xdr_get_u32(&door_in);
        return status;
}

enum nfsstat4 door_result(uint32_t opnum)
{
        assert_int_equal(xdr_get_u32(&door_in), opnum);
        return xdr_get_u32(&door_in);
}

void door_put_sequence(const uint8_t id[NFS4_SESSIONID_SIZE], uint32_t seqid, uint32_t slot, uint32_t highest,
                       bool cache_this)
{
        door_op(OP_SEQUENCE);
        xdr_put_fixed(&door_x, id, NFS4_SESSIONID_SIZE);
        xdr_put_u32(&door_x, seqid);
        xdr_put_u32(&door_x, slot);
        xdr_put_u32(&door_x, highest);
        xdr_put_bool(&door_x, cache_this);
}

enum nfsstat4 door_say_who(struct raw_peer *p, const struct rpc_cred *cred, const char *owner,
                           uint64_t verifier, uint64_t *ret_clientid)
{
        enum nfsstat4 status;
        uint32_t flags;

        door_bare(cred);
        door_op(OP_EXCHANGE_ID);
        xdr_put_u64(&door_x, verifier);
        xdr_put_string(&door_x, owner);
        xdr_put_u32(&door_x, 0);
        xdr_put_u32(&door_x, SP4_NONE);
        xdr_put_u32(&door_x, 0);
        status = door_call(p);
        if (status != NFS4_OK)
                return status;
        assert_int_equal(door_result(OP_EXCHANGE_ID), NFS4_OK);
        *ret_clientid = xdr_get_u64(&door_in);
        xdr_get_u32(&door_in);
        flags = xdr_get_u32(&door_in);
        assert_true(flags & (door_is_mds() ? EXCHGID4_FLAG_USE_PNFS_MDS : EXCHGID4_FLAG_USE_PNFS_DS));
        return NFS4_OK;
}

static void put_channel(uint32_t max_ops, uint32_t requests)
{
        xdr_put_u32(&door_x, 0);
        xdr_put_u32(&door_x, 1049620);
        xdr_put_u32(&door_x, 1049480);
        xdr_put_u32(&door_x, 2048);
        xdr_put_u32(&door_x, max_ops);
        xdr_put_u32(&door_x, requests);
        xdr_put_u32(&door_x, 0);
}

/* Sizes as Linux asks for them are given as they are. */
static void expect_channel(uint32_t max_ops, uint32_t requests)
{
        xdr_get_u32(&door_in);
        assert_int_equal(xdr_get_u32(&door_in), 1049620);
        assert_int_equal(xdr_get_u32(&door_in), 1049480);
        xdr_get_u32(&door_in);
        assert_int_equal(xdr_get_u32(&door_in), max_ops);
        assert_int_equal(xdr_get_u32(&door_in), requests);
        assert_int_equal(xdr_get_u32(&door_in), 0);
}

void door_session_start(struct door_session *s, const char *owner, uint32_t uid, uint32_t max_ops)
{
        *s = (struct door_session){ .conn = door_dial(),
                                    .cred = { .flavor = RPC_AUTH_SYS, .uid = uid, .gid = uid },
                                    .slots = 64 };
        assert_int_equal(door_say_who(s->conn, &s->cred, owner, 1, &s->clientid), NFS4_OK);
        door_bare(&s->cred);
        door_op(OP_CREATE_SESSION);
        xdr_put_u64(&door_x, s->clientid);
        xdr_put_u32(&door_x, 1);
        xdr_put_u32(&door_x, CREATE_SESSION4_FLAG_PERSIST | CREATE_SESSION4_FLAG_CONN_BACK_CHAN);
        put_channel(max_ops, 64);
        put_channel(max_ops, 16);
        xdr_put_u32(&door_x, 0x40000000);
        xdr_put_u32(&door_x, 1);
        xdr_put_u32(&door_x, RPC_AUTH_NONE);
        assert_int_equal(door_call(s->conn), NFS4_OK);
        assert_int_equal(door_result(OP_CREATE_SESSION), NFS4_OK);
        xdr_get_fixed(&door_in, s->id, sizeof(s->id));
        xdr_get_u32(&door_in);
        assert_int_equal(xdr_get_u32(&door_in),
                         door_is_mds() ? CREATE_SESSION4_FLAG_CONN_BACK_CHAN : 0); /* never PERSIST */
        expect_channel(max_ops, 64);
}

void door_session_stop(struct door_session *s)
{
        raw_peer_free(s->conn);
        door_run_ms(10);
}

void door_in_session(struct door_session *s)
{
        door_bare(&s->cred);
        door_put_sequence(s->id, ++s->seqid, 0, 0, false);
}

enum nfsstat4 door_run(struct door_session *s)
{
        enum nfsstat4 status = door_call(s->conn);

        assert_int_equal(door_result(OP_SEQUENCE), NFS4_OK);
        xdr_get_bytes(&door_in, NFS4_SESSIONID_SIZE + 2 * 4);
        s->slots = xdr_get_u32(&door_in) + 1;
        xdr_get_bytes(&door_in, 2 * 4);
        return status;
}
