/* SPDX-License-Identifier: Apache-2.0 */
/* Inodes that have lost their last name. One that is still open lives on as an orphan ('o' record, open)
 * until its last CLOSE; then it goes, and what it has on data servers is the reaper's ('o' record, not open).
 * A crash in between leaves the record. */
#pragma once

#include "mds/mds.h"

struct orphan {
        uint64_t fileid;
        bool deleted;     /* the inode goes with the transaction */
        bool has_objects; /* and leaves objects behind */
        struct orphan_record record;
};

/* Inside T: INODE (T's copy of it) has lost its last name. After the commit: orphan_finish(). */
void orphan_unlinked(struct mds *mds, struct txn *t, struct inode *inode, struct orphan *ret);
/* BY: the client that did it; NULL: none did. Others that hold layouts of it are told. */
void orphan_finish(struct mds *mds, const struct orphan *o, const struct client *by);

/* The last open or delegation of FILEID is gone (by CLOSE of the client BY, or with it): delete it if it has
 * no name. A transaction of its own. */
void orphan_closed(struct mds *mds, uint64_t fileid, const struct client *by);
/* At start, and again at the end of the grace period if there is one: what was kept for openers that nobody
 * has open goes. 0 or -errno with a log line. */
int orphans_recover(struct mds *mds);
