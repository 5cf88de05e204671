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
          "Everything is kept under DIR: keys and configuration, DIR/mds, DIR/ds0 … with the data, DIR/log, DIR/run with\n"
          "pid files and sockets. A DIR that was stopped is started again with its data; --mds and --ds are then optional,\n"
          "and more --ds may be given than before, not fewer. Without --exports all of / is exported, writable and without\n"
          "root squash, to whoever can reach the addresses.\n"
          "Ports: ADDR stands for ADDR:2049; data servers register on the port behind the MDS's; metrics on 9050 and up.",
          cmd_dev_up },
        { "dev down", OPT_DIR, OPT_DIR, NULL, "stop a cluster that dev up started; its data stays", NULL,
          cmd_dev_down },
        { "dev restart", OPT_DIR, OPT_DIR, "SERVER", "stop and start one server of a dev cluster",
          "SERVER is mds, ds0, ds1, …", cmd_dev_restart },
        { "status", OPTS_SERVER | OPT_JSON, 0, NULL,
          "the cluster: data servers, clients, open files, layouts", NULL, cmd_status },
        { "ds list", OPTS_SERVER | OPT_JSON, 0, NULL, "the data servers: state, capacity, last heard", NULL,
          cmd_ds_list },
        { "export check", 0, 0, "FILE", "check a file of export policies, without any server", NULL,
          cmd_export_check },
        { "export reload", OPTS_SERVER, 0, NULL, "have the server read its export policies again",
          "A broken file is refused with its line, and what was in force stays.", cmd_export_reload },
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

/* The names that begin like the first word: its group, or all when there is none. */
static int unknown_command(int argc, char **argv)
{
        size_t length = strlen(argv[0]);
        bool is_group = false;

        for (const struct cli_command *c = cli_commands; c->name; c++)
                is_group |= strncmp(c->name, argv[0], length) == 0 && c->name[length] == ' ';
        fprintf(stderr, "nacre: unknown command '%s%s%s'; allowed:", argv[0], is_group && argc > 1 ? " " : "",
                is_group && argc > 1 ? argv[1] : "");
        for (const struct cli_command *c = cli_commands, *first = NULL; c->name; c++)
                if (!is_group || (strncmp(c->name, argv[0], length) == 0 && c->name[length] == ' ')) {
                        fprintf(stderr, "%s %s", first ? "," : "", c->name);
                        first = c;
                }
        fputc('\n', stderr);
        return CLI_USAGE;
}

static int print_help(void)
{
        puts("usage: nacre COMMAND [OPTION…]\n");
        for (const struct cli_command *c = cli_commands; c->name; c++)
                printf("  %-16s%s\n", c->name, c->summary);
        puts("\nnacre help COMMAND says more; nacre --version.");
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
                return print_help();
        c = find_command(argc, argv, &words);
        return c ? help_on(c) : unknown_command(argc, argv);
}

static bool asks_for_help(int argc, char **argv)
{
        for (int i = 0; i < argc; i++)
                if (strcmp(argv[i], "--help") == 0)
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
        if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
                return help(argc - 2, argv + 2);
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
