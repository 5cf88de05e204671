/* SPDX-License-Identifier: Apache-2.0 */
/* Open states: owners, seqids, share reservations against a model that walks them all, what happens when
 * numbers come round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/state/client.h"
#include "mds/state/open.h"
#include "tests/lab/mds_lab.h"

static struct mds_lab lab;
static struct opens *opens;
static struct client a = { .clientid = 1 }, b = { .clientid = 2 };

static int setup(void **state)
{
        (void)state;
        mds_lab_start(&lab, NULL);
        opens = lab.mds.opens;
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        opens_drop_client(opens, &a);
        opens_drop_client(opens, &b);
        mds_client_free(&a);
        mds_client_free(&b);
        assert_int_equal(opens_count(opens), 0);
        mds_lab_stop(&lab);
        return 0;
}

static struct open_state *add(struct client *client, const char *owner, uint64_t fileid, uint8_t access,
                              uint8_t deny)
{
        struct open_state *state = NULL;

        return open_add(opens, client, slice_str(owner), fileid, 1, access, deny, &state) == NFS4_OK ? state
                                                                                                     : NULL;
}

static void one_state_an_owner_and_file(void **state)
{
        struct open_state *s = add(&a, "x", 5, 1, 0), *found;

        (void)state;
        assert_ptr_equal(add(&a, "x", 5, 2, 0), s);
        assert_int_equal(s->stateid.seqid, 2);
        assert_int_equal(s->access, 3);
        assert_ptr_not_equal(add(&a, "y", 5, 1, 0), s);
        assert_ptr_not_equal(add(&b, "x", 5, 1, 0), s);
        assert_ptr_not_equal(add(&a, "x", 6, 1, 0), s);
        assert_ptr_equal(open_of(opens, &a, slice_str("x"), 5), s);
        assert_null(open_of(opens, &b, slice_str("y"), 5));
        assert_int_equal(opens_count(opens), 4);
        assert_int_equal(open_find(opens, &a, &s->stateid, &found), NFS4_OK);
        assert_int_equal(open_find(opens, &b, &s->stateid, &found), NFS4ERR_BAD_STATEID);
        assert_true(mds_client_holds(&a));
}

static void seqids(void **state)
{
        struct open_state *s = add(&a, "x", 5, 3, 0), *found;
        struct stateid id = s->stateid;

        (void)state;
        add(&a, "x", 5, 3, 0);
        assert_int_equal(open_find(opens, &a, &id, &found), NFS4ERR_OLD_STATEID);
        id.seqid = 3;
        assert_int_equal(open_find(opens, &a, &id, &found), NFS4ERR_BAD_STATEID);
        id.seqid = 0;
        assert_int_equal(open_find(opens, &a, &id, &found), NFS4_OK);
        s->stateid.seqid = UINT32_MAX;
        id = s->stateid;
        add(&a, "x", 5, 3, 0);
        assert_int_equal(s->stateid.seqid, 1); /* 0 is left out: §8.2.2 */
        assert_int_equal(open_find(opens, &a, &id, &found), NFS4ERR_OLD_STATEID);
        id = s->stateid;
        assert_true(open_close(opens, s));
        assert_int_equal(open_find(opens, &a, &id, &found), NFS4ERR_BAD_STATEID);
        memset(&id, 0, sizeof(id));
        assert_int_equal(open_find(opens, &a, &id, &found), NFS4ERR_BAD_STATEID);
        stateid_make(&lab.mds, STATEID_LAYOUT, 1, &id);
        assert_int_equal(open_find(opens, &a, &id, &found), NFS4ERR_BAD_STATEID);
}

static void owners_of_any_length(void **state)
{
        uint8_t name[1024];

        (void)state;
        for (uint32_t i = 0; i < sizeof(name); i++)
                name[i] = (uint8_t)i;
        for (uint32_t length = 0; length <= sizeof(name); length += 31) {
                struct open_state *s;

                assert_int_equal(open_add(opens, &a, slice_of(name, length), 5, 1, 1, 0, &s), NFS4_OK);
                assert_int_equal(s->stateid.seqid, 1);
                assert_ptr_equal(open_of(opens, &a, slice_of(name, length), 5), s);
        }
        assert_int_equal(opens_count(opens), 34);
}

/* A model: the list of who has what. */
enum { OWNERS = 6, FILES = 3 };
struct held {
        uint8_t access, deny;
};

static bool model_conflicts(struct held h[FILES][OWNERS], int file, int except, uint8_t access, uint8_t deny)
{
        for (int i = 0; i < OWNERS; i++)
                if (i != except && (h[file][i].deny & access || h[file][i].access & deny))
                        return true;
        return false;
}

static void shares_as_the_model_says(void **state)
{
        static const char *const names[OWNERS] = { "a", "b", "c", "d", "e", "f" };
        struct held h[FILES][OWNERS] = { 0 };
        uint64_t dice = 7;

        (void)state;
        for (int step = 0; step < 20000; step++) {
                int file = (int)lab_random_below(&dice, FILES), who = (int)lab_random_below(&dice, OWNERS);
                uint8_t access = (uint8_t)(1 + lab_random_below(&dice, 3)),
                        deny = (uint8_t)(lab_random(&dice) & lab_random(&dice) & 3);
                struct client *client = who % 2 ? &a : &b;
                struct open_state *s = open_of(opens, client, slice_str(names[who]), (uint64_t)file + 10);
                bool conflict = model_conflicts(h, file, who, access, deny);

                assert_int_equal(s != NULL, h[file][who].access != 0);
                if (lab_random_below(&dice, 3) == 0 && s) {
                        bool last = open_close(opens, s);

                        assert_int_equal(last, !opens_file_is_open(opens, (uint64_t)file + 10));
                        h[file][who] = (struct held){ 0 };
                        continue;
                }
                assert_int_equal(open_conflicts(opens, (uint64_t)file + 10, s, access, deny), conflict);
                s = add(client, names[who], (uint64_t)file + 10, access, deny);
                assert_int_equal(s == NULL, conflict);
                if (conflict)
                        continue;
                h[file][who].access |= access;
                h[file][who].deny |= deny;
                assert_int_equal(s->access, h[file][who].access);
                assert_int_equal(s->deny, h[file][who].deny);
        }
}

static void downgrades(void **state)
{
        /* Given by OPENs (bit n: combination n), asked for, allowed. */
        static const struct {
                uint8_t given[3], asked;
                bool ok;
        } cases[] = {
                { { 3 }, 3, true },    { { 3 }, 1, false },   { { 3 }, 2, false },   { { 1, 2 }, 3, true },
                { { 1, 2 }, 1, true }, { { 1, 2 }, 2, true }, { { 1, 3 }, 1, true }, { { 1, 3 }, 2, false },
                { { 1, 3 }, 3, true }, { { 2, 3 }, 2, true }, { { 1 }, 2, false },   { { 1, 2, 3 }, 3, true },
        };

        (void)state;
        for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct open_state *s = NULL;
                uint32_t seqid;

                for (int n = 0; n < 3; n++)
                        if (cases[i].given[n])
                                s = add(&a, "x", 5, cases[i].given[n], 0);
                seqid = s->stateid.seqid;
                assert_int_equal(open_downgrade(opens, s, cases[i].asked, 0),
                                 cases[i].ok ? NFS4_OK : NFS4ERR_INVAL);
                assert_int_equal(s->stateid.seqid, seqid + cases[i].ok);
                assert_int_equal(open_downgrade(opens, s, cases[i].asked, 1), NFS4ERR_INVAL);
                open_close(opens, s);
        }
}

static void a_downgrade_forgets_what_was_above_it(void **state)
{
        struct open_state *s = add(&a, "x", 5, 1, 0);

        (void)state;
        add(&a, "x", 5, 3, 2);
        assert_int_equal(open_downgrade(opens, s, 1, 0), NFS4_OK);
        assert_int_equal(open_downgrade(opens, s, 3, 0), NFS4ERR_INVAL);
        assert_int_equal(open_downgrade(opens, s, 1, 2), NFS4ERR_INVAL);
        assert_non_null(add(&b, "y", 5, 2, 0)); /* the deny is gone */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(one_state_an_owner_and_file),
                TEST(seqids),
                TEST(owners_of_any_length),
                TEST(shares_as_the_model_says),
                TEST(downgrades),
                TEST(a_downgrade_forgets_what_was_above_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
