/* SPDX-License-Identifier: Apache-2.0 */
/* SEQUENCE and the replay cache: RFC 8881 §18.46, §2.10.6.1, §2.10.6.4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/nfs4/support.h"

static struct lab_session s;
static struct lab_compound first, retry;

static int setup_session(void **unused)
{
        setup(unused);
        bring_about(CONFIRMED, &s);
        return 0;
}

/* A session whose fore channel differs. */
static void other_session(const struct channel_attrs *fore)
{
        assert_int_equal(lab_create_session(&lab, &s, s.create_seqid + 1, 0, fore, &lab_back), NFS4_OK);
}

static enum nfsstat4 sequence(uint32_t slot, uint32_t seqid, uint32_t highest)
{
        lab_begin(&k, &lab, conn, 1);
        lab_op(&k, OP_SEQUENCE);
        xdr_put_fixed(k.x, s.id, sizeof(s.id));
        xdr_put_u32(k.x, seqid);
        xdr_put_u32(k.x, slot);
        xdr_put_u32(k.x, highest);
        xdr_put_bool(k.x, false);
        return lab_call(&k);
}

static void begin(struct lab_compound *c, uint32_t seqid, bool cache_this)
{
        lab_begin(c, &lab, conn, 1);
        lab_put_sequence(c, &s, 0, seqid, cache_this);
}

static void put_count(struct lab_compound *c, uint32_t seqid, bool cache_this)
{
        begin(c, seqid, cache_this);
        lab_op(c, LAB_OP_COUNT);
}

static void assert_same_reply(void)
{
        assert_int_equal(retry.reply_length, first.reply_length);
        assert_memory_equal(retry.reply, first.reply, first.reply_length);
}

/* --- slots and numbers */

static void the_answer_repeats_the_question(void **unused)
{
        uint8_t id[NFS4_SESSIONID_SIZE];

        (void)unused;
        assert_int_equal(sequence(3, 1, 5), NFS4_OK);
        assert_int_equal(k.results, 1);
        assert_int_equal(xdr_get_u32(&k.in), OP_SEQUENCE);
        assert_int_equal(xdr_get_u32(&k.in), NFS4_OK);
        xdr_get_fixed(&k.in, id, sizeof(id));
        assert_memory_equal(id, s.id, sizeof(id));
        assert_int_equal(xdr_get_u32(&k.in), 1);
        assert_int_equal(xdr_get_u32(&k.in), 3);
        assert_int_equal(xdr_get_u32(&k.in), SESSION_FIRST_SLOTS - 1);
        assert_int_equal(xdr_get_u32(&k.in), SESSION_FIRST_SLOTS - 1);
        assert_int_equal(xdr_get_u32(&k.in), 0);
        assert_int_equal(xdr_left(&k.in), 0);
}

static void sequence_ids_go_up_by_one(void **unused)
{
        (void)unused;
        assert_int_equal(sequence(0, 0, 0), NFS4ERR_SEQ_MISORDERED); /* a fresh slot begins with 1 */
        assert_int_equal(sequence(0, 2, 0), NFS4ERR_SEQ_MISORDERED);
        assert_int_equal(sequence(0, 1, 0), NFS4_OK);
        assert_int_equal(sequence(0, 2, 0), NFS4_OK);
        assert_int_equal(sequence(0, 4, 0), NFS4ERR_SEQ_MISORDERED);
        assert_int_equal(sequence(0, 1, 0), NFS4ERR_SEQ_MISORDERED);
        assert_int_equal(sequence(0, 3, 0), NFS4_OK); /* refusals change nothing */
        assert_int_equal(sequence(1, 1, 1), NFS4_OK); /* another slot counts for itself */
}

static void sequence_ids_wrap(void **unused)
{
        (void)unused;
        assert_int_equal(sequence(0, 1, 0), NFS4_OK);
        session_by_id(&lab.nfs, s.id)->slots[0].seqid = UINT32_MAX;
        assert_int_equal(sequence(0, 0, 0), NFS4_OK);
        assert_int_equal(sequence(0, 1, 0), NFS4_OK);
}

static void slots_end(void **unused)
{
        (void)unused;
        assert_int_equal(sequence(SESSION_FIRST_SLOTS, 1, SESSION_FIRST_SLOTS), NFS4ERR_BADSLOT);
        assert_int_equal(sequence(UINT32_MAX, 1, UINT32_MAX), NFS4ERR_BADSLOT);
        assert_int_equal(sequence(0, 1, SESSION_FIRST_SLOTS), NFS4ERR_BAD_HIGH_SLOT);
        assert_int_equal(sequence(2, 1, 1), NFS4ERR_BAD_HIGH_SLOT);
        s.id[15] ^= 1;
        assert_int_equal(sequence(0, 1, 0), NFS4ERR_BADSESSION);
        assert_int_equal(k.results, 1);
}

/* sr_highest_slotid and sr_target_highest_slotid follow the use. */
static void who_uses_the_last_slot_gets_more(void **unused)
{
        (void)unused;
        for (uint32_t last = SESSION_FIRST_SLOTS; last < SESSION_MAX_SLOTS; last *= 2) {
                assert_int_equal(sequence(last, 1, last), NFS4ERR_BADSLOT);
                assert_int_equal(sequence(last - 1, 1, last - 1), NFS4_OK);
                xdr_get_bytes(&k.in, 8 + NFS4_SESSIONID_SIZE + 8);
                assert_int_equal(xdr_get_u32(&k.in), 2 * last - 1);
                assert_int_equal(xdr_get_u32(&k.in), 2 * last - 1);
                assert_int_equal(sequence(last, 1, last), NFS4_OK);
        }
        assert_int_equal(sequence(SESSION_MAX_SLOTS - 1, 1, SESSION_MAX_SLOTS - 1), NFS4_OK);
        assert_int_equal(sequence(SESSION_MAX_SLOTS, 1, SESSION_MAX_SLOTS), NFS4ERR_BADSLOT);
}

static void who_asked_for_few_slots_keeps_few(void **unused)
{
        struct channel_attrs fore = lab_fore;

        (void)unused;
        fore.max_requests = 8;
        other_session(&fore);
        assert_int_equal(sequence(7, 1, 7), NFS4_OK);
        assert_int_equal(sequence(8, 1, 8), NFS4ERR_BADSLOT);
}

/* --- retries */

static void a_retry_gets_the_same_bytes(void **unused)
{
        (void)unused;
        put_count(&first, 1, true);
        assert_int_equal(lab_call(&first), NFS4_OK);
        put_count(&retry, 1, true);
        assert_int_equal(lab_call(&retry), NFS4_OK);
        assert_same_reply();
        assert_int_equal(lab.count, 1);
        assert_int_equal(lab.nfs.replays.value, 1);
        put_count(&retry, 2, true);
        assert_int_equal(lab_call(&retry), NFS4_OK);
        assert_int_equal(lab.count, 2);
}

static void a_retry_on_another_connection_too(void **unused)
{
        (void)unused;
        put_count(&first, 1, true);
        lab_call(&first);
        conn_close(conn);
        conn = nfs4_lab_dial(&lab);
        put_count(&retry, 1, true);
        assert_int_equal(lab_call(&retry), NFS4_OK);
        assert_same_reply();
        assert_int_equal(lab.count, 1);
}

static void errors_are_replayed_as_well(void **unused)
{
        (void)unused;
        for (int i = 0; i < 2; i++) {
                struct lab_compound *c = i ? &retry : &first;

                put_count(c, 1, true);
                lab_op(c, LAB_OP_FAIL);
                xdr_put_u32(c->x, NFS4ERR_NOSPC);
                lab_op(c, LAB_OP_COUNT);
                assert_int_equal(lab_call(c), NFS4ERR_NOSPC);
                assert_int_equal(c->results, 3);
        }
        assert_same_reply();
        assert_int_equal(lab.count, 1);
}

static void illegal_operations_are_replayed_as_well(void **unused)
{
        (void)unused;
        for (int i = 0; i < 2; i++) {
                struct lab_compound *c = i ? &retry : &first;

                begin(c, 1, true);
                lab_op(c, OP_ILLEGAL);
                assert_int_equal(lab_call(c), NFS4ERR_OP_ILLEGAL);
        }
        assert_same_reply();
}

static void a_lonely_sequence_is_always_cached(void **unused)
{
        (void)unused;
        begin(&first, 1, false);
        assert_int_equal(lab_call(&first), NFS4_OK);
        begin(&retry, 1, false);
        assert_int_equal(lab_call(&retry), NFS4_OK);
        assert_same_reply();
}

/* Payloads by reference stand in the middle of the reply. */
static void long_replies_with_payloads_are_replayed(void **unused)
{
        static const uint32_t sizes[] = { 0, 1, 300, 2000, 3001 };

        (void)unused;
        for (int i = 0; i < 2; i++) {
                struct lab_compound *c = i ? &retry : &first;

                begin(c, 1, true);
                for (size_t j = 0; j < sizeof(sizes) / sizeof(*sizes); j++) {
                        lab_op(c, LAB_OP_BLOB);
                        xdr_put_u32(c->x, sizes[j]);
                        lab_op(c, LAB_OP_COUNT);
                }
                assert_int_equal(lab_call(c), NFS4_OK);
        }
        assert_same_reply();
        assert_int_equal(lab.count, 5);
}

static void what_was_not_cached_is_not_replayed(void **unused)
{
        (void)unused;
        put_count(&first, 1, false);
        assert_int_equal(lab_call(&first), NFS4_OK);
        put_count(&retry, 1, false);
        assert_int_equal(lab_call(&retry), NFS4ERR_RETRY_UNCACHED_REP);
        assert_int_equal(lab.count, 1);
        put_count(&retry, 2, true);
        assert_int_equal(lab_call(&retry), NFS4_OK);
}

static void a_different_request_is_no_retry(void **unused)
{
        (void)unused;
        put_count(&first, 1, true);
        assert_int_equal(lab_call(&first), NFS4_OK);
        begin(&retry, 1, true); /* shorter */
        assert_int_equal(lab_call(&retry), NFS4ERR_SEQ_FALSE_RETRY);
        begin(&retry, 1, true); /* another operation */
        lab_op(&retry, OP_PUTROOTFH);
        assert_int_equal(lab_call(&retry), NFS4ERR_SEQ_FALSE_RETRY);
        put_count(&retry, 1, true); /* one more */
        lab_op(&retry, LAB_OP_COUNT);
        assert_int_equal(lab_call(&retry), NFS4ERR_SEQ_FALSE_RETRY);
        lab_cred.uid = 1000; /* somebody else */
        put_count(&retry, 1, true);
        assert_int_equal(lab_call(&retry), NFS4ERR_SEQ_FALSE_RETRY);
        lab_cred.uid = 0;
        put_count(&retry, 1, true);
        assert_int_equal(lab_call(&retry), NFS4_OK);
        assert_int_equal(lab.count, 1);
}

static void put_wait(struct lab_compound *c, uint32_t seqid)
{
        put_count(c, seqid, true);
        lab_op(c, LAB_OP_WAIT);
        xdr_put_u32(c->x, 1);
        xdr_put_bool(c->x, false);
}

static void a_retry_of_what_is_being_executed_waits(void **unused)
{
        (void)unused;
        put_wait(&first, 1);
        lab_send(&first);
        put_wait(&retry, 1);
        assert_int_equal(lab_call(&retry), NFS4ERR_DELAY);
        put_wait(&retry, 2);
        assert_int_equal(lab_call(&retry), NFS4ERR_SEQ_MISORDERED); /* the slot is taken */
        nfs4_lab_release(&lab);
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(first.status, NFS4_OK);
        put_wait(&retry, 1);
        assert_int_equal(lab_call(&retry), NFS4_OK);
        assert_same_reply();
        assert_int_equal(lab.count, 1);
}

/* The reply of a request whose connection broke is there for its retry. */
static void a_reply_that_nobody_took_is_kept(void **unused)
{
        (void)unused;
        put_wait(&first, 1);
        lab_send(&first);
        nfs4_lab_close_conns(&lab);
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(first.result, RPC_LOST);
        nfs4_lab_release(&lab);
        conn = nfs4_lab_dial(&lab);
        put_wait(&retry, 1);
        assert_int_equal(lab_call(&retry), NFS4_OK);
        assert_int_equal(lab.count, 1);
}

/* Nothing is told before it is durable, not even to a retry. */
static void a_retry_does_not_overtake_the_disk(void **unused)
{
        (void)unused;
        lab.hold_commits = true;
        put_count(&first, 1, true);
        lab_send(&first);
        lab.hold_commits = false;
        put_count(&retry, 1, true);
        assert_int_equal(lab_call(&retry), NFS4ERR_DELAY);
        nfs4_lab_commit(&lab);
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(first.status, NFS4_OK);
        put_count(&retry, 1, true);
        assert_int_equal(lab_call(&retry), NFS4_OK);
        assert_same_reply();
}

/* --- limits of the session */

static void too_many_operations(void **unused)
{
        struct channel_attrs fore = lab_fore;

        (void)unused;
        fore.max_ops = 4;
        other_session(&fore);
        for (uint32_t count = 4; count <= 5; count++) {
                begin(&first, count - 3, false);
                for (uint32_t i = 1; i < count; i++)
                        lab_op(&first, LAB_OP_COUNT);
                assert_int_equal(lab_call(&first), count == 4 ? NFS4_OK : NFS4ERR_TOO_MANY_OPS);
        }
        assert_int_equal(lab.count, 3);
        assert_int_equal(sequence(0, 2, 0), NFS4_OK); /* the slot was not used */
}

static void a_request_over_the_sessions_size(void **unused)
{
        struct channel_attrs fore = lab_fore;
        static const uint8_t handle[NFS4_FHSIZE];

        (void)unused;
        fore.max_request = 512;
        other_session(&fore);
        begin(&first, 1, false);
        for (int i = 0; i < 4; i++) {
                lab_op(&first, OP_PUTFH);
                xdr_put_opaque(first.x, handle, sizeof(handle));
        }
        assert_int_equal(lab_call(&first), NFS4ERR_REQ_TOO_BIG);
        assert_int_equal(sequence(0, 1, 0), NFS4_OK);
}

static enum nfsstat4 blobs(const struct channel_attrs *fore, bool cache_this, uint32_t bytes, uint32_t counts)
{
        other_session(fore);
        begin(&first, 1, cache_this);
        for (uint32_t i = 0; i < counts; i++)
                lab_op(&first, LAB_OP_COUNT);
        lab_op(&first, LAB_OP_BLOB);
        xdr_put_u32(first.x, bytes);
        s.create_seqid++;
        return lab_call(&first);
}

static void a_reply_over_the_sessions_size(void **unused)
{
        struct channel_attrs fore = lab_fore;

        (void)unused;
        fore.max_response = 1000;
        assert_int_equal(blobs(&fore, false, 800, 1), NFS4_OK);
        assert_int_equal(blobs(&fore, false, 1000, 1), NFS4ERR_REP_TOO_BIG);
        assert_int_equal(first.results, 3);
        assert_int_equal(lab.count, 2);
        assert_int_equal(blobs(&fore, false, 10, 64), NFS4ERR_TOO_MANY_OPS);
        fore.max_response = 400;
        lab.count = 0;
        assert_int_equal(blobs(&fore, false, 10, 60), NFS4ERR_REP_TOO_BIG); /* what mutates is not begun */
        assert_int_equal(first.results, lab.count + 2);
        assert_in_range(lab.count, 20, 30);
}

/* Whoever asked for a reply to be kept gets one that is kept, whole, or an error instead of it. */
static void a_reply_over_the_caches_size(void **unused)
{
        struct channel_attrs fore = lab_fore;

        (void)unused;
        fore.max_response_cached = 1000;
        assert_int_equal(blobs(&fore, true, 800, 1), NFS4_OK);
        assert_int_equal(blobs(&fore, false, 1000, 1), NFS4_OK);
        assert_int_equal(blobs(&fore, true, 1000, 1), NFS4ERR_REP_TOO_BIG_TO_CACHE);
        assert_int_equal(first.results, 3);
        lab.count = 0;
        put_count(&retry, 1, true);
        lab_op(&retry, LAB_OP_BLOB);
        xdr_put_u32(retry.x, 1000);
        assert_int_equal(lab_call(&retry), NFS4ERR_REP_TOO_BIG_TO_CACHE);
        assert_same_reply();
        assert_int_equal(lab.count, 0);
        fore.max_response_cached = 200;
        assert_int_equal(blobs(&fore, true, 10, 60), NFS4ERR_REP_TOO_BIG_TO_CACHE);
        assert_int_equal(first.results, lab.count + 2);
        assert_in_range(lab.count, 5, 15);
}

static void a_cache_without_room_for_sequence(void **unused)
{
        struct channel_attrs fore = lab_fore;

        (void)unused;
        fore.max_response_cached = 10;
        other_session(&fore);
        begin(&first, 1, true);
        assert_int_equal(lab_call(&first), NFS4ERR_REP_TOO_BIG_TO_CACHE);
        put_count(&first, 1, false);
        assert_int_equal(lab_call(&first), NFS4_OK);
}

static struct buf *taken[8192];
static unsigned taken_count;

static void take_all_memory(struct compound *c)
{
        if (c->opnum == LAB_OP_COUNT)
                while ((taken[taken_count] = buf_get(lab.pool, BUF_SMALL)))
                        taken_count++;
}

/* Memory for a longer reply is not to be had: what mutates is not begun. */
static void without_memory_nothing_is_begun(void **unused)
{
        const struct nfs4_op big = { .name = "BIG",
                                     .flags = OP_MUTATES,
                                     .reply_max = 100000,
                                     .execute = lab.ops[LAB_OP_COUNT]->execute };

        (void)unused;
        lab.ops[OP_RESTOREFH] = &big;
        lab.hooks.op_begin = take_all_memory;
        begin(&first, 1, false);
        lab_op(&first, LAB_OP_COUNT);
        lab_op(&first, OP_RESTOREFH);
        lab_send(&first);
        while (taken_count > 0)
                buf_unref(taken[--taken_count]);
        nfs4_lab_run_ms(&lab, 100);
        assert_true(first.ended);
        assert_int_equal(first.status, NFS4ERR_DELAY);
        assert_int_equal(first.results, 3);
        assert_int_equal(lab.count, 1);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_session, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(the_answer_repeats_the_question),
                TEST(sequence_ids_go_up_by_one),
                TEST(sequence_ids_wrap),
                TEST(slots_end),
                TEST(who_uses_the_last_slot_gets_more),
                TEST(who_asked_for_few_slots_keeps_few),
                TEST(a_retry_gets_the_same_bytes),
                TEST(a_retry_on_another_connection_too),
                TEST(errors_are_replayed_as_well),
                TEST(illegal_operations_are_replayed_as_well),
                TEST(a_lonely_sequence_is_always_cached),
                TEST(long_replies_with_payloads_are_replayed),
                TEST(what_was_not_cached_is_not_replayed),
                TEST(a_different_request_is_no_retry),
                TEST(a_retry_of_what_is_being_executed_waits),
                TEST(a_reply_that_nobody_took_is_kept),
                TEST(a_retry_does_not_overtake_the_disk),
                TEST(too_many_operations),
                TEST(a_request_over_the_sessions_size),
                TEST(a_reply_over_the_sessions_size),
                TEST(a_reply_over_the_caches_size),
                TEST(a_cache_without_room_for_sequence),
                TEST(without_memory_nothing_is_begun),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
