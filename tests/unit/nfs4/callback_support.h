/* SPDX-License-Identifier: Apache-2.0 */
/* The client's end of a back channel: what it saw last, what it answers, and calls to it. */
#pragma once

#include "nfs4/callback.h"
#include "tests/unit/nfs4/support.h"

static struct lab_session s;
static struct client *client;

/* What the client's end saw last, and what it answers. */
static struct {
        uint32_t calls, seqid, slot, arg, encoded;
        uint8_t session[NFS4_SESSIONID_SIZE];
        struct referring refers; /* seqid 0: no referring call */
        enum nfsstat4 sequence, operation;
        uint32_t refuse; /* so many times, then all is well */
        bool hold;
        struct call *held[SESSION_BACK_SLOTS + 1];
        uint32_t held_count;
} end;

static inline void answer(struct call *call)
{
        struct xdr_out *x = &call->out;
        bool refused = end.sequence != NFS4_OK;

        xdr_put_u32(x, refused ? end.sequence : end.operation);
        xdr_put_u32(x, 0);
        xdr_put_u32(x, refused ? 1 : 2);
        xdr_put_u32(x, OP_CB_SEQUENCE);
        xdr_put_u32(x, end.sequence);
        if (!refused) {
                xdr_put_fixed(x, end.session, sizeof(end.session));
                xdr_put_u32(x, end.seqid);
                xdr_put_u32(x, end.slot);
                xdr_put_u32(x, 15);
                xdr_put_u32(x, 15);
                xdr_put_u32(x, OP_CB_RECALL_ANY);
                xdr_put_u32(x, end.operation);
                xdr_put_u32(x, 4712); /* what an operation might return */
        }
        if (end.refuse > 0 && --end.refuse == 0)
                end.sequence = end.operation = NFS4_OK;
        call_reply(call);
}

static inline void get_referring(struct xdr_in *x)
{
        end.refers = (struct referring){ 0 };
        if (xdr_get_u32(x) == 0)
                return;
        xdr_get_fixed(x, end.refers.session, sizeof(end.refers.session));
        assert_int_equal(xdr_get_u32(x), 1);
        end.refers.seqid = xdr_get_u32(x);
        end.refers.slot = xdr_get_u32(x);
}

static inline void on_callback(struct nfs4_lab *l, struct call *call)
{
        struct xdr_in *x = &call->args;

        assert_ptr_equal(l, &lab);
        end.calls++;
        xdr_get_opaque(x, 100);
        assert_int_equal(xdr_get_u32(x), 1); /* minor version of the session */
        xdr_get_u32(x);
        assert_int_equal(xdr_get_u32(x), 2);
        assert_int_equal(xdr_get_u32(x), OP_CB_SEQUENCE);
        xdr_get_fixed(x, end.session, sizeof(end.session));
        end.seqid = xdr_get_u32(x);
        end.slot = xdr_get_u32(x);
        assert_in_range(xdr_get_u32(x), end.slot, SESSION_BACK_SLOTS - 1);
        assert_int_equal(xdr_get_u32(x), 0); /* cachethis */
        get_referring(x);
        assert_int_equal(xdr_get_u32(x), OP_CB_RECALL_ANY);
        end.arg = xdr_get_u32(x);
        assert_false(x->bad);
        if (end.hold)
                end.held[end.held_count++] = call;
        else
                answer(call);
}

static inline int setup_back(void **unused)
{
        setup(unused);
        memset(&end, 0, sizeof(end));
        lab.on_callback = on_callback;
        assert_int_equal(exchange("verifier", 0, &s), NFS4_OK);
        assert_int_equal(lab_create_session(&lab, &s, 1, CREATE_SESSION4_FLAG_CONN_BACK_CHAN, &lab_fore,
                                            &lab_back),
                         NFS4_OK);
        assert_int_equal(lab_ping(&lab, &s, 0), NFS4_OK);
        client = client_by_id(&lab.nfs, s.clientid);
        return 0;
}

static inline void answer_held(void)
{
        end.hold = false;
        while (end.held_count > 0)
                answer(end.held[--end.held_count]);
        nfs4_lab_run_ms(&lab, 1);
}

static inline int teardown_back(void **unused)
{
        answer_held();
        return teardown(unused);
}

struct one {
        struct callback *cb;
        uint32_t done, arg, result;
        enum nfsstat4 status;
};

static inline void on_done(void *arg, enum nfsstat4 status, struct xdr_in *results)
{
        struct one *o = arg;

        o->done++;
        o->status = status;
        assert_int_equal(results == NULL, status == NFS4ERR_CB_PATH_DOWN);
        o->result = results ? xdr_get_u32(results) : 0;
}

static inline void encode(void *arg, struct xdr_out *x)
{
        end.encoded++;
        xdr_put_u32(x, ((struct one *)arg)->arg);
}

static inline void send_with(struct one *o, uint32_t seconds, struct referring refers)
{
        struct callback_what what = { .opnum = OP_CB_RECALL_ANY,
                                      .seconds = seconds,
                                      .refers = refers,
                                      .arg = o,
                                      .encode = encode,
                                      .done = on_done };

        *o = (struct one){ .arg = 4711 };
        o->cb = callback_send(&lab.nfs, client, &what);
        assert_non_null(o->cb);
        assert_int_equal(o->done, 0);
}

static inline void send_one(struct one *o)
{
        send_with(o, 60, (struct referring){ 0 });
        nfs4_lab_run_ms(&lab, 1);
}

static inline void assert_done(const struct one *o, enum nfsstat4 expected)
{
        assert_int_equal(o->done, 1);
        assert_int_equal(o->status, expected);
}

static inline void assert_answered(enum nfsstat4 expected)
{
        struct one o;

        send_one(&o);
        assert_done(&o, expected);
        assert_int_equal(o.result, 4712);
}

static inline struct session *session(void)
{
        return session_by_id(&lab.nfs, s.id);
}

/* sr_status_flags of a SEQUENCE. */
static inline uint32_t status_flags(struct lab_session *on)
{
        lab_begin_in(&k, &lab, on, 1, false);
        assert_int_equal(lab_call(&k), NFS4_OK);
        xdr_get_bytes(&k.in, 4 + 4 + NFS4_SESSIONID_SIZE + 4 * 4);
        return xdr_get_u32(&k.in);
}

static inline void bind(struct lab_session *to, struct conn *over)
{
        lab_begin(&k, &lab, over, 1);
        lab_op(&k, OP_BIND_CONN_TO_SESSION);
        xdr_put_fixed(k.x, to->id, sizeof(to->id));
        xdr_put_u32(k.x, CDFC4_FORE_OR_BOTH);
        xdr_put_bool(k.x, false);
        assert_int_equal(lab_call(&k), NFS4_OK);
        nfs4_lab_run_ms(&lab, 1);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_back, teardown_back)
