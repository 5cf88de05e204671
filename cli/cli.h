/* SPDX-License-Identifier: Apache-2.0 */
/* What the subcommands of `nacre` share. Exit status: 0 done, 1 failed, 2 the command line or a file that it
 * names is wrong. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };
enum { CLI_MAX_DS = 64 };

/* Options, each a bit: a command's row says which it takes and which it needs. cli/args.c has the table. */
enum {
        OPT_DIR = 1 << 0,
        OPT_MDS = 1 << 1,
        OPT_DS = 1 << 2,
        OPT_EXPORTS = 1 << 3,
        OPT_STRIPE_UNIT = 1 << 4,
        OPT_STRIPE_COUNT = 1 << 5,
        OPT_LOG_LEVEL = 1 << 6,
        OPT_SOCKET = 1 << 7,
        OPT_JSON = 1 << 8,
        OPT_NAME = 1 << 9,
        OPT_FORCE = 1 << 10,
        OPT_KEY = 1 << 11, /* any key of a repo's file: --delete-grace 60 is `delete_grace: 60` */
        OPT_RECURSIVE = 1 << 12,
        OPT_OLDER = 1 << 13,
        OPT_MIN_SIZE = 1 << 14,
        OPT_MATCH = 1 << 15,
        OPT_DRY_RUN = 1 << 16,
        OPT_NO_WAIT = 1 << 17,
        OPT_FAILED = 1 << 18,
};
enum { CLI_MAX_SETTINGS = 32 };

struct cli_setting {
        const char *key, *value;
};

struct cli_args {
        const char *dir, *mds, *exports, *stripe_unit, *stripe_count, *log_level, *socket, *name, *older,
                *min_size, *match;
        const char *ds[CLI_MAX_DS];
        unsigned ds_count;
        bool json, force, recursive, dry_run, no_wait, failed;
        struct cli_setting settings[CLI_MAX_SETTINGS];
        unsigned setting_count;
        const char *operand, *second; /* the words that are not options */
};

struct cli_command {
        const char *name; /* "dev up" */
        unsigned takes, needs;
        const char *operand; /* "FILE", "PATH URL" for two, or NULL for none */
        const char *summary; /* one line */
        const char *details; /* for `nacre help COMMAND`; NULL for none */
        int (*run)(const struct cli_args *args);
};

extern const struct cli_command cli_commands[]; /* ended by name NULL */

/* The whole program: what main() returns. */
int cli_main(int argc, char **argv);
/* Fill RET from the words behind the command's name; false after a message on stderr. */
bool cli_parse(const struct cli_command *command, int argc, char **argv, struct cli_args *ret);
/* "[--dir DIR] …" and a line for each option. */
void cli_print_usage(const struct cli_command *command, FILE *out);
void cli_print_options(const struct cli_command *command, FILE *out);

/* "nacre: …" on stderr; returns CLI_FAILED. */
int cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, and returns CLI_USAGE. */
int cli_usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "17 B", "1.5 GiB". */
const char *cli_bytes_text(uint64_t bytes, char out[32]);
/* The admin socket the arguments mean: --socket, --dir, $NACRE_SOCKET, else /run/nacre/mds.sock. */
void cli_socket_path(const struct cli_args *args, char *out, size_t out_bytes);
/* Run COMMAND at the socket the arguments mean; its JSON (malloc'd), or NULL after a message on stderr. */
char *cli_ask(const struct cli_args *args, const char *command, const char *body);
struct json;
/* A line of what was answered, as it is: --json. */
void cli_print_json(struct json value);
/* The list MEMBER ("repos") of what COMMAND answers, by EACH under HEADER ("": none) or as --json. */
int cli_print_list(const struct cli_args *args, const char *command, const char *body, const char *member,
                   const char *header, void (*each)(struct json));

int cmd_dev_up(const struct cli_args *args);
int cmd_dev_down(const struct cli_args *args);
int cmd_dev_restart(const struct cli_args *args);
int cmd_status(const struct cli_args *args);
int cmd_ds_list(const struct cli_args *args);
int cmd_client_list(const struct cli_args *args);
int cmd_repo_list(const struct cli_args *args);
int cmd_client_revoke(const struct cli_args *args);
int cmd_file_show(const struct cli_args *args);
int cmd_export_check(const struct cli_args *args);
int cmd_export_reload(const struct cli_args *args);
int cmd_repo_probe(const struct cli_args *args);
int cmd_repo_show(const struct cli_args *args);
int cmd_repo_status(const struct cli_args *args);
int cmd_repo_add(const struct cli_args *args);
int cmd_repo_set(const struct cli_args *args);
int cmd_repo_pause(const struct cli_args *args);
int cmd_repo_resume(const struct cli_args *args);
int cmd_repo_reload(const struct cli_args *args);
int cmd_repo_sweep(const struct cli_args *args);
int cmd_repo_verify(const struct cli_args *args);
int cmd_repo_remove(const struct cli_args *args);
int cmd_layout_get(const struct cli_args *args);
int cmd_layout_set(const struct cli_args *args);
int cmd_archive(const struct cli_args *args);
int cmd_restore(const struct cli_args *args);
int cmd_release(const struct cli_args *args);
int cmd_prefetch(const struct cli_args *args);
int cmd_pin(const struct cli_args *args);
int cmd_unpin(const struct cli_args *args);
int cmd_job_list(const struct cli_args *args);
int cmd_job_show(const struct cli_args *args);
int cmd_job_cancel(const struct cli_args *args);
int cmd_job_retry(const struct cli_args *args);
int cmd_job_report(const struct cli_args *args);
