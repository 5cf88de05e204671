/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts that were given back (LAYOUTRETURN, the last CLOSE, the end of a client) while the handles in them
 * are good at the data servers. Who gives a layout back has promised to do no more I/O under it (RFC 8881
 * §18.44), but clients do (Linux 6.12 has writes on their way, LINUX-CLIENT §2.7), and one with evil in mind
 * would. Fencing at every return would cost a message to each data server for files that nobody else ever
 * touches: so it is remembered who could still write where, and the next operation that conflicts fences
 * them with the others (pnfs/recall.c). Bounded: beyond RETURNED_MAX the oldest are fenced. */
#pragma once

#include "mds/mds.h"

enum { RETURNED_MAX = 1 << 17 };

struct returned *returned_new(struct mds *mds); /* NULL: out of memory */
void returned_free(struct returned *r);         /* after the fleet has given up its fences */

/* The client with TAG gave its layout of FILEID back: handles of these IOMODES (bits), the newest of EPOCH.
 */
void returned_note(struct returned *r, uint64_t fileid, uint32_t tag, uint8_t iomodes, uint32_t epoch);
/* It holds one again, which counts for both: the bits that were noted. */
uint8_t returned_again(struct returned *r, uint64_t fileid, uint32_t tag);
/* Handles of FILEID with one of IOMODES and at least EPOCH that are with others than EXCEPT_TAG (0: with
 * anybody): their clients' tags into OUT, at most MAX of them; how many there are. */
uint32_t returned_tags(const struct returned *r, uint64_t fileid, uint8_t iomodes, uint32_t epoch,
                       uint32_t except_tag, uint32_t *out, uint32_t max);
/* The handles of TAG (0: of all clients) are fenced, or FILEID is deleted: nothing to remember. */
void returned_forget(struct returned *r, uint64_t fileid, uint32_t tag);
/* Fence those of FILEID but EXCEPT_TAG's: nobody waits for it. */
void returned_fence_file(struct returned *r, uint64_t fileid, uint32_t except_tag);
/* Fence them all, in time: the export policy has changed. */
void returned_fence_all(struct returned *r);
uint32_t returned_count(const struct returned *r);
