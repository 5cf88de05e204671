/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/model_private.h"

#include <inttypes.h>
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
        for (uint32_t i = 0; i < MODEL_PUBLISHED; i++)
                free(f->published[i].data);
        free(f->events);
        free(f);
}

void model_destroy(struct model *m)
{
        for (uint32_t i = 0; i < m->file_count; i++)
                file_free(m->files[i]);
        free(m->files);
}

struct model_file *model_file(struct model *m, uint64_t fileid)
{
        struct model_file *f;

        for (uint32_t i = 0; i < m->file_count; i++)
                if (m->files[i]->fileid == fileid)
                        return m->files[i];
        f = calloc(1, sizeof(*f));
        if (m->file_count == m->file_capacity) {
                m->file_capacity = m->file_capacity ? m->file_capacity * 2 : 16;
                m->files = realloc(m->files, m->file_capacity * sizeof(struct model_file *));
        }
        CHECK(f != NULL && m->files != NULL);
        f->model = m;
        f->fileid = fileid;
        m->files[m->file_count++] = f;
        return f;
}

static bool is_copied(const struct model *m, const struct model_file *f)
{
        for (uint32_t i = 0; i < m->file_count; i++)
                for (uint32_t j = 0; j < m->files[i]->count && m->files[i] != f; j++)
                        if (m->files[i]->events[j]->source == f)
                                return true;
        return false;
}

static void forget(struct model *m, uint64_t fileid)
{
        uint32_t kept = 0;

        for (uint32_t i = 0; i < m->file_count; i++)
                if (m->files[i]->fileid << 8 == fileid << 8)
                        file_free(m->files[i]);
                else
                        m->files[kept++] = m->files[i];
        m->file_count = kept;
}

void model_forget(struct model *m, uint64_t ns, bool (*used)(void *arg, const struct model_file *f),
                  void *arg)
{
        for (uint32_t i = 0; i < m->file_count; i++) {
                const struct model_file *f = m->files[i];

                if (f->gone > 0 && f->gone + ns < m->world->now && !used(arg, f) && !is_copied(m, f)) {
                        forget(m, f->fileid);
                        i = UINT32_MAX; /* from the beginning */
                }
        }
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

uint64_t model_word(uint32_t number, uint64_t offset)
{
        return (uint64_t)number << 32 | (uint32_t)(offset / MODEL_WORD);
}

static void fill(uint8_t *data, uint64_t from, uint64_t to, uint32_t number)
{
        for (uint64_t at = from; at < to; at += MODEL_WORD) {
                uint64_t value = model_word(number, at);

                memcpy(data + (at - from), &value, MODEL_WORD);
        }
}

struct event *model_write(struct model_file *f, uint64_t from, uint64_t to, uint32_t client, uint8_t *data)
{
        struct event *e = begin(f, from, to, client);

        CHECK(from % MODEL_WORD == 0 && to % MODEL_WORD == 0 && from < to);
        fill(data, from, to, e->number);
        return e;
}

uint32_t model_give(struct model *m, uint8_t *data, uint64_t size)
{
        uint32_t number = ++m->next_number;

        fill(data, 0, size, number);
        return number;
}

/* Before all that was done to it. */
void model_given(struct model_file *f, uint32_t number, uint64_t size, uint64_t when)
{
        struct event *e = begin(f, 0, size, 0);
        uint32_t i = f->count - 1;

        f->model->next_number--;
        e->number = number;
        e->began = e->settled = e->acked = e->durable = when;
        for (; i > 0 && f->events[i - 1]->number > number; i--)
                f->events[i] = f->events[i - 1];
        f->events[i] = e;
}

struct event *model_cut(struct model_file *f, uint64_t size, uint32_t client)
{
        struct event *e = begin(f, size, NEVER, client);

        e->kind = EVENT_CUT;
        return e;
}

struct event *model_punch(struct model_file *f, uint64_t from, uint64_t to, uint32_t client)
{
        struct event *e = begin(f, from, to, client);

        e->kind = EVENT_PUNCH;
        return e;
}

struct event *model_room(struct model_file *f, uint64_t to, uint32_t client)
{
        struct event *e = begin(f, 0, to, client);

        e->kind = EVENT_ROOM;
        return e;
}

struct event *model_copy(struct model_file *f, uint64_t from, uint64_t to, uint32_t client,
                         struct model_file *source, uint64_t source_from)
{
        struct event *e = begin(f, from, to, client);

        CHECK(from % MODEL_WORD == 0 && to % MODEL_WORD == 0 && source_from % MODEL_WORD == 0);
        e->kind = EVENT_COPY;
        e->source = source;
        e->source_from = source_from;
        return e;
}

uint64_t model_lost_at(const struct model_file *f, const struct event *e)
{
        return e->ds < 0 ? NEVER : f->model->lost_at(f->model->arg, e->ds);
}

void model_note_sure(const struct model_file *f, struct event *e, uint64_t since)
{
        uint64_t lost = model_lost_at(f, e);

        if (since > lost && (e->sure == NEVER || e->sure <= lost))
                e->sure = now(f);
}

/* A cut fences what the others were given before (RFC 8881 §12.5.5.1, and see mds/pnfs/truncate.c). */
static void check_not_fenced(const struct model_file *f, const struct event *e)
{
        for (uint32_t i = 0; e->ds >= 0 && i < f->count; i++) {
                const struct event *cut = f->events[i];

                if (cut->kind == EVENT_CUT && cut->client != e->client && cut->began > e->granted &&
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
        model_note_sure(f, e, e->began);
}

void model_copied(struct model_file *f, struct event *e, uint64_t count)
{
        if (count < e->to - e->from) {
                struct event *rest =
                        model_copy(f, e->from + count, e->to, e->client, e->source, e->source_from + count);

                rest->began = e->began;
                model_refused(f, rest);
                e->to = e->from + count;
        }
        model_acked(f, e, true);
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

                if (e->kind != EVENT_CUT && e->ds >= 0 && e->client != cut->client &&
                    e->given_up < cut->began && e->settled == NEVER)
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
