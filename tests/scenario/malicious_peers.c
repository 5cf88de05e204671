/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that mean harm, at the doors of both servers with the limits of production: each try gets its error,
 * and a client that was there before is served as before. RFC 8881 §2.10.4, §2.10.6, §15.1.2, §18.19, §18.35
 * to §18.37, §18.46, §18.50. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "include/fh.h"
#include "tests/lab/door_session.h"

enum { HONEST_UID = 1000, THIEF_UID = 666, MOST_OPS = 64 };

static struct door_session honest, thief;

static void both_arrive(void)
{
        door_session_start(&honest, "honest", HONEST_UID, 8);
        door_session_start(&thief, "thief", THIEF_UID, MOST_OPS);
}

static void is_served(struct door_session *s)
{
        door_in_session(s);
        assert_int_equal(door_run(s), NFS4_OK);
}

/* Nobody was hurt. */
static void both_leave(void)
{
        is_served(&honest);
        assert_int_equal(honest.seqid, 1); /* it was not disturbed before either */
        is_served(&thief);
        door_session_stop(&honest);
        door_session_stop(&thief);
        assert_int_equal(rpc_server_connections(door.rpc), 0);
}

/* --- handles */

static enum nfsstat4 putfh(const uint8_t *bytes, uint32_t length)
{
        door_in_session(&thief);
        door_op(OP_PUTFH);
        xdr_put_opaque(&door_x, bytes, length);
        return door_run(&thief);
}

/* One that the thief may use: the root's, or a layout's of its own. */
static void good_handle(uint8_t ret[FH_BYTES])
{
        struct fh fh = { .kind = FH_DS,
                         .flags = FH_WRITE,
                         .export_id = 1,
                         .fileid = LAB_FILE,
                         .generation = LAB_GENERATION,
                         .epoch = 5,
                         .unit = LAB_UNIT,
                         .width = 1,
                         .pool = 1 };
        uint8_t verifier[NFS4_VERIFIER_SIZE] = { [NFS4_VERIFIER_SIZE - 1] = 1 };
        struct slice root;

        if (!door_is_mds()) {
                fh.client = client_tag("thief", 5, verifier, door.ds.handle_key);
                fh_encode(&fh, door.ds.handle_key, ret);
                return;
        }
        door_in_session(&thief);
        door_op(OP_PUTROOTFH);
        door_op(OP_GETFH);
        assert_int_equal(door_run(&thief), NFS4_OK);
        assert_int_equal(door_result(OP_PUTROOTFH), NFS4_OK);
        assert_int_equal(door_result(OP_GETFH), NFS4_OK);
        root = xdr_get_opaque(&door_in, NFS4_FHSIZE);
        assert_int_equal(root.length, FH_BYTES);
        memcpy(ret, root.data, FH_BYTES);
}

static void handles_that_are_forged(void **state)
{
        uint8_t good[FH_BYTES], forged[NFS4_FHSIZE + 4] = { 0 };

        (void)state;
        both_arrive();
        good_handle(good);
        assert_int_equal(putfh(good, FH_BYTES), NFS4_OK);
        for (uint32_t bit = 0; bit < FH_BYTES * 8; bit++) {
                memcpy(forged, good, FH_BYTES);
                forged[bit / 8] ^= (uint8_t)(1u << bit % 8);
                assert_int_equal(putfh(forged, FH_BYTES), NFS4ERR_BADHANDLE);
        }
        assert_int_equal(putfh(good, FH_BYTES), NFS4_OK);
        both_leave();
}

static void handles_of_any_length(void **state)
{
        uint8_t good[FH_BYTES], bytes[NFS4_FHSIZE + 4] = { 0 };

        (void)state;
        both_arrive();
        good_handle(good);
        memcpy(bytes, good, FH_BYTES);
        for (uint32_t length = 0; length <= NFS4_FHSIZE; length++)
                assert_int_equal(putfh(bytes, length), length == FH_BYTES ? NFS4_OK : NFS4ERR_BADHANDLE);
        assert_int_equal(putfh(bytes, NFS4_FHSIZE + 1), NFS4ERR_BADXDR);
        both_leave();
}

/* What one server gives out is nothing at the other, though both have the key. */
static void a_handle_of_the_other_server(void **state)
{
        struct fh fh = { .kind = FH_MDS, .export_id = 1, .fileid = 5, .generation = 1 };
        uint8_t bytes[FH_BYTES];

        (void)state;
        both_arrive();
        if (door_is_mds())
                fh = (struct fh){ .kind = FH_DS,
                                  .flags = FH_WRITE | FH_PROXY,
                                  .export_id = 1,
                                  .fileid = 1,
                                  .generation = 1,
                                  .epoch = 5,
                                  .client = 1,
                                  .unit = LAB_UNIT,
                                  .width = 1,
                                  .pool = 1 };
        fh_encode(&fh, door_is_mds() ? door.mds->nfs.key : door.ds.handle_key, bytes);
        assert_int_equal(putfh(bytes, FH_BYTES), NFS4ERR_BADHANDLE);
        both_leave();
}

/* --- sessions */

static enum nfsstat4 sequence_of(const uint8_t *id, uint32_t seqid)
{
        door_bare(&thief.cred);
        door_put_sequence(id, seqid, 0, 0, false);
        return door_call(thief.conn);
}

static enum nfsstat4 bind_to(const uint8_t *id)
{
        door_bare(&thief.cred);
        door_op(OP_BIND_CONN_TO_SESSION);
        xdr_put_fixed(&door_x, id, NFS4_SESSIONID_SIZE);
        xdr_put_u32(&door_x, CDFC4_FORE_OR_BOTH);
        xdr_put_bool(&door_x, false);
        return door_call(thief.conn);
}

static enum nfsstat4 destroy(const uint8_t *id)
{
        door_bare(&thief.cred);
        door_op(OP_DESTROY_SESSION);
        xdr_put_fixed(&door_x, id, NFS4_SESSIONID_SIZE);
        return door_call(thief.conn);
}

/* Who knows its own session's name has learned little about the next one's. */
static void sessions_cannot_be_guessed(void **state)
{
        uint8_t guess[NFS4_SESSIONID_SIZE];
        uint32_t differ = 0;

        (void)state;
        both_arrive();
        for (int i = NFS4_SESSIONID_SIZE - 8; i < NFS4_SESSIONID_SIZE; i++)
                differ += honest.id[i] != thief.id[i];
        assert_in_range(differ, 5, 8); /* of eight bytes that dice have thrown */
        for (uint32_t bit = 0; bit < NFS4_SESSIONID_SIZE * 8; bit++) {
                memcpy(guess, honest.id, sizeof(guess));
                guess[bit / 8] ^= (uint8_t)(1u << bit % 8);
                assert_int_equal(sequence_of(guess, 1), NFS4ERR_BADSESSION);
                assert_int_equal(bind_to(guess), NFS4ERR_BADSESSION);
                assert_int_equal(destroy(guess), NFS4ERR_BADSESSION);
        }
        both_leave();
}

/* Another principal takes neither the name of a client that is there, nor its client id. */
static void a_client_cannot_be_impersonated(void **state)
{
        uint64_t id;

        (void)state;
        both_arrive();
        for (uint64_t verifier = 1; verifier <= 2; verifier++)
                assert_int_equal(door_say_who(thief.conn, &thief.cred, "honest", verifier, &id),
                                 NFS4ERR_CLID_INUSE);
        door_bare(&thief.cred);
        door_op(OP_DESTROY_CLIENTID);
        xdr_put_u64(&door_x, honest.clientid);
        assert_int_equal(door_call(thief.conn), NFS4ERR_CLIENTID_BUSY);
        both_leave();
}

/* --- slots */

static enum nfsstat4 in_slot(uint32_t seqid, uint32_t slot, uint32_t highest)
{
        door_bare(&thief.cred);
        door_put_sequence(thief.id, seqid, slot, highest, true);
        return door_call(thief.conn);
}

static void slots_that_it_has_not(void **state)
{
        static const uint32_t none[] = { 64, 65, 255, 256, 1u << 20, 1u << 31, UINT32_MAX };

        (void)state;
        both_arrive();
        for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
                assert_int_equal(in_slot(1, none[i], none[i]), NFS4ERR_BADSLOT);
        assert_int_equal(in_slot(1, 5, 4), NFS4ERR_BAD_HIGH_SLOT);
        assert_int_equal(in_slot(1, 5, UINT32_MAX), NFS4ERR_BAD_HIGH_SLOT);
        for (uint32_t i = 0; i < 1000; i++)
                assert_int_equal(in_slot(2 + i * 4000000, i % 64, 63), NFS4ERR_SEQ_MISORDERED);
        is_served(&thief);
        assert_int_equal(thief.slots, 64); /* which have not become more */
        both_leave();
}

/* A reply that is asked for again is the same, and is made once. */
static void what_is_replayed_is_not_done_again(void **state)
{
        uint64_t before = door_nfs()->replays.value;

        (void)state;
        both_arrive();
        for (int i = 0; i < 100; i++)
                assert_int_equal(in_slot(1, 7, 63), NFS4_OK);
        assert_int_equal(door_nfs()->replays.value - before, 99);
        door_bare(&thief.cred);
        door_put_sequence(thief.id, 1, 7, 63, true);
        door_op(OP_PUTROOTFH);
        assert_int_equal(door_call(thief.conn), NFS4ERR_SEQ_FALSE_RETRY);
        both_leave();
}

/* --- compounds */

static void the_largest_compounds(void **state)
{
        (void)state;
        both_arrive();
        for (uint32_t count = MOST_OPS; count <= MOST_OPS + 1; count++) {
                door_bare(&thief.cred);
                door_put_sequence(thief.id, 1, 9, 63, false);
                for (uint32_t i = 1; i < count; i++)
                        door_op(OP_PUTROOTFH);
                assert_int_equal(door_call(thief.conn), count == MOST_OPS ? NFS4_OK : NFS4ERR_TOO_MANY_OPS);
        }
        both_leave();
}

/* The largest record that the session allows, and a word more. What it would write has nowhere to go. */
static void the_largest_requests(void **state)
{
        enum { SEQUENCE_BYTES = 36, WRITE_BYTES = 36, MOST = 1049620 - SEQUENCE_BYTES - WRITE_BYTES };
        struct stateid anonymous = { 0 };

        (void)state;
        both_arrive();
        for (uint32_t seqid = 1; seqid <= 8; seqid++)
                for (uint32_t more = 0; more <= 4; more += 4) {
                        door_bare(&thief.cred);
                        door_put_sequence(thief.id, seqid, 9, 63, true);
                        door_op(OP_WRITE);
                        put_stateid(&door_x, &anonymous);
                        xdr_put_u64(&door_x, 0);
                        xdr_put_u32(&door_x, FILE_SYNC4);
                        xdr_put_u32(&door_x, MOST + more);
                        assert_int_equal(door_call_with(thief.conn, MOST + more),
                                         more == 0 ? NFS4ERR_NOFILEHANDLE : NFS4ERR_REQ_TOO_BIG);
                }
        both_leave();
}

/* Counts that promise more than there is. */
static void counts_that_lie(void **state)
{
        (void)state;
        both_arrive();
        door_in_session(&thief);
        door_op(OP_TEST_STATEID);
        xdr_put_u32(&door_x, UINT32_MAX);
        assert_int_equal(door_run(&thief), NFS4ERR_BADXDR);
        door_in_session(&thief);
        door_op(OP_PUTFH);
        xdr_put_u32(&door_x, UINT32_MAX);
        assert_int_equal(door_run(&thief), NFS4ERR_BADXDR);
        door_in_session(&thief);
        door_op(OP_PUTROOTFH);
        door_op(OP_GETATTR);
        xdr_put_u32(&door_x, 0x40000000);
        assert_int_equal(door_run(&thief), NFS4ERR_BADXDR);
        both_leave();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                DOOR_BOTH(handles_that_are_forged),
                DOOR_BOTH(handles_of_any_length),
                DOOR_BOTH(a_handle_of_the_other_server),
                DOOR_BOTH(sessions_cannot_be_guessed),
                DOOR_BOTH(a_client_cannot_be_impersonated),
                DOOR_BOTH(slots_that_it_has_not),
                DOOR_BOTH(what_is_replayed_is_not_done_again),
                DOOR_BOTH(the_largest_compounds),
                DOOR_BOTH(the_largest_requests),
                DOOR_BOTH(counts_that_lie),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
