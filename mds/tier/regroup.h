/* SPDX-License-Identifier: Apache-2.0 */
/* Names that another cluster, or another repo, has brought to S3 from one file (second.h) are one file again:
 * their objects say whose they were (describe_read_link()). Those that are heard of are noted ('k'); one that
 * comes after another, with the same content as far as S3 and both objects' times say, becomes a second name
 * of that. Only where names are exported: elsewhere there are no second names. */
#pragma once

#include "mds/tier/describe.h"
#include "mds/tier/tier.h"

/* FILE, undescribed and of the backing B, is what M and D say. True: its name is now one of another file, and
 * FILE is gone. */
bool regroup(struct tier *t, const struct inode *file, const struct backing *b, const struct s3_metadata *m,
             const struct description *d);
/* In T: FILE, of which M is told and B backs it, may become another one's. */
void regroup_note(struct txn *t, const struct inode *file, const struct backing *b,
                  const struct s3_metadata *m);
