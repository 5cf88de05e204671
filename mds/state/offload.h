/* SPDX-License-Identifier: Apache-2.0 */
/* Copies under way (RFC 7862 §4, §15.2, §15.8, §15.9, §16.1). Each begins with a COPY that waits for it. One
 * that takes longer than the client should wait for an answer goes on without, if the client allows it: it
 * gets a stateid, by which it may be asked about and cancelled, and its end is told by CB_OFFLOAD. Until the
 * client has answered that, the stateid is good.
 *
 * It goes on for as long as its client has both files open and may use them, so neither file goes away under
 * it. A client that is lost ends it. One whose lease ran out does not, as long as nobody wants what it has
 * open: it comes back and waits for the callback. We forget it when we stop; the client learns that by its
 * stateids being worth nothing, and copies again. A data server that is away is waited for, for half a
 * minute; then what was copied until then is the result. */
#pragma once

#include "mds/pnfs/copier.h"
#include "nfs4/callback.h"

struct offloads *offloads_new(struct mds *mds);
void offloads_free(struct offloads *o); /* after the clients are gone */

struct offload;

/* Begin to copy COUNT bytes from FROM of the saved file of C to TO of the current one, which is marked as
 * having data; C is woken when that has ended, or after a time. NULL: too many. */
struct offload *offload_begin(struct compound *c, uint64_t from, uint64_t to, uint64_t count);
bool offload_has_ended(const struct offload *f);
/* It has not ended: C may be answered with *RET, and it goes on. False: there are too many of this client or
 * of all, or it cannot be called back. */
bool offload_detach(struct offload *f, struct compound *c, struct stateid *ret);
/* No piece is begun any more, and its stateid names nothing: C is woken when it has ended, which is soon. */
void offload_stop(struct offload *f, struct compound *c);
/* It has ended, and goes. How much was copied, and why not more. */
enum nfsstat4 offload_end(struct offload *f, uint64_t *ret_done);

/* The copy of CLIENT into FILEID (0: any) that S names: OK, BAD_STATEID, OLD_STATEID. */
enum nfsstat4 offload_find(const struct client *client, uint64_t fileid, const struct stateid *s,
                           struct offload **ret);
uint64_t offload_done(const struct offload *f);        /* bytes */
enum nfsstat4 offload_result(const struct offload *f); /* when it has ended: what CB_OFFLOAD tells */
void offloads_drop_client(struct offloads *o, struct client *client);
uint32_t offloads_count(const struct offloads *o); /* those with a stateid */
/* COPY is answered after MS instead of half a second: for tests. */
void offloads_answer_after(struct offloads *o, uint32_t ms);
