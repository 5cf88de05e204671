/* SPDX-License-Identifier: Apache-2.0 */
/* Taking layouts back (RFC 8881 §12.5.5, §12.5.6, §20.3; DESIGN: trust between MDS and DS).
 *
 * What conflicts with a layout waits for the data servers, never for the client: the handles given so far are
 * fenced, gently (I/O under them is answered BAD_STATEID and comes through the MDS, layout and uncommitted
 * data survive), and once every data server has acknowledged that, the operation that conflicts goes on. The
 * client is told meanwhile (CB_LAYOUTRECALL) and has until its lease to give the layout back; who does not
 * is fenced for good and loses it. A LAYOUTRETURN alone proves nothing, clients write after it: who has given
 * the layout back before is not asked, but fenced with the others (state/returned.h). */
#pragma once

#include "mds/fleet/fences.h"
#include "mds/state/layout.h"

struct recalls *recalls_new(struct mds *mds);
void recalls_free(struct recalls *r); /* after layouts are gone */

enum recall_whom { RECALL_WRITERS, RECALL_HOLDERS };

/* Take the layouts of FILE back from everybody (or only from those who may write) but EXCEPT (may be NULL).
 * True: WAIT->done runs, never from inside, when no handle given to them so far is good for I/O. False:
 * nobody holds such a layout, and WAIT is not used. */
bool recall_file(struct recalls *r, const struct inode *file, enum recall_whom whom,
                 const struct client *except, struct fence_wait *wait);

/* Has one of them been given a handle that a fence below EPOCH does not meet? */
bool recall_is_outrun(struct recalls *r, uint64_t fileid, enum recall_whom whom, const struct client *except,
                      uint32_t epoch);

/* LAYOUTGET with the stateid of a layout that is being taken back: OK (it is not), RECALLCONFLICT for the
 * first half second, then LAYOUTUNAVAILABLE. */
enum nfsstat4 recall_conflict(const struct layout_state *state);

/* STATE is not to be taken back (any more): it goes, or its client has forgotten it and is given it anew. */
void recall_end(struct layout_state *state);

/* Without asking: STATE ends at the data servers and here. */
void recall_revoke(struct recalls *r, struct layout_state *state);

/* A file that is gone: nobody has it open, so nothing can be written under its layouts and nothing is waited
 * for; holders are told, but not BY, who deleted it. Before layouts_file_gone(). */
void recall_tell_gone(struct recalls *r, uint64_t fileid, const struct client *by);

/* The export policy has changed: layouts that would not be given any more are taken back. */
void recall_unexported(struct recalls *r);

/* S has other addresses than those in the layouts of its files: these are taken back. */
void recall_moved(struct recalls *r, const struct server *s);
/* When it began that STATE is taken back, which it is. */
uint64_t recall_began_ns(const struct layout_state *state);

uint32_t recalls_count(const struct recalls *r); /* layouts that are being taken back */
