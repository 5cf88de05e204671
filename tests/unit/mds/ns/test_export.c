/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mds/ns/export.h"

enum { NONE = 0, SYS = 1, KRB5 = 6 };

static char error[512];

static struct exports *load(const char *text)
{
        struct exports *set = NULL;

        if (exports_load_text("e.yaml", text, strlen(text), &set, error, sizeof error) < 0)
                fail_msg("%s", error);
        return set;
}

static void expect_error(const char *text, const char *expected)
{
        struct exports *set = (struct exports *)error;

        assert_int_equal(exports_load_text("e.yaml", text, strlen(text), &set, error, sizeof error), -1);
        assert_string_equal(error, expected);
        assert_ptr_equal(set, error);
}

static struct netaddr addr(const char *text)
{
        struct netaddr a;

        assert_int_equal(netaddr_parse(text, 700, &a), 0);
        return a;
}

/* The line of the rule that holds; 0: no access. */
static unsigned matched_line(const struct exports *set, const char *client, uint32_t flavour,
                             struct export_names *names)
{
        struct netaddr a = addr(client);
        const struct export_rule *rule = export_match(set, set->items[0].id, &a, flavour, names);

        return rule ? rule->line : 0;
}

static void test_defaults_are_safe(void **state)
{
        struct exports *set = load("exports:\n- path: /\n  rules:\n  - clients: '*'\n");
        const struct export_rule *rule = &set->items[0].rules[0];

        (void)state;
        assert_int_equal(rule->access, EXPORT_RO);
        assert_int_equal(rule->squash, SQUASH_ROOT);
        assert_int_equal(rule->anonuid, 65534);
        assert_int_equal(rule->anongid, 65534);
        assert_int_equal(rule->flavours, 1 << SYS);
        assert_true(rule->pnfs);
        assert_int_equal(rule->line, 4);
        exports_free(set);
}

static void test_all_keys(void **state)
{
        struct exports *set = load(
                "exports:\n- path: /a\n  id: 77\n  rules:\n  - {clients: '*', access: rw, squash: all, anonuid: 1,\n"
                "     anongid: 2, sec: [none, sys], pnfs: off}\n");
        const struct export_rule *rule = &set->items[0].rules[0];

        (void)state;
        assert_int_equal(set->items[0].id, 77);
        assert_int_equal(rule->access, EXPORT_RW);
        assert_int_equal(rule->squash, SQUASH_ALL);
        assert_int_equal(rule->anonuid, 1);
        assert_int_equal(rule->anongid, 2);
        assert_int_equal(rule->flavours, 1 << SYS | 1 << NONE);
        assert_false(rule->pnfs);
        exports_free(set);
}

static void test_first_rule_wins(void **state)
{
        struct exports *set = load("exports:\n- path: /a\n  rules:\n"
                                   "  - clients: 10.1.2.3\n"
                                   "  - clients: [192.0.2.0/25, '2001:db8::/33']\n"
                                   "  - {clients: 192.0.2.0/24, sec: none}\n"
                                   "  - clients: 192.0.2.0/24\n");

        (void)state;
        assert_int_equal(matched_line(set, "10.1.2.3", SYS, NULL), 4);
        assert_int_equal(matched_line(set, "10.1.2.4", SYS, NULL), 0);
        assert_int_equal(matched_line(set, "192.0.2.127", SYS, NULL), 5);
        assert_int_equal(matched_line(set, "192.0.2.128", SYS, NULL), 7);
        assert_int_equal(matched_line(set, "192.0.2.128", NONE, NULL), 6);
        assert_int_equal(matched_line(set, "192.0.2.128", KRB5, NULL), 0);
        assert_int_equal(matched_line(set, "192.0.2.128", 390003, NULL), 0);
        assert_int_equal(matched_line(set, "192.0.3.1", SYS, NULL), 0);
        assert_int_equal(matched_line(set, "2001:db8:7fff::1", SYS, NULL), 5);
        assert_int_equal(matched_line(set, "2001:db8:8000::1", SYS, NULL), 0);
        assert_int_equal(matched_line(set, "::ffff:10.1.2.3", SYS, NULL),
                         4); /* from a socket for both families */
        exports_free(set);
}

static void test_prefix_zero_is_one_family(void **state)
{
        struct exports *set = load("exports:\n- path: /a\n  rules:\n  - clients: 0.0.0.0/0\n");

        (void)state;
        assert_int_equal(matched_line(set, "203.0.113.9", SYS, NULL), 4);
        assert_int_equal(matched_line(set, "2001:db8::1", SYS, NULL), 0);
        exports_free(set);
}

static void test_flavours(void **state)
{
        struct exports *set = load(
                "exports:\n- path: /a\n  rules:\n  - {clients: 192.0.2.1, sec: none}\n  - clients: 192.0.2.0/24\n");
        struct netaddr both = addr("192.0.2.1"), sys = addr("192.0.2.2"), out = addr("192.0.3.1");
        uint16_t id = set->items[0].id;

        (void)state;
        assert_int_equal(export_flavours(set, id, &both, NULL), 1 << SYS | 1 << NONE);
        assert_int_equal(export_flavours(set, id, &sys, NULL), 1 << SYS);
        assert_int_equal(export_flavours(set, id, &out, NULL), 0);
        assert_int_equal(export_flavours(set, (uint16_t)(id + 1), &sys, NULL), 0);
        assert_null(export_match(set, (uint16_t)(id + 1), &sys, SYS, NULL));
        exports_free(set);
}

struct fixed_name {
        struct export_names names;
        const char *answer;
        int asked;
};

static const char *fixed(struct export_names *names, const struct netaddr *client)
{
        struct fixed_name *n = (struct fixed_name *)names;

        (void)client;
        n->asked++;
        return n->answer;
}

static void test_host_names(void **state)
{
        static const struct {
                const char *pattern, *name;
                bool fits;
        } cases[] = {
                { "*.lab.example", "a.lab.example", true },
                { "*.lab.example", "A.Lab.Example", true },
                { "*.lab.example", "a.b.lab.example", false },
                { "*.lab.example", ".lab.example", true },
                { "*.lab.example", "lab.example", false },
                { "*.lab.example", "a.lab.example.evil", false },
                { "*.lab.example", "axlab.example", false },
                { "node??.lab", "node01.lab", true },
                { "node??.lab", "node1.lab", false },
                { "n*e*1.lab", "node-e-11.lab", true },
                { "n*e*1.lab", "node-e-12.lab", false },
                { "a?b.lab", "a.b.lab", false },
                { "exact.lab", "exact.lab", true },
                { "exact.lab", "", false },
        };

        (void)state;
        for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
                struct fixed_name n = { { fixed }, cases[i].name, 0 };
                struct exports *set;
                char text[128];

                snprintf(text, sizeof text, "exports:\n- path: /a\n  rules:\n  - clients: '%s'\n",
                         cases[i].pattern);
                set = load(text);
                if (matched_line(set, "192.0.2.1", SYS, &n.names) != (cases[i].fits ? 4 : 0))
                        fail_msg("%s against %s", cases[i].pattern, cases[i].name);
                exports_free(set);
        }
}

static void test_names_are_asked_only_when_needed(void **state)
{
        struct exports *set = load(
                "exports:\n- path: /a\n  rules:\n  - clients: [a.lab, 192.0.2.1]\n  - clients: 192.0.2.2\n");
        struct fixed_name n = { { fixed }, NULL, 0 };
        struct netaddr second = addr("192.0.2.2");

        (void)state;
        assert_int_equal(matched_line(set, "192.0.2.1", SYS, &n.names), 4);
        assert_int_equal(n.asked, 0);
        /* Not known yet: a later rule must not hold in the meantime. */
        assert_ptr_equal(export_match(set, set->items[0].id, &second, SYS, &n.names), &export_undecided);
        n.answer = "b.lab";
        assert_int_equal(matched_line(set, "192.0.2.2", SYS, &n.names), 5);
        assert_int_equal(matched_line(set, "192.0.2.2", SYS, NULL), 5);
        n.answer = "a.lab";
        assert_int_equal(matched_line(set, "192.0.2.2", SYS, &n.names), 4);
        exports_free(set);
}

#define RULES "\n  rules: [{clients: '*'}]\n"

static void test_paths(void **state)
{
        static const char *const bad[] = {
                "data", "/data/", "//data", "/a//b", "/a/./b", "/a/..", "/.", "''"
        };
        char text[128], expected[256];

        (void)state;
        for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
                snprintf(text, sizeof text, "exports:\n- path: %s" RULES, bad[i]);
                snprintf(expected, sizeof expected,
                         "e.yaml:2: path: '%s' is not valid; allowed: an absolute path without empty parts, "
                         "'.' and '..', and without a slash at its end",
                         strcmp(bad[i], "''") == 0 ? "" : bad[i]);
                expect_error(text, expected);
        }
        expect_error("exports:\n- path: /a" RULES "- path: /a" RULES,
                     "e.yaml:4: path: '/a' stands twice; allowed: once (line 2)");
        expect_error("exports:\n- path: /a" RULES "- path: /a/b" RULES,
                     "e.yaml:4: path: '/a/b' lies inside '/a' (line 2); allowed: separate paths");
        expect_error("exports:\n- path: /a/b" RULES "- path: /a" RULES,
                     "e.yaml:4: path: '/a' contains '/a/b' (line 2); allowed: separate paths");
        expect_error("exports:\n- path: /" RULES "- path: /a" RULES,
                     "e.yaml:4: path: '/a' lies inside '/' (line 2); allowed: separate paths");
        expect_error("exports:\n- path: /a\n  id: 5" RULES "- path: /b\n  id: 5" RULES,
                     "e.yaml:5: '/b' has the id 5 of '/a' (line 2); allowed: another id: from 1 to 65535");
        exports_free(load("exports:\n- path: /a" RULES "- path: /ab" RULES "- path: /...\n" RULES));
}

static void test_messages(void **state)
{
        static const char clients[] =
                "an address, a network like 192.0.2.0/24 or 2001:db8::/32, a host name like *.lab.example, or \"*\"";
        static const struct {
                const char *client, *allowed;
        } bad[] = {
                { "192.0.2.300", clients },
                { "192.0.2.*", clients },
                { "192.0.2.1:2049", clients },
                { "[2001:db8::1]", clients },
                { "a b", clients },
                { "a..b", clients },
                { "@group", clients },
                { "192.0.2.0/", "a prefix from /0 to /32" },
                { "192.0.2.0/33", "a prefix from /0 to /32" },
                { "::/129", "a prefix from /0 to /128" },
                { "192.0.2.1/24", "a network whose bits behind the prefix are 0" },
                { "::ffff:192.0.2.1", clients },
                { "::ffff:c000:201", "the IPv4 form of this address" },
        };
        char text[128], expected[256];

        (void)state;
        for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
                snprintf(text, sizeof text,
                         "exports:\n- path: /a\n  rules:\n  - clients:\n    - a.lab\n    - '%s'\n",
                         bad[i].client);
                snprintf(expected, sizeof expected, "e.yaml:6: clients: '%s' is not valid; allowed: %s",
                         bad[i].client, bad[i].allowed);
                expect_error(text, expected);
        }
        expect_error("exports:\n- path: /a\n  rules:\n  - clients: '*'\n    sec: [sys,\n     krb5p]\n",
                     "e.yaml:6: sec: 'krb5p' is not supported yet; allowed: sys, none");
        expect_error("exports:\n- path: /a\n  rules:\n  - clients: '*'\n    sec: dh\n",
                     "e.yaml:5: sec: 'dh' is not valid; allowed: sys, none");
        expect_error("exports:\n- path: /a\n  rules:\n  - clients: '*'\n    access: wr\n",
                     "e.yaml:5: access: 'wr' is not valid; allowed: ro, rw");
        expect_error("exports:\n- path: /a\n  rules:\n  - clients: '*'\n    squash: yes\n",
                     "e.yaml:5: squash: 'yes' is not valid; allowed: none, root, all");
        expect_error("exports:\n- path: /a\n  rules:\n  - clients: '*'\n    anonuid: 4294967295\n",
                     "e.yaml:5: anonuid: '4294967295' is not valid; allowed: a number from 0 to 4294967294");
        expect_error(
                "exports:\n- path: /a\n  rules:\n  - access: rw\n",
                "e.yaml:4: 'clients' is missing; allowed: addresses, networks like 192.0.2.0/24, host names like *.lab.example, or \"*\"");
        expect_error(
                "exports:\n- path: /a\n",
                "e.yaml:2: 'rules' is missing; allowed: a list of rules with clients, access, squash, anonuid, anongid, sec, pnfs");
        expect_error("exports: []\n", "e.yaml:1: exports: too short a list; allowed: at least 1");
        expect_error("", "e.yaml:1: 'exports' is missing; allowed: a list of exports with path, id, rules");
}

static uint16_t id_of(const struct exports *set, const char *path)
{
        for (unsigned i = 0; i < set->count; i++)
                if (strcmp(set->items[i].path, path) == 0)
                        return set->items[i].id;
        return 0;
}

/* Handles carry export ids: an edit of the file must not give one export's handles to another. */
static void test_ids_do_not_move(void **state)
{
        struct exports *before = load("exports:\n- path: /b" RULES "- path: /c" RULES);
        struct exports *after = load("exports:\n- path: /c" RULES "- path: /a" RULES "- path: /b" RULES);
        struct exports *root = load("exports:\n- path: /" RULES);

        (void)state;
        assert_int_equal(id_of(before, "/b"), id_of(after, "/b"));
        assert_int_equal(id_of(before, "/c"), id_of(after, "/c"));
        assert_int_not_equal(id_of(after, "/a"), id_of(after, "/b"));
        assert_int_equal(id_of(root, "/"), 1);
        assert_true(id_of(after, "/a") > 1);
        assert_ptr_equal(export_by_id(after, id_of(after, "/a")), &after->items[1]);
        exports_free(before);
        exports_free(after);
        exports_free(root);
}

static void test_root_alone_has_no_pseudo_nodes(void **state)
{
        struct exports *set = load("exports:\n- path: /" RULES);

        (void)state;
        assert_int_equal(set->root->export_id, 1);
        assert_null(set->root->first_child);
        assert_ptr_equal(pseudo_of_export(set, 1), set->root);
        exports_free(set);
}

static void test_pseudo_tree(void **state)
{
        struct exports *set =
                load("exports:\n- path: /p/x" RULES "- path: /data" RULES "- path: /p/y/z" RULES);
        const struct pseudo_node *p = pseudo_lookup(set->root, slice_str("p")), *z, *node;
        uint64_t cookie = 0;
        unsigned count = 0;

        (void)state;
        assert_int_equal(set->root->export_id, 0);
        assert_non_null(p);
        assert_int_equal(p->export_id, 0);
        assert_ptr_equal(p->parent, set->root);
        assert_int_equal(pseudo_lookup(p, slice_str("x"))->export_id, id_of(set, "/p/x"));
        assert_null(pseudo_lookup(p, slice_str("xx")));
        assert_null(pseudo_lookup(p, slice_str("")));
        z = pseudo_lookup(pseudo_lookup(p, slice_str("y")), slice_str("z"));
        assert_ptr_equal(pseudo_of_export(set, id_of(set, "/p/y/z")), z);
        assert_ptr_equal(pseudo_by_id(set, z->id), z);
        assert_null(pseudo_by_id(set, z->id + 1));
        while ((node = pseudo_next(set->root, cookie))) {
                assert_true(node->id > cookie && node->id >= UINT64_C(1) << 62 &&
                            node->id < UINT64_C(1) << 63);
                cookie = node->id;
                count++;
        }
        assert_int_equal(count, 2);
        exports_free(set);
}

static void test_pseudo_ids_do_not_move(void **state)
{
        struct exports *one = load("exports:\n- path: /p/x" RULES),
                       *two = load("exports:\n- path: /a" RULES "- path: /p/w" RULES);

        (void)state;
        assert_int_equal(one->root->id, two->root->id);
        assert_int_equal(pseudo_lookup(one->root, slice_str("p"))->id,
                         pseudo_lookup(two->root, slice_str("p"))->id);
        exports_free(one);
        exports_free(two);
}

static void test_example(void **state)
{
        struct exports *set;

        (void)state;
        if (exports_load(NACRE_SOURCE_DIR "/docs/examples/exports.yaml", &set, error, sizeof error) < 0)
                fail_msg("%s", error);
        assert_int_equal(set->count, 2);
        assert_int_equal(set->items[0].rule_count, 2);
        assert_int_equal(set->items[0].rules[0].client_count, 4);
        exports_free(set);
        exports_free(NULL);
        assert_int_equal(exports_load("/nonexistent/e.yaml", &set, error, sizeof error), -1);
        assert_string_equal(
                error, "/nonexistent/e.yaml:1: No such file or directory; allowed: a readable YAML file");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults_are_safe),
                cmocka_unit_test(test_all_keys),
                cmocka_unit_test(test_first_rule_wins),
                cmocka_unit_test(test_prefix_zero_is_one_family),
                cmocka_unit_test(test_flavours),
                cmocka_unit_test(test_host_names),
                cmocka_unit_test(test_names_are_asked_only_when_needed),
                cmocka_unit_test(test_paths),
                cmocka_unit_test(test_messages),
                cmocka_unit_test(test_ids_do_not_move),
                cmocka_unit_test(test_root_alone_has_no_pseudo_nodes),
                cmocka_unit_test(test_pseudo_tree),
                cmocka_unit_test(test_pseudo_ids_do_not_move),
                cmocka_unit_test(test_example),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
