/* SPDX-License-Identifier: Apache-2.0 */
/* The table of subcommands, and the way from the command line to one of them. */
#include <stdarg.h>
#include <string.h>

#include "cli/cli.h"

enum {
        OPTS_SERVER = OPT_SOCKET | OPT_DIR,
        OPTS_VERB =
                OPTS_SERVER | OPT_JSON | OPT_RECURSIVE | OPT_OLDER | OPT_MIN_SIZE | OPT_MATCH | OPT_DRY_RUN
};

#define JOB_DETAILS \
        "With --recursive PATH is a directory. This is a job of the server (nacre job), which goes on when the command is\n" \
        "interrupted or the server restarted. Ends with status 1 when a file failed; `nacre job report` names each.\n\n"

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
        { "repo list", OPTS_SERVER | OPT_JSON, 0, NULL, "the buckets that are linked to directories",
          "NAMES is how many files and directories were made from keys since the server started. Below a repo stands what its\n"
          "S3 service said last, if that was no. Repos are files of the directory `repos` in the server's configuration.",
          cmd_repo_list },
        { "repo show", OPTS_SERVER | OPT_JSON, 0, "NAME", "one repo: its settings, and how it fares", NULL,
          cmd_repo_show },
        { "repo status", OPTS_SERVER | OPT_JSON, 0, NULL,
          "what S3 does not have yet, and whether it is safe to destroy",
          "A line for each repo: how much of what was made, changed or removed here is not in its bucket yet, how old the oldest of\n"
          "it is, and what has failed, with the reason in FSx's words. Files that are open for writing are sent when they are closed.",
          cmd_repo_status },
        { "repo add", OPTS_SERVER | OPT_NAME | OPT_KEY, 0, "PATH s3://BUCKET[/PREFIX]",
          "make a directory the directory of a bucket",
          "PATH is from the root of the name space; it must be empty or not there yet, and shows the bucket at once. The server\n"
          "tries the bucket out with its own keys first, and what it can do is printed; nothing is linked if that fails. Then\n"
          "NAME.yaml is written into the server's directory `repos`: run this on its machine, as who may write there.\n"
          "Each key of docs/examples/repos.d/train.yaml may be given. Without --credentials-file or --credential-process keys\n"
          "are found as AWS's tools find them, by the server.\n"
          "\n"
          "    nacre repo add /data/train s3://bucket/prefix --endpoint https://s3.eu-central-1.amazonaws.com --region eu-central-1",
          cmd_repo_add },
        { "repo set", OPTS_SERVER | OPT_KEY, 0, "NAME", "change settings of a repo, at once and in its file",
          "Comments in the file stay. A path and a url cannot change. Data servers go on with the endpoint, keys and limits that\n"
          "they have until S3 refuses them or they are restarted.\n"
          "\n"
          "    nacre repo set train --import new,changed --sweep-interval 600",
          cmd_repo_set },
        { "repo pause", OPTS_SERVER, 0, "NAME", "take nothing over from now on",
          "No sweeps and no exports. What is read and not here is still fetched, and directories are still listed when somebody\n"
          "looks into them first.",
          cmd_repo_pause },
        { "repo resume", OPTS_SERVER, 0, "NAME", "go on where pause has stopped", NULL, cmd_repo_resume },
        { "repo reload", OPTS_SERVER, 0, "NAME", "have the server read a repo's file again, or a new one",
          "For files that were written by hand. A broken one is refused with its line, and what was in force stays.",
          cmd_repo_reload },
        { "repo sweep", OPTS_SERVER | OPT_JSON, 0, "NAME", "take over what has changed in the bucket, now",
          "As the server does by itself every sweep_interval seconds: of the directories that somebody has looked into, what is\n"
          "new, changed or deleted in the bucket, as far as `import` says. Ends with the sweep, and prints each key. Deletions\n"
          "beyond delete_brake percent are refused. Counted as left: what is in use, and what `import` or `conflict` leaves.",
          cmd_repo_sweep },
        { "repo verify", OPTS_SERVER | OPT_JSON, 0, "NAME",
          "tell what a sweep would do, and which keys are no names",
          "Lines of new, changed, deleted, conflict (changed here as well) or odd (shown under an escaped name) and the key.\n"
          "Exit status 1 when something differs.",
          cmd_repo_verify },
        { "repo remove", OPTS_SERVER | OPT_FORCE, 0, "NAME",
          "unlink a repo; its files stay, as does the bucket",
          "Refused while something is in the bucket only; --force leaves it unreadable. Adding the same bucket to the same PATH\n"
          "again makes all of it the repo's as before.",
          cmd_repo_remove },
        { "repo probe", OPT_KEY, 0, "s3://BUCKET[/PREFIX]", "what an S3 store can do, by trying it",
          "Writes, reads and deletes a few small objects under PREFIX.nacre-probe-…/ and prints a line for each ability. Options\n"
          "are those of `nacre repo add`; files are of this machine, and whoever runs it. Without --credentials-file keys are\n"
          "found as AWS's tools find them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the file of credentials with AWS_PROFILE,\n"
          "a container's agent, an instance's metadata service. Fails when the bucket cannot be read or written.\n"
          "\n"
          "    nacre repo probe s3://bucket/train --endpoint https://s3.eu-central-1.amazonaws.com --region eu-central-1",
          cmd_repo_probe },
        { "archive", OPTS_VERB | OPT_NO_WAIT, 0, "PATH", "bring S3 what it does not have of files in a repo",
          "PATH is from the root of the name space. Files are sent without the repo's export_delay, and those that had failed are\n"
          "tried anew; what somebody has open for writing is not sent. Directories and symlinks go by themselves.\n" JOB_DETAILS
          "    nacre archive /data/train --recursive --match '*.nc'",
          cmd_archive },
        { "restore", OPTS_VERB | OPT_NO_WAIT, 0, "PATH", "bring all bytes of files here that are in S3 only",
          "PATH is from the root of the name space. Directories that nobody has looked into yet are listed first.\n" JOB_DETAILS
          "    nacre restore /data/train/2024 --recursive",
          cmd_restore },
        { "release", OPTS_VERB | OPT_NO_WAIT, 0, "PATH", "make room: the bytes of files stay in S3 only",
          "PATH is from the root of the name space. A file is released when S3 has all of it, nobody has it open, and it is not\n"
          "pinned; when it is read again, what is read comes back.\n" JOB_DETAILS
          "    nacre release /data/train --recursive --older 30d --min-size 1M",
          cmd_release },
        { "prefetch", OPTS_VERB, 0, "PATH", "as restore, without waiting for it",
          "Prints the number of the job and ends; it brings fewer files at a time than restore does.",
          cmd_prefetch },
        { "pin", OPTS_VERB | OPT_NO_WAIT, 0, "PATH", "never release these files",
          "PATH is from the root of the name space. What is in S3 only is not brought here by this.\n" JOB_DETAILS
          "    nacre pin /data/train/index --recursive",
          cmd_pin },
        { "unpin", OPTS_VERB | OPT_NO_WAIT, 0, "PATH", "these files may be released again", NULL, cmd_unpin },
        { "job list", OPTS_SERVER | OPT_JSON, 0, NULL,
          "what archive, restore and the others are doing and did",
          "STATE is waiting (two of a verb run at a time), running, stopping, cancelled or ended. DONE is files, SAME those of which\n"
          "nothing was to be done. The last hundred that have ended are remembered. With --json an array of objects.",
          cmd_job_list },
        { "job show", OPTS_SERVER | OPT_JSON, 0, "NUMBER", "one job: its progress, rate and time left",
          "The time left is not told while files are being counted, nor when directories are listed on the way.",
          cmd_job_show },
        { "job cancel", OPTS_SERVER, 0, "NUMBER", "have a job end where it is",
          "What it has done stays done, and what is queued for S3 is sent as if nobody had asked.",
          cmd_job_cancel },
        { "job retry", OPTS_SERVER | OPT_FAILED, 0, "NUMBER",
          "have an ended job try again what it has failed with",
          "The files that then succeed leave its report.", cmd_job_retry },
        { "job report", OPTS_SERVER | OPT_JSON, 0, "NUMBER", "the files that a job has failed with, as CSV",
          "Lines of FilePath,FileStatus,ErrorCode as the task reports of FSx for Lustre have, with its names of errors where it has\n"
          "one: S3AccessDenied, S3Error, S3ObjectNotFound, PathSizeTooLong, ResourceBusy, InternalError … and NotArchived, Pinned,\n"
          "NotExported, NotInRepository. With --json a JSON object a line.",
          cmd_job_report },
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
