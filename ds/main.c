/* SPDX-License-Identifier: Apache-2.0 */
/* nacre-ds: the data server's program. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ds/ds.h"

enum { EXIT_USAGE = 2 };

struct program {
        const char *conf_file;
        struct ds_conf conf;
        struct loop *loop;
        struct ds *ds;
        bool failed;
};

static const char usage[] =
        "usage: nacre-ds --config FILE [--check-config]\n"
        "\n"
        "A data server: the bytes of files, as objects on a local file system.\n"
        "\n"
        "  --config FILE    the configuration (YAML); docs/examples/ds.yaml explains each key\n"
        "  --check-config   read it and the files it names, say what is wrong, and end\n"
        "  --version        print the version\n"
        "\n"
        "It stays in the foreground and logs to stderr or the journal, a line an event. SIGTERM and SIGINT\n"
        "end it cleanly. SIGHUP reads log_level again; a broken file is told in the log and changes nothing.\n"
        "Exit status: 0 ended as asked, 1 failed, 2 the command line or a configuration file is wrong.\n";

static void on_end(void *arg, const char *problem)
{
        struct program *p = arg;

        if (problem)
                log_error("ended", "why=%s", problem);
        p->failed = problem != NULL;
        loop_stop(p->loop);
}

static void on_terminate(void *arg, int signum)
{
        struct program *p = arg;

        (void)signum;
        ds_stop(p->ds);
}

/* What can change while we run: the log's threshold. */
static void on_hangup(void *arg, int signum)
{
        struct program *p = arg;
        struct ds_conf fresh;
        const char *other;
        char error[512];

        (void)signum;
        if (ds_conf_load(p->conf_file, &fresh, error, sizeof(error)) < 0) {
                log_error("reload-failed", "why=%s", error);
                return;
        }
        p->conf.log_level = fresh.log_level;
        log_set_threshold((enum log_level)fresh.log_level);
        log_info("reloaded", "log_level=%s", log_level_names[fresh.log_level]);
        other = ds_conf_changed(&p->conf, &fresh);
        if (other)
                log_warn("restart-needed", "changed=%s", other);
        ds_conf_free(&fresh);
}

static bool start(struct program *p)
{
        p->loop = loop_new();
        if (!p->loop || loop_signal(p->loop, SIGTERM, on_terminate, p) < 0 ||
            loop_signal(p->loop, SIGINT, on_terminate, p) < 0 ||
            loop_signal(p->loop, SIGHUP, on_hangup, p) < 0)
                return false;
        p->ds = ds_new(&p->conf, loop_env(p->loop), p->loop, NULL, on_end, p);
        return p->ds != NULL;
}

static int run(struct program *p)
{
        signal(SIGPIPE, SIG_IGN);
        log_open("nacre-ds", (enum log_level)p->conf.log_level);
        if (start(p)) {
                loop_run(p->loop);
        } else {
                log_error("start-failed", "why=%s", "no memory or descriptors");
                p->failed = true;
        }
        ds_free(p->ds);
        loop_free(p->loop);
        log_info("stopped", "status=%d", p->failed ? EXIT_FAILURE : EXIT_SUCCESS);
        return p->failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
        static const struct option options[] = { { "config", required_argument, NULL, 'c' },
                                                 { "check-config", no_argument, NULL, 'k' },
                                                 { "version", no_argument, NULL, 'v' },
                                                 { "help", no_argument, NULL, 'h' },
                                                 { 0 } };
        struct program p = { 0 };
        bool only_check = false;
        char error[512];
        int status;

        for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
                if (o == 'v') {
                        puts("nacre-ds " NACRE_VERSION);
                        return EXIT_SUCCESS;
                }
                if (o == 'c')
                        p.conf_file = optarg;
                else if (o == 'k')
                        only_check = true;
                else
                        return fputs(usage, o == 'h' ? stdout : stderr), o == 'h' ? EXIT_SUCCESS : EXIT_USAGE;
        }
        if (!p.conf_file || optind < argc)
                return fputs(usage, stderr), EXIT_USAGE;
        if (ds_conf_load(p.conf_file, &p.conf, error, sizeof(error)) < 0)
                return fprintf(stderr, "%s\n", error), EXIT_USAGE;
        if (only_check)
                status = printf("%s: fine\n", p.conf_file) > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        else
                status = run(&p);
        ds_conf_free(&p.conf);
        return status;
}
