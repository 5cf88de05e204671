/* SPDX-License-Identifier: Apache-2.0 */
/* READs that are answered out of the page cache: the reply refers to the file's own pages, and the only copy
 * is the one that the kernel makes into the socket. What is written to the file while the reply waits to be
 * sent may be seen in it, as in any READ that is under way while somebody writes. Bytes that are cut off are
 * another matter: who cuts calls mapped_keep() first, at every worker, and holds object->cuts meanwhile, so
 * that no more are mapped. On the worker's loop, all of it. */
#pragma once

#include "ds/ds.h"

void mapped_init(struct worker *w);
void mapped_destroy(struct worker *w); /* all are released */

/* LENGTH bytes at OFFSET of O, which is open, with one reference; for xdr_put_ref(), nobody may look at them.
 * NULL: read them. */
struct buf *mapped_read(struct worker *w, const struct object *o, uint32_t length, uint64_t offset);
/* What has not been sent of the object stays as it is, whatever becomes of it. */
void mapped_keep(struct worker *w, uint64_t fileid, uint32_t generation);
