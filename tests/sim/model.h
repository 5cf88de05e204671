/* SPDX-License-Identifier: Apache-2.0 */
/* What must be true of a file's bytes and size, whatever happened. Every WRITE has a number, which is in each
 * of its words; every word that is read must come from a write (or be the zeros of a hole or of a cut) that
 * nothing later has certainly replaced: a write is replaced for certain by one that began when it was settled
 * and that cannot have been lost. So what was acknowledged as durable can never be missing, what was cut off
 * never come back, and what a client sent before it was fenced never land afterwards. */
#pragma once

#include "tests/sim/world.h"

enum { MODEL_WORD = 8, MODEL_PUBLISHED = 4 };
#define NEVER UINT64_MAX

enum event_kind {
        EVENT_WRITE,
        EVENT_CUT,   /* of the size: everything from it on is gone, or zeros up to it */
        EVENT_PUNCH, /* zeros */
        EVENT_ROOM,  /* the file reaches to `to` at least; no byte changes */
        EVENT_COPY,  /* bytes of a file, perhaps of the same one */
};

/* One WRITE, COPY or the like, or one change of the size. Times of the world; NEVER: not yet. */
struct event {
        uint64_t from, to; /* bytes; of a cut: from the new size on */
        enum event_kind kind;
        uint32_t number;
        uint32_t client;
        int ds;                  /* that it went to; -1: to the MDS */
        uint32_t session;        /* at that data server, by number */
        uint64_t granted;        /* its layout was there */
        uint64_t began, settled; /* it has its effect in between; settled NEVER: it may still come */
        uint64_t acked, durable, given_up; /* given_up: nobody waits for the answer any more */
        uint64_t sure; /* acknowledged or seen: nothing older is read until its data server loses power */
        struct model_file *source; /* of a copy: what is at SOURCE_FROM there comes to FROM */
        uint64_t source_from;
};

struct model_file {
        struct model *model;
        uint64_t fileid;
        struct event **events;
        uint32_t count, capacity;
        uint64_t change, change_at; /* the last one seen, and when */
        /* Its name was found first by what was sent and answered then, and meant another file later; 0: never
         * (names.h). */
        uint64_t found, seen, gone;
        bool looked_at; /* what it began as is known (stranger.h) */
        /* what its objects were, the newest last */
        struct {
                uint8_t *data;
                uint32_t size;
        } published[MODEL_PUBLISHED];
        uint32_t published_count;
};

struct model {
        struct world *world;
        uint64_t (*lost_at)(void *arg,
                            int ds); /* when DS lost what was not synced, or parts of it; 0: never */
        void *arg;
        uint32_t next_number;
        struct model_file **files;
        uint32_t file_count, file_capacity;
};

void model_init(struct model *m, struct world *w);
void model_destroy(struct model *m);
/* The file FILEID; made when new. */
struct model_file *model_file(struct model *m, uint64_t fileid);
/* What belongs to a file has its number and something of its own in the highest byte. */
static inline uint64_t model_part(uint64_t fileid, uint64_t part)
{
        return fileid | part << 56;
}
/* Forget files that have been gone for longer than NS, are not USED, and have been copied to none that is
 * remembered. */
void model_forget(struct model *m, uint64_t ns, bool (*used)(void *arg, const struct model_file *f),
                  void *arg);

/* A write of [FROM, TO) begins; DATA is what is to be written. */
struct event *model_write(struct model_file *f, uint64_t from, uint64_t to, uint32_t client, uint8_t *data);
/* SIZE bytes that no client writes: DATA; their number. */
uint32_t model_give(struct model *m, uint8_t *data, uint64_t size);
/* F began, at WHEN, as what model_give() gave that NUMBER. */
void model_given(struct model_file *f, uint32_t number, uint64_t size, uint64_t when);
/* A truncation, DEALLOCATE of [FROM, TO), ALLOCATE up to TO, COPY from SOURCE begins. */
struct event *model_cut(struct model_file *f, uint64_t size, uint32_t client);
struct event *model_punch(struct model_file *f, uint64_t from, uint64_t to, uint32_t client);
struct event *model_room(struct model_file *f, uint64_t to, uint32_t client);
struct event *model_copy(struct model_file *f, uint64_t from, uint64_t to, uint32_t client,
                         struct model_file *source, uint64_t source_from);
/* E was answered: with DURABLE it can never be lost, else only with the data server's machine. */
void model_acked(struct model_file *f, struct event *e, bool durable);
/* COPY has come to its first COUNT bytes; what lies behind may have been written or not. */
void model_copied(struct model_file *f, struct event *e, uint64_t count);
/* It was refused: perhaps after it had its effect, or a part of it. */
void model_refused(struct model_file *f, struct event *e);
/* Nobody waits for its answer any more. */
void model_given_up(struct model_file *f, struct event *e);
void model_client_gone(struct model *m, uint32_t client); /* all of CLIENT's */
/* The size that CUT asked for is in force and the MDS has gone on: what other clients had given up by the
 * time it began, under older layouts, cannot land any more. */
void model_fenced(struct model_file *f, const struct event *cut);
/* What CLIENT sent to DS on sessions before NUMBER was executed by now or never will be. */
void model_settle(struct model *m, uint32_t client, int ds, uint32_t number);

/* A READ that began at SINCE and has just ended: these bytes, and END: the file ends behind them. */
void model_read(struct model_file *f, uint64_t since, uint64_t offset, const uint8_t *data, uint32_t length,
                bool end);
/* DATA, SIZE bytes, is said to be the file as it was at some one time until now. */
void model_whole(struct model_file *f, const uint8_t *data, uint32_t size);
/* Has an object of F, or the one that it began as, all that was certainly in it at SINCE? */
bool model_is_published(const struct model_file *f, uint64_t since);
/* [FROM, TO) was a hole, perhaps behind the end, and byte AT exists or does not, at some time since SINCE. */
void model_zeros(struct model_file *f, uint64_t since, uint64_t from, uint64_t to);
void model_exists(struct model_file *f, uint64_t since, uint64_t at);
void model_missing(struct model_file *f, uint64_t since, uint64_t at);
/* A size and a change attribute that were asked for at SINCE and have just come. */
void model_size(struct model_file *f, uint64_t since, uint64_t size);
void model_change(struct model_file *f, uint64_t since, uint64_t change);
