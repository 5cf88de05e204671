/* SPDX-License-Identifier: Apache-2.0 */
/* nacre-sim: runs seeds, each in a process of its own, and tells which of them find something. Ends with
 * `N passed, N failed`. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/sim/sim.h"

enum { DEFAULT_STEPS = 8000, TWICE_EVERY = 50, MOST_FAILURES = 10, MOST_JOBS = 64 };

struct plan {
        uint64_t first, count, every, rest, seconds, jobs;
        bool trace;
        struct sim_options options;
};

/* What the process of a seed leaves behind. */
struct outcome {
        struct sim_result result;
        bool ended;
};

/* What those share who run seeds side by side. */
static struct {
        _Atomic uint64_t next, steps, passed, failed;
        struct outcome outcomes[MOST_JOBS];
} * shared;

static const char usage[] =
        "usage: nacre-sim [--seeds A..B | --fresh N] [--every N[+M]] [--steps N] [--seconds N] [--jobs N] [--trace] [--verbose]\n"
        "  --seeds A..B   these seeds (one: A)\n"
        "  --fresh N      N seeds that nobody has tried, from a random one on\n"
        "  --every N[+M]  one in N of them: those that N divides, or those that leave M\n"
        "  --steps N      of each seed, before it comes to an end\n"
        "  --seconds N    no new seed is begun after that\n"
        "  --jobs N       at a time (as many as there are processors)\n"
        "  --trace        print the hash of all that happens in each\n"
        "  --verbose      print what happens\n";

static uint64_t seconds_now(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec;
}

/* True: it found nothing. */
static bool run_seed(uint64_t seed, const struct sim_options *options, struct outcome *o)
{
        int status;
        pid_t pid;

        fflush(NULL);
        o->ended = false;
        pid = fork();
        if (pid == 0) {
                o->result = sim_run(seed, options);
                o->ended = true;
                exit(EXIT_SUCCESS);
        }
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
        if (status == 0 && o->ended)
                return true;
        printf("not ok seed %" PRIu64 " (%s %d): tests/sim/replay %" PRIu64 " --steps %" PRIu64 "\n", seed,
               WIFSIGNALED(status) ? "signal" : "status",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), seed, options->steps);
        return false;
}

/* The same seed makes the same run. */
static bool run_again(uint64_t seed, const struct sim_options *options, struct outcome *o)
{
        uint64_t trace = o->result.trace;

        if (!run_seed(seed, options, o))
                return false;
        if (o->result.trace == trace)
                return true;
        printf("not ok seed %" PRIu64 " makes two different runs\n", seed);
        return false;
}

static void run_some(const struct plan *p, uint64_t end, struct outcome *o)
{
        uint64_t i;

        while (seconds_now() < end && shared->failed < MOST_FAILURES && (i = shared->next++) < p->count) {
                uint64_t seed = p->first + i * p->every;
                bool ok = run_seed(seed, &p->options, o);

                if (ok)
                        shared->steps += o->result.steps;
                if (ok && i % TWICE_EVERY == 0 && !p->trace && !p->options.verbose)
                        ok = run_again(seed, &p->options, o);
                if (ok && p->trace)
                        printf("seed %" PRIu64 " steps %" PRIu64 " trace %016" PRIx64 "\n", seed,
                               o->result.steps, o->result.trace);
                if (ok)
                        shared->passed++;
                else
                        shared->failed++;
        }
        fflush(NULL);
}

static int run(const struct plan *p)
{
        uint64_t end = seconds_now() + p->seconds, jobs = p->jobs < p->count ? p->jobs : p->count;

        printf("seeds from %" PRIu64 " on\n", p->first);
        for (uint64_t job = 1; job < jobs; job++) {
                pid_t pid;

                fflush(NULL);
                pid = fork();
                CHECK(pid >= 0);
                if (pid == 0) {
                        run_some(p, end, &shared->outcomes[job]);
                        exit(EXIT_SUCCESS);
                }
        }
        run_some(p, end, &shared->outcomes[0]);
        for (uint64_t job = 1; job < jobs; job++) {
                int status;

                CHECK(wait(&status) > 0);
                if (status != 0)
                        shared->failed++;
        }
        if (shared->passed + shared->failed < p->count)
                printf("%" PRIu64 " of %" PRIu64 " seeds: no more time\n", shared->passed + shared->failed,
                       p->count);
        printf("%" PRIu64 " steps\n%" PRIu64 " passed, %" PRIu64 " failed\n", shared->steps, shared->passed,
               shared->failed);
        return shared->failed == 0 && shared->passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* "A" or "A..B" */
static bool parse_seeds(const char *text, struct plan *p)
{
        char *end;

        p->first = strtoull(text, &end, 10);
        p->count = 1;
        if (end != text && strncmp(end, "..", 2) == 0)
                p->count = strtoull(end + 2, &end, 10) - p->first + 1;
        return end != text && *end == '\0' && p->count > 0;
}

/* "N" or "N+M" */
static bool parse_every(const char *text, struct plan *p)
{
        char *end;

        p->every = strtoull(text, &end, 10);
        p->rest = *end == '+' ? strtoull(end + 1, &end, 10) : 0;
        return *end == '\0' && p->rest < p->every;
}

static bool parse(int argc, char **argv, struct plan *p)
{
        static const struct option longs[] = { { "seeds", required_argument, NULL, 's' },
                                               { "fresh", required_argument, NULL, 'f' },
                                               { "every", required_argument, NULL, 'e' },
                                               { "steps", required_argument, NULL, 'n' },
                                               { "seconds", required_argument, NULL, 't' },
                                               { "jobs", required_argument, NULL, 'j' },
                                               { "trace", no_argument, NULL, 'h' },
                                               { "verbose", no_argument, NULL, 'v' },
                                               { 0 } };
        int choice;

        while ((choice = getopt_long(argc, argv, "", longs, NULL)) != -1) {
                switch (choice) {
                case 's':
                        if (!parse_seeds(optarg, p))
                                return false;
                        break;
                case 'f':
                        CHECK(getrandom(&p->first, sizeof(p->first), 0) == sizeof(p->first));
                        p->first %= 1000000000;
                        p->count = strtoull(optarg, NULL, 10);
                        break;
                case 'e':
                        if (!parse_every(optarg, p))
                                return false;
                        break;
                case 'n': p->options.steps = strtoull(optarg, NULL, 10); break;
                case 't': p->seconds = strtoull(optarg, NULL, 10); break;
                case 'j': p->jobs = strtoull(optarg, NULL, 10); break;
                case 'h': p->trace = true; break;
                case 'v': p->options.verbose = true; break;
                default: return false;
                }
        }
        if (p->jobs > MOST_JOBS)
                p->jobs = MOST_JOBS;
        if (optind < argc || p->jobs == 0)
                return false;
        p->count = (p->count + p->every - 1) / p->every;
        p->first += (p->every + p->rest - p->first % p->every) % p->every;
        return true;
}

int main(int argc, char **argv)
{
        struct plan p = { .first = 1,
                          .count = 100,
                          .every = 1,
                          .seconds = UINT32_MAX,
                          .jobs = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN),
                          .options.steps = DEFAULT_STEPS };

        if (!parse(argc, argv, &p)) {
                fputs(usage, stderr);
                return 2;
        }
        log_open("sim", getenv("LAB_LOG") ? LOG_DEBUG : LOG_ERROR);
        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        CHECK(shared != MAP_FAILED);
        setvbuf(stdout, NULL, _IOLBF, 0);
        return run(&p);
}
