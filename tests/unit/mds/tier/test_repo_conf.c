/* SPDX-License-Identifier: Apache-2.0 */
/* The file of a repo: what is taken, what is refused and how that is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "mds/tier/repo_conf.h"
#include "tests/lab/example.h"

#define NEEDED "path: /data/train\nurl: s3://bucket/a/b\nendpoint: http://127.0.0.1:7480\n"

static char error[512];

static int load(const char *text, struct repo_conf *ret)
{
        error[0] = '\0';
        return repo_conf_load_text("train.yaml", text, strlen(text), ret, error, sizeof error);
}

static void refuses(const char *text, const char *expected)
{
        struct repo_conf conf;

        assert_int_equal(load(text, &conf), -1);
        assert_string_equal(error, expected);
}

static void defaults(void **state)
{
        struct repo_conf c;

        (void)state;
        assert_int_equal(load(NEEDED, &c), 0);
        assert_string_equal(c.bucket, "bucket");
        assert_string_equal(c.prefix, "a/b/");
        assert_string_equal(c.region, "us-east-1");
        assert_int_equal(c.addressing, 0);
        assert_int_equal(c.file_mode, 0644);
        assert_int_equal(c.directory_mode, 0755);
        assert_null(c.credentials_file);
        assert_int_equal(c.uid + c.gid + c.requests_per_second + c.bytes_per_second, 0);
        assert_int_equal(c.import, REPO_NEW | REPO_CHANGED | REPO_DELETED);
        assert_int_equal(c.export, 0);
        assert_int_equal(c.conflict, REPO_KEEP_BOTH);
        assert_int_equal(c.export_delay, 5);
        assert_int_equal(c.delete_grace, 86400);
        assert_int_equal(c.delete_brake, 10);
        assert_int_equal(c.sweep_interval, 3600);
        assert_true(c.manifest);
        assert_false(c.paused);
        repo_conf_free(&c);
}

/* The example shows each key, those that are not required as a comment with its default, and loads with all
 * of these switched on. */
static void the_example_is_complete(void **state)
{
        CLEANUP_FREE char *text = example_text("repos.d/train.yaml");
        struct repo_conf c;
        char line[128];

        (void)state;
        for (const struct conf_field *f = repo_conf_fields; f->key; f++) {
                snprintf(line, sizeof line, "\n%s%s: %s", f->required ? "" : "#", f->key,
                         f->fallback ? f->fallback : "");
                if (f->fallback && f->kind == CONF_STRING && !strstr(text, line))
                        snprintf(line, sizeof line, "\n#%s: \"%s\"\n", f->key, f->fallback);
                if (!strstr(text, line))
                        fail_msg("not in the example:%s", line);
        }
        example_switch_on(text);
        if (load(text, &c) < 0)
                fail_msg("%s", error);
        repo_conf_free(&c);
}

static void everything(void **state)
{
        struct repo_conf c;

        (void)state;
        assert_int_equal(
                load(NEEDED
                     "region: eu-central-1\naddressing: host\ncredentials_file: /k\nprofile: p\n"
                     "uid: 7\ngid: 8\nfile_mode: \"0600\"\ndirectory_mode: \"0700\"\n"
                     "requests_per_second: 50\nbytes_per_second: 10M\n"
                     "import: none\nexport: new, deleted\nconflict: fs-wins\nexport_delay: 0\n"
                     "delete_grace: 1\ndelete_brake: 100\nsweep_interval: 0\nmanifest: no\npaused: yes\n",
                     &c),
                0);
        assert_string_equal(c.region, "eu-central-1");
        assert_int_equal(c.addressing, 1);
        assert_string_equal(c.credentials_file, "/k");
        assert_int_equal(c.file_mode, 0600);
        assert_int_equal(c.directory_mode, 0700);
        assert_int_equal(c.bytes_per_second, 10 << 20);
        assert_int_equal(c.import, 0);
        assert_int_equal(c.export, REPO_NEW | REPO_DELETED);
        assert_int_equal(c.conflict, REPO_FS_WINS);
        assert_int_equal(c.export_delay + c.sweep_interval, 0);
        assert_int_equal(c.delete_grace, 1);
        assert_int_equal(c.delete_brake, 100);
        assert_false(c.manifest);
        assert_true(c.paused);
        repo_conf_free(&c);
}

static void urls(void **state)
{
        char bucket[REPO_BUCKET_BYTES + 1], prefix[REPO_PREFIX_BYTES + 1], text[2048];

        (void)state;
        assert_true(repo_url_parse("s3://abc", bucket, prefix));
        assert_string_equal(prefix, "");
        assert_true(repo_url_parse("s3://abc/", bucket, prefix));
        assert_string_equal(prefix, "");
        assert_true(repo_url_parse("s3://abc/p/", bucket, prefix));
        assert_string_equal(bucket, "abc");
        assert_string_equal(prefix, "p/");
        assert_false(repo_url_parse("http://abc/", bucket, prefix));
        assert_false(repo_url_parse("s3://ab/", bucket, prefix));
        assert_false(repo_url_parse("s3:///p", bucket, prefix));
        assert_false(repo_url_parse("s3://abc//p", bucket, prefix));
        memset(text, 'x', sizeof(text));
        memcpy(text, "s3://abc/", 9);
        text[9 + REPO_PREFIX_BYTES] = '\0';
        assert_false(repo_url_parse(text, bucket, prefix));
        text[9 + REPO_PREFIX_BYTES - 1] = '\0';
        assert_true(repo_url_parse(text, bucket, prefix));
        assert_int_equal(strlen(prefix), REPO_PREFIX_BYTES);
}

static void what_is_wrong_is_said(void **state)
{
        (void)state;
        refuses("path: data\n",
                "train.yaml:1: path: 'data' is not valid; allowed: a directory, from the root of the file "
                "system: /data/train");
        refuses("path: /d\nurl: bucket\n",
                "train.yaml:2: url: 'bucket' is not valid; allowed: s3://BUCKET or s3://BUCKET/PREFIX");
        refuses("path: /d\nurl: s3://bucket\nendpoint: here\n",
                "train.yaml:3: endpoint: 'here' is not valid; allowed: http:// or https://, a host and perhaps a port: "
                "https://s3.eu-central-1.amazonaws.com");
        refuses(NEEDED "file_mode: \"888\"\n",
                "train.yaml:4: file_mode: '888' is not valid; allowed: permission bits in octal, like \"0644\"");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(defaults),
                cmocka_unit_test(the_example_is_complete),
                cmocka_unit_test(everything),
                cmocka_unit_test(urls),
                cmocka_unit_test(what_is_wrong_is_said),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
