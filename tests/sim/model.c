/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

void model_init(struct model *m, struct world *w)
{
        *m = (struct model){ .world = w };
}

static void file_free(struct model_file *f)
{
        for (uint32_t i = 0; i < f->count; i++)
                free(f->events[i]);
        free(f->events);
        free(f);
}

void model_destroy(struct model *m)
{
        for (uint32_t i = 0; i < m->file_count; i++)
                file_free(m->files[i]);
}

struct model_file *model_file(struct model *m, uint64_t fileid)
{
        struct model_file *f;

        for (uint32_t i = 0; i < m->file_count; i++)
                if (m->files[i]->fileid == fileid)
                        return m->files[i];
        f = calloc(1, sizeof(*f));
        CHECK(f != NULL && m->file_count < MODEL_FILES);
        f->model = m;
        f->fileid = fileid;
        m->files[m->file_count++] = f;
        return f;
}

/* --- what happens */

static uint64_t now(const struct model_file *f)
{
        return f->model->world->now;
}

static struct event *begin(struct model_file *f, uint64_t from, uint64_t to, uint32_t client)
{
        struct event *e = calloc(1, sizeof(*e));

        CHECK(e != NULL);
        *e = (struct event){ .from = from,
                             .to = to,
                             .number = ++f->model->next_number,
                             .client = client,
                             .ds = -1,
                             .began = now(f),
                             .settled = NEVER,
                             .acked = NEVER,
                             .sure = NEVER,
                             .given_up = NEVER,
                             .durable = NEVER };
        if (f->count == f->capacity) {
                f->capacity = f->capacity ? f->capacity * 2 : 64;
                f->events = realloc(f->events, f->capacity * sizeof(struct event *));
                CHECK(f->events != NULL);
        }
        f->events[f->count++] = e;
        return e;
}

static uint64_t word(uint32_t number, uint64_t offset)
{
        return (uint64_t)number << 32 | (uint32_t)(offset / MODEL_WORD);
}

struct event *model_write(struct model_file *f, uint64_t from, uint64_t to, uint32_t client, uint8_t *data)
{
        struct event *e = begin(f, from, to, client);

        CHECK(from % MODEL_WORD == 0 && to % MODEL_WORD == 0 && from < to);
        for (uint64_t at = from; at < to; at += MODEL_WORD) {
                uint64_t value = word(e->number, at);

                memcpy(data + (at - from), &value, MODEL_WORD);
        }
        return e;
}

struct event *model_cut(struct model_file *f, uint64_t size, uint32_t client)
{
        struct event *e = begin(f, size, NEVER, client);

        e->is_cut = true;
        return e;
}

static uint64_t lost_at(const struct model_file *f, const struct event *e)
{
        return e->ds < 0 ? NEVER : f->model->lost_at(f->model->arg, e->ds);
}

/* It was there at some time since SINCE: from now on nothing older is read. */
static void note_sure(const struct model_file *f, struct event *e, uint64_t since)
{
        uint64_t lost = lost_at(f, e);

        if (since > lost && (e->sure == NEVER || e->sure <= lost))
                e->sure = now(f);
}

/* A cut fences what the others were given before (RFC 8881 §12.5.5.1, and see mds/pnfs/truncate.c). */
static void check_not_fenced(const struct model_file *f, const struct event *e)
{
        for (uint32_t i = 0; e->ds >= 0 && i < f->count; i++) {
                const struct event *cut = f->events[i];

                if (cut->is_cut && cut->client != e->client && cut->began > e->granted &&
                    cut->acked < e->began)
                        world_fail(f->model->world, "%u was written under a layout that %u had fenced",
                                   e->number, cut->number);
        }
}

void model_acked(struct model_file *f, struct event *e, bool durable)
{
        check_not_fenced(f, e);
        e->acked = now(f);
        if (e->settled == NEVER)
                e->settled = now(f);
        if (durable)
                e->durable = now(f);
        note_sure(f, e, e->began);
}

void model_refused(struct model_file *f, struct event *e)
{
        e->settled = e->given_up = now(f);
}

void model_given_up(struct model_file *f, struct event *e)
{
        e->given_up = now(f);
}

void model_client_gone(struct model *m, uint32_t client)
{
        for (uint32_t i = 0; i < m->file_count; i++)
                for (uint32_t j = 0; j < m->files[i]->count; j++)
                        if (m->files[i]->events[j]->client == client)
                                model_given_up(m->files[i], m->files[i]->events[j]);
}

void model_fenced(struct model_file *f, const struct event *cut)
{
        for (uint32_t i = 0; i < f->count; i++) {
                struct event *e = f->events[i];

                if (!e->is_cut && e->ds >= 0 && e->client != cut->client && e->given_up < cut->began &&
                    e->settled == NEVER)
                        e->settled = now(f);
        }
}

void model_settle(struct model *m, uint32_t client, int ds, uint32_t number)
{
        for (uint32_t i = 0; i < m->file_count; i++) {
                struct model_file *f = m->files[i];

                for (uint32_t j = 0; j < f->count; j++) {
                        struct event *e = f->events[j];

                        if (e->client == client && e->ds == ds && ds >= 0 && e->session < number &&
                            e->settled == NEVER)
                                e->settled = now(f);
                }
        }
}

/* --- what may be seen */

/* E certainly had its effect before SINCE, and it cannot have been lost. */
static bool is_firm(const struct model_file *f, const struct event *e, uint64_t since)
{
        return e->durable < since || (e->sure < since && e->sure > lost_at(f, e));
}

/* The size tells of E. Of what was seen but not answered yet it need not: the MDS hears of a write after the
 * data server has it (RFC 8881 §12.5.4). */
static bool is_in_size(const struct model_file *f, const struct event *e, uint64_t since)
{
        return e->acked < since && is_firm(f, e, since);
}

static bool covers(const struct event *e, uint64_t from, uint64_t to)
{
        return e->from < to && e->to > from;
}

static const struct event *find(const struct model_file *f, uint32_t number)
{
        uint32_t low = 0, high = f->count; /* numbers ascend */

        while (low < high) {
                uint32_t middle = (low + high) / 2;

                if (f->events[middle]->number < number)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < f->count && f->events[low]->number == number ? f->events[low] : NULL;
}

static void describe(const struct model_file *f, uint64_t from, uint64_t to)
{
        fprintf(stderr, "history of file %" PRIu64 ", bytes %" PRIu64 " to %" PRIu64 ":\n", f->fileid, from,
                to);
        for (uint32_t i = 0; i < f->count; i++) {
                const struct event *e = f->events[i];

                if (!covers(e, from, to) && !e->is_cut)
                        continue;
                fprintf(stderr, "  %u %s %" PRIu64 "..%" PRId64 " client %u ds %d began %.6f", e->number,
                        e->is_cut ? "cut" : "write", e->from, (int64_t)e->to, e->client, e->ds,
                        (double)e->began / 1e9);
                fprintf(stderr, e->acked == NEVER ? " no answer" : " acked %.6f", (double)e->acked / 1e9);
                if (e->durable != NEVER)
                        fprintf(stderr, " durable %.6f", (double)e->durable / 1e9);
                fprintf(stderr, e->settled == NEVER ? " unsettled\n" : " settled %.6f\n",
                        (double)e->settled / 1e9);
        }
}

/* Words FROM..TO hold what E wrote. */
static void check_written(struct model_file *f, struct event *e, uint64_t since, uint64_t from, uint64_t to)
{
        for (uint32_t i = 0; i < f->count; i++) {
                const struct event *later = f->events[i];

                if (covers(later, from, to) && later->began > e->settled && is_firm(f, later, since)) {
                        describe(f, from, to);
                        world_fail(f->model->world,
                                   "file %" PRIu64 ": bytes %" PRIu64 " to %" PRIu64
                                   " of %u are read, but %u replaced them",
                                   f->fileid, from, to, e->number, later->number);
                }
        }
        if (from <= e->from && to >= e->to) /* a crash may have left a part of it */
                note_sure(f, e, since);
}

/* Could byte AT have become zero behind LATER, or not exist, because of a cut? */
static bool cut_since(const struct model_file *f, const struct event *later, uint64_t at)
{
        for (uint32_t i = 0; i < f->count; i++) {
                const struct event *cut = f->events[i];

                if (cut->is_cut && cut->from <= at && cut->settled >= later->began)
                        return true;
        }
        return false;
}

static void check_zeros(struct model_file *f, uint64_t since, uint64_t from, uint64_t to)
{
        for (uint32_t i = 0; i < f->count; i++) {
                const struct event *e = f->events[i];
                uint64_t first = e->from > from ? e->from : from;

                if (!e->is_cut && covers(e, from, to) && is_firm(f, e, since) && !cut_since(f, e, first)) {
                        describe(f, from, to);
                        world_fail(f->model->world,
                                   "file %" PRIu64 ": bytes %" PRIu64 " to %" PRIu64
                                   " are zero, but %u wrote there",
                                   f->fileid, first, to, e->number);
                }
        }
}

static uint64_t word_at(const uint8_t *data, uint64_t at)
{
        uint64_t value;

        memcpy(&value, data + at, MODEL_WORD);
        return value;
}

/* The end of the run of words from AT on that one write made, or that are zero. */
static uint32_t run_end(const uint8_t *data, uint32_t at, uint32_t length)
{
        uint64_t first = word_at(data, at);

        do
                at += MODEL_WORD;
        while (at < length && word_at(data, at) >> 32 == first >> 32);
        return at;
}

static void check_run(struct model_file *f, uint64_t since, uint64_t offset, const uint8_t *data,
                      uint32_t from, uint32_t to)
{
        uint32_t number = (uint32_t)(word_at(data, from) >> 32);
        struct event *e = (struct event *)(uintptr_t)find(f, number);

        for (uint32_t at = from; at < to; at += MODEL_WORD)
                if (word_at(data, at) != (number ? word(number, offset + at) : 0))
                        world_fail(f->model->world, "file %" PRIu64 ": byte %" PRIu64 " reads %016" PRIx64,
                                   f->fileid, offset + at, word_at(data, at));
        if (number == 0) {
                check_zeros(f, since, offset + from, offset + to);
                return;
        }
        if (!e || e->is_cut || e->from > offset + from || e->to < offset + to) {
                describe(f, offset + from, offset + to);
                world_fail(f->model->world, "file %" PRIu64 ": bytes %" PRIu64 " to %" PRIu64 " come from %u",
                           f->fileid, offset + from, offset + to, number);
        }
        check_written(f, e, since, offset + from, offset + to);
}

/* --- sizes */

/* Does E make byte AT exist? */
static bool makes(const struct event *e, uint64_t at)
{
        return e->is_cut ? e->from > at && e->from != NEVER : e->to > at && e->to != NEVER;
}

/* Can byte AT exist: something made it, which no firm cut has removed? */
static bool may_exist(const struct model_file *f, uint64_t since, uint64_t at)
{
        for (uint32_t i = 0; i < f->count; i++) {
                const struct event *maker = f->events[i];
                bool removed = false;

                if (!makes(maker, at))
                        continue;
                for (uint32_t j = 0; j < f->count && !removed; j++) {
                        const struct event *cut = f->events[j];

                        removed = cut->is_cut && cut->from <= at && cut->began > maker->settled &&
                                  is_firm(f, cut, since);
                }
                if (!removed)
                        return true;
        }
        return false;
}

/* Can the file end before byte AT: no firm event makes it that no cut may follow? */
static bool may_be_missing(const struct model_file *f, uint64_t since, uint64_t at)
{
        for (uint32_t i = 0; i < f->count; i++) {
                const struct event *maker = f->events[i];

                if (makes(maker, at) && is_in_size(f, maker, since) && !cut_since(f, maker, at))
                        return false;
        }
        return true;
}

static void check_exists(struct model_file *f, uint64_t since, uint64_t at)
{
        if (may_exist(f, since, at))
                return;
        describe(f, at, at + 1);
        world_fail(f->model->world, "file %" PRIu64 " goes beyond byte %" PRIu64 ", which cannot exist",
                   f->fileid, at);
}

static void check_missing(struct model_file *f, uint64_t since, uint64_t at)
{
        if (may_be_missing(f, since, at))
                return;
        describe(f, at, at + 1);
        world_fail(f->model->world, "file %" PRIu64 " ends before byte %" PRIu64 ", which must exist",
                   f->fileid, at);
}

void model_size(struct model_file *f, uint64_t since, uint64_t size)
{
        if (size > 0)
                check_exists(f, since, size - 1);
        check_missing(f, since, size);
}

void model_read(struct model_file *f, uint64_t since, uint64_t offset, const uint8_t *data, uint32_t length,
                bool end)
{
        for (uint32_t from = 0, to; from < length; from = to) {
                to = run_end(data, from, length);
                check_run(f, since, offset, data, from, to);
        }
        if (length > 0)
                check_exists(f, since, offset + length - 1);
        if (end)
                check_missing(f, since, offset + length);
        else
                check_exists(f, since, offset + length);
}

void model_change(struct model_file *f, uint64_t since, uint64_t change)
{
        bool rises = false;

        if (since < f->change_at)
                return;
        for (uint32_t i = 0; i < f->count; i++)
                rises |= f->events[i]->began > f->change_at && f->events[i]->acked < since;
        if (f->change_at > 0 && (change < f->change || (rises && change == f->change)))
                world_fail(f->model->world, "file %" PRIu64 ": change %" PRIu64 " after %" PRIu64, f->fileid,
                           change, f->change);
        f->change = change;
        f->change_at = now(f);
}
