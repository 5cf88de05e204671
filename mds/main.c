/* SPDX-License-Identifier: Apache-2.0 */
/* nacre-mds: the metadata server. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mds/mds.h"
#include "mds/store/fsck.h"

enum { EXIT_USAGE = 2, ERROR_BYTES = 512 };

static void usage(FILE *out)
{
        fputs("usage: nacre-mds --config FILE [--check-config | --fsck]\n"
              "  --config FILE    the configuration (YAML)\n"
              "  --check-config   read it, say what is wrong, and end\n"
              "  --fsck           walk the whole metadata store read-only, report what is wrong, and end\n"
              "  --version        print the version\n",
              out);
}

struct options {
        const char *config;
        bool check_config, fsck;
};

/* False: *ret_status is what to exit with. */
static bool parse(int argc, char **argv, struct options *o, int *ret_status)
{
        static const struct option longs[] = {
                { "config", required_argument, NULL, 'c' }, { "check-config", no_argument, NULL, 'k' },
                { "fsck", no_argument, NULL, 'f' },         { "version", no_argument, NULL, 'v' },
                { "help", no_argument, NULL, 'h' },         { 0 }
        };
        int choice;

        while ((choice = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
                *ret_status = 0;
                switch (choice) {
                case 'c': o->config = optarg; break;
                case 'k': o->check_config = true; break;
                case 'f': o->fsck = true; break;
                case 'v': puts("nacre-mds " NACRE_VERSION); return false;
                case 'h': usage(stdout); return false;
                default:
                        usage(stderr);
                        *ret_status = EXIT_USAGE;
                        return false;
                }
        }
        *ret_status = EXIT_USAGE;
        if (!o->config || optind < argc) {
                usage(stderr);
                return false;
        }
        return true;
}

/* The configuration itself was read already: now what it names. */
static int check_config(const struct options *o, const struct mds_conf *conf)
{
        struct exports *exports;
        char error[ERROR_BYTES];

        if (exports_load(conf->exports_file.text, &exports, error, sizeof(error)) < 0) {
                fprintf(stderr, "nacre-mds: %s\n", error);
                return EXIT_USAGE;
        }
        printf("%s: right, %u exports\n", o->config, exports->count);
        exports_free(exports);
        return EXIT_SUCCESS;
}

static int run_fsck(const struct mds_conf *conf)
{
        char error[ERROR_BYTES];
        struct fsck_report report = { 0 };
        struct store *store = store_rocks_open(conf->store, true, NULL, 64 << 20, error, sizeof(error));
        int r;

        if (!store) {
                fprintf(stderr, "nacre-mds: %s\n", error);
                return EXIT_FAILURE;
        }
        r = fsck_run(store, stdout, &report);
        store->ops->close(store);
        printf("%llu inodes, %llu entries, %llu orphans, %llu write layouts, %llu problems\n",
               (unsigned long long)report.inodes, (unsigned long long)report.entries,
               (unsigned long long)report.orphans, (unsigned long long)report.layouts,
               (unsigned long long)report.problems);
        if (r < 0)
                fprintf(stderr, "nacre-mds: the store could not be read: %s\n", strerror(-r));
        return r < 0 || report.problems > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void on_signal(void *arg, int signum)
{
        struct mds *mds = arg;
        char error[ERROR_BYTES];

        if (signum == SIGHUP) {
                mds_reload_exports(mds, error, sizeof(error));
                return;
        }
        log_info("stopping", "signal=%d", signum);
        loop_stop(mds->loop);
}

static int serve(const struct mds_conf *conf)
{
        struct loop *loop = loop_new();
        struct mds *mds = loop ? mds_start(conf, loop_env(loop), loop, NULL) : NULL;

        if (!mds)
                return EXIT_FAILURE;
        loop_signal(loop, SIGTERM, on_signal, mds);
        loop_signal(loop, SIGINT, on_signal, mds);
        loop_signal(loop, SIGHUP, on_signal, mds);
        loop_run(loop);
        mds_stop(mds);
        loop_free(loop);
        return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
        struct options o = { 0 };
        struct mds_conf conf;
        char error[ERROR_BYTES];
        int status;

        if (!parse(argc, argv, &o, &status))
                return status;
        if (mds_conf_load(o.config, &conf, error, sizeof(error)) < 0) {
                fprintf(stderr, "nacre-mds: %s\n", error);
                return EXIT_USAGE;
        }
        log_open("nacre-mds", (enum log_level)conf.log_level);
        signal(SIGPIPE, SIG_IGN);
        status = o.check_config ? check_config(&o, &conf) : o.fsck ? run_fsck(&conf) : serve(&conf);
        mds_conf_free(&conf);
        return status;
}
