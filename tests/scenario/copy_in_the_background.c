/* SPDX-License-Identifier: Apache-2.0 */
/* A COPY that takes longer than its request: it gets a stateid, by which it can be asked about and cancelled,
 * and CB_OFFLOAD tells its end. RFC 7862 §4, §15.2, §15.8, §15.9, §16.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/check.h"
#include "mds/state/offload.h"
#include "tests/lab/cluster_file.h"

enum { UNIT = CLUSTER_UNIT, UNITS = 16, WAIT_MS = 20000, SHIFT = 1000, SOME = 3000, HELD_MOST = 32 };
#define ALL ((uint64_t)UNITS * UNIT)

static struct cluster_lab lab;
static struct peer *mds;
static struct cluster_file from, to;

/* --- the client's end of the back channel */

static struct {
        bool mute; /* what comes is not answered until answer_held() */
        uint32_t calls;
        uint8_t fh[NFS4_FHSIZE];
        uint32_t fh_length, status, committed;
        struct stateid stateid;
        uint64_t count, verifier;
        struct call *held[HELD_MOST];
        uint32_t held_count;
        uint8_t sequence[HELD_MOST][NFS4_SESSIONID_SIZE + 16]; /* to answer with */
} back;

static void get_offload(struct xdr_in *x)
{
        struct slice fh = xdr_get_opaque(x, NFS4_FHSIZE);

        memcpy(back.fh, fh.data, fh.length);
        back.fh_length = fh.length;
        get_stateid(x, &back.stateid);
        back.status = xdr_get_u32(x);
        if (back.status == NFS4_OK)
                CHECK(xdr_get_u32(x) == 0);
        back.count = xdr_get_u64(x);
        if (back.status == NFS4_OK) {
                back.committed = xdr_get_u32(x);
                xdr_get_fixed(x, &back.verifier, sizeof(back.verifier));
        }
        back.calls++;
}

static void answer(struct call *call, const uint8_t *sequence)
{
        struct xdr_out *x = &call->out;

        xdr_put_u32(x, NFS4_OK);
        xdr_put_u32(x, 0);
        xdr_put_u32(x, 2);
        xdr_put_u32(x, OP_CB_SEQUENCE);
        xdr_put_u32(x, NFS4_OK);
        xdr_put_fixed(x, sequence, sizeof(back.sequence[0]));
        xdr_put_u32(x, OP_CB_OFFLOAD);
        xdr_put_u32(x, NFS4_OK);
        call_reply(call);
}

static void serve(void *service, struct call *call)
{
        struct xdr_in *x = &call->args;
        uint8_t *sequence = back.sequence[back.held_count];

        (void)service;
        xdr_get_opaque(x, 100);
        xdr_get_u32(x);
        xdr_get_u32(x);
        CHECK(xdr_get_u32(x) == 2);
        CHECK(xdr_get_u32(x) == OP_CB_SEQUENCE);
        xdr_get_fixed(x, sequence, sizeof(back.sequence[0])); /* up to csa_cachethis */
        CHECK(xdr_get_u32(x) == 1);                           /* it must not overtake the answer to COPY */
        xdr_get_bytes(x, NFS4_SESSIONID_SIZE + 4 + 8);
        CHECK(xdr_get_u32(x) == OP_CB_OFFLOAD);
        get_offload(x);
        CHECK(!x->bad && xdr_left(x) == 0);
        if (!back.mute) {
                answer(call, sequence);
                return;
        }
        CHECK(back.held_count < HELD_MOST - 1);
        back.held[back.held_count++] = call;
}

static void answer_held(void)
{
        while (back.held_count > 0) {
                back.held_count--;
                answer(back.held[back.held_count], back.sequence[back.held_count]);
        }
}

/* --- the lab */

static int setup(void **state)
{
        struct written w;

        (void)state;
        memset(&back, 0, sizeof(back));
        lab.callbacks[0] = (struct rpc_program){
                .prog = NFS4_CB_PROGRAM_LINUX, .vers = 1, .call_bytes = sizeof(struct call), .dispatch = serve
        };
        cluster_lab_start(&lab, 2);
        offloads_answer_after(lab.mds->offloads, 0);
        mds = cluster_lab_connect(&lab, "client", -1);
        cluster_file_open(&from, &lab, mds, "from");
        cluster_file_open(&to, &lab, mds, "to");
        for (uint64_t i = 0; i < UNITS; i++)
                assert_int_equal(cluster_file_write(&from, i * UNIT, UNIT, FILE_SYNC4, &w), NFS4_OK);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        answer_held();
        cluster_file_close(&from);
        cluster_file_close(&to);
        peer_free(mds);
        cluster_lab_stop(&lab);
        return 0;
}

static bool never(void *arg)
{
        (void)arg;
        return false;
}

static void let_pass(uint32_t ms)
{
        cluster_lab_wait(&lab, never, NULL, ms);
}

static bool is_told(void *arg)
{
        return back.calls >= *(const uint32_t *)arg;
}

static void wait_for_calls(uint32_t calls)
{
        assert_true(cluster_lab_wait(&lab, is_told, &calls, WAIT_MS));
        assert_int_equal(back.calls, calls);
}

struct copied {
        bool goes_on, synchronous;
        struct stateid stateid;
        uint64_t count;
};

/* All of the one file into the other, a thousand bytes on: units do not meet, so it goes piece by piece. */
static struct copied copy(bool synchronous)
{
        struct cluster_call *k = &to.k;
        struct copied c = { 0 };

        cluster_begin(k, &lab);
        cluster_op(k, OP_PUTFH);
        xdr_put_slice(&k->x, from.fh);
        cluster_op(k, OP_SAVEFH);
        cluster_op(k, OP_PUTFH);
        xdr_put_slice(&k->x, to.fh);
        cluster_op(k, OP_COPY);
        put_stateid(&k->x, &from.stateid);
        put_stateid(&k->x, &to.stateid);
        xdr_put_u64(&k->x, 0);
        xdr_put_u64(&k->x, SHIFT);
        xdr_put_u64(&k->x, ALL);
        xdr_put_bool(&k->x, true);
        xdr_put_bool(&k->x, synchronous);
        xdr_put_u32(&k->x, 0);
        assert_int_equal(cluster_run(k, mds), NFS4_OK);
        for (const uint32_t *op = (const uint32_t[]){ OP_PUTFH, OP_SAVEFH, OP_PUTFH, OP_COPY, 0 }; *op; op++)
                peer_result(&k->in, *op);
        c.goes_on = xdr_get_u32(&k->in) == 1;
        if (c.goes_on)
                get_stateid(&k->in, &c.stateid);
        c.count = xdr_get_u64(&k->in);
        xdr_get_bytes(&k->in, 4 + NFS4_VERIFIER_SIZE + 4);
        c.synchronous = xdr_get_bool(&k->in);
        assert_true(!k->in.bad && c.synchronous == !c.goes_on);
        return c;
}

static struct copied copy_that_goes_on(void)
{
        struct copied c = copy(false);

        assert_true(c.goes_on && c.stateid.seqid == 1 && c.count == 0);
        return c;
}

static enum nfsstat4 cancel(struct cluster_file *f, const struct stateid *s)
{
        cluster_file_begin(f);
        put_stateid(cluster_op(&f->k, OP_OFFLOAD_CANCEL), s);
        return cluster_file_run(f);
}

struct how_far {
        uint64_t count;
        bool ended;
        uint32_t status;
};

static enum nfsstat4 ask(const struct stateid *s, struct how_far *ret)
{
        enum nfsstat4 status;

        cluster_file_begin(&to);
        put_stateid(cluster_op(&to.k, OP_OFFLOAD_STATUS), s);
        status = cluster_file_run(&to);
        if (status != NFS4_OK)
                return status;
        peer_result(&to.k.in, OP_OFFLOAD_STATUS);
        ret->count = xdr_get_u64(&to.k.in);
        ret->ended = xdr_get_u32(&to.k.in) == 1;
        ret->status = ret->ended ? xdr_get_u32(&to.k.in) : UINT32_MAX;
        assert_true(!to.k.in.bad && xdr_left(&to.k.in) == 0);
        return NFS4_OK;
}

/* SOME bytes of the target are the source's from AT on. */
static void has(uint64_t at)
{
        struct slice data;
        bool eof;

        assert_int_equal(cluster_file_read(&to, SHIFT + at, SOME, &data, &eof), NFS4_OK);
        assert_int_equal(data.length, SOME);
        for (uint32_t i = 0; i < SOME; i++)
                assert_int_equal(data.data[i], (uint8_t)((at + i) % UNIT / 1000));
}

/* --- */

static void its_end_is_told(void **state)
{
        struct how_far far;
        struct written w;
        struct copied c = copy_that_goes_on();

        (void)state;
        assert_int_equal(ask(&c.stateid, &far), NFS4_OK);
        assert_true(far.count < ALL && !far.ended);
        wait_for_calls(1);
        assert_true(back.fh_length == to.fh.length && memcmp(back.fh, to.handle, to.fh.length) == 0);
        assert_memory_equal(&back.stateid, &c.stateid, sizeof(c.stateid));
        assert_true(back.status == NFS4_OK && back.count == ALL && back.committed == FILE_SYNC4);
        has(0);
        has(UNIT - 1500);
        has(ALL - SOME);
        assert_int_equal(cluster_file_attrs(&to).size, SHIFT + ALL);
        assert_int_equal(cluster_file_write(&to, 0, 1, UNSTABLE4, &w), NFS4_OK);
        assert_true(w.verifier == back.verifier);
        assert_int_equal(ask(&c.stateid, &far), NFS4ERR_BAD_STATEID); /* the answer has let go of it */
        assert_int_equal(offloads_count(lab.mds->offloads), 0);
}

static void who_does_not_allow_it_gets_what_there_is(void **state)
{
        struct copied c;

        (void)state;
        c = copy(true);
        assert_true(c.synchronous && c.count > 0 && c.count < ALL);
        let_pass(50);
        assert_int_equal(cluster_file_attrs(&to).size, SHIFT + c.count);
        assert_int_equal(back.calls, 0);
}

static void once_cancelled_it_writes_nothing_more(void **state)
{
        struct cluster_attrs before, after;
        struct stateid wrong;
        struct how_far far;
        struct copied c = copy_that_goes_on();

        (void)state;
        wrong = c.stateid;
        wrong.seqid = 0;
        assert_int_equal(cancel(&to, &wrong), NFS4ERR_BAD_STATEID);
        wrong.seqid = 2;
        assert_int_equal(ask(&wrong, &far), NFS4ERR_BAD_STATEID);
        assert_int_equal(cancel(&from, &c.stateid), NFS4ERR_BAD_STATEID); /* it is not of that file */
        assert_int_equal(cancel(&to, &c.stateid), NFS4_OK);
        before = cluster_file_attrs(&to);
        assert_true(before.size < SHIFT + ALL);
        assert_int_equal(cancel(&to, &c.stateid), NFS4ERR_BAD_STATEID);
        let_pass(100);
        after = cluster_file_attrs(&to);
        assert_true(before.change == after.change && before.size == after.size);
        assert_int_equal(back.calls, 0);
}

static void until_the_client_has_answered_it_may_ask(void **state)
{
        struct how_far far;
        struct copied c;

        (void)state;
        back.mute = true;
        c = copy_that_goes_on();
        wait_for_calls(1);
        assert_int_equal(ask(&c.stateid, &far), NFS4_OK);
        assert_true(far.count == ALL && far.ended && far.status == NFS4_OK);
        assert_int_equal(cancel(&to, &c.stateid), NFS4ERR_COMPLETE_ALREADY);
        answer_held();
        let_pass(50);
        assert_int_equal(ask(&c.stateid, &far), NFS4ERR_BAD_STATEID);
}

static void it_ends_when_its_client_closes_a_file(void **state)
{
        struct copied c = copy_that_goes_on();

        (void)state;
        (void)c;
        cluster_file_begin(&from);
        xdr_put_u32(cluster_op(&from.k, OP_CLOSE), 0);
        put_stateid(&from.k.x, &from.stateid);
        assert_int_equal(cluster_file_run(&from), NFS4_OK);
        wait_for_calls(1);
        assert_true(back.count < ALL && back.status == (back.count > 0 ? NFS4_OK : NFS4ERR_BAD_STATEID));
}

static void it_ends_where_its_source_was_cut(void **state)
{
        struct bitmap4 size = { 0 };
        struct how_far far;
        struct copied c = copy_that_goes_on();

        (void)state;
        bitmap_set(&size, FATTR4_SIZE);
        cluster_file_begin(&from);
        put_stateid(cluster_op(&from.k, OP_SETATTR), &from.stateid);
        put_bitmap(&from.k.x, &size);
        xdr_put_u32(&from.k.x, 8);
        xdr_put_u64(&from.k.x, 5 * UNIT + 100);
        assert_int_equal(cluster_file_run(&from), NFS4_OK);
        if (ask(&c.stateid, &far) != NFS4_OK)
                far.count = back.count;
        wait_for_calls(1);
        assert_int_equal(back.status, NFS4_OK);
        assert_true(back.count <= far.count + UNIT || back.count == 5 * UNIT + 100);
        assert_true(back.count < ALL);
}

/* It waits for it, and can be cancelled all the same. */
static void a_data_server_that_goes_away(void **state)
{
        struct how_far before, after;
        struct copied c = copy_that_goes_on();

        (void)state;
        ds_stop(lab.ds[0]);
        let_pass(1000);
        assert_int_equal(ask(&c.stateid, &before), NFS4_OK);
        let_pass(500);
        assert_int_equal(ask(&c.stateid, &after), NFS4_OK);
        assert_true(!after.ended && after.count == before.count && after.count < ALL);
        assert_int_equal(cancel(&to, &c.stateid), NFS4_OK);
        assert_int_equal(ask(&c.stateid, &after), NFS4ERR_BAD_STATEID);
        assert_int_equal(back.calls, 0);
}

static void there_are_so_many_of_a_client_and_they_go_with_it(void **state)
{
        struct copied c = { 0 };
        uint32_t most = 0;

        (void)state;
        back.mute = true;
        assert_int_equal(cluster_file_attrs(&from).size, ALL);
        for (c = copy(false); c.goes_on; c = copy(false))
                assert_true(++most < 20);
        assert_int_equal(most, 16);
        assert_true(c.count > 0 && c.count < ALL);
        assert_int_equal(offloads_count(lab.mds->offloads), 16);
        client_destroy(&lab.mds->nfs, client_by_id(&lab.mds->nfs, peer_clientid(mds)));
        assert_int_equal(offloads_count(lab.mds->offloads), 0);
        let_pass(100); /* what was under way ends */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(its_end_is_told),
                TEST(who_does_not_allow_it_gets_what_there_is),
                TEST(once_cancelled_it_writes_nothing_more),
                TEST(until_the_client_has_answered_it_may_ask),
                TEST(it_ends_when_its_client_closes_a_file),
                TEST(it_ends_where_its_source_was_cut),
                TEST(a_data_server_that_goes_away),
                TEST(there_are_so_many_of_a_client_and_they_go_with_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
