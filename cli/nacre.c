/* SPDX-License-Identifier: Apache-2.0 */
/* The table of subcommands, and the way from the command line to one of them. */
#include <stdarg.h>
#include <string.h>

#include "cli/cli.h"

enum { OPTS_SERVER = OPT_SOCKET | OPT_DIR };

const struct cli_command cli_commands[] = {
        { "dev up",
          OPT_DIR | OPT_MDS | OPT_DS | OPT_EXPORTS | OPT_STRIPE_UNIT | OPT_STRIPE_COUNT | OPT_LOG_LEVEL,
          OPT_DIR, NULL, "start a cluster on this machine, in the background",
          "Makes what is missing under DIR: the cluster's key and configuration, DIR/mds, DIR/ds0, DIR/ds1 … with the data,\n"
          "DIR/log, DIR/run with pid files and sockets. Ends when all servers serve, or says why one does not.\n"
          "\n"
          "A DIR that was stopped is started again with its data: options that are not given keep their values, and more --ds\n"
          "may be given than before, not fewer. Without --exports all of / is exported, writable and without root squash, to\n"
          "whoever can reach the addresses. Addresses are IPv4 or IPv6, of this machine; ADDR stands for ADDR:2049, and an\n"
          "IPv6 address with a port is written [ADDR]:PORT. Data servers register on the port behind the MDS's; each server\n"
          "has its metrics at its own address on the first free port from 9050 on.\n"
          "\n"
          "    nacre dev up --dir /tmp/n --mds 127.0.0.1 --ds 127.0.0.1:2061 --ds 127.0.0.1:2062",
          cmd_dev_up },
        { "dev down", OPT_DIR, OPT_DIR, NULL, "stop a cluster that dev up started; its data stays",
          "What does not end within half a minute is killed. Nothing that runs is fine, too.", cmd_dev_down },
        { "dev restart", OPT_DIR, OPT_DIR, "SERVER", "stop and start one server of a dev cluster",
          "SERVER is mds, ds0, ds1, …; one that has died is started.", cmd_dev_restart },
        { "status", OPTS_SERVER | OPT_JSON, 0, NULL,
          "the cluster: data servers, clients, open files, layouts",
          "With --json what the metadata server answers: one object, sizes in bytes.", cmd_status },
        { "ds list", OPTS_SERVER | OPT_JSON, 0, NULL, "the data servers: state, capacity, last heard",
          "STATE is up, full (no new files), failing (its disk), silent (not heard lately) or down.\n"
          "With --json an array of objects, sizes in bytes.",
          cmd_ds_list },
        { "client list", OPTS_SERVER | OPT_JSON, 0, NULL,
          "the NFS clients: what each holds, when it was heard",
          "ID is what client revoke takes. NFS is the minor version; HEARD is how long ago the lease was renewed. LEASE is ok,\n"
          "new (not confirmed yet) or courteous: it has run out, and what the client holds is kept until somebody else wants it.\n"
          "LOCKS are byte ranges. OWNER is what the client calls itself; what is not printable is shown as '?'.\n"
          "With --json an array of objects.",
          cmd_client_list },
        { "client revoke", OPTS_SERVER | OPT_JSON, 0, "ID", "take away all that a client holds",
          "Its open files, locks, layouts and delegations. Returns when no data server takes its I/O any more, so that what it\n"
          "had may be given to others. The client is told (SEQ4_STATUS_ADMIN_STATE_REVOKED) and may open its files anew, without\n"
          "its locks: to keep it out, take it out of the export policy first, and then revoke it.\n"
          "\n"
          "    nacre client revoke 0000000001000003",
          cmd_client_revoke },
        { "file show", OPTS_SERVER | OPT_JSON, 0, "PATH",
          "one file: where its bytes are, and who holds what of it",
          "PATH is from the root of the name space, as a client sees it that mounts the server's /. Told are the stripes and the\n"
          "data servers, and each open (with what it denies to others), lock, layout and delegation with the client's id.\n"
          "The size is what the metadata server knows; while data servers have unsynced data the file may be longer.",
          cmd_file_show },
        { "export check", 0, 0, "FILE", "check a file of export policies, without any server",
          "Says FILE:LINE: what is wrong; allowed: what is. docs/examples/exports.yaml explains each key.",
          cmd_export_check },
        { "export reload", OPTS_SERVER, 0, NULL, "have the server read its export policies again",
          "A broken file is refused with its line, and what was in force stays.", cmd_export_reload },
        { "layout get", 0, 0, "PATH", "how a file, or what is made in a directory, is striped",
          "PATH is one of a mounted file system (NFS 4.2). Prints unit=SIZE,width=N; a directory that has no layout of its own is\n"
          "as configured. The same as: getfattr --only-values -n user.nacre.layout PATH",
          cmd_layout_get },
        { "layout set", OPT_STRIPE_UNIT | OPT_STRIPE_COUNT, 0, "PATH", "choose how it is to be striped",
          "Of a directory: for what is made inside from now on, directories take it over. Of a file: as long as nothing was written\n"
          "to it. What is not given is as configured. A count beyond the data servers there are means all of them.\n"
          "The same as: setfattr -n user.nacre.layout -v unit=4M,width=2 PATH; setfattr -x takes it from a directory again.",
          cmd_layout_set },
        { .name = NULL },
};

static void print_message(const char *format, va_list args)
{
        fputs("nacre: ", stderr);
        vfprintf(stderr, format, args);
        fputc('\n', stderr);
}

int cli_error(const char *format, ...)
{
        va_list args;

        va_start(args, format);
        print_message(format, args);
        va_end(args);
        return CLI_FAILED;
}

int cli_usage_error(const char *format, ...)
{
        va_list args;

        va_start(args, format);
        print_message(format, args);
        va_end(args);
        return CLI_USAGE;
}

/* How many of the words in ARGV make up NAME; 0: they do not. */
static int words_match(const char *name, int argc, char **argv)
{
        int words = 0;

        for (;; words++) {
                size_t length = strcspn(name, " ");

                if (words == argc || strlen(argv[words]) != length || memcmp(argv[words], name, length) != 0)
                        return 0;
                if (name[length] == '\0')
                        return words + 1;
                name += length + 1;
        }
}

static const struct cli_command *find_command(int argc, char **argv, int *ret_words)
{
        for (const struct cli_command *c = cli_commands; c->name; c++) {
                *ret_words = words_match(c->name, argc, argv);
                if (*ret_words > 0)
                        return c;
        }
        return NULL;
}

/* Is C one of the commands that begin with the word GROUP? */
static bool is_in_group(const struct cli_command *c, const char *group)
{
        size_t length = strlen(group);

        return strncmp(c->name, group, length) == 0 && c->name[length] == ' ';
}

static bool is_group(const char *word)
{
        for (const struct cli_command *c = cli_commands; c->name; c++)
                if (is_in_group(c, word))
                        return true;
        return false;
}

/* Tells the names of the first word's group, or all when it begins none. */
static int unknown_command(int argc, char **argv)
{
        const char *group = is_group(argv[0]) ? argv[0] : NULL, *before = "";

        fprintf(stderr, "nacre: unknown command '%s%s%s'; allowed:", argv[0], group && argc > 1 ? " " : "",
                group && argc > 1 ? argv[1] : "");
        for (const struct cli_command *c = cli_commands; c->name; c++)
                if (!group || is_in_group(c, group)) {
                        fprintf(stderr, "%s %s", before, c->name);
                        before = ",";
                }
        fputc('\n', stderr);
        return CLI_USAGE;
}

/* All commands, or those of GROUP. */
static int print_help(const char *group)
{
        printf("usage: nacre %s%sCOMMAND [OPTION…]\n\n", group ? group : "", group ? " " : "");
        for (const struct cli_command *c = cli_commands; c->name; c++)
                if (!group || is_in_group(c, group))
                        printf("  %-16s%s\n", c->name, c->summary);
        printf("\nnacre %s%sCOMMAND --help says more.\n", group ? group : "", group ? " " : "");
        if (!group)
                puts("nacre --version prints the version.\n"
                     "Exit status: 0 done, 1 failed, 2 the command line or a file it names is wrong.");
        return CLI_OK;
}

static int help_on(const struct cli_command *c)
{
        printf("usage: nacre %s", c->name);
        cli_print_usage(c, stdout);
        printf("\n\n%c%s.\n", c->summary[0] - ('a' - 'A'), c->summary + 1);
        if (c->details)
                printf("%s\n", c->details);
        if (c->takes != 0)
                putchar('\n');
        cli_print_options(c, stdout);
        return CLI_OK;
}

static int help(int argc, char **argv)
{
        const struct cli_command *c;
        int words;

        if (argc == 0)
                return print_help(NULL);
        if (argc == 1 && is_group(argv[0]))
                return print_help(argv[0]);
        c = find_command(argc, argv, &words);
        return c ? help_on(c) : unknown_command(argc, argv);
}

static bool is_help(const char *word)
{
        return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static bool asks_for_help(int argc, char **argv)
{
        for (int i = 0; i < argc; i++)
                if (is_help(argv[i]))
                        return true;
        return false;
}

int cli_main(int argc, char **argv)
{
        const struct cli_command *c;
        struct cli_args args;
        int words;

        if (argc < 2)
                return cli_usage_error("a command is missing; nacre --help lists them");
        if (is_help(argv[1]) || strcmp(argv[1], "help") == 0)
                return help(argc - 2, argv + 2);
        if (argc == 3 && is_help(argv[2]) && is_group(argv[1]))
                return print_help(argv[1]);
        if (strcmp(argv[1], "--version") == 0)
                return printf("nacre %s\n", NACRE_VERSION) > 0 ? CLI_OK : CLI_FAILED;
        c = find_command(argc - 1, argv + 1, &words);
        if (!c)
                return unknown_command(argc - 1, argv + 1);
        if (asks_for_help(argc - 1 - words, argv + 1 + words))
                return help_on(c);
        if (!cli_parse(c, argc - 1 - words, argv + 1 + words, &args))
                return CLI_USAGE;
        return c->run(&args);
}
