/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "ds/conf.h"
#include "tests/lab/example.h"

#define NEEDED "listen: 192.0.2.9\nmds: 192.0.2.1\nname: d1\nstore: /s\ncluster_key: /k\n"

static char error[512];

static int load(const char *text, struct ds_conf *ret)
{
        error[0] = '\0';
        return ds_conf_load_text("ds.yaml", text, strlen(text), ret, error, sizeof error);
}

static void expect_error(const char *text, const char *expected)
{
        struct ds_conf conf, before;

        memset(&conf, 0x5a, sizeof conf);
        before = conf;
        assert_int_equal(load(text, &conf), -1);
        assert_string_equal(error, expected);
        assert_memory_equal(&conf, &before, sizeof conf);
}

static void test_defaults(void **state)
{
        struct ds_conf c;

        (void)state;
        assert_int_equal(load(NEEDED, &c), 0);
        assert_int_equal(c.listen.items[0].port, 2049);
        assert_int_equal(c.mds.port, 2050);
        assert_int_equal(c.metrics.family, 0);
        assert_null(c.admin_socket);
        assert_string_equal(c.name, "d1");
        assert_int_equal(c.io, DS_IO_URING);
        assert_int_equal(c.reserve_bytes, 1 << 30);
        assert_int_equal(c.fd_cache, 4096);
        assert_int_equal(c.loops, 0);
        assert_int_equal(c.log_level, LOG_INFO);
        assert_int_equal(c.limits.connections, 16384);
        assert_int_equal(c.limits.memory_bytes, 512 << 20);
        ds_conf_free(&c);
}

static void test_messages(void **state)
{
        (void)state;
        expect_error(
                "mds: 192.0.2.1\nname: d1\nstore: /s\ncluster_key: /k\n",
                "ds.yaml:1: 'listen' is missing; allowed: the addresses at which clients reach this server, like 192.0.2.11:2049");
        expect_error(NEEDED "io: aio\n", "ds.yaml:6: io: 'aio' is not valid; allowed: uring, threads");
        expect_error(
                "name: a b\n",
                "ds.yaml:1: name: 'a b' is not valid; allowed: at most 64 letters, digits, '.', '-' and '_'");
        expect_error(
                "mds: mds.example\n",
                "ds.yaml:1: mds: 'mds.example' is not valid; allowed: the MDS's control address, like 192.0.2.1:2050");
        expect_error(
                "listen: 0.0.0.0:2049\n",
                "ds.yaml:1: listen: '0.0.0.0:2049' is not valid; allowed: the addresses at which clients reach this server, like 192.0.2.11:2049");
        expect_error(
                "listen: [192.0.2.9, '::']\n",
                "ds.yaml:1: listen: '::' is not valid; allowed: the addresses at which clients reach this server, like 192.0.2.11:2049");
        expect_error(NEEDED "fd_cache: 15\n",
                     "ds.yaml:6: fd_cache: '15' is not valid; allowed: a number from 16 to 1000000");
        expect_error(
                NEEDED "lease_seconds: 45\n",
                "ds.yaml:6: unknown key 'lease_seconds'; allowed: listen, mds, metrics, admin_socket, name, store, cluster_key, io, "
                "reserve_bytes, fd_cache, loops, log_level, limits");
}

static void test_missing_key_file(void **state)
{
        char path[] = "/tmp/test_ds_conf.XXXXXX", expected[256];
        struct ds_conf c;
        int fd = mkstemp(path);
        FILE *out = fdopen(fd, "w");

        (void)state;
        assert_non_null(out);
        fputs("listen: 192.0.2.9\nmds: 192.0.2.1\nname: d1\nstore: /s\ncluster_key: /nonexistent/key\n", out);
        fclose(out);
        assert_int_equal(ds_conf_load(path, &c, error, sizeof error), -1);
        snprintf(expected, sizeof expected,
                 "%s:5: cluster_key: /nonexistent/key: No such file or directory; allowed: a file of 64 "
                 "hexadecimal digits, mode 0600 or 0400",
                 path);
        assert_string_equal(error, expected);
        unlink(path);
}

/* The example that people copy must load, also with every commented default switched on. */
static void test_example(void **state)
{
        CLEANUP_FREE char *text = example_text("ds.yaml");
        struct ds_conf c;

        (void)state;
        assert_int_equal(load(text, &c), 0);
        ds_conf_free(&c);
        example_switch_on(text);
        if (load(text, &c) < 0)
                fail_msg("%s", error);
        ds_conf_free(&c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_messages),
                cmocka_unit_test(test_missing_key_file),
                cmocka_unit_test(test_example),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
