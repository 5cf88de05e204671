/* SPDX-License-Identifier: Apache-2.0 */
/* What must be true of a file's bytes and size, whatever happened. Every WRITE has a number, which is in each
 * of its words; every word that is read must come from a write (or be the zeros of a hole or of a cut) that
 * nothing later has certainly replaced: a write is replaced for certain by one that began when it was settled
 * and that cannot have been lost. So what was acknowledged as durable can never be missing, what was cut off
 * never come back, and what a client sent before it was fenced never land afterwards. */
#pragma once

#include "tests/sim/world.h"

enum { MODEL_WORD = 8, MODEL_FILES = 64 };
#define NEVER UINT64_MAX

/* One WRITE, or one change of the size. Times of the world; NEVER: not yet. */
struct event {
        uint64_t from, to; /* bytes; of a cut: from the new size on */
        bool is_cut;
        uint32_t number;
        uint32_t client;
        int ds;                  /* that it went to; -1: to the MDS */
        uint32_t session;        /* at that data server, by number */
        uint64_t granted;        /* its layout was there */
        uint64_t began, settled; /* it has its effect in between; settled NEVER: it may still come */
        uint64_t acked, durable, given_up; /* given_up: nobody waits for the answer any more */
        uint64_t sure; /* acknowledged or seen: nothing older is read until its data server loses power */
};

struct model_file {
        struct model *model;
        uint64_t fileid;
        struct event **events;
        uint32_t count, capacity;
        uint64_t change, change_at; /* the last one seen, and when */
};

struct model {
        struct world *world;
        uint64_t (*lost_at)(void *arg,
                            int ds); /* when DS lost what was not synced, or parts of it; 0: never */
        void *arg;
        uint32_t next_number;
        struct model_file *files[MODEL_FILES];
        uint32_t file_count;
};

void model_init(struct model *m, struct world *w);
void model_destroy(struct model *m);
/* The file FILEID; made when new. */
struct model_file *model_file(struct model *m, uint64_t fileid);

/* A write of [FROM, TO) begins; DATA is what is to be written. */
struct event *model_write(struct model_file *f, uint64_t from, uint64_t to, uint32_t client, uint8_t *data);
/* A truncation begins. */
struct event *model_cut(struct model_file *f, uint64_t size, uint32_t client);
/* E was answered: with DURABLE it can never be lost, else only with the data server's machine. */
void model_acked(struct model_file *f, struct event *e, bool durable);
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
/* A size and a change attribute that were asked for at SINCE and have just come. */
void model_size(struct model_file *f, uint64_t since, uint64_t size);
void model_change(struct model_file *f, uint64_t since, uint64_t change);
