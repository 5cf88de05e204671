/* SPDX-License-Identifier: Apache-2.0 */
/* An operation that is held: it waits for a unit, or claims some while it writes them. */
#pragma once

#include "ds/io.h"

struct hold {
        struct unit_wait wait;
        struct list node; /* in tier_worker.held while it waits */
        struct io *io;
        struct timer limit;
        uint64_t since_ns;        /* when it waited first; 0: never */
        uint64_t first, last;     /* units of a WRITE */
        struct residency *writes; /* referenced while those are claimed */
};

/* IO's, made when it has none; NULL: too many. */
struct hold *hold_of(struct io *io);
/* h->wait waits: for at most SECONDS, then its outcome is TIER_LATER. The compound is woken when it ends. */
void hold_start(struct hold *h, uint32_t seconds);
/* Wake those of TW that wait. */
void holds_end(struct tier_worker *tw);
