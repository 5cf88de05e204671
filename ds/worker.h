/* SPDX-License-Identifier: Apache-2.0 */
/* One worker's life. All but worker_new(), worker_start() and worker_free() run on its thread. */
#pragma once

#include "ds/ds.h"

/* What needs no HELLO. Takes DISK, also on failure. NULL: out of memory. */
struct worker *worker_new(struct ds *ds, uint32_t number, struct env *env, struct loop *loop,
                          struct disk *disk);
/* Run its loop on a thread (not for worker 0). */
bool worker_start(struct worker *w);
/* Become an NFS server; once. False: out of memory. */
bool worker_serve(struct worker *w, uint32_t server_id, uint32_t lease_seconds);
/* Trust came (back), is lost, or is gone. */
void worker_trust(struct worker *w, enum trust_state state);
/* Something ended that may have been the last in progress, or gave back a buffer. */
void worker_note_end(struct worker *w);
/* Close all connections and end what waits; ON_IDLE runs later, when nothing is in progress. */
void worker_stop(struct worker *w, void (*on_idle)(struct worker *));
/* After worker_stop(); ends the thread. */
void worker_free(struct worker *w);
