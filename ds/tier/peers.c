/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/tier/peers.h"

#include <stdlib.h>

#include "ds/ds.h"

enum { SLOTS = 64 };

struct tier_peer {
        struct list node; /* in tier_worker.peers */
        struct netaddr addr;
        struct peer *peer;
        uint64_t used_ns;
};

static void drop(struct tier_worker *tw, struct tier_peer *p)
{
        list_remove(&p->node);
        tw->peer_count--;
        peer_free(p->peer);
        free(p);
}

/* No call lasts so long: they have none. */
static void drop_idle(struct tier_worker *tw, uint64_t now)
{
        LIST_FOR_EACH_SAFE(node, &tw->peers) {
                struct tier_peer *p = CONTAINER(node, struct tier_peer, node);

                if (now - p->used_ns > PEER_IDLE_SECONDS * 1000000000ull)
                        drop(tw, p);
        }
}

static struct tier_peer *add(struct worker *w, const struct netaddr *addr)
{
        struct peer_conf conf = { .addr = *addr,
                                  .owner = slice_str(w->nfs.owner_major),
                                  .minor = 2,
                                  .exchange_flags = EXCHGID4_FLAG_USE_PNFS_DS,
                                  .slots = SLOTS,
                                  .timeout_ns = PEER_CALL_SECONDS * 1000000000ull,
                                  .cred.flavor = RPC_AUTH_SYS };
        struct tier_worker *tw = w->tier;
        struct tier_peer *p = tw->peer_count < PEERS_MAX ? calloc(1, sizeof(*p)) : NULL;

        if (!p)
                return NULL;
        memcpy(conf.verifier, w->ds->boot, NFS4_VERIFIER_SIZE);
        p->addr = *addr;
        p->peer = peer_new(w->rpc, w->env, &conf, NULL, NULL);
        if (!p->peer) {
                free(p);
                return NULL;
        }
        list_push(&tw->peers, &p->node);
        tw->peer_count++;
        return p;
}

struct peer *tier_peer(struct worker *w, const struct netaddr *addr)
{
        uint64_t now = env_now(w->env);
        struct tier_peer *found = NULL;

        if (w->tier->stopping || !w->rpc)
                return NULL;
        LIST_FOR_EACH(node, &w->tier->peers)
                if (netaddr_equal(&CONTAINER(node, struct tier_peer, node)->addr, addr))
                        found = CONTAINER(node, struct tier_peer, node);
        if (!found) {
                drop_idle(w->tier, now);
                found = add(w, addr);
        }
        if (!found)
                return NULL;
        found->used_ns = now;
        return found->peer;
}

void tier_peers_free(struct tier_worker *tw)
{
        LIST_FOR_EACH_SAFE(node, &tw->peers)
                drop(tw, CONTAINER(node, struct tier_peer, node));
}
