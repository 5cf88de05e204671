/* SPDX-License-Identifier: Apache-2.0 */
/* Recovery of clients' state after a restart of ours (RFC 8881 §8.4.2, §8.4.3, §18.51).
 *
 * State is in memory; what survives is a record of each client that has had any ('c' in mds/store/record.h):
 * written with the first state it gets, and gone before anybody can be given what it held. It stays while the
 * client comes and goes with its files; one that has had nothing for half a lease loses it, so that a mount
 * that nobody uses makes nobody wait after a restart.
 * When we start and there are records, a grace period runs: those clients may reclaim, and nobody gets
 * anything new. It ends when each of them has sent RECLAIM_COMPLETE (or has gone, or has restarted itself),
 * and at the latest a lease after the start; a client that is reclaiming just then has a second lease.
 *
 * The edge cases of §8.4.3: a client whose lease ran out and whose state went, and one that did not come back
 * in the grace period, have no record any more when others get what they held, and the record's end is
 * durable before that is answered. Whatever they reclaim after the next restart is NFS4ERR_NO_GRACE. */
#pragma once

#include "mds/mds.h"

struct recovery;

/* Reads the records and begins the grace period if there are any. NULL: out of memory, or the store cannot be
 * read. Before the NFS service; needs the metadata and the lease time. */
struct recovery *recovery_new(struct mds *mds);
void recovery_free(struct recovery *r);

bool recovery_in_grace(const struct recovery *r);
/* May a delegation that somebody beside CLIENT had before our restart still be reclaimed? */
bool recovery_awaits_delegations(const struct recovery *r, const struct client *client);
/* CLIENT had state before our restart, the grace period runs, and it has not said RECLAIM_COMPLETE. */
bool recovery_may_reclaim(const struct client *client);

/* The doors of operations that give state (OPEN, LOCK, WANT_DELEGATION …), before they look at anything.
 * Something new: OK; GRACE in the grace period, and before the client's RECLAIM_COMPLETE (§18.51.3). */
enum nfsstat4 recovery_admit(struct compound *c);
/* A reclaim: OK or NO_GRACE. */
enum nfsstat4 recovery_reclaim(struct compound *c);
/* The calling client is about to get state: its record is in the store, and the reply waits for it. OK, or
 * what the store said. */
enum nfsstat4 recovery_record(struct compound *c);
/* The same before it gets a delegation, which its record tells. */
enum nfsstat4 recovery_record_delegated(struct compound *c);

/* CREATE_SESSION confirms CLIENT in place of OLD (may be NULL): is it one that may reclaim? OK; CLID_INUSE:
 * its name belongs to another principal that may; DELAY. */
enum nfsstat4 recovery_confirm(struct compound *c, struct client *client, const struct client *old);
/* CLIENT says RECLAIM_COMPLETE, for the first time. OK, or what the store said. */
enum nfsstat4 recovery_complete(struct compound *c);
/* Something that CLIENT holds is about to be taken away and given to others: it may not reclaim it. Until the
 * client has let go of what it lost, it has no record. 0, or -errno: it may not be taken away. */
int recovery_revoke(struct recovery *r, struct client *client);
/* CLIENT and its state go for good. */
void recovery_client_gone(struct recovery *r, struct client *client);

/* For people: clients that the grace period waits for; how long it still lasts at the most, or how long the
 * last one took. */
struct recovery_status {
        bool in_grace;
        uint32_t waits_for;
        uint64_t left_ns, took_ns;
};
struct recovery_status recovery_status(const struct recovery *r);
