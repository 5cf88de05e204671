/* SPDX-License-Identifier: Apache-2.0 */
/* Stateids whose state was taken away while their client lives, or may come back: the client is told so until
 * it has let go of each by FREE_STATEID (RFC 8881 §8.2.4, §18.38, §18.46.3 for the flags). Layouts are not
 * remembered: a client does not ask after them. */
#pragma once

#include "mds/mds.h"

struct revocations;
struct revocations *revocations_new(void); /* NULL: out of memory */
void revocations_free(struct revocations *r);

/* The state S of CLIENT is gone. WHY: NFS4ERR_EXPIRED, ADMIN_REVOKED or DELEG_REVOKED. Without memory for it
 * the stateid becomes an unknown one. */
void revoked_add(struct revocations *r, struct client *client, const struct stateid *s, enum nfsstat4 why);
/* Why S of CLIENT is gone; BAD_STATEID: nothing is known of it. */
enum nfsstat4 revoked_status(const struct revocations *r, const struct client *client,
                             const struct stateid *s);
/* FREE_STATEID: OK, or BAD_STATEID when it is not one of these. */
enum nfsstat4 revoked_let_go(struct revocations *r, const struct client *client, const struct stateid *s);
void revoked_drop_client(struct revocations *r, struct client *client);
bool revoked_any(const struct client *client);
/* sr_status_flags for what CLIENT has not let go of yet. */
uint32_t revoked_flags(const struct client *client);
