/* SPDX-License-Identifier: Apache-2.0 */
/* Every message names file and line, says what is wrong and what is allowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/conf.h"

struct inner {
        unsigned line;
        char *name;
        uint64_t weight;
};
struct sample {
        char *text;
        struct conf_path path;
        uint64_t number, size;
        bool flag;
        int word;
        unsigned set;
        struct netaddr addr;
        struct conf_addrs addrs;
        struct conf_strings strings;
        struct conf_list list;
        struct inner record;
};

static const char *const words[] = { "red", "green", NULL };

static bool is_even(const void *value)
{
        return *(const uint64_t *)value % 2 == 0;
}

static const struct conf_field inner_fields[] = {
        { "name", CONF_STRING, offsetof(struct inner, name), .fallback = "nobody", .max = 8 },
        { "weight", CONF_U64, offsetof(struct inner, weight), .fallback = "7" },
        { .key = NULL },
};
#define FIELD(member) offsetof(struct sample, member)
static const struct conf_field fields[] = {
        { "text", CONF_STRING, FIELD(text), .required = true, .help = "some text" },
        { "path", CONF_PATH, FIELD(path), .min = 0 },
        { "number", CONF_U64, FIELD(number), .fallback = "10", .min = 2, .max = 20, .valid = is_even },
        { "size", CONF_SIZE, FIELD(size), .fallback = "1M", .min = 1024, .max = 1024 * 1024 * 1024 },
        { "flag", CONF_BOOL, FIELD(flag), .fallback = "on" },
        { "word", CONF_ENUM, FIELD(word), .fallback = "green", .names = words },
        { "set", CONF_SET, FIELD(set), .fallback = "green", .names = words },
        { "addr", CONF_ADDR, FIELD(addr), .fallback = "127.0.0.1", .min = 80 },
        { "addrs", CONF_ADDRS, FIELD(addrs), .fallback = "[::1]:99", .min = 2049, .max = 2 },
        { "strings", CONF_STRINGS, FIELD(strings), .fallback = "only", .max = 3 },
        { "list", CONF_LIST, FIELD(list), .max = 200, .fields = inner_fields,
          .record_bytes = sizeof(struct inner), .keeps_line = true },
        { "record", CONF_RECORD, FIELD(record), .fields = inner_fields, .keeps_line = true },
        { .key = NULL },
};

static void expect_error(const char *text, const char *expected)
{
        struct sample s = { 0 }, zero = { 0 };
        char error[512] = "";

        assert_int_equal(conf_load_text("f.yaml", text, strlen(text), fields, &s, error, sizeof error), -1);
        assert_string_equal(error, expected);
        s.record.line = 0;
        assert_memory_equal(&s, &zero, sizeof s); /* nothing is left that somebody would have to free */
}

static void load(const char *text, struct sample *ret)
{
        char error[512] = "";

        memset(ret, 0, sizeof *ret);
        if (conf_load_text("f.yaml", text, strlen(text), fields, ret, error, sizeof error) < 0)
                fail_msg("%s", error);
}

static void test_defaults(void **state)
{
        struct sample s;

        (void)state;
        load("text: hello\n", &s);
        assert_string_equal(s.text, "hello");
        assert_null(s.path.text);
        assert_int_equal(s.number, 10);
        assert_int_equal(s.size, 1024 * 1024);
        assert_true(s.flag);
        assert_int_equal(s.word, 1);
        assert_int_equal(s.set, 2);
        assert_int_equal(s.addr.port, 80);
        assert_int_equal(s.addrs.count, 1);
        assert_int_equal(s.addrs.items[0].family, 6);
        assert_int_equal(s.strings.count, 1);
        assert_string_equal(s.strings.items[0], "only");
        assert_int_equal(s.list.count, 0);
        assert_string_equal(s.record.name, "nobody");
        conf_free(fields, &s);
}

static void test_every_kind(void **state)
{
        struct inner *inner;
        struct sample s;

        (void)state;
        load("text: \"a b\"\npath: /x\nnumber: 4\nsize: 3K\nflag: no\nword: red\nset: \"red , green\"\naddr: 192.0.2.1:1\n"
             "addrs: [192.0.2.2, '192.0.2.3:4']\nstrings:\n  - a\n  - b\nlist:\n  - name: n\n  - {weight: 3}\nrecord:\n  weight: 9\n",
             &s);
        assert_string_equal(s.text, "a b");
        assert_string_equal(s.path.text, "/x");
        assert_int_equal(s.path.line, 2);
        assert_int_equal(s.number, 4);
        assert_int_equal(s.size, 3072);
        assert_false(s.flag);
        assert_int_equal(s.word, 0);
        assert_int_equal(s.addr.port, 1);
        assert_int_equal(s.addrs.items[0].port, 2049);
        assert_int_equal(s.addrs.items[1].port, 4);
        assert_int_equal(s.strings.lines[1], 12);
        inner = s.list.items;
        assert_int_equal(s.list.count, 2);
        assert_int_equal(inner[0].line, 14);
        assert_string_equal(inner[0].name, "n");
        assert_int_equal(inner[1].line, 15);
        assert_int_equal(inner[1].weight, 3);
        assert_int_equal(s.record.weight, 9);
        assert_int_equal(s.record.line, 17);
        conf_free(fields, &s);
}

static void test_keys(void **state)
{
        (void)state;
        expect_error(
                "text: a\n\nnumbre: 4\n",
                "f.yaml:3: unknown key 'numbre'; allowed: text, path, number, size, flag, word, set, addr, addrs, strings, list, record");
        expect_error("text: a\nnumber: 4\nnumber: 6\n",
                     "f.yaml:3: 'number' stands twice; allowed: once (line 2)");
        expect_error("number: 4\n", "f.yaml:1: 'text' is missing; allowed: some text");
        expect_error("", "f.yaml:1: 'text' is missing; allowed: some text");
        expect_error("text: a\nlist:\n  - name: b\n  - nome: b\n",
                     "f.yaml:4: unknown key 'nome'; allowed: name, weight");
        expect_error("text: a\n[1]: b\n",
                     "f.yaml:2: unknown key '(a list)'; allowed: text, path, number, size, flag, word, "
                     "set, addr, addrs, strings, list, record");
}

static void test_values(void **state)
{
        static const char *const numbers[] = { "1",   "22", "-4", "+4", "0x4", "four", "99999999999999999999",
                                               "4 4", "",   "5" };
        static const char *const sets[] = { "", "blue", "red,", ",red", "red green", "re", "red,none" };
        char text[64], expected[128];

        (void)state;
        for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
                snprintf(text, sizeof text, "text: a\nnumber: %s\n", numbers[i]);
                snprintf(expected, sizeof expected,
                         "f.yaml:2: number: '%s' is not valid; allowed: a number from 2 to 20", numbers[i]);
                expect_error(text, expected);
        }
        expect_error("text: a\nsize: 1B\n",
                     "f.yaml:2: size: '1B' is not valid; allowed: a size (K, M, G, T) from 1K to 1G");
        expect_error("text: a\nsize: 2G\n",
                     "f.yaml:2: size: '2G' is not valid; allowed: a size (K, M, G, T) from 1K to 1G");
        expect_error("text: a\nsize: 99999999T\n",
                     "f.yaml:2: size: '99999999T' is not valid; allowed: a size (K, M, G, T) from 1K to 1G");
        expect_error("text: a\nflag: maybe\n",
                     "f.yaml:2: flag: 'maybe' is not valid; allowed: on, off, yes, no, true, false");
        expect_error("text: a\nword: blue\n", "f.yaml:2: word: 'blue' is not valid; allowed: red, green");
        for (unsigned i = 0; i < sizeof sets / sizeof *sets; i++) {
                snprintf(text, sizeof text, "text: a\nset: \"%s\"\n", sets[i]);
                snprintf(expected, sizeof expected,
                         "f.yaml:2: set: '%s' is not valid; allowed: none, or some of red, green", sets[i]);
                expect_error(text, expected);
        }
        expect_error(
                "text: a\naddr: here\n",
                "f.yaml:2: addr: 'here' is not valid; allowed: an address like 192.0.2.1:2049 or [2001:db8::1]:2049");
        expect_error("text: a\npath: [b]\n", "f.yaml:2: path: '(a list)' is not valid; allowed: a path");
        expect_error("text: \"a\\0b\"\n", "f.yaml:1: text: 'a' is not valid; allowed: some text");
        expect_error("text: \"\"\n", "f.yaml:1: text: '' is not valid; allowed: some text");
        expect_error("text: a\nrecord: {name: ninebytes}\n",
                     "f.yaml:2: name: 'ninebytes' is not valid; allowed: a text");
        expect_error("text: a\nword: \"b\\x1bb\"\n",
                     "f.yaml:2: word: 'b?b' is not valid; allowed: red, green");
}

static void test_lists(void **state)
{
        (void)state;
        expect_error("text: a\nstrings: []\n", "f.yaml:2: strings: too short a list; allowed: at least 1");
        expect_error("text: a\nstrings: [a, b, c, d]\n",
                     "f.yaml:2: strings: too long a list; allowed: at most 3");
        expect_error("text: a\nstrings:\n  - a\n  - [b]\n",
                     "f.yaml:4: strings: '(a list)' is not valid; allowed: a text or a list of texts");
        expect_error("text: a\naddrs: ['::1', '::2', '::3']\n",
                     "f.yaml:2: addrs: too long a list; allowed: at most 2");
        expect_error(
                "text: a\naddrs:\n- 192.0.2.1\n- x\n",
                "f.yaml:4: addrs: 'x' is not valid; allowed: addresses like 192.0.2.1:2049 or [2001:db8::1]:2049");
        expect_error("text: a\nlist: b\n", "f.yaml:2: list: 'b' is not valid; allowed: a list");
        expect_error("text: a\nlist:\n  - b\n", "f.yaml:3: list: 'b' is not valid; allowed: a list");
        expect_error("text: a\nrecord: b\n",
                     "f.yaml:2: record: 'b' is not valid; allowed: a mapping of keys to values");
}

static void test_syntax(void **state)
{
        (void)state;
        expect_error(
                "text: a\nnumber: 4\n\tsize: 1K\n",
                "f.yaml:3: not YAML: found a tab character that violates indentation; allowed: YAML in UTF-8");
        expect_error("text: a\nnumber: 4\nsize: \x01\n",
                     "f.yaml:3: not YAML: control characters are not allowed; allowed: YAML in UTF-8");
        expect_error("\xfe\xfe\xfe",
                     "f.yaml:1: not YAML: invalid leading UTF-8 octet; allowed: YAML in UTF-8");
        expect_error("", "f.yaml:1: 'text' is missing; allowed: some text");
        expect_error("- a\n", "f.yaml:1: not a mapping; allowed: lines of the form key: value");
        expect_error("text: a\n---\ntext: b\n", "f.yaml:3: a second document; allowed: one in a file");
        expect_error("text: a\nnumber: *x\n",
                     "f.yaml:2: not YAML: found undefined alias; allowed: YAML in UTF-8");
}

/* Three levels of a hundred aliases each: a few hundred bytes must not become a million values. */
static void test_aliases_are_bounded(void **state)
{
        static const struct conf_field level2[] = {
                { "c", CONF_STRINGS, .offset = 0 }, { .key = NULL },
        }, level1[] = {
                { "b", CONF_LIST, 0, .fields = level2, .record_bytes = sizeof(struct conf_strings) }, { .key = NULL },
        }, level0[] = {
                { "a", CONF_LIST, 0, .fields = level1, .record_bytes = sizeof(struct conf_list) }, { .key = NULL },
        };
        CLEANUP_FREE char *text = calloc(1, 10000);
        char error[128] = "";
        struct conf_list record = { 0 };

        (void)state;
        strcat(text, "a:\n- &b\n  b:\n  - &c\n    c: [x");
        for (int i = 0; i < 100; i++)
                strcat(text, ",x");
        strcat(text, "]\n");
        for (int i = 0; i < 100; i++)
                strcat(text, "  - *c\n");
        for (int i = 0; i < 100; i++)
                strcat(text, "- *b\n");
        assert_int_equal(conf_load_text("f", text, strlen(text), level0, &record, error, sizeof error), -1);
        assert_non_null(strstr(error, "too many values; allowed: 100000"));
}

static void test_long_messages_are_cut(void **state)
{
        struct sample s = { 0 };
        char error[16];

        (void)state;
        memset(error, 'x', sizeof error);
        assert_int_equal(conf_load_text("f.yaml", "nope: 1", 7, fields, &s, error, sizeof error), -1);
        assert_string_equal(error, "f.yaml:1: unkno");
}

static void write_file(const char *path, const char *text, mode_t mode)
{
        FILE *out = fopen(path, "w");

        assert_non_null(out);
        fputs(text, out);
        fclose(out);
        assert_int_equal(chmod(path, mode), 0);
}

static void test_files(void **state)
{
        char dir[] = "/tmp/test_conf.XXXXXX", path[64], error[256], expected[256];
        struct sample s = { 0 };

        (void)state;
        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof path, "%s/f.yaml", dir);
        snprintf(expected, sizeof expected, "%s:1: No such file or directory; allowed: a readable YAML file",
                 path);
        assert_int_equal(conf_load(path, fields, &s, error, sizeof error), -1);
        assert_string_equal(error, expected);
        assert_int_equal(conf_load(dir, fields, &s, error, sizeof error), -1);
        assert_non_null(strstr(error, ":1: Is a directory; allowed: a readable YAML file"));
        write_file(path, "text: from a file\n", 0644);
        assert_int_equal(conf_load(path, fields, &s, error, sizeof error), 0);
        assert_string_equal(s.text, "from a file");
        conf_free(fields, &s);
        assert_int_equal(truncate(path, CONF_FILE_LIMIT + 1), 0);
        assert_int_equal(conf_load(path, fields, &s, error, sizeof error), -1);
        assert_non_null(strstr(error, ": File too large"));
        unlink(path);
        rmdir(dir);
}

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"

static void test_key_file(void **state)
{
        char path[] = "/tmp/test_conf_key.XXXXXX", error[256];
        uint8_t key[CONF_KEY_BYTES] = { 0xff };
        int fd = mkstemp(path);

        (void)state;
        assert_true(fd >= 0);
        close(fd);
        write_file(path, "00010203\n", 0600);
        assert_int_equal(conf_load_key(path, key, error, sizeof error), -1);
        assert_non_null(strstr(
                error, ": not a cluster key; allowed: a file of 64 hexadecimal digits, mode 0600 or 0400"));
        write_file(path, HEX "00", 0600);
        assert_int_equal(conf_load_key(path, key, error, sizeof error), -1);
        assert_int_equal(key[0], 0xff);
        write_file(path, HEX "\n", 0640);
        assert_int_equal(conf_load_key(path, key, error, sizeof error), -1);
        assert_non_null(strstr(
                error, ": others may read it; allowed: a file of 64 hexadecimal digits, mode 0600 or 0400"));
        write_file(path, HEX "\n", 0600);
        assert_int_equal(conf_load_key(path, key, error, sizeof error), 0);
        for (unsigned i = 0; i < CONF_KEY_BYTES; i++)
                assert_int_equal(key[i], i);
        unlink(path);
        assert_int_equal(conf_load_key(path, key, error, sizeof error), -1);
        assert_non_null(
                strstr(error, ": No such file or directory; allowed: a file of 64 hexadecimal digits"));
}

static void test_what_changed(void **state)
{
        static const char base[] =
                "text: t\npath: /a\nstrings: [a, b]\nlist: [{name: x}]\nrecord: {weight: 8}\n";
        static const char *const other[][2] = {
                { "text", "text: u\npath: /a\nstrings: [a, b]\nlist: [{name: x}]\nrecord: {weight: 8}\n" },
                { "path", "text: t\nstrings: [a, b]\nlist: [{name: x}]\nrecord: {weight: 8}\n" },
                { "strings", "text: t\npath: /a\nstrings: [a, c]\nlist: [{name: x}]\nrecord: {weight: 8}\n" },
                { "list", "text: t\npath: /a\nstrings: [a, b]\nlist: [{name: y}]\nrecord: {weight: 8}\n" },
                { "record", "text: t\npath: /a\nstrings: [a, b]\nlist: [{name: x}]\nrecord: {weight: 9}\n" },
                { "number", "text: t\npath: /a\nnumber: 4\nstrings: [a, b]\n" },
                { "flag", "text: t\npath: /a\nflag: off\nstrings: [a, b]\n" },
                { "word", "text: t\npath: /a\nword: red\nstrings: [a, b]\n" },
                { "addr", "text: t\npath: /a\naddr: 127.0.0.1:81\nstrings: [a, b]\n" },
                { "addrs", "text: t\npath: /a\naddrs: ['::1', '::2']\nstrings: [a, b]\n" },
        };
        struct sample a, b;

        (void)state;
        load(base, &a);
        load("# the same, said otherwise\nrecord:\n  weight: 8\nlist:\n  - name: x\n    weight: 7\nstrings: [a, b]\n"
             "path: /a\nnumber: 10\ntext: \"t\"\n",
             &b);
        assert_null(conf_changed(fields, &a, &b));
        conf_free(fields, &b);
        for (unsigned i = 0; i < sizeof other / sizeof *other; i++) {
                load(other[i][1], &b);
                assert_string_equal(conf_changed(fields, &a, &b), other[i][0]);
                conf_free(fields, &b);
        }
        conf_free(fields, &a);
}

static void test_print(void **state)
{
        char *text = NULL;
        size_t length;
        FILE *out = open_memstream(&text, &length);
        struct sample s;

        (void)state;
        load("text: \"a \\\"b\\\"\"\nset: \"red,green\"\nflag: off\nsize: 2K\n", &s);
        conf_print_json(fields, &s, out);
        fputs("\n", out);
        conf_free(fields, &s);
        conf_print_json(inner_fields, &(struct inner){ .weight = 3 }, out);
        fclose(out);
        assert_string_equal(text,
                            "{\"text\":\"a \\\"b\\\"\",\"number\":\"10\",\"size\":\"2048\",\"flag\":\"no\","
                            "\"word\":\"green\",\"set\":\"red,green\"}\n{\"weight\":\"3\"}");
        free(text);
}

static void test_sizes(void **state)
{
        static const char *const bad[] = { "", "K", "1k", "1KB", "1.5M", "-1", " 1", "1 K", "16777216T" };
        uint64_t size = 77;

        (void)state;
        for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
                assert_false(conf_parse_size(bad[i], &size));
        assert_int_equal(size, 77);
        assert_true(conf_parse_size("4096", &size) && size == 4096);
        assert_true(conf_parse_size("16777215T", &size) && size == UINT64_C(16777215) << 40);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_every_kind),
                cmocka_unit_test(test_keys),
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_lists),
                cmocka_unit_test(test_syntax),
                cmocka_unit_test(test_aliases_are_bounded),
                cmocka_unit_test(test_long_messages_are_cut),
                cmocka_unit_test(test_files),
                cmocka_unit_test(test_key_file),
                cmocka_unit_test(test_what_changed),
                cmocka_unit_test(test_print),
                cmocka_unit_test(test_sizes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
