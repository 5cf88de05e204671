/* SPDX-License-Identifier: Apache-2.0 */
/* What data servers ask about cold files (include/ctl.x). */
#pragma once

#include <ctl.h>

#include "mds/fleet/fleet.h"
#include "mds/tier/tier.h"

struct source_text { /* what a ctl_source points to */
        char key[BACKING_KEY_BYTES + 1], etag[BACKING_ETAG_BYTES + 1];
        char version[BACKING_OBJECT_VERSION_BYTES + 1];
};
/* CTL_SOURCE: where the bytes of a file are. CTL_NOENT: no such file, or all of it is here. */
ctl_status tier_source(struct mds *mds, const ctl_file *file, struct source_text *text, ctl_source *ret);

/* CTL_REPO: the bucket and its keys as they are now; *RET points into the repo and CREDS. CTL_NOENT;
 * CTL_REFUSED: there are no keys, or none yet: ask again. */
ctl_status tier_repo(struct mds *mds, uint32_t number, ctl_repo *ret);

/* CTL_RESIDENT: SERVER has all its units of the file, as they are in the object ETAG. *SEQ: answer when that
 * is durable. */
ctl_status tier_resident(struct mds *mds, const struct server *server, const ctl_resident_args *args,
                         uint64_t *seq);

/* CTL_SAME, when the file's sizes are known. */
ctl_status tier_same(struct mds *mds, const ctl_same_args *args);
/* All of FILEID that is left was read. A data server that has said so once does not say it again, and what
 * others lacked may have been cut off since: then it is not cold any more. */
void tier_look_if_here(struct mds *mds, uint64_t fileid);
