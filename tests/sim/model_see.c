/* SPDX-License-Identifier: Apache-2.0 */
/* What may be seen of a file: see model.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "tests/sim/model_private.h"

enum { COPIES_DEEP = 4 }; /* copies of copies that are followed; behind that everything is believed */

/* E certainly had its effect before SINCE, and it cannot have been lost. */
static bool is_firm(const struct model_file *f, const struct event *e, uint64_t since)
{
        return e->durable < since || (e->sure < since && e->sure > model_lost_at(f, e));
}

/* The size tells of E. Of what was seen but not answered yet it need not: the MDS hears of a write after the
 * data server has it (RFC 8881 §12.5.4). */
static bool is_in_size(const struct model_file *f, const struct event *e, uint64_t since)
{
        return e->acked < since && is_firm(f, e, since);
}

static bool touches(const struct event *e, uint64_t from, uint64_t to)
{
        return e->kind != EVENT_ROOM && e->from < to && e->to > from;
}

static struct event *find(const struct model_file *f, uint32_t number)
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

/* --- telling */

static void describe_event(const struct event *e)
{
        static const char *const kinds[] = { "write", "cut", "punch", "room", "copy" };

        fprintf(stderr, "  %u %s %" PRIu64 "..%" PRId64 " client %u ds %d began %.6f", e->number,
                kinds[e->kind], e->from, (int64_t)e->to, e->client, e->ds, (double)e->began / 1e9);
        if (e->kind == EVENT_COPY)
                fprintf(stderr, " of file %" PRIu64 " from %" PRIu64, e->source->fileid, e->source_from);
        fprintf(stderr, e->acked == NEVER ? " no answer" : " acked %.6f", (double)e->acked / 1e9);
        if (e->durable != NEVER)
                fprintf(stderr, " durable %.6f", (double)e->durable / 1e9);
        fprintf(stderr, e->settled == NEVER ? " unsettled\n" : " settled %.6f\n", (double)e->settled / 1e9);
}

static void describe(const struct model_file *f, uint64_t from, uint64_t to)
{
        fprintf(stderr, "history of file %" PRIu64 ", bytes %" PRIu64 " to %" PRIu64 ":\n", f->fileid, from,
                to);
        for (uint32_t i = 0; i < f->count; i++) {
                const struct event *e = f->events[i];

                if (touches(e, from, to) || e->kind == EVENT_CUT || e->kind == EVENT_ROOM)
                        describe_event(e);
        }
}

/* --- bytes */

/* What was seen in [FROM, TO) of a file: at each place `at` the word of write NUMBER for at + SHIFT; NUMBER
 * 0: zeros. It was there at some time from SINCE to UPTO. */
struct sight {
        uint64_t since, upto, shift;
        uint32_t number;
};

static bool can_be(const struct model_file *f, const struct sight *s, uint64_t from, uint64_t to, int deep);

/* Does E put that there? */
static bool provides(const struct event *e, const struct sight *s, uint64_t from, uint64_t to, int deep)
{
        struct sight source = { e->began, e->settled, s->shift + e->from - e->source_from, s->number };
        uint64_t at = from - e->from + e->source_from;

        switch (e->kind) {
        case EVENT_WRITE: return e->number == s->number && s->shift == 0;
        case EVENT_CUT:
        case EVENT_PUNCH: return s->number == 0;
        case EVENT_COPY: return deep == 0 || can_be(e->source, &source, at, at + (to - from), deep - 1);
        case EVENT_ROOM: break;
        }
        return false;
}

/* The same where all events touch all of [FROM, TO) or nothing: what was seen is what the newest that
 * provides it left, unless something that began later has certainly replaced it. */
static bool can_be_here(const struct model_file *f, const struct sight *s, uint64_t from, uint64_t to,
                        int deep)
{
        bool provided = s->number == 0; /* by the empty file */
        uint64_t newest = 0;

        for (uint32_t i = 0; i < f->count; i++) {
                const struct event *e = f->events[i];

                if (touches(e, from, to) && e->began <= s->upto && (!provided || e->settled > newest) &&
                    provides(e, s, from, to, deep)) {
                        provided = true;
                        newest = e->settled;
                }
        }
        for (uint32_t i = 0; i < f->count && provided; i++) {
                const struct event *e = f->events[i];

                if (e->began > newest && touches(e, from, to) && is_firm(f, e, s->since))
                        return false;
        }
        return provided;
}

/* Up to where is it so, from FROM on? */
static uint64_t uniform_end(const struct model_file *f, uint64_t from, uint64_t to)
{
        for (uint32_t i = 0; i < f->count; i++) {
                const struct event *e = f->events[i];

                if (touches(e, from, to))
                        to = e->from > from ? e->from : e->to < to ? e->to : to;
        }
        return to;
}

static bool can_be(const struct model_file *f, const struct sight *s, uint64_t from, uint64_t to, int deep)
{
        while (from < to) {
                uint64_t end = uniform_end(f, from, to);

                if (!can_be_here(f, s, from, end, deep))
                        return false;
                from = end;
        }
        return true;
}

static void check_bytes(const struct model_file *f, const struct sight *s, uint64_t from, uint64_t to)
{
        if (can_be(f, s, from, to, COPIES_DEEP))
                return;
        describe(f, from, to);
        if (s->number == 0)
                world_fail(f->model->world,
                           "file %" PRIu64 ": bytes %" PRIu64 " to %" PRIu64
                           " are zero, but something was written there",
                           f->fileid, from, to);
        world_fail(f->model->world,
                   "file %" PRIu64 ": bytes %" PRIu64 " to %" PRIu64 " are those of %u for %" PRIu64
                   ", which never came there or was replaced",
                   f->fileid, from, to, s->number, from + s->shift);
}

static uint64_t word_at(const uint8_t *data, uint64_t at)
{
        uint64_t value;

        memcpy(&value, data + at, MODEL_WORD);
        return value;
}

/* The end of the run of words from AT on that one write made, one after the other, or that are zero. */
static uint32_t run_end(const uint8_t *data, uint32_t at, uint32_t length)
{
        uint64_t expected = word_at(data, at), step = expected != 0;

        do {
                at += MODEL_WORD;
                expected += step;
        } while (at < length && word_at(data, at) == expected);
        return at;
}

/* What DATA has from AT on until *ret_to, seen at UPTO at the latest. */
static struct sight sight_at(const uint8_t *data, uint32_t at, uint32_t length, uint64_t upto,
                             uint32_t *ret_to)
{
        uint64_t word = word_at(data, at);

        *ret_to = run_end(data, at, length);
        return (struct sight){ upto, upto, (uint32_t)word * MODEL_WORD - (uint64_t)at,
                               (uint32_t)(word >> 32) };
}

static bool was_whole(const struct model_file *f, const uint8_t *data, uint32_t size, uint64_t when)
{
        for (uint32_t from = 0, to; from < size; from = to) {
                struct sight s = sight_at(data, from, size, when, &to);

                if (!can_be(f, &s, from, to, COPIES_DEEP))
                        return false;
        }
        return true;
}

static void keep_published(struct model_file *f, const uint8_t *data, uint32_t size)
{
        uint32_t i = f->published_count++ % MODEL_PUBLISHED;

        free(f->published[i].data);
        f->published[i].data = malloc(size + 1);
        CHECK(f->published[i].data != NULL);
        memcpy(f->published[i].data, data, size);
        f->published[i].size = size;
}

/* When it could have been at any time, it could have been when the last of what it shows had begun. */
void model_whole(struct model_file *f, const uint8_t *data, uint32_t size)
{
        keep_published(f, data, size);
        if (was_whole(f, data, size, f->model->world->now))
                return;
        for (uint32_t i = f->count; i-- > 0;)
                if (was_whole(f, data, size, f->events[i]->began))
                        return;
        describe(f, 0, size);
        for (uint32_t from = 0, to; from < size; from = to) {
                struct sight s = sight_at(data, from, size, 0, &to);

                fprintf(stderr, "  object %u..%u: of %u\n", from, to, s.number);
        }
        world_fail(f->model->world, "file %" PRIu64 " was never as its object is", f->fileid);
}

void model_read(struct model_file *f, uint64_t since, uint64_t offset, const uint8_t *data, uint32_t length,
                bool end)
{
        for (uint32_t from = 0, to; from < length; from = to) {
                uint64_t word = word_at(data, from), at = offset + from;
                struct sight s = { since, NEVER, (uint32_t)word * MODEL_WORD - at, (uint32_t)(word >> 32) };
                struct event *e = find(f, s.number);

                if (s.number == 0 && word != 0)
                        world_fail(f->model->world, "file %" PRIu64 ": byte %" PRIu64 " reads %016" PRIx64,
                                   f->fileid, at, word);
                to = run_end(data, from, length);
                check_bytes(f, &s, at, offset + to);
                if (e && s.shift == 0 && at <= e->from && offset + to >= e->to)
                        model_note_sure(f, e, since); /* all of it; a crash may have left a part */
        }
        if (length > 0)
                model_exists(f, since, offset + length - 1);
        if (end)
                model_missing(f, since, offset + length);
        else
                model_exists(f, since, offset + length);
}

void model_zeros(struct model_file *f, uint64_t since, uint64_t from, uint64_t to)
{
        check_bytes(f, &(struct sight){ .since = since, .upto = NEVER }, from, to);
}

/* --- sizes */

/* Does E make byte AT exist? */
static bool makes(const struct event *e, uint64_t at)
{
        switch (e->kind) {
        case EVENT_CUT: return e->from > at;
        case EVENT_PUNCH: return false;
        default: return e->to > at;
        }
}

static bool is_cut_before(const struct event *e, uint64_t at)
{
        return e->kind == EVENT_CUT && e->from <= at;
}

/* Something made it, and nothing that began later has certainly removed it. */
static bool can_exist(const struct model_file *f, uint64_t since, uint64_t at)
{
        uint64_t made = 0, removed = 0;

        for (uint32_t i = 0; i < f->count; i++) {
                const struct event *e = f->events[i];

                if (makes(e, at) && e->settled > made)
                        made = e->settled;
                else if (is_cut_before(e, at) && e->began > removed && is_firm(f, e, since))
                        removed = e->began;
        }
        return made > 0 && removed <= made;
}

/* The lowest size beyond AT that a cut asked for which may have been interrupted: the metadata server cuts
 * the objects first, and when it dies then the file ends with what was written below. */
static uint64_t interrupted_cut(const struct model_file *f, uint64_t at)
{
        uint64_t lowest = NEVER;

        for (uint32_t i = 0; i < f->count; i++) {
                const struct event *e = f->events[i];

                if (e->kind == EVENT_CUT && e->settled == NEVER && e->from > at && e->from < lowest)
                        lowest = e->from;
        }
        return lowest;
}

/* Nothing made it for certain behind the last cut that may have removed it. */
static bool can_be_missing(const struct model_file *f, uint64_t since, uint64_t at)
{
        uint64_t made = 0, removed = 0, interrupted = interrupted_cut(f, at);

        for (uint32_t i = 0; i < f->count; i++) {
                const struct event *e = f->events[i];
                uint64_t end = e->kind == EVENT_CUT ? e->from : e->to;

                if (is_cut_before(e, at) && e->settled > removed)
                        removed = e->settled;
                if (makes(e, at) && e->began > made && is_in_size(f, e, since) &&
                    (end <= interrupted || touches(e, at, at + 1)))
                        made = e->began;
        }
        return made <= removed;
}

void model_exists(struct model_file *f, uint64_t since, uint64_t at)
{
        if (can_exist(f, since, at))
                return;
        describe(f, at, at + 1);
        world_fail(f->model->world, "file %" PRIu64 " goes beyond byte %" PRIu64 ", which cannot exist",
                   f->fileid, at);
}

void model_missing(struct model_file *f, uint64_t since, uint64_t at)
{
        if (can_be_missing(f, since, at))
                return;
        describe(f, at, at + 1);
        world_fail(f->model->world, "file %" PRIu64 " ends before byte %" PRIu64 ", which must exist",
                   f->fileid, at);
}

void model_size(struct model_file *f, uint64_t since, uint64_t size)
{
        if (size > 0)
                model_exists(f, since, size - 1);
        model_missing(f, since, size);
}

/* --- objects */

static bool has_all(const struct model_file *f, uint64_t since, const uint8_t *data, uint32_t size)
{
        for (uint32_t from = 0, to; from < size; from = to) {
                struct sight s = sight_at(data, from, size, NEVER, &to);

                s.since = since;
                if (!can_be(f, &s, from, to, COPIES_DEEP))
                        return false;
        }
        return can_be_missing(f, since, size);
}

/* With nothing certain since it began: as an object, or empty. */
static bool is_as_it_began(const struct model_file *f, uint64_t since)
{
        for (uint32_t i = 0; i < f->count; i++)
                if (f->events[i]->client != 0 && is_firm(f, f->events[i], since))
                        return false;
        return true;
}

bool model_is_published(const struct model_file *f, uint64_t since)
{
        uint32_t kept = f->published_count < MODEL_PUBLISHED ? f->published_count : MODEL_PUBLISHED;

        for (uint32_t i = 0; i < kept; i++)
                if (has_all(f, since, f->published[i].data, f->published[i].size))
                        return true;
        return is_as_it_began(f, since);
}
