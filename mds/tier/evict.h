/* SPDX-License-Identifier: Apache-2.0 */
/* Making room before it is short: when a data server is fuller than `release.high` per cent, files of which
 * it has a part are released (release.h) until it is down to `release.low`, those first that have not been
 * opened for the longest time; and where `release.age` says so, whatever has not been opened for so long.
 * What is changed, pinned, or was never archived is left alone.
 *
 * When a file was opened last says its atime, which moves at most once in NOTE_SECONDS for files of repos,
 * and not at all for others. How full a data server is it says in its heartbeats. The files are found by
 * going through what is backed, a part in each turn of the loop; the coldest CANDIDATES of it are kept.
 * Nothing is done for as long as no data server is over its mark. */
#pragma once

#include "mds/tier/release.h"

struct evictor;
struct evictor *evictor_new(struct mds *mds); /* NULL: out of memory */
void evictor_stop(struct evictor *e);         /* nothing begins any more; NULL is fine */
void evictor_free(struct evictor *e);         /* nothing is under way; NULL is fine */

/* FILE, of a repo, is being opened: note when, and that some of it may come here. */
void evict_note_open(struct mds *mds, const struct inode *file);
