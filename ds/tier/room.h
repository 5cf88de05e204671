/* SPDX-License-Identifier: Apache-2.0 */
/* A WRITE that meets a full disk while room is being made (the MDS releases files, ctl_release.c) waits for
 * it instead of failing: for at most ROOM_SECONDS, and only for as long as room does come. Before the first
 * release it waits ROOM_FIRST_SECONDS, where files of the tier may be. What is beyond half of a session's
 * slots is sent through the MDS, whose own WRITE is DELAY then. */
#pragma once

#include "ds/io.h"

enum { ROOM_SECONDS = 10, ROOM_FIRST_SECONDS = 3, ROOM_RETRY_MS = 100 };

/* What to answer when the disk said -ERROR to IO's WRITE: WAIT: its compound is woken to try again; else a
 * status. *SINCE_NS is when it waited first, 0 at first. */
enum nfsstat4 room_wait(struct io *io, int error, uint64_t *since_ns);
/* RELEASE gave room back. On any thread. */
void room_made(struct ds_tier *t);
/* Has it been of late? */
bool room_is_coming(struct worker *w);
/* Of TW: nobody waits any longer. */
void room_turn_away(struct tier_worker *tw);
