/* SPDX-License-Identifier: Apache-2.0 */
/* Counting and printing. */
#include <stdio.h>

#include "bench/load/load.h"

static uint32_t bucket_of(uint64_t ns)
{
        uint32_t power = ns < LOAD_STEPS ? 4 : 63 - (uint32_t)__builtin_clzll(ns);
        uint32_t bucket = (power - 4) * LOAD_STEPS + (uint32_t)(ns >> (power - 4)) % LOAD_STEPS;

        return bucket < LOAD_BUCKETS ? bucket : LOAD_BUCKETS - 1;
}

static uint64_t bucket_end(uint32_t bucket)
{
        return (uint64_t)(LOAD_STEPS + bucket % LOAD_STEPS + 1) << bucket / LOAD_STEPS;
}

void result_add(struct load_result *r, uint64_t ns, uint64_t bytes)
{
        r->ops++;
        r->bytes += bytes;
        r->buckets[bucket_of(ns)]++;
}

uint64_t result_percentile(const struct load_result *r, double percent)
{
        double wanted = (double)r->ops * percent / 100;
        uint64_t seen = 0;

        for (uint32_t i = 0; i < LOAD_BUCKETS; i++) {
                seen += r->buckets[i];
                if (seen > 0 && (double)seen >= wanted)
                        return bucket_end(i);
        }
        return 0;
}

void result_print_head(const struct load_options *o)
{
        if (o->csv)
                puts("op,clients,slots,block,seconds,ops,ops_per_second,mb_per_second,p50_us,p99_us,errors");
        else
                printf("%-14s %10s %12s %10s %10s %10s %8s\n", "op", "seconds", "ops/s", "MB/s", "p50 us",
                       "p99 us", "errors");
}

void result_print(const struct load_options *o, const char *name, const struct load_result *r)
{
        double seconds = (double)r->elapsed_ns / 1e9, ops = seconds > 0 ? (double)r->ops / seconds : 0;
        double megabytes = seconds > 0 ? (double)r->bytes / 1e6 / seconds : 0;
        double p50 = (double)result_percentile(r, 50) / 1000, p99 = (double)result_percentile(r, 99) / 1000;

        if (o->csv)
                printf("%s,%u,%u,%u,%.3f,%llu,%.1f,%.2f,%.1f,%.1f,%llu\n", name, o->clients, o->slots,
                       r->bytes ? (unsigned)(r->bytes / r->ops) : 0, seconds, (unsigned long long)r->ops, ops,
                       megabytes, p50, p99, (unsigned long long)r->errors);
        else
                printf("%-14s %10.2f %12.0f %10.1f %10.1f %10.1f %8llu\n", name, seconds, ops, megabytes, p50,
                       p99, (unsigned long long)r->errors);
        fflush(stdout);
}
