/* SPDX-License-Identifier: Apache-2.0 */
/* Setting the size of a file: for SETATTR, and OPEN with a size of 0. */
#pragma once

#include "mds/op/change.h"

/* Must data servers take part? Then size_truncate() (mds/pnfs/size.h) does it all; else resize_inode() in the
 * caller's transaction: nobody else may be writing, and nothing was written yet or nothing is cut. */
bool resize_waits(const struct compound *c, const struct inode *file, uint64_t size);
/* INODE is T's copy. */
void resize_inode(struct txn *t, const struct caller *who, struct inode *inode, uint64_t size);
