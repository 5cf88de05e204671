/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "mds/conf.h"
#include "tests/lab/example.h"

#define NEEDED "store: /s\ncluster_key: /k\nexports: /e\n"

static char error[512];

static int load(const char *text, struct mds_conf *ret)
{
        error[0] = '\0';
        return mds_conf_load_text("mds.yaml", text, strlen(text), ret, error, sizeof error);
}

static void expect_error(const char *text, const char *expected)
{
        struct mds_conf conf, before;

        memset(&conf, 0x5a, sizeof conf);
        before = conf;
        assert_int_equal(load(text, &conf), -1);
        assert_string_equal(error, expected);
        assert_memory_equal(&conf, &before, sizeof conf);
}

static void test_defaults(void **state)
{
        struct mds_conf c;

        (void)state;
        assert_int_equal(load(NEEDED, &c), 0);
        assert_int_equal(c.listen.count, 1);
        assert_int_equal(c.listen.items[0].port, 2049);
        assert_int_equal(c.control.port, 2050);
        assert_int_equal(c.metrics.family, 0);
        assert_string_equal(c.admin_socket, "/run/nacre/mds.sock");
        assert_string_equal(c.exports_file.text, "/e");
        assert_int_equal(c.lease_seconds, 45);
        assert_int_equal(c.stripe_unit, 1 << 20);
        assert_int_equal(c.stripe_count, 0);
        assert_false(c.return_on_close);
        assert_false(c.device_notifications);
        assert_false(c.delegations);
        assert_int_equal(c.cache_inodes, 1000000);
        assert_int_equal(c.log_level, LOG_INFO);
        assert_true(c.release.high == 85 && c.release.low == 75 && c.release.age_days == 0);
        assert_int_equal(c.limits.clients, 10000);
        assert_int_equal(c.limits.connections, 16384);
        assert_int_equal(c.limits.memory_bytes, 512 << 20);
        assert_int_equal(c.limits.opens, 1000000);
        assert_int_equal(c.limits.locks, 1000000);
        assert_int_equal(c.limits.layouts, 1000000);
        mds_conf_free(&c);
}

static void test_all_keys(void **state)
{
        struct mds_conf c;

        (void)state;
        assert_int_equal(
                load(NEEDED
                     "listen: [192.0.2.1, '[2001:db8::1]:3049']\ncontrol: 192.0.2.1\nmetrics: 127.0.0.1\n"
                     "admin_socket: /a\nlease_seconds: 10\nstripe_unit: 255M\nstripe_count: 64\ncache_inodes: 1000\n"
                     "log_level: debug\nlimits: {clients: 1, connections: 2, opens: 3, locks: 4, layouts: 5, memory: 64M}\n",
                     &c),
                0);
        assert_int_equal(c.listen.count, 2);
        assert_int_equal(c.listen.items[1].port, 3049);
        assert_int_equal(c.control.port, 2050);
        assert_int_equal(c.metrics.port, 9050);
        assert_int_equal(c.stripe_unit, 255 << 20);
        assert_int_equal(c.log_level, LOG_DEBUG);
        assert_int_equal(c.limits.connections, 2);
        assert_int_equal(c.limits.opens + 10 * c.limits.locks + 100 * c.limits.layouts, 543);
        mds_conf_free(&c);
}

static void test_messages(void **state)
{
        (void)state;
        expect_error(
                "store: /s\n",
                "mds.yaml:1: 'cluster_key' is missing; allowed: a file of 64 hexadecimal digits, mode 0600 or 0400");
        expect_error(NEEDED "lease_seconds: 9\n",
                     "mds.yaml:4: lease_seconds: '9' is not valid; allowed: a number from 10 to 3600");
        expect_error(
                NEEDED "stripe_unit: 6K\n",
                "mds.yaml:4: stripe_unit: '6K' is not valid; allowed: a size (K, M) from 4K to 255M, a multiple of 4K");
        expect_error(
                NEEDED "stripe_unit: 256M\n",
                "mds.yaml:4: stripe_unit: '256M' is not valid; allowed: a size (K, M) from 4K to 255M, a multiple of 4K");
        expect_error(
                NEEDED "stripe_count: 65\n",
                "mds.yaml:4: stripe_count: '65' is not valid; allowed: a number from 1 to 64, or 0 for all data servers");
        expect_error(NEEDED "log_level: trace\n",
                     "mds.yaml:4: log_level: 'trace' is not valid; allowed: error, warn, info, debug");
        expect_error(NEEDED "limits:\n  memory: 1M\n",
                     "mds.yaml:5: memory: '1M' is not valid; allowed: a size (K, M, G, T) from 64M to 16T");
        expect_error(
                NEEDED "limits:\n  files: 3\n",
                "mds.yaml:5: unknown key 'files'; allowed: clients, connections, opens, locks, layouts, memory");
        expect_error(NEEDED "release:\n  low: 85\n",
                     "mds.yaml: release: low is 85; allowed: less than high, 85");
        expect_error(
                NEEDED "name: a\n",
                "mds.yaml:4: unknown key 'name'; allowed: listen, control, admin_socket, metrics, store, cluster_key, exports, "
                "repos, lease_seconds, stripe_unit, stripe_count, delegations, return_on_close, device_notifications, cache_inodes, "
                "log_level, release, limits");
}

static void put(const char *dir, const char *name, mode_t mode, const char *text)
{
        char path[128];
        FILE *out;

        snprintf(path, sizeof path, "%s/%s", dir, name);
        out = fopen(path, "w");
        assert_non_null(out);
        fprintf(out, text, dir, dir, dir);
        fclose(out);
        assert_int_equal(chmod(path, mode), 0);
}

/* A named file that is not there is blamed on the line that names it. */
static void test_named_files(void **state)
{
        char dir[] = "/tmp/test_mds_conf.XXXXXX", file[128], expected[512];
        struct mds_conf c;

        (void)state;
        assert_non_null(mkdtemp(dir));
        snprintf(file, sizeof file, "%s/mds.yaml", dir);
        put(dir, "mds.yaml", 0644, "store: %s\ncluster_key: %s/key\nexports: %s/exports.yaml\n");
        assert_int_equal(mds_conf_load(file, &c, error, sizeof error), -1);
        snprintf(expected, sizeof expected,
                 "%s:2: cluster_key: %s/key: No such file or directory; allowed: a file of 64 hexadecimal "
                 "digits, mode 0600 or 0400",
                 file, dir);
        assert_string_equal(error, expected);
        put(dir, "key", 0600, "ff00000000000000000000000000000000000000000000000000000000000001\n");
        assert_int_equal(mds_conf_load(file, &c, error, sizeof error), -1);
        snprintf(expected, sizeof expected,
                 "%s:3: exports: %s/exports.yaml: No such file or directory; allowed: a YAML file of export "
                 "policies",
                 file, dir);
        assert_string_equal(error, expected);
        put(dir, "mds.yaml", 0644, "store: %s\ncluster_key: %s/key\nexports: %s\n");
        assert_int_equal(mds_conf_load(file, &c, error, sizeof error), -1);
        assert_non_null(strstr(error, ": Is a directory; allowed: a YAML file of export policies"));
        put(dir, "mds.yaml", 0644, "store: %s\ncluster_key: %s/key\nexports: %s/exports.yaml\n");
        put(dir, "exports.yaml", 0644, "");
        assert_int_equal(mds_conf_load(file, &c, error, sizeof error), 0);
        assert_int_equal(c.cluster_key[0], 0xff);
        assert_int_equal(c.cluster_key[31], 1);
        mds_conf_free(&c);
        for (const char *const *name = (const char *const[]){ "mds.yaml", "key", "exports.yaml", NULL };
             *name; name++) {
                snprintf(file, sizeof file, "%s/%s", dir, *name);
                unlink(file);
        }
        rmdir(dir);
}

/* The example that people copy must load, also with every commented default switched on. */
static void test_example(void **state)
{
        CLEANUP_FREE char *text = example_text("mds.yaml");
        struct mds_conf c;

        (void)state;
        assert_int_equal(load(text, &c), 0);
        mds_conf_free(&c);
        example_switch_on(text);
        if (load(text, &c) < 0)
                fail_msg("%s", error);
        mds_conf_free(&c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults), cmocka_unit_test(test_all_keys),
                cmocka_unit_test(test_messages), cmocka_unit_test(test_named_files),
                cmocka_unit_test(test_example),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
