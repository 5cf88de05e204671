/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 engine alone against a store: s3bench WHAT COUNT IN_FLIGHT. WHAT:
 *   - put: COUNT objects of 64 MiB in parts of 16 MiB;
 *   - get: COUNT MiB of the first one, 1 MiB a range;
 *   - small: COUNT ranges of 4 KiB;
 *   - keys: put COUNT empty objects; list: list the bucket COUNT times, 1,000 keys a page.
 * IN_FLIGHT of them at once, of list 1. The store is in the environment: S3_ENDPOINT, S3_BUCKET, S3_REGION,
 * AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY. Prints one line: what, seconds, units a second, CPU seconds of
 * this process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/check.h"
#include "base/loop.h"
#include "s3tier/listing.h"
#include "s3tier/multipart.h"

enum { MIB = 1 << 20, OBJECT_MIB = 64, PART_MIB = 16, AT_ONCE = 64 };

struct worker {
        struct s3_call call;
        struct iovec iov;
        char key[32];
};

static struct loop *loop;
static struct s3 *s3;
static struct worker workers[AT_ONCE];
static struct s3_part parts[OBJECT_MIB / PART_MIB];
static char upload_id[S3_UPLOAD_ID_BYTES];
static unsigned long count, started, ended;
static unsigned under_way;
static void (*start)(struct worker *w);

static void must(const struct s3_call *call)
{
        if (call->result.error == S3_OK)
                return;
        fprintf(stderr, "s3bench: %s: %s %s\n", s3_kind_names[call->kind], s3_error_name(call->result.error),
                call->result.message);
        exit(1);
}

static void start_one(struct worker *w)
{
        if (started == count)
                return;
        under_way++;
        start(w);
        started++;
}

static void on_done(struct s3_call *call)
{
        struct worker *w = CONTAINER(call, struct worker, call);

        must(call);
        if (start == NULL || call->kind == S3_KIND_MULTIPART) {
                loop_stop(loop);
                return;
        }
        if (call->kind == S3_KIND_PART)
                strcpy(parts[(unsigned char)w->key[0]].etag, call->object.etag);
        ended++;
        under_way--;
        start_one(w);
        if (under_way == 0)
                loop_stop(loop);
}

static void run_all(unsigned at_once, void (*each)(struct worker *w), unsigned long how_many)
{
        count = how_many;
        started = ended = 0;
        start = each;
        for (unsigned i = 0; i < at_once; i++)
                start_one(&workers[i]);
        loop_run(loop);
        CHECK(ended == how_many);
}

static void get_mib(struct worker *w)
{
        const struct s3_get_args args = { started % OBJECT_MIB * MIB, MIB, NULL, NULL, &w->iov, 1, NULL };

        s3_get(s3, &w->call, "bench", &args);
}

static void get_small(struct worker *w)
{
        const struct s3_get_args args = {
                started * 7919 % (OBJECT_MIB * 256) * 4096, 4096, NULL, NULL, &w->iov, 1, NULL
        };

        s3_get(s3, &w->call, "bench", &args);
}

static void put_key(struct worker *w)
{
        snprintf(w->key, sizeof(w->key), "keys/%09lu", started);
        s3_put(s3, &w->call, w->key, &(struct s3_put_args){ .body_count = 0 });
}

static void put_part(struct worker *w)
{
        w->key[0] = (char)started;
        w->iov.iov_len = PART_MIB * MIB;
        s3_upload_part(s3, &w->call, "bench", upload_id, (unsigned)started + 1, &w->iov, 1);
}

static void put_object(unsigned at_once)
{
        static struct s3_complete complete;

        workers[0].call.done = on_done;
        s3_upload_create(s3, &workers[0].call, "bench", &(struct s3_put_args){ .body_count = 0 });
        loop_run(loop);
        strcpy(upload_id, workers[0].call.upload_id);
        run_all(at_once, put_part, OBJECT_MIB / PART_MIB);
        for (unsigned i = 0; i < OBJECT_MIB / PART_MIB; i++)
                parts[i].number = i + 1;
        complete = (struct s3_complete){ .parts = parts,
                                         .count = OBJECT_MIB / PART_MIB,
                                         .size = (uint64_t)OBJECT_MIB * MIB };
        complete.call.done = on_done;
        start = NULL;
        s3_upload_complete(s3, &complete, "bench", upload_id);
        loop_run(loop);
        must(&complete.call);
}

static void on_entry(struct s3_list *list, const struct s3_entry *entry)
{
        (void)list, (void)entry;
}

static unsigned long list_all(void)
{
        static struct s3_list list = {
                .prefix = "", .delimiter = "", .start_after = "", .page = 1000, .entry = on_entry
        };

        list.call.done = on_done;
        start = NULL;
        for (s3_list_first(s3, &list); loop_run(loop), must(&list.call), list.more;)
                s3_list_next(s3, &list);
        return list.told;
}

static unsigned long run(const char *what, unsigned long n, unsigned at_once)
{
        unsigned long told = 0;

        if (strcmp(what, "get") == 0)
                return run_all(at_once, get_mib, n), n;
        if (strcmp(what, "small") == 0)
                return run_all(at_once, get_small, n), n;
        if (strcmp(what, "keys") == 0)
                return run_all(at_once, put_key, n), n;
        for (unsigned long i = 0; strcmp(what, "put") == 0 && i < n; i++, told += OBJECT_MIB)
                put_object(at_once);
        for (unsigned long i = 0; strcmp(what, "list") == 0 && i < n; i++)
                told += list_all();
        return told;
}

static double cpu_seconds(void)
{
        struct rusage u;

        getrusage(RUSAGE_SELF, &u);
        return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
               (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void fill_workers(unsigned at_once)
{
        for (unsigned i = 0; i < at_once; i++) {
                workers[i].iov = (struct iovec){ aligned_alloc(4096, PART_MIB * MIB), MIB };
                CHECK(workers[i].iov.iov_base != NULL);
                memset(workers[i].iov.iov_base, (int)i + 1, PART_MIB * MIB);
                workers[i].call.done = on_done;
        }
}

int main(int argc, char **argv)
{
        const struct http_conf http_conf = { .connections = AT_ONCE, .connect_ms = 5000, .idle_ms = 30000 };
        struct s3_conf conf = { .endpoint = getenv("S3_ENDPOINT"),
                                .bucket = getenv("S3_BUCKET"),
                                .region = getenv("S3_REGION"),
                                .prefix = "bench/",
                                .budget = { .in_flight = AT_ONCE } };
        const struct creds_conf creds_conf = { .source = CREDS_ENVIRONMENT };
        unsigned at_once = argc == 4 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
        struct creds_provider *creds;
        const char *why;
        unsigned long units;
        uint64_t began;
        double seconds, cpu;

        if (at_once == 0 || at_once > AT_ONCE) {
                fprintf(stderr, "usage: s3bench put|get|small|keys|list COUNT IN_FLIGHT (at most %d)\n",
                        AT_ONCE);
                return 2;
        }
        loop = loop_new();
        creds = creds_new(loop, &creds_conf);
        s3 = s3_new(http_new(loop, &http_conf), creds, &conf, &why);
        if (!s3) {
                fprintf(stderr, "s3bench: %s\n", why);
                return 2;
        }
        fill_workers(at_once);
        began = env_now(loop_env(loop));
        cpu = cpu_seconds();
        units = run(argv[1], strtoul(argv[2], NULL, 10), at_once);
        seconds = (double)(env_now(loop_env(loop)) - began) / 1e9;
        printf("%s: %lu in %.3f s, %.1f/s, CPU %.3f s\n", argv[1], units, seconds, (double)units / seconds,
               cpu_seconds() - cpu);
        return 0;
}
