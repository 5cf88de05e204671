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
              "\n"
              "The metadata server: names, attributes, state, layouts.\n"
              "\n"
              "  --config FILE    the configuration (YAML); docs/examples/mds.yaml explains each key\n"
              "  --check-config   read it and the files it names, say what is wrong, and end\n"
              "  --fsck           walk the whole metadata store read-only, report what is wrong, and end\n"
              "  --version        print the version\n"
              "\n"
              "It stays in the foreground and logs to stderr or the journal, a line an event. SIGTERM and SIGINT\n"
              "end it cleanly. SIGHUP reads log_level and the export policies again; a broken file is told in the\n"
              "log and changes nothing.\n"
              "Exit status: 0 ended as asked, 1 failed, 2 the command line or a configuration file is wrong.\n",
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
        if (!o->config || optind < argc || (o->check_config && o->fsck)) {
                usage(stderr);
                return false;
        }
        return true;
}

/* The configuration itself was read already: now what it names. False after a message. */
static bool check_exports(const struct mds_conf *conf)
{
        struct exports *exports;
        char error[ERROR_BYTES];

        if (exports_load(conf->exports_file.text, &exports, error, sizeof(error)) < 0) {
                fprintf(stderr, "%s\n", error);
                return false;
        }
        exports_free(exports);
        return true;
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
        printf("%llu inodes, %llu entries, %llu orphans, %llu write layouts, %llu xattrs, %llu backed by S3, %llu problems\n",
               (unsigned long long)report.inodes, (unsigned long long)report.entries,
               (unsigned long long)report.orphans, (unsigned long long)report.layouts,
               (unsigned long long)report.xattrs, (unsigned long long)report.backings,
               (unsigned long long)report.problems);
        if (r < 0)
                fprintf(stderr, "nacre-mds: the store could not be read: %s\n", strerror(-r));
        return r < 0 || report.problems > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

struct program {
        struct options options;
        struct mds_conf conf;
        struct loop *loop;
        struct mds *mds;
};

static void on_end(void *arg, int signum)
{
        struct program *p = arg;

        log_info("stopping", "signal=%d", signum);
        loop_stop(p->loop);
}

/* What can change while we run: the log's threshold and the export policies. */
static void on_hangup(void *arg, int signum)
{
        struct program *p = arg;
        struct mds_conf fresh;
        const char *other;
        char error[ERROR_BYTES];

        (void)signum;
        if (mds_conf_load(p->options.config, &fresh, error, sizeof(error)) < 0) {
                log_error("reload-failed", "why=%s", error);
                return;
        }
        p->conf.log_level = fresh.log_level;
        log_set_threshold((enum log_level)fresh.log_level);
        log_info("reloaded", "log_level=%s", log_level_names[fresh.log_level]);
        other = mds_conf_changed(&p->conf, &fresh);
        if (other)
                log_warn("restart-needed", "changed=%s", other);
        mds_conf_free(&fresh);
        mds_reload_exports(p->mds, error, sizeof(error));
}

static int serve(struct program *p)
{
        int status = EXIT_FAILURE;

        signal(SIGPIPE, SIG_IGN);
        log_open("nacre-mds", (enum log_level)p->conf.log_level);
        p->loop = loop_new();
        if (!p->loop || loop_signal(p->loop, SIGTERM, on_end, p) < 0 ||
            loop_signal(p->loop, SIGINT, on_end, p) < 0 || loop_signal(p->loop, SIGHUP, on_hangup, p) < 0)
                log_error("start-failed", "why=%s", "no memory or descriptors");
        else
                p->mds = mds_start(&p->conf, loop_env(p->loop), p->loop, NULL);
        if (p->mds) {
                loop_run(p->loop);
                mds_stop(p->mds);
                log_info("stopped", "status=%d", EXIT_SUCCESS);
                status = EXIT_SUCCESS;
        }
        loop_free(p->loop);
        return status;
}

static int run(struct program *p)
{
        if (p->options.fsck)
                return run_fsck(&p->conf);
        if (!check_exports(&p->conf))
                return EXIT_USAGE;
        if (!p->options.check_config)
                return serve(p);
        printf("%s: fine\n", p->options.config);
        return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
        struct program p = { 0 };
        char error[ERROR_BYTES];
        int status;

        if (!parse(argc, argv, &p.options, &status))
                return status;
        if (mds_conf_load(p.options.config, &p.conf, error, sizeof(error)) < 0) {
                fprintf(stderr, "%s\n", error);
                return EXIT_USAGE;
        }
        status = run(&p);
        mds_conf_free(&p.conf);
        return status;
}
