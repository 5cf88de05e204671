/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's sessions with data servers: with the others, for what they have of a file, and with its own, for
 * what must first be fetched from S3. Made when first asked for; those that nobody has used for a while go
 * when the next one is made. */
#pragma once

#include "ds/tier/tier.h"
#include "nfs4/peer.h"

enum { PEERS_MAX = 256 /* of one worker */, PEER_CALL_SECONDS = 30, PEER_IDLE_SECONDS = 600 };

/* The session with ADDR, perhaps not up yet; good for calls that are begun at once. NULL: too many, no
 * memory, or W stops. */
struct peer *tier_peer(struct worker *w, const struct netaddr *addr);
/* The end: their calls end with RPC_LOST, from inside. */
void tier_peers_free(struct tier_worker *tw);
