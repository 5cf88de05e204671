/* SPDX-License-Identifier: Apache-2.0 */
/* A peer, and calls that do one thing each: what the tests of the peer share. */
#pragma once

#include <cmocka.h>

#include "nfs4/peer.h"
#include "tests/lab/nfs4_lab.h"

enum { TIMEOUT_SECONDS = 20, SLOTS = 4 };

static struct nfs4_lab lab;
static struct peer *peer;
static const char *state;
static unsigned changes;

static void on_state(void *arg, struct peer *p, const char *now)
{
        assert_ptr_equal(arg, &lab);
        assert_true(peer_ready(p) == (now == NULL));
        state = now;
        changes++;
}

static struct peer_conf conf(void)
{
        struct peer_conf c = { .owner = slice_str("peer"),
                               .minor = 1,
                               .slots = SLOTS,
                               .cred.flavor = RPC_AUTH_SYS,
                               .timeout_ns = TIMEOUT_SECONDS * LAB_SECOND };

        memcpy(c.verifier, "verifier", NFS4_VERIFIER_SIZE);
        return c;
}

static int setup(void **unused)
{
        struct peer_conf c = conf();

        (void)unused;
        nfs4_lab_start(&lab);
        state = "never told";
        changes = 0;
        peer = peer_new(lab.dialler, &lab.v.env, &c, on_state, &lab);
        return 0;
}

static int setup_up(void **unused)
{
        setup(unused);
        nfs4_lab_run_ms(&lab, 10);
        assert_true(peer_ready(peer));
        return 0;
}

static int teardown(void **unused)
{
        (void)unused;
        peer_free(peer);
        nfs4_lab_stop(&lab);
        return 0;
}

/* --- a call that does one thing */

struct one {
        struct peer_call call;
        uint32_t opnum, arg, ops;
        int done;
        enum rpc_result result;
        enum nfsstat4 status;
        uint32_t word;
        bool free_peer, again;
};

static void encode(struct peer_call *call, struct xdr_out *x)
{
        const struct one *o = CONTAINER(call, struct one, call);

        for (uint32_t i = 0; i < o->ops; i++) {
                xdr_put_u32(x, o->opnum);
                if (o->opnum != LAB_OP_COUNT)
                        xdr_put_u32(x, o->arg);
                if (o->opnum == LAB_OP_WAIT)
                        xdr_put_bool(x, false);
        }
        call->ops = o->ops;
}

static void on_done(struct peer_call *call, enum rpc_result result, enum nfsstat4 status, struct xdr_in *x)
{
        struct one *o = CONTAINER(call, struct one, call);

        o->done++;
        o->result = result;
        o->status = status;
        assert_true((x != NULL) == (result == RPC_DONE));
        if (result == RPC_DONE && status == NFS4_OK) {
                assert_int_equal(peer_result(x, o->opnum), NFS4_OK);
                o->word = xdr_get_u32(x);
                assert_false(x->bad);
        }
        if (o->free_peer) {
                peer_free(peer);
                peer = NULL;
        }
        if (o->again) {
                o->again = false;
                assert_int_equal(peer_run(peer, call, true), 0);
        }
}

static void run(struct one *o, uint32_t opnum, uint32_t arg)
{
        *o = (struct one){
                .call = { .done = on_done, .encode = encode }, .opnum = opnum, .arg = arg, .ops = 1
        };
        assert_int_equal(peer_run(peer, &o->call, false), 0);
        assert_int_equal(o->done, 0);
}

static void assert_works(void)
{
        struct one o;

        run(&o, LAB_OP_COUNT, 0);
        nfs4_lab_run_ms(&lab, 10);
        assert_int_equal(o.done, 1);
        assert_int_equal(o.result, RPC_DONE);
        assert_int_equal(o.status, NFS4_OK);
        assert_int_equal(o.word, lab.count);
}

#define NEW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define UP(name) cmocka_unit_test_setup_teardown(name, setup_up, teardown)
