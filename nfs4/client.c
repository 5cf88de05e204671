/* SPDX-License-Identifier: Apache-2.0 */
/* Client records and leases: RFC 8881 §2.4, §8.3. */
#include "nfs4/client.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "base/siphash.h"
#include "nfs4/callback.h"

enum { NS = 1000000000, COURTESY_SECONDS = 24 * 3600 };

static uint64_t owner_hash(const struct nfs4_server *s, const void *owner, uint32_t length)
{
        return siphash(owner, length, s->key);
}

struct client *client_by_id(struct nfs4_server *s, uint64_t clientid)
{
        HASHTAB_FOR_EACH(node, &s->clients.by_id, hash_u64(clientid)) {
                struct client *c = CONTAINER(node, struct client, by_id);

                if (c->clientid == clientid)
                        return c;
        }
        return NULL;
}

struct client *client_by_owner(struct nfs4_server *s, struct slice owner, bool confirmed)
{
        HASHTAB_FOR_EACH(node, &s->clients.by_owner, owner_hash(s, owner.data, owner.length)) {
                struct client *c = CONTAINER(node, struct client, by_owner);

                if (c->confirmed == confirmed && slice_equal(owner, slice_of(c->owner, c->owner_length)))
                        return c;
        }
        return NULL;
}

/* Unique in the cluster: server number, start number, counter (§2.10.5; the trunking rules compare client
 * ids). */
static uint64_t new_clientid(struct nfs4_server *s)
{
        uint64_t high = (uint64_t)(s->server_number & 0xffff) << 48 | (uint64_t)(s->boot & 0xffffff) << 24,
                 clientid;

        do
                clientid = high | (++s->clients.next_number & 0xffffff);
        while (client_by_id(s, clientid)); /* one that lives since the counter was here before */
        return clientid;
}

/* Who has asked for a client id and never for a session. */
static bool drop_unconfirmed(struct nfs4_server *s)
{
        LIST_FOR_EACH(node, &s->clients.lru) {
                struct client *c = CONTAINER(node, struct client, in_lru);

                if (c->confirmed || client_busy(c))
                        continue;
                client_destroy(s, c);
                return true;
        }
        return false;
}

struct client *client_new(struct nfs4_server *s, struct slice owner,
                          const uint8_t verifier[NFS4_VERIFIER_SIZE], const struct compound *from)
{
        struct client *c;

        if (s->clients.count >= s->limits.clients && !clients_make_room(s) && !drop_unconfirmed(s)) {
                metric_add(&s->clients_refused, 1);
                return NULL;
        }
        c = calloc(1, sizeof(*c));
        if (!c)
                return NULL;
        c->owner = malloc(owner.length + 1);
        if (!c->owner) {
                free(c);
                return NULL;
        }
        memcpy(c->owner, owner.data, owner.length);
        c->owner_length = owner.length;
        memcpy(c->verifier, verifier, NFS4_VERIFIER_SIZE);
        c->clientid = new_clientid(s);
        c->tag = client_tag(owner.data, owner.length, verifier, s->key);
        c->flavor = compound_cred(from)->flavor;
        c->uid = compound_cred(from)->uid;
        c->address = *conn_peer(from->call.conn);
        c->create_seqid = 1;
        list_init(&c->sessions);
        list_init(&c->callbacks);
        list_init(&c->callbacks_task.node);
        hashtab_insert(&s->clients.by_id, &c->by_id, hash_u64(c->clientid));
        hashtab_insert(&s->clients.by_owner, &c->by_owner, owner_hash(s, c->owner, c->owner_length));
        c->renewed_ns = env_now(s->env);
        list_push(&s->clients.lru, &c->in_lru);
        s->clients.count++;
        return c;
}

static void leave_list(struct nfs4_server *s, struct client *c)
{
        list_remove(&c->in_lru);
        s->clients.courtesy_count -= c->expired;
        c->expired = false;
}

void client_renew(struct nfs4_server *s, struct client *c)
{
        c->renewed_ns = env_now(s->env);
        leave_list(s, c);
        list_push(&s->clients.lru, &c->in_lru);
}

bool client_lapsed(const struct nfs4_server *s, const struct client *c)
{
        return !client_busy(c) && env_now(s->env) - c->renewed_ns >= s->lease_seconds * (uint64_t)NS;
}

static void client_free(struct client *c)
{
        free(c->owner);
        free(c);
}

void client_hold(struct client *c)
{
        c->references++;
}

void client_release(struct nfs4_server *s, struct client *c)
{
        (void)s;
        CHECK(c->references > 0);
        if (--c->references == 0 && c->gone)
                client_free(c);
}

void client_destroy(struct nfs4_server *s, struct client *c)
{
        CHECK(!c->gone);
        c->gone = true;
        client_hold(c);
        if (s->hooks->client_gone)
                s->hooks->client_gone(s, c);
        LIST_FOR_EACH_SAFE(node, &c->sessions)
                session_destroy(s, CONTAINER(node, struct session, in_client));
        callbacks_client_gone(c);
        hashtab_remove(&s->clients.by_id, &c->by_id);
        hashtab_remove(&s->clients.by_owner, &c->by_owner);
        leave_list(s, c);
        s->clients.count--;
        client_release(s, c);
}

bool clients_make_room(struct nfs4_server *s)
{
        struct client *c;

        if (list_empty(&s->clients.courtesy))
                return false;
        c = CONTAINER(s->clients.courtesy.next, struct client, in_lru);
        log_info("courtesy-ends", "clientid=%016llx", (unsigned long long)c->clientid);
        client_destroy(s, c);
        return true;
}

/* The lease of C has run out: it goes, or is kept for as long as nobody minds. */
static void expire(struct nfs4_server *s, struct client *c)
{
        struct clients *all = &s->clients;

        if (client_busy(c)) { /* look again later */
                list_remove(&c->in_lru);
                list_push(&all->lru, &c->in_lru);
        } else if (c->confirmed && s->hooks->client_expired && s->hooks->client_expired(s, c)) {
                list_remove(&c->in_lru);
                list_push(&all->courtesy, &c->in_lru);
                c->expired = true;
                all->courtesy_count++;
        } else {
                log_info("client-expired", "clientid=%016llx", (unsigned long long)c->clientid);
                client_destroy(s, c);
        }
}

/* Oldest renewals first: stop at the first lease that still runs. */
static void lease_tick(struct timer *t)
{
        struct clients *all = CONTAINER(t, struct clients, lease_timer);
        struct nfs4_server *s = CONTAINER(all, struct nfs4_server, clients);
        uint64_t now = env_now(s->env), lease_ns = s->lease_seconds * (uint64_t)NS;

        for (uint32_t left = all->count; left > 0 && !list_empty(&all->lru); left--) {
                struct client *c = CONTAINER(all->lru.next, struct client, in_lru);

                if (now - c->renewed_ns < lease_ns)
                        break;
                expire(s, c);
        }
        while (!list_empty(&all->courtesy) &&
               now - CONTAINER(all->courtesy.next, struct client, in_lru)->renewed_ns >=
                       COURTESY_SECONDS * (uint64_t)NS)
                clients_make_room(s);
        timer_start(s->env, t, lease_ns / 8);
}

int clients_init(struct nfs4_server *s)
{
        struct clients *all = &s->clients;

        *all = (struct clients){ .lease_timer.fire = lease_tick };
        list_init(&all->lru);
        list_init(&all->courtesy);
        if (!hashtab_init(&all->by_id, 64) || !hashtab_init(&all->by_owner, 64) ||
            !hashtab_init(&all->sessions, 64))
                return -ENOMEM;
        timer_start(s->env, &all->lease_timer, s->lease_seconds * (uint64_t)NS / 8);
        return 0;
}

void clients_destroy(struct nfs4_server *s)
{
        struct clients *all = &s->clients;

        timer_stop(&all->lease_timer);
        list_splice(&all->lru, &all->courtesy);
        LIST_FOR_EACH_SAFE(node, &all->lru)
                client_destroy(s, CONTAINER(node, struct client, in_lru));
        hashtab_destroy(&all->by_id);
        hashtab_destroy(&all->by_owner);
        hashtab_destroy(&all->sessions);
}
