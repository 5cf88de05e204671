/* SPDX-License-Identifier: Apache-2.0 */
/* The hook before each operation that looks for names (OP_NAMES): what it needs to know of S3 first. The
 * names of the directories, if these are cold (import.h); and whose the child is that it acts on (heads.h).
 */
#pragma once

#include "include/nfs4.h"

struct compound;
/* The hook of nfs4/server.h. OK; WAIT; DELAY: it takes longer than clients like to wait for, and goes on
 * behind this; IO: S3 will not tell, the reason is logged. */
enum nfsstat4 tier_admit(struct compound *c);
