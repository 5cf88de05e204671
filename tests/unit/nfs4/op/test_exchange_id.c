/* SPDX-License-Identifier: Apache-2.0 */
/* EXCHANGE_ID: the nine cases of RFC 8881 §18.35.4, as a table, and what it may be asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/nfs4/support.h"

enum { UPDATE = EXCHGID4_FLAG_UPD_CONFIRMED_REC_A };

enum { SAME_ID = 1, NEW_ID, STAYS = 4 /* the old record is still there afterwards */ };

static const struct row {
        const char *name;
        enum before before;
        bool same_verifier, same_principal;
        uint32_t flags;
        enum nfsstat4 status;
        unsigned then;
} rows[] = {
        { "1: a new owner", NOTHING, true, true, 0, NFS4_OK, NEW_ID },
        { "2: the same again", CONFIRMED, true, true, 0, NFS4_OK, SAME_ID | STAYS },
        { "3: collision, in use", CONFIRMED, true, false, 0, NFS4ERR_CLID_INUSE, STAYS },
        { "3: collision, in use, another verifier", CONFIRMED, false, false, 0, NFS4ERR_CLID_INUSE, STAYS },
        { "3: collision, state without a session", WITH_STATE, false, false, 0, NFS4ERR_CLID_INUSE, STAYS },
        { "3: collision, nothing there", AT_REST, true, false, 0, NFS4_OK, NEW_ID },
        { "3: collision, nothing there, another verifier", AT_REST, false, false, 0, NFS4_OK, NEW_ID },
        { "4: unconfirmed, the same", UNCONFIRMED, true, true, 0, NFS4_OK, NEW_ID },
        { "4: unconfirmed, another verifier", UNCONFIRMED, false, true, 0, NFS4_OK, NEW_ID },
        { "4: unconfirmed, another principal", UNCONFIRMED, true, false, 0, NFS4_OK, NEW_ID },
        { "4: unconfirmed, all different", UNCONFIRMED, false, false, 0, NFS4_OK, NEW_ID },
        { "5: the client restarted", CONFIRMED, false, true, 0, NFS4_OK, NEW_ID | STAYS },
        { "6: update", CONFIRMED, true, true, UPDATE, NFS4_OK, SAME_ID | STAYS },
        { "7: update of nothing", NOTHING, true, true, UPDATE, NFS4ERR_NOENT, 0 },
        { "7: update of an unconfirmed record", UNCONFIRMED, true, true, UPDATE, NFS4ERR_NOENT, STAYS },
        { "8: update, another verifier", CONFIRMED, false, true, UPDATE, NFS4ERR_NOT_SAME, STAYS },
        { "8: update, another verifier and principal", CONFIRMED, false, false, UPDATE, NFS4ERR_NOT_SAME,
          STAYS },
        { "9: update, another principal", CONFIRMED, true, false, UPDATE, NFS4ERR_PERM, STAYS },
};

static void run_row(const struct row *row)
{
        struct lab_session old = { 0 }, now = { 0 };
        bool confirmed;

        bring_about(row->before, &old);
        confirmed = row->before > UNCONFIRMED;
        lab_cred.uid = row->same_principal ? 0 : 1000;
        assert_int_equal(exchange(row->same_verifier ? "verifier" : "VERIFIER", row->flags, &now),
                         row->status);
        assert_int_equal(client_by_id(&lab.nfs, old.clientid) != NULL, (row->then & STAYS) != 0);
        if (row->status != NFS4_OK)
                return;
        assert_int_equal(now.clientid == old.clientid, (row->then & SAME_ID) != 0);
        assert_int_equal((now.flags & EXCHGID4_FLAG_CONFIRMED_R) != 0, confirmed && row->then & SAME_ID);
        assert_int_equal(now.flags & EXCHGID4_FLAG_MASK_PNFS, EXCHGID4_FLAG_USE_PNFS_MDS);
        assert_int_equal(now.create_seqid, row->then & SAME_ID ? 2 : 1);
        if (row->then & NEW_ID)
                assert_int_equal(create(&now, now.create_seqid), NFS4_OK);
        assert_int_equal(client_by_owner(&lab.nfs, slice_str("owner"), true)->clientid, now.clientid);
        assert_int_equal(lab.nfs.clients.count, 1); /* what was before has gone at the latest now */
}

static void the_nine_cases(void **unused)
{
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                print_message("             case %s\n", rows[i].name);
                setup(unused);
                run_row(&rows[i]);
                teardown(unused);
        }
}

static void the_role_says_nothing_of_state_where_it_keeps_none(void **unused)
{
        struct lab_session old, now;

        (void)unused;
        lab.hooks.client_has_state = NULL; /* a data server */
        bring_about(AT_REST, &old);
        lab_cred.uid = 1000;
        assert_int_equal(exchange("verifier", 0, &now), NFS4_OK);
        assert_true(now.clientid != old.clientid);
}

static void an_expired_client_is_taken_over(void **unused)
{
        struct lab_session old, now;

        (void)unused;
        lab.courtesy = true;
        bring_about(CONFIRMED, &old);
        nfs4_lab_run_ms(&lab, 2 * LEASE_MS);
        assert_int_equal(lab.gone, 0);
        lab_cred.uid = 1000;
        assert_int_equal(exchange("verifier", 0, &now), NFS4_OK);
        assert_int_equal(lab.gone, 1);
        assert_null(client_by_id(&lab.nfs, old.clientid));
}

static void flags_are_checked(void **unused)
{
        static const struct {
                uint32_t flags;
                enum nfsstat4 status;
        } of[] = {
                { EXCHGID4_FLAG_SUPP_MOVED_REFER | EXCHGID4_FLAG_BIND_PRINC_STATEID, NFS4_OK }, /* Linux */
                { EXCHGID4_FLAG_USE_PNFS_DS, NFS4_OK },
                { EXCHGID4_FLAG_SUPP_FENCE_OPS, NFS4ERR_INVAL }, /* of minor version 2 */
                { 0x8, NFS4ERR_INVAL },
                { EXCHGID4_FLAG_CONFIRMED_R, NFS4ERR_INVAL }, /* the server's */
        };
        struct lab_session s;

        (void)unused;
        for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++)
                assert_int_equal(exchange("verifier", of[i].flags, &s), of[i].status);
}

static void put_owner(uint32_t protection)
{
        lab_op(&k, OP_EXCHANGE_ID);
        xdr_put_fixed(k.x, "verifier", 8);
        xdr_put_string(k.x, "owner");
        xdr_put_u32(k.x, 0);
        xdr_put_u32(k.x, protection);
}

static void state_protection_is_answered_with_none(void **unused)
{
        (void)unused;
        lab_begin(&k, &lab, conn, 1);
        put_owner(SP4_MACH_CRED);
        xdr_put_u32(k.x, 1); /* two bitmaps */
        xdr_put_u32(k.x, 0xff);
        xdr_put_u32(k.x, 0);
        xdr_put_u32(k.x, 0);
        assert_int_equal(lab_call(&k), NFS4_OK);
        lab_result(&k, OP_EXCHANGE_ID);
        xdr_get_bytes(&k.in, 8 + 4 + 4);
        assert_int_equal(xdr_get_u32(&k.in), SP4_NONE);
}

static void more_than_one_implementation_is_garbage(void **unused)
{
        (void)unused;
        lab_begin(&k, &lab, conn, 1);
        put_owner(SP4_NONE);
        xdr_put_u32(k.x, 2);
        assert_int_equal(lab_call(&k), NFS4ERR_BADXDR);
        lab_begin(&k, &lab, conn, 1);
        put_owner(3);
        xdr_put_u32(k.x, 0);
        assert_int_equal(lab_call(&k), NFS4ERR_BADXDR);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_nine_cases),
                TEST(the_role_says_nothing_of_state_where_it_keeps_none),
                TEST(an_expired_client_is_taken_over),
                TEST(flags_are_checked),
                TEST(state_protection_is_answered_with_none),
                TEST(more_than_one_implementation_is_garbage),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
