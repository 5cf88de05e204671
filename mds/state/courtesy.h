/* SPDX-License-Identifier: Apache-2.0 */
/* Courteous expiry (RFC 8881 §8.3, §8.4.3, §8.5): what a client holds when its lease runs out stays its own
 * until somebody else wants something that it is in the way of, or memory is short. Then it is taken away,
 * one file at a time: first its handles are refused by every data server; then its record goes, so that it
 * cannot be reclaimed after a restart of ours, and its stateids become EXPIRED; then somebody else gets the
 * file. A client that comes back before its record goes has lost nothing but the layout. */
#pragma once

#include "mds/mds.h"

struct open_state;

struct courtesy;
struct courtesy *courtesy_new(struct mds *mds); /* NULL: out of memory */
void courtesy_free(struct courtesy *c);

/* What HOLDER has of FILEID is in somebody's way. NFS4_OK: its lease had run out, and it has nothing of the
 * file any more. DELAY: soon. DENIED: it is alive. Drops open states: whoever walks them begins again. */
enum nfsstat4 courtesy_yield(struct courtesy *c, struct client *holder, uint64_t fileid);
/* Share reservations: may somebody have ACCESS and DENY on FILEID beside what others have (all but EXCEPT,
 * which may be NULL)? Whose lease has run out yields. OK, DELAY, SHARE_DENIED. */
enum nfsstat4 courtesy_share(struct courtesy *c, uint64_t fileid, const struct open_state *except,
                             uint8_t access, uint8_t deny);
/* A table is full: soon the client that has been kept for the longest is gone. */
void courtesy_make_room(struct courtesy *c);
