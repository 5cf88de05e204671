/* SPDX-License-Identifier: Apache-2.0 */
/* A wrong command line says what is wrong and what is allowed, and ends with status 2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "mds/conf.h"
#include "mds/ns/export.h"
#include "tests/unit/cli/capture.h"

/* What cli/ takes from the metadata server: its library stands before that of cli/ on the linker's line. */
extern void (*const from_the_mds[])(void);
void (*const from_the_mds[])(void) = { (void (*)(void))mds_conf_load_text, (void (*)(void))exports_load };

#define EXAMPLE NACRE_SOURCE_DIR "/docs/examples/exports.yaml"

static void expect_usage(const char *line, const char *expected)
{
        assert_int_equal(run_cli(line), CLI_USAGE);
        assert_string_equal(cli_err, expected);
        assert_string_equal(cli_out, "");
}

static void test_unknown_commands(void **state)
{
        (void)state;
        expect_usage("", "nacre: a command is missing; nacre --help lists them\n");
        expect_usage(
                "frob",
                "nacre: unknown command 'frob'; allowed: dev up, dev down, dev restart, status, ds list, client list, "
                "client revoke, file show, export check, export reload, layout get, layout set, "
                "repo list, repo show, repo status, repo add, repo set, repo pause, repo resume, repo reload, repo sweep, repo verify, repo remove, repo probe, "
                "archive, restore, release, prefetch, pin, unpin, job list, job show, job cancel, job retry, job report\n");
        expect_usage("dev", "nacre: unknown command 'dev'; allowed: dev up, dev down, dev restart\n");
        expect_usage("dev upp", "nacre: unknown command 'dev upp'; allowed: dev up, dev down, dev restart\n");
        expect_usage("help export chek",
                     "nacre: unknown command 'export chek'; allowed: export check, export reload\n");
        expect_usage(
                "stat",
                "nacre: unknown command 'stat'; allowed: dev up, dev down, dev restart, status, ds list, client list, "
                "client revoke, file show, export check, export reload, layout get, layout set, "
                "repo list, repo show, repo status, repo add, repo set, repo pause, repo resume, repo reload, repo sweep, repo verify, repo remove, repo probe, "
                "archive, restore, release, prefetch, pin, unpin, job list, job show, job cancel, job retry, job report\n");
}

static void test_options(void **state)
{
        (void)state;
        expect_usage("dev down --dri x", "nacre dev down: unknown option '--dri'; allowed: --dir DIR\n");
        expect_usage("dev down --json", "nacre dev down: unknown option '--json'; allowed: --dir DIR\n");
        expect_usage("export check --json f", "nacre export check: unknown option '--json'; allowed: none\n");
        expect_usage("dev down", "nacre: dev down: --dir DIR is missing\n");
        expect_usage("dev down --dir", "nacre: --dir needs a value: DIR\n");
        expect_usage("dev down --dir=", "nacre: --dir needs a value: DIR\n");
        expect_usage("dev down --dir a --dir=b", "nacre: --dir stands twice; allowed: once\n");
        expect_usage("status --json=yes", "nacre: --json takes no value\n");
        expect_usage("status now",
                     "nacre status: unexpected 'now'; allowed: --dir DIR, --socket PATH, --json\n");
        expect_usage("export check", "nacre: export check: FILE is missing\n");
        expect_usage("layout set --stripe-unit 1M", "nacre: layout set: PATH is missing\n");
        expect_usage("repo add /d", "nacre: repo add: PATH s3://BUCKET[/PREFIX] is missing\n");
        expect_usage("repo add /d s3://b c",
                     "nacre: repo add: unexpected 'c'; allowed: one PATH s3://BUCKET[/PREFIX]\n");
        expect_usage(
                "repo add /d s3://b --impart new",
                "nacre repo add: unknown option '--impart'; allowed: --dir DIR, --socket PATH, --name NAME, "
                "--KEY VALUE\n");
        expect_usage("repo add /d s3://bucket --delete-grace 1 --delete-grace=2",
                     "nacre: --delete_grace stands twice; allowed: once\n");
        expect_usage("repo set d --import", "nacre: --import needs a value\n");
        expect_usage(
                "repo add /d s3://bucket --endpoint http://h --import all",
                "nacre: d.yaml:5: import: 'all' is not valid; allowed: none, or some of new, changed, deleted\n");
        expect_usage(
                "repo add /d s3://bucket --import none",
                "nacre: d.yaml:2: 'endpoint' is missing; allowed: "
                "http:// or https://, a host and perhaps a port: https://s3.eu-central-1.amazonaws.com\n");
        expect_usage("repo set d",
                     "nacre: repo set: nothing is to be set; allowed: --import, --export, … as `nacre "
                     "repo show d` lists them\n");
        expect_usage("repo set ../d --import new",
                     "nacre: '../d' is no name of a repo; allowed: one that `nacre repo list` shows\n");
        expect_usage("release", "nacre: release: PATH is missing\n");
        expect_usage(
                "release data",
                "nacre: release: 'data' is not absolute; allowed: a path from the root of the name space\n");
        for (const char *const *age = (const char *const[]){ "30", "d", "-1d", "1y", "1dd", NULL }; *age;
             age++) {
                char line[64], said[200];

                snprintf(line, sizeof line, "release /d --older=%s", *age);
                snprintf(
                        said, sizeof said,
                        "nacre: --older: '%s' is no time; allowed: a number with s, m, h, d or w behind it\n",
                        *age);
                expect_usage(line, said);
        }
        expect_usage(
                "archive /d --min-size much",
                "nacre: --min-size: 'much' is no size; allowed: a number, perhaps with K, M, G or T behind it\n");
        expect_usage("prefetch /d --no-wait",
                     "nacre prefetch: unknown option '--no-wait'; allowed: --dir DIR, --socket PATH, --json, "
                     "--recursive, --older AGE, --min-size SIZE, --match PATTERN, --dry-run\n");
        expect_usage("job show seven",
                     "nacre: 'seven' is no number; allowed: one that `nacre job list` shows\n");
        expect_usage("layout set /",
                     "nacre: layout set: --stripe-unit SIZE or --stripe-count N is missing\n");
        expect_usage("export check a b", "nacre: export check: unexpected 'b'; allowed: one FILE\n");
}

static void test_help(void **state)
{
        (void)state;
        assert_int_equal(run_cli("--help"), CLI_OK);
        assert_non_null(strstr(cli_out, "usage: nacre COMMAND [OPTION…]\n"));
        for (const struct cli_command *c = cli_commands; c->name; c++) {
                char line[64];

                assert_non_null(strstr(cli_out, c->name));
                snprintf(line, sizeof line, "help %s", c->name);
                assert_int_equal(run_cli(line), CLI_OK);
                assert_memory_equal(cli_out, "usage: nacre ", 13);
                assert_non_null(strstr(cli_out, c->name));
                snprintf(line, sizeof line, "%s --help", c->name);
                assert_int_equal(run_cli(line), CLI_OK);
                assert_memory_equal(cli_out, "usage: nacre ", 13);
                assert_int_equal(run_cli("help"), CLI_OK);
        }
        assert_int_equal(run_cli("help dev restart"), CLI_OK);
        assert_string_equal(
                cli_out,
                "usage: nacre dev restart --dir DIR SERVER\n\nStop and start one server of a dev cluster.\n"
                "SERVER is mds, ds0, ds1, …; one that has died is started.\n\n"
                "  --dir          DIR          the directory of a dev cluster\n");
        for (const char *const *line = (const char *const[]){ "help dev", "dev --help", "dev -h", NULL };
             *line; line++) {
                assert_int_equal(run_cli(*line), CLI_OK);
                assert_string_equal(cli_out,
                                    "usage: nacre dev COMMAND [OPTION…]\n\n"
                                    "  dev up          start a cluster on this machine, in the background\n"
                                    "  dev down        stop a cluster that dev up started; its data stays\n"
                                    "  dev restart     stop and start one server of a dev cluster\n"
                                    "\nnacre dev COMMAND --help says more.\n");
        }
        assert_int_equal(run_cli("-h"), CLI_OK);
        assert_memory_equal(cli_out, "usage: nacre COMMAND ", 21);
        assert_int_equal(run_cli("--version"), CLI_OK);
        assert_string_equal(cli_out, "nacre " NACRE_VERSION "\n");
}

static void test_export_check(void **state)
{
        (void)state;
        assert_int_equal(run_cli("export check " EXAMPLE), CLI_OK);
        assert_string_equal(cli_out, EXAMPLE ": 2 exports, 3 rules: fine\n");
        assert_int_equal(run_cli("export check " NACRE_SOURCE_DIR "/docs/examples/mds.yaml"), CLI_USAGE);
        assert_string_equal(cli_err, NACRE_SOURCE_DIR
                            "/docs/examples/mds.yaml:14: unknown key 'metrics'; allowed: exports\n");
        assert_int_equal(run_cli("export check /"), CLI_USAGE);
        assert_string_equal(cli_err, "/:1: Is a directory; allowed: a readable YAML file\n");
}

static void test_nobody_at_the_socket(void **state)
{
        (void)state;
        unsetenv("NACRE_SOCKET");
        assert_int_equal(run_cli("status --socket /nonexistent/s"), CLI_FAILED);
        assert_string_equal(
                cli_err,
                "nacre: cannot talk to /nonexistent/s: No such file or directory; is the server running? "
                "--socket PATH or --dir DIR names another\n");
        assert_int_equal(run_cli("ds list --dir /nonexistent/d"), CLI_FAILED);
        assert_non_null(strstr(cli_err, " /nonexistent/d/run/mds.sock: "));
        setenv("NACRE_SOCKET", "/nonexistent/e", 1);
        assert_int_equal(run_cli("export reload"), CLI_FAILED);
        assert_non_null(strstr(cli_err, " /nonexistent/e: "));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_unknown_commands),
                cmocka_unit_test(test_options),
                cmocka_unit_test(test_help),
                cmocka_unit_test(test_export_check),
                cmocka_unit_test(test_nobody_at_the_socket),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
