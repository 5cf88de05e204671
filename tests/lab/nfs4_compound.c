/* SPDX-License-Identifier: Apache-2.0 */
/* Compounds by hand: see nfs4_lab.h. */
#include <stdlib.h>

#include "tests/lab/nfs4_lab.h"

static void on_done(struct rpc_req *req, enum rpc_result result, struct xdr_in *results)
{
        struct lab_compound *k = CONTAINER(req, struct lab_compound, req);

        k->ended = true;
        k->result = result;
        if (result != RPC_DONE)
                return;
        k->reply_length = xdr_left(results);
        CHECK(k->reply_length <= sizeof(k->reply));
        memcpy(k->reply, results->p, k->reply_length);
        k->in = xdr_in_of(slice_of(k->reply, k->reply_length));
        k->status = xdr_get_u32(&k->in);
        xdr_get_opaque(&k->in, NFS4_OPAQUE_LIMIT);
        k->results = xdr_get_u32(&k->in);
        CHECK(!k->in.bad);
}

void lab_begin(struct lab_compound *k, struct nfs4_lab *lab, struct conn *conn, uint32_t minor)
{
        memset(k, 0, offsetof(struct lab_compound, reply));
        k->lab = lab;
        k->req.done = on_done;
        CHECK(rpc_req_begin(&k->req, conn, NFS4_PROGRAM, NFS4_VERSION, NFSPROC4_COMPOUND, &lab_cred, true) ==
              0);
        k->x = &k->req.out;
        xdr_put_u32(k->x, 0);
        xdr_put_u32(k->x, minor);
        k->count_at = xdr_head_length(k->x);
        xdr_put_u32(k->x, 0);
}

struct xdr_out *lab_op(struct lab_compound *k, uint32_t opnum)
{
        k->ops++;
        xdr_put_u32(k->x, opnum);
        return k->x;
}

void lab_send(struct lab_compound *k)
{
        xdr_patch_u32(k->x, k->count_at, k->ops);
        rpc_req_send(&k->req, 1000 * LAB_SECOND);
        nfs4_lab_run_ms(k->lab, 1);
}

enum nfsstat4 lab_call(struct lab_compound *k)
{
        lab_send(k);
        CHECK(k->ended && k->result == RPC_DONE);
        return k->status;
}

enum nfsstat4 lab_result(struct lab_compound *k, uint32_t opnum)
{
        uint32_t got = xdr_get_u32(&k->in), status = xdr_get_u32(&k->in);

        CHECK(got == opnum && !k->in.bad);
        if (opnum == OP_SEQUENCE && status == NFS4_OK)
                xdr_get_bytes(&k->in, NFS4_SESSIONID_SIZE + 5 * 4);
        return status;
}

/* --- sessions */

enum nfsstat4 lab_exchange_id(struct nfs4_lab *lab, struct conn *conn, const char *owner,
                              const char verifier[8], uint32_t flags, struct lab_session *ret)
{
        struct lab_compound *k = malloc(sizeof(*k));
        enum nfsstat4 status;

        lab_begin(k, lab, conn, 1);
        lab_op(k, OP_EXCHANGE_ID);
        xdr_put_fixed(k->x, verifier, NFS4_VERIFIER_SIZE);
        xdr_put_string(k->x, owner);
        xdr_put_u32(k->x, flags);
        xdr_put_u32(k->x, SP4_NONE);
        xdr_put_u32(k->x, 0);
        status = lab_call(k);
        if (status == NFS4_OK) {
                *ret = (struct lab_session){ .conn = conn };
                lab_result(k, OP_EXCHANGE_ID);
                ret->clientid = xdr_get_u64(&k->in);
                ret->create_seqid = xdr_get_u32(&k->in);
                ret->flags = xdr_get_u32(&k->in);
        }
        free(k);
        return status;
}

static void put_channel(struct xdr_out *x, const struct channel_attrs *a)
{
        xdr_put_u32(x, a->headerpad);
        xdr_put_u32(x, a->max_request);
        xdr_put_u32(x, a->max_response);
        xdr_put_u32(x, a->max_response_cached);
        xdr_put_u32(x, a->max_ops);
        xdr_put_u32(x, a->max_requests);
        xdr_put_u32(x, 0);
}

static void get_channel(struct xdr_in *x, struct channel_attrs *a)
{
        a->headerpad = xdr_get_u32(x);
        a->max_request = xdr_get_u32(x);
        a->max_response = xdr_get_u32(x);
        a->max_response_cached = xdr_get_u32(x);
        a->max_ops = xdr_get_u32(x);
        a->max_requests = xdr_get_u32(x);
        CHECK(xdr_get_u32(x) == 0 && !x->bad);
}

enum nfsstat4 lab_create_session(struct nfs4_lab *lab, struct lab_session *s, uint32_t seqid, uint32_t flags,
                                 const struct channel_attrs *fore, const struct channel_attrs *back)
{
        struct lab_compound *k = malloc(sizeof(*k));
        enum nfsstat4 status;

        lab_begin(k, lab, s->conn, 1);
        lab_op(k, OP_CREATE_SESSION);
        xdr_put_u64(k->x, s->clientid);
        xdr_put_u32(k->x, seqid);
        xdr_put_u32(k->x, flags);
        put_channel(k->x, fore);
        put_channel(k->x, back);
        xdr_put_u32(k->x, NFS4_CB_PROGRAM_LINUX);
        xdr_put_u32(k->x, 1);
        xdr_put_u32(k->x, RPC_AUTH_NONE);
        status = lab_call(k);
        if (status == NFS4_OK) {
                lab_result(k, OP_CREATE_SESSION);
                xdr_get_fixed(&k->in, s->id, sizeof(s->id));
                CHECK(xdr_get_u32(&k->in) == seqid);
                s->flags = xdr_get_u32(&k->in);
                get_channel(&k->in, &s->fore);
                get_channel(&k->in, &s->back);
                memset(s->seqid, 0, sizeof(s->seqid));
        }
        free(k);
        return status;
}

void lab_session_start(struct nfs4_lab *lab, const char *owner, struct lab_session *ret)
{
        struct conn *conn = nfs4_lab_dial(lab);

        CHECK(lab_exchange_id(lab, conn, owner, "verifier", 0, ret) == NFS4_OK);
        CHECK(lab_create_session(lab, ret, ret->create_seqid, 0, &lab_fore, &lab_back) == NFS4_OK);
}

void lab_put_sequence(struct lab_compound *k, const struct lab_session *s, uint32_t slot, uint32_t seqid,
                      bool cache_this)
{
        lab_op(k, OP_SEQUENCE);
        xdr_put_fixed(k->x, s->id, sizeof(s->id));
        xdr_put_u32(k->x, seqid);
        xdr_put_u32(k->x, slot);
        xdr_put_u32(k->x, slot);
        xdr_put_bool(k->x, cache_this);
}

void lab_begin_in(struct lab_compound *k, struct nfs4_lab *lab, struct lab_session *s, uint32_t slot,
                  bool cache_this)
{
        lab_begin(k, lab, s->conn, 1);
        lab_put_sequence(k, s, slot, ++s->seqid[slot], cache_this);
}

enum nfsstat4 lab_ping(struct nfs4_lab *lab, struct lab_session *s, uint32_t slot)
{
        struct lab_compound *k = malloc(sizeof(*k));
        enum nfsstat4 status;

        lab_begin_in(k, lab, s, slot, false);
        status = lab_call(k);
        free(k);
        return status;
}
