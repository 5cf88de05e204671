/* SPDX-License-Identifier: Apache-2.0 */
/* A native NFSv4.1 load generator: sessions and many slots, no kernel between. Works against any NFSv4.1
 * server; with
 * --pnfs, data goes to the data servers of the layouts that the server gives. Without --op: one operation
 * after the other, data with layouts where there are any. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "bench/load/load.h"
#include "nfs4/client.h"

enum { EXIT_USAGE = 2, SUITE_DATA_FILES = 16, SMALL_BLOCK = 4096 };

const char *const load_op_names[] = { "create", "stat",   "open-close", "lock", "write",
                                      "read",   "unlink", "hold",       NULL };

static const char usage_text[] =
        "usage: nfsload --server ADDR[:PORT] [OPTION]...\n"
        "  --op create|stat|open-close|lock|write|read|unlink|hold   only this one; what it needs is made first\n"
        "                    lock: pairs of LOCK and LOCKU; hold: an open file and its layout for each client, no more\n"
        "  --path DIR        of the directory on the server (/nfsload), made when it is missing\n"
        "  --clients N       each with a connection and a session (4)\n"
        "  --slots N         operations under way of each client (16)\n"
        "  --files N         files to create, stat, open and unlink (20000); data files with --op read and write (16)\n"
        "  --directories N   that the files lie in (16)\n"
        "  --size BYTES      of a data file (64M); K, M and G are powers of 1024\n"
        "  --block BYTES     of a READ or WRITE (1M)\n"
        "  --random          blocks in random order\n"
        "  --once            each block is read or written once; --first: only the first of each file\n"
        "  --seconds S       of each measurement at most (10)\n"
        "  --minor 1|2       version 4.1 (the default) or 4.2\n"
        "  --pnfs            data goes to data servers\n"
        "  --csv             for programs\n";

static _Noreturn void usage(const char *problem, const char *value)
{
        if (problem)
                fprintf(stderr, "nfsload: %s: %s\n", problem, value);
        fputs(usage_text, stderr);
        exit(EXIT_USAGE);
}

static uint64_t number(const char *option, const char *text, uint64_t least, uint64_t most)
{
        char *end;
        uint64_t value = strtoull(text, &end, 10), unit = 1;

        switch (*end) {
        case 'G': unit *= 1024; /* fall through */
        case 'M': unit *= 1024; /* fall through */
        case 'K': unit *= 1024; end++;
        }
        if (end == text || *end || value > most / unit || value * unit < least)
                usage(option, text);
        return value * unit;
}

static int op_of(const char *name)
{
        for (int i = 0; load_op_names[i]; i++)
                if (strcmp(load_op_names[i], name) == 0)
                        return i;
        usage("no such operation", name);
}

static void take_option(struct load_options *o, int choice)
{
        switch (choice) {
        case 's':
                if (netaddr_parse(optarg, NFS4_PORT, &o->server) < 0)
                        usage("not an address", optarg);
                break;
        case 'o': o->op = op_of(optarg); break;
        case 'p': o->path = optarg; break;
        case 'c': o->clients = (uint32_t)number("--clients", optarg, 1, LOAD_MAX_CLIENTS); break;
        case 'l': o->slots = (uint32_t)number("--slots", optarg, 1, SESSION_MAX_SLOTS); break;
        case 'f': o->files = (uint32_t)number("--files", optarg, 1, LOAD_MAX_FILES); break;
        case 'd': o->directories = (uint32_t)number("--directories", optarg, 1, LOAD_MAX_DIRECTORIES); break;
        case 'z': o->size = number("--size", optarg, 1, 1ull << 50); break;
        case 'b': o->block = (uint32_t)number("--block", optarg, 1, LOAD_MAX_BLOCK); break;
        case 't': o->seconds = (uint32_t)number("--seconds", optarg, 1, 86400); break;
        case 'm': o->minor = (uint32_t)number("--minor", optarg, 1, 2); break;
        case 'r': o->random = true; break;
        case 'O': o->once = true; break;
        case 'F': o->once = o->first = true; break;
        case 'P': o->pnfs = true; break;
        case 'C': o->csv = true; break;
        default: usage(NULL, NULL);
        }
}

static void parse(int argc, char **argv, struct load_options *o)
{
        static const struct option longs[] = { { "server", required_argument, NULL, 's' },
                                               { "op", required_argument, NULL, 'o' },
                                               { "path", required_argument, NULL, 'p' },
                                               { "clients", required_argument, NULL, 'c' },
                                               { "slots", required_argument, NULL, 'l' },
                                               { "files", required_argument, NULL, 'f' },
                                               { "directories", required_argument, NULL, 'd' },
                                               { "size", required_argument, NULL, 'z' },
                                               { "block", required_argument, NULL, 'b' },
                                               { "seconds", required_argument, NULL, 't' },
                                               { "minor", required_argument, NULL, 'm' },
                                               { "random", no_argument, NULL, 'r' },
                                               { "once", no_argument, NULL, 'O' },
                                               { "first", no_argument, NULL, 'F' },
                                               { "pnfs", no_argument, NULL, 'P' },
                                               { "csv", no_argument, NULL, 'C' },
                                               { "help", no_argument, NULL, 'h' },
                                               { 0 } };
        int choice;

        while ((choice = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
                if (choice == 'h') {
                        fputs(usage_text, stdout);
                        exit(EXIT_SUCCESS);
                }
                take_option(o, choice);
        }
        if (optind < argc)
                usage("not an option", argv[optind]);
        if (!o->server.family)
                usage("missing", "--server");
        o->data_files = o->op >= 0 && load_needs_data((enum load_op)o->op) ? o->files : 0;
        if (o->data_files == 0 || o->op < 0)
                o->data_files = SUITE_DATA_FILES;
        o->files = o->files ? o->files : 20000;
        if (o->data_files > LOAD_MAX_DATA_FILES)
                usage("too many data files", "--files");
        if (o->data_files < o->clients)
                o->data_files = o->clients;
        if (o->size % o->block != 0)
                usage("--size is not a multiple of --block", "--size");
        o->pnfs |= o->op < 0 || o->op == LOAD_HOLD;
}

/* --- measuring */

static bool run(struct load *l, const char *name, enum load_op op, struct load_result *r)
{
        bool data = load_needs_data(op), ok;

        if (data && !load_open_data(l))
                return false;
        if (op == LOAD_HOLD) {
                fprintf(stderr, "nfsload: holding\n"); /* bench/run waits for it */
                ok = load_hold(l, l->o.seconds, r);
        } else {
                ok = load_phase(l, op, l->o.seconds, r);
        }
        if (ok)
                result_print(&l->o, name, r);
        if (data && !load_close_data(l))
                return false;
        return ok && r->errors == 0;
}

/* Untimed and unprinted. */
static bool make(struct load *l, enum load_op op)
{
        struct load_result *r = calloc(1, sizeof(*r));
        bool data = op == LOAD_WRITE, random = l->o.random, ok = r && (!data || load_open_data(l));

        l->o.random = false;
        ok = ok && load_phase(l, op, 0, r) && r->errors == 0;
        l->o.random = random;
        free(r);
        return (!data || load_close_data(l)) && ok;
}

static bool make_what_is_needed(struct load *l, enum load_op op)
{
        if (op == LOAD_READ)
                return load_data_is_there(l) || make(l, LOAD_WRITE);
        if (op == LOAD_STAT || op == LOAD_OPEN_CLOSE || op == LOAD_UNLINK)
                return load_files_are_there(l) || make(l, LOAD_CREATE);
        return true;
}

static bool suite(struct load *l, struct load_result *r)
{
        bool ok = run(l, "create", LOAD_CREATE, r) && make_what_is_needed(l, LOAD_STAT) &&
                  run(l, "stat", LOAD_STAT, r) && run(l, "open-close", LOAD_OPEN_CLOSE, r) &&
                  run(l, "unlink", LOAD_UNLINK, r) && run(l, "lock", LOAD_LOCK, r) &&
                  run(l, "write", LOAD_WRITE, r) && make_what_is_needed(l, LOAD_READ) &&
                  run(l, "read", LOAD_READ, r);

        l->o.block = SMALL_BLOCK;
        l->o.random = true;
        ok = ok && run(l, "random-write", LOAD_WRITE, r) && run(l, "random-read", LOAD_READ, r);
        return load_remove_data(l) && ok;
}

static bool measure(struct load *l)
{
        struct load_result *r = calloc(1, sizeof(*r));
        bool ok;

        if (!r || !load_connect(l) || !load_prepare(l)) {
                free(r);
                return false;
        }
        if (l->o.op >= 0 && !make_what_is_needed(l, (enum load_op)l->o.op)) {
                free(r);
                return false;
        }
        result_print_head(&l->o);
        ok = l->o.op < 0 ? suite(l, r) : run(l, load_op_names[l->o.op], (enum load_op)l->o.op, r);
        free(r);
        return ok;
}

/* A client is a connection. */
static void allow_descriptors(void)
{
        struct rlimit r;

        if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
                r.rlim_cur = r.rlim_max;
                setrlimit(RLIMIT_NOFILE, &r);
        }
}

int main(int argc, char **argv)
{
        struct load load = { .o = { .path = "/nfsload",
                                    .op = -1,
                                    .clients = 4,
                                    .slots = 16,
                                    .directories = 16,
                                    .size = 64 << 20,
                                    .block = 1 << 20,
                                    .seconds = 10,
                                    .minor = 1 } };
        bool ok;

        parse(argc, argv, &load.o);
        log_open("nfsload", LOG_WARN);
        signal(SIGPIPE, SIG_IGN);
        allow_descriptors();
        load.loop = loop_new();
        if (!load.loop)
                return EXIT_FAILURE;
        load.env = loop_env(load.loop);
        ok = measure(&load);
        load_disconnect(&load);
        loop_free(load.loop);
        if (!ok)
                fprintf(stderr, "nfsload: %s\n", load.problem);
        return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
