/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing all bytes of a cold file here, before anybody reads them: a byte of each stripe unit is read
 * through the data servers, which fetch the unit for it, and the next ones ahead; when a data server has all
 * of its units it says so, and when all have, the file is not cold any more. One unit of a file at a time is
 * waited for, so that whoever reads has the better part of S3. */
#pragma once

#include "mds/mds.h"

enum { RESTORES_MAX = 256 };

/* In the background, unless that is under way. False: FILEID is not cold, or RESTORES_MAX are under way. */
bool restore_file(struct mds *mds, uint64_t fileid);
/* restore_file() is not wanted any more; nothing, when it was not. */
void restore_forget(struct mds *mds, uint64_t fileid);
/* restore_file() for whoever waits for its end: W->done runs later, with what the last READ said. OK: all
 * units were brought here. */
struct restore_wait { /* a member of his */
        struct list node;
        void (*done)(struct restore_wait *, enum nfsstat4);
};
bool restore_file_for(struct mds *mds, uint64_t fileid, struct restore_wait *w);
/* W does not wait any more. What nobody else wants ends before its next unit. */
void restore_cancel(struct mds *mds, uint64_t fileid, struct restore_wait *w);
struct tier;
/* We stop. What waits for a data server ends with that. */
void restores_stop(struct tier *t);
