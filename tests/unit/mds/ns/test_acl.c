/* SPDX-License-Identifier: Apache-2.0 */
/* Access control lists: what the order of entries means, that a list and a mode say the same, what a chmod
 * leaves, what is inherited. RFC 8881 §6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hashtab.h"
#include "mds/ns/acl.h"

enum { R = ACE4_READ_DATA, W = ACE4_WRITE_DATA | ACE4_APPEND_DATA, X = ACE4_EXECUTE };
enum {
        FD = ACE4_FILE_INHERIT_ACE | ACE4_DIRECTORY_INHERIT_ACE,
        IO = ACE4_INHERIT_ONLY_ACE,
        G = ACE4_IDENTIFIER_GROUP
};

/* Owner 100, group 300. */
static const struct inode file = { .type = NF4REG, .uid = 100, .gid = 300 };
static const struct caller owner = { .uid = 100, .gid = 1 }, member = { .uid = 200, .gid = 300 },
                           stranger = { .uid = 400, .gid = 4, .gid_count = 1, .gids = { 44 } };

#define ALLOW(flags, who, id, mask) \
        { \
                ACE4_ACCESS_ALLOWED_ACE_TYPE, flags, who, mask, id \
        }
#define DENY(flags, who, id, mask) \
        { \
                ACE4_ACCESS_DENIED_ACE_TYPE, flags, who, mask, id \
        }
#define LIST(...) \
        (struct acl) \
        { \
                .count = sizeof((struct ace[]){ __VA_ARGS__ }) / sizeof(struct ace), .aces = { __VA_ARGS__ } \
        }

static void the_first_entry_that_speaks_decides(void **state)
{
        struct acl a =
                LIST(DENY(0, ACE_ID, 400, W), ALLOW(0, ACE_EVERYONE, 0, R | W), DENY(0, ACE_EVERYONE, 0, R));

        (void)state;
        assert_true(acl_allows(&a, &member, &file, R | W));
        assert_true(acl_allows(&a, &stranger, &file, R));
        assert_false(acl_allows(&a, &stranger, &file, W));
        assert_false(acl_allows(&a, &stranger, &file, R | ACE4_APPEND_DATA));
        assert_false(acl_allows(&a, &member, &file, X)); /* nobody speaks of it */
        assert_true(acl_allows(&a, &member, &file, 0));
}

static void each_kind_of_who(void **state)
{
        struct acl a = LIST(ALLOW(0, ACE_OWNER, 0, 1), ALLOW(G, ACE_GROUP, 0, 2), ALLOW(0, ACE_ID, 400, 4),
                            ALLOW(G, ACE_ID, 44, 32), ALLOW(G, ACE_ID, 400, 64),
                            ALLOW(FD | IO, ACE_EVERYONE, 0, 128));
        struct acl none = { 0 };

        (void)state;
        assert_true(acl_allows(&a, &owner, &file, 1));
        assert_false(acl_allows(&a, &owner, &file, 2));
        assert_true(acl_allows(&a, &member, &file, 2));
        assert_true(acl_allows(&a, &stranger, &file, 4 | 32));
        assert_false(acl_allows(&a, &stranger, &file, 64)); /* a user's number is not a group's */
        assert_false(acl_allows(&a, &stranger, &file, 128));
        assert_false(acl_allows(&none, &owner, &file, 1));
}

/* Three bits of MODE for CALLER, as POSIX has it. */
static unsigned bits_for(const struct caller *who, uint16_t mode)
{
        return (who == &owner ? mode >> 6 : who == &member ? mode >> 3 : mode) & 7u;
}

static void a_mode_as_a_list_says_the_same(void **state)
{
        static const struct caller *const callers[] = { &owner, &member, &stranger };

        (void)state;
        for (uint16_t mode = 0; mode <= 0777; mode++)
                for (uint8_t type = NF4REG; type <= NF4DIR; type++) {
                        struct acl a;

                        acl_of_mode(mode, type, &a);
                        assert_int_equal(acl_mode(&a), mode);
                        assert_true(acl_is_trivial(&a, type));
                        for (int i = 0; i < 3; i++) {
                                unsigned bits = bits_for(callers[i], mode);

                                assert_int_equal(acl_allows(&a, callers[i], &file, R), (bits & 4) != 0);
                                assert_int_equal(acl_allows(&a, callers[i], &file, W), (bits & 2) != 0);
                                assert_int_equal(acl_allows(&a, callers[i], &file, X), (bits & 1) != 0);
                        }
                }
}

static void a_list_has_a_mode(void **state)
{
        struct acl a = LIST(DENY(0, ACE_OWNER, 0, X), ALLOW(0, ACE_ID, 400, R | W | X),
                            ALLOW(0, ACE_OWNER, 0, R | ACE4_WRITE_DATA), ALLOW(G, ACE_GROUP, 0, R | W),
                            ALLOW(0, ACE_EVERYONE, 0, X), ALLOW(FD | IO, ACE_EVERYONE, 0, W));

        (void)state;
        assert_int_equal(acl_mode(&a), 0471); /* writing takes both bits */
        assert_false(acl_is_trivial(&a, NF4REG));
        a = LIST(ALLOW(0, ACE_OWNER, 0, R | W));
        assert_int_equal(acl_mode(&a), 0600);
        assert_false(acl_is_trivial(&a, NF4REG)); /* nobody may so much as look: a mode cannot say that */
}

static void a_chmod_rules_the_three_and_bounds_the_others(void **state)
{
        struct acl a = LIST(ALLOW(0, ACE_ID, 400, R | W | X), DENY(G, ACE_ID, 44, X),
                            ALLOW(0, ACE_OWNER, 0, R | W | X), ALLOW(FD, ACE_ID, 500, R | W),
                            ALLOW(FD | IO, ACE_OWNER, 0, R | W), ALLOW(FD, ACE_EVERYONE, 0, R | W));
        const struct caller five = { .uid = 500 };
        struct acl child;

        (void)state;
        acl_chmod(&a, 0740, 0740, NF4DIR);
        assert_int_equal(acl_mode(&a), 0740);
        assert_true(acl_allows(&a, &stranger, &file, R));
        assert_false(acl_allows(&a, &stranger, &file, ACE4_WRITE_DATA));
        assert_true(acl_allows(&a, &five, &file, R));
        assert_false(acl_allows(&a, &five, &file, ACE4_WRITE_DATA));
        /* What is handed on is as it was. */
        acl_inherit(&a, NF4REG, &child);
        assert_int_equal(child.count, 3);
        assert_true(acl_allows(&child, &five, &file, R | W));
        assert_true(acl_allows(&child, &member, &file, R | W));
        /* Given back to the group, the others do not get back what they had. */
        acl_chmod(&a, 0770, 0770, NF4DIR);
        assert_int_equal(acl_mode(&a), 0770);
        assert_false(acl_allows(&a, &five, &file, ACE4_WRITE_DATA));
}

static struct acl random_list(uint64_t seed)
{
        struct acl a = { .count = (uint32_t)(hash_u64(seed) % (ACL_ACES + 1)) };

        for (uint32_t i = 0; i < a.count; i++) {
                uint64_t dice = hash_u64(seed * 100 + i);

                a.aces[i] = (struct ace){ .type = dice & 1,
                                          .who = dice >> 1 & 3,
                                          .flags = (uint8_t)(dice >> 8 & (dice & 4 ? ACE_FLAGS : G)),
                                          .mask = (uint32_t)(dice >> 16) & ACE_MASK,
                                          .id = 400 };
        }
        return a;
}

/* Is BIT of the mask among what three mode bits stand for, or is it none of their business? */
static bool may_have(uint32_t bit, unsigned bits)
{
        return bit & R ? bits & 4 : bit & W ? bits & 2 : bit & X ? bits & 1 : true;
}

static void any_list_after_any_chmod(void **state)
{
        (void)state;
        for (uint64_t seed = 1; seed < 5000; seed++) {
                uint16_t mode = hash_u64(seed + 77) & 0777;
                uint8_t type = seed % 2 ? NF4REG : NF4DIR;
                struct acl before = random_list(seed), a = before;

                acl_chmod(&a, mode, mode, type);
                assert_true(a.count <= ACL_ACES);
                assert_int_equal(acl_mode(&a), mode);
                for (uint32_t bit = 1; bit <= X; bit <<= 1)
                        if (acl_allows(&a, &stranger, &file, bit))
                                assert_true(may_have(bit, mode >> 3 | mode));
                acl_chmod(&a, mode, mode, type);
                assert_int_equal(acl_mode(&a), mode);
        }
}

static void a_list_without_room_becomes_its_mode(void **state)
{
        struct acl a = { .count = ACL_ACES };

        (void)state;
        for (uint32_t i = 0; i < ACL_ACES; i++)
                a.aces[i] = (struct ace)ALLOW(0, ACE_ID, i, R);
        acl_chmod(&a, 0640, 0640, NF4REG);
        assert_true(acl_is_trivial(&a, NF4REG));
        assert_int_equal(acl_mode(&a), 0640);
}

/* The flags of the one entry that an object of TYPE inherits from one with FLAGS; -1: none. */
static int inherited(uint8_t flags, uint8_t type)
{
        struct acl parent = LIST(ALLOW(flags, ACE_ID, 400, R)), child;

        acl_inherit(&parent, type, &child);
        if (child.count == 0)
                return -1;
        assert_int_equal(child.count, 1);
        assert_int_equal(child.aces[0].mask, R);
        return child.aces[0].flags;
}

static void what_is_inherited(void **state)
{
        enum { F = ACE4_FILE_INHERIT_ACE, D = ACE4_DIRECTORY_INHERIT_ACE, N = ACE4_NO_PROPAGATE_INHERIT_ACE };

        (void)state;
        assert_int_equal(inherited(0, NF4REG), -1);
        assert_int_equal(inherited(0, NF4DIR), -1);
        assert_int_equal(inherited(F, NF4REG), 0);
        assert_int_equal(inherited(F | G, NF4REG), G);
        assert_int_equal(inherited(F, NF4DIR), F | IO);
        assert_int_equal(inherited(D, NF4REG), -1);
        assert_int_equal(inherited(D, NF4DIR), D);
        assert_int_equal(inherited(F | D | IO, NF4DIR), F | D);
        assert_int_equal(inherited(F | D | IO, NF4REG), 0);
        assert_int_equal(inherited(F | N, NF4DIR), -1);
        assert_int_equal(inherited(D | N, NF4DIR), 0);
        assert_int_equal(inherited(F | D | N | IO, NF4DIR), 0);
        assert_int_equal(inherited(F | N, NF4REG), 0);
}

static void the_umask_counts_where_nothing_is_inherited(void **state)
{
        struct acl a = LIST(ALLOW(0, ACE_OWNER, 0, R | W | X), ALLOW(0, ACE_ID, 400, R | X),
                            ALLOW(FD | IO, ACE_GROUP, 0, R | W | X));

        (void)state;
        assert_int_equal(acl_mode_without_umask(&a, 0666, 0644), 0644);
        assert_int_equal(acl_mode_without_umask(&a, 0777, 0027), 0727);
        acl_chmod(&a, 0600, 0666, NF4REG);
        assert_int_equal(acl_mode(&a), 0600);
        assert_true(acl_allows(&a, &stranger, &file, R));
        assert_false(acl_allows(&a, &stranger, &file, X));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_first_entry_that_speaks_decides),
                cmocka_unit_test(each_kind_of_who),
                cmocka_unit_test(a_mode_as_a_list_says_the_same),
                cmocka_unit_test(a_list_has_a_mode),
                cmocka_unit_test(a_chmod_rules_the_three_and_bounds_the_others),
                cmocka_unit_test(any_list_after_any_chmod),
                cmocka_unit_test(a_list_without_room_becomes_its_mode),
                cmocka_unit_test(what_is_inherited),
                cmocka_unit_test(the_umask_counts_where_nothing_is_inherited),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
