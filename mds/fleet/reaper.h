/* SPDX-License-Identifier: Apache-2.0 */
/* Removes the objects of deleted files from the data servers, in batches, until every data server of the file
 * has said so; the 'o' records in the store are its queue, so a crash loses nothing. */
#pragma once

#include "mds/mds.h"

struct reaper *reaper_new(struct mds *mds); /* reads the queue from the store */
void reaper_free(struct reaper *r);
/* The transaction that wrote the 'o' record of FILEID has been committed. */
void reaper_add(struct reaper *r, uint64_t fileid, const struct orphan_record *o);
uint64_t reaper_waiting(const struct reaper *r);
