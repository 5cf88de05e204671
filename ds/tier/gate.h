/* SPDX-License-Identifier: Apache-2.0 */
/* May a READ or WRITE of a file of the tier go on, or what must be fetched first?
 *
 * A READ of absent units is held while they are fetched: it needs all of them, so all are started at once. A
 * WRITE that covers a unit, or all that is left of it below the end of the source, needs nothing of it: the
 * unit is claimed while it is written, and is here then. What is held keeps one slot of its session busy, so
 * at most half of a session's slots are; what is beyond, and what is held for HOLD_SECONDS without a unit
 * coming, is sent through the MDS (BAD_STATEID: the layout survives). The MDS's own I/O ends up here again
 * and is held for HOLD_PROXY_SECONDS; what goes beyond is DELAY, which the MDS gives to its client: so the
 * slots that a store out of reach can take are bounded everywhere, and a client waits by asking again. Only
 * the MDS is told IO: of a unit that S3 does not have any more.
 *
 * Reads that go on where the last one ended have the next units fetched before they ask, one at first, up to
 * WINDOW_MAX. */
#pragma once

#include "ds/io.h"

enum { HOLD_SECONDS = 10, HOLD_PROXY_SECONDS = 45, WINDOW_MAX = 8 };

/* io_gate()'s last question. OK: io->object has all that [OFFSET, OFFSET + LENGTH) needs. */
enum nfsstat4 tier_gate(struct io *io, uint64_t offset, uint64_t length, enum io_kind kind);
/* The same under a handle that knows of no S3. Those of clients were fenced before the file was released; one
 * of the MDS that comes late is refused. */
enum nfsstat4 tier_outrun(const struct io *io);
/* The WRITE that went through the gate with io->hold has ended. */
void tier_written(struct io *io, bool ok);
/* The bits of io->object that a sync that begins now is to make durable: keep_snapshot(). */
bool tier_snapshot(struct io *io, struct keep *k);
/* The operation ends; it waits for nothing. */
void tier_hold_free(struct io *io);
