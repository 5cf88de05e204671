/* SPDX-License-Identifier: Apache-2.0 */
/* Recovery: see recovery.h. A survivor is a record that was there when we started and whose client has not
 * completed its reclaim; the grace period lasts while there are survivors. */
#include "mds/state/recovery.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/siphash.h"
#include "mds/ns/orphan.h"
#include "mds/state/client.h"
#include "mds/state/revoked.h"

enum { NS = 1000000000, RECLAIM_PAUSE = 3 /* seconds without a reclaim: it is not reclaiming any more */ };

struct survivor {
        struct hnode by_owner;
        struct client_record record;
        struct client *client; /* it has come back as; NULL: not yet */
        uint32_t owner_length;
        uint8_t owner[];
};

struct recovery {
        struct mds *mds;
        struct hashtab survivors;
        uint32_t delegated; /* of them: had delegations */
        struct timer timer; /* the end of the grace period */
        struct timer idle_timer;
        bool in_grace;
        uint64_t started_ns, lease_ns, ended_ns, last_reclaim_ns;
        uint64_t seq; /* the last removal of a record: what is given to others waits for it */
};

static uint64_t owner_hash(const struct recovery *r, struct slice owner)
{
        return siphash(owner.data, owner.length, r->mds->nfs.key);
}

static struct slice owner_of(const struct client *client)
{
        return slice_of(client->owner, client->owner_length);
}

static struct survivor *find(const struct recovery *r, struct slice owner)
{
        HASHTAB_FOR_EACH(node, &r->survivors, owner_hash(r, owner)) {
                struct survivor *s = CONTAINER(node, struct survivor, by_owner);

                if (slice_equal(owner, slice_of(s->owner, s->owner_length)))
                        return s;
        }
        return NULL;
}

static struct mds_client *role(const struct client *client)
{
        return client->role;
}

/* --- records */

static int put_record(struct recovery *r, const struct client *client, uint64_t *ret_seq)
{
        struct txn *t = txn_begin(r->mds->meta);
        struct client_record record = { .flavor = client->flavor,
                                        .uid = client->uid,
                                        .lease_seconds = r->mds->nfs.lease_seconds,
                                        .delegated = role(client)->delegated };
        uint8_t key[KEY_MAX], value[RECORD_MAX];

        memcpy(record.verifier, client->verifier, sizeof(record.verifier));
        txn_put(t, key_client(key, owner_of(client)), client_encode(value, &record));
        return txn_commit(t, ret_seq);
}

static int delete_record(struct recovery *r, struct slice owner)
{
        struct txn *t = txn_begin(r->mds->meta);
        uint8_t key[KEY_MAX];

        txn_delete(t, key_client(key, owner));
        return txn_commit(t, &r->seq);
}

/* --- the grace period */

static void forget(struct recovery *r, struct survivor *s)
{
        if (s->client)
                role(s->client)->survivor = NULL;
        r->delegated -= s->record.delegated;
        hashtab_remove(&r->survivors, &s->by_owner);
        free(s);
}

static void end_grace(struct recovery *r)
{
        r->in_grace = false;
        r->ended_ns = env_now(r->mds->env);
        timer_stop(&r->timer);
        log_info("grace-ended", "seconds=%.1f", (double)(r->ended_ns - r->started_ns) / NS);
        orphans_recover(r->mds); /* what nobody has claimed */
}

static void end_if_all_done(struct recovery *r)
{
        if (r->in_grace && r->survivors.count == 0)
                end_grace(r);
}

/* Those who did not come back, or did not finish, lose their records before anybody gets what they held. */
static int drop_survivors(struct recovery *r)
{
        uint32_t bucket = 0;
        struct hnode *next = hashtab_walk(&r->survivors, &bucket, NULL);

        while (next) {
                struct survivor *s = CONTAINER(next, struct survivor, by_owner);
                int error = delete_record(r, slice_of(s->owner, s->owner_length));

                if (error < 0)
                        return error;
                next = hashtab_walk(&r->survivors, &bucket, next);
                if (s->client)
                        role(s->client)->recorded = false;
                forget(r, s);
        }
        return 0;
}

static void on_timer(struct timer *t)
{
        struct recovery *r = CONTAINER(t, struct recovery, timer);
        uint64_t now = env_now(r->mds->env);
        uint32_t lost = r->survivors.count;
        int error;

        if (now - r->started_ns < 2 * r->lease_ns && r->last_reclaim_ns != 0 &&
            now - r->last_reclaim_ns < RECLAIM_PAUSE * (uint64_t)NS) {
                timer_start(r->mds->env, t, NS);
                return;
        }
        error = drop_survivors(r);
        if (error < 0) { /* as long as a record says that it may reclaim, nobody else may have it */
                log_error("grace-not-ended", "error=%d", error);
                timer_start(r->mds->env, t, NS);
                return;
        }
        log_warn("clients-lost", "count=%u", lost);
        end_grace(r);
}

/* --- clients that have nothing any more */

static void look_at(struct recovery *r, const struct client *client, struct mds_client *m)
{
        bool was_idle = m->idle;

        m->idle = !mds_client_holds(client);
        if (was_idle && m->idle && m->recorded && !m->survivor && delete_record(r, owner_of(client)) == 0)
                m->recorded = m->delegated = false;
}

static void on_idle_timer(struct timer *t)
{
        struct recovery *r = CONTAINER(t, struct recovery, idle_timer);

        LIST_FOR_EACH(node, &r->mds->nfs.clients.lru) {
                const struct client *client = CONTAINER(node, struct client, in_lru);

                if (client->role)
                        look_at(r, client, client->role);
        }
        timer_start(r->mds->env, t, r->lease_ns / 2);
}

/* --- start and stop */

struct loading {
        struct recovery *r;
        uint32_t lease_seconds; /* the longest that was promised */
        bool failed;
};

/* A record that cannot be read is one that nobody can match. */
static bool load(void *arg, struct slice key, struct slice value)
{
        struct loading *l = arg;
        uint32_t length = key.length - 1;
        struct survivor *s = calloc(1, sizeof(*s) + length);

        if (!s) {
                l->failed = true;
                return false;
        }
        if (!client_decode(value, &s->record))
                log_warn("client-record-damaged", "bytes=%u", value.length);
        l->r->delegated += s->record.delegated;
        s->owner_length = length;
        memcpy(s->owner, key.data + 1, length);
        hashtab_insert(&l->r->survivors, &s->by_owner, owner_hash(l->r, slice_of(s->owner, length)));
        if (s->record.lease_seconds > l->lease_seconds)
                l->lease_seconds = s->record.lease_seconds;
        return true;
}

struct recovery *recovery_new(struct mds *mds)
{
        struct recovery *r = calloc(1, sizeof(*r));
        struct loading l = { .r = r, .lease_seconds = mds->nfs.lease_seconds };
        uint8_t key[KEY_MAX];

        if (!r || !hashtab_init(&r->survivors, 64)) {
                free(r);
                return NULL;
        }
        r->mds = mds;
        r->timer.fire = on_timer;
        r->idle_timer.fire = on_idle_timer;
        if (meta_scan(mds->meta, key_kind(key, 'c'), load, &l) < 0 || l.failed) {
                recovery_free(r);
                return NULL;
        }
        r->started_ns = r->ended_ns = env_now(mds->env);
        r->lease_ns = l.lease_seconds * (uint64_t)NS;
        r->in_grace = r->survivors.count > 0;
        timer_start(mds->env, &r->idle_timer, r->lease_ns / 2);
        if (r->in_grace) {
                timer_start(mds->env, &r->timer, r->lease_ns);
                log_info("grace-began", "clients=%u seconds=%u", r->survivors.count, l.lease_seconds);
        }
        return r;
}

void recovery_free(struct recovery *r)
{
        uint32_t bucket = 0;
        struct hnode *next;

        if (!r)
                return;
        timer_stop(&r->timer);
        timer_stop(&r->idle_timer);
        next = hashtab_walk(&r->survivors, &bucket, NULL);
        while (next) {
                struct survivor *s = CONTAINER(next, struct survivor, by_owner);

                next = hashtab_walk(&r->survivors, &bucket, next);
                forget(r, s);
        }
        hashtab_destroy(&r->survivors);
        free(r);
}

/* --- operations */

bool recovery_in_grace(const struct recovery *r)
{
        return r->in_grace;
}

bool recovery_awaits_delegations(const struct recovery *r, const struct client *client)
{
        const struct survivor *own = client->role ? role(client)->survivor : NULL;

        return r->delegated > (own && own->record.delegated ? 1u : 0u);
}

bool recovery_may_reclaim(const struct client *client)
{
        return client->role && role(client)->survivor;
}

enum nfsstat4 recovery_admit(struct compound *c)
{
        const struct recovery *r = mds_of(c)->recovery;

        if (r->in_grace || !c->client->reclaim_complete)
                return NFS4ERR_GRACE;
        if (c->commit_seq < r->seq)
                c->commit_seq = r->seq;
        return NFS4_OK;
}

enum nfsstat4 recovery_reclaim(struct compound *c)
{
        struct recovery *r = mds_of(c)->recovery;

        if (!recovery_may_reclaim(c->client))
                return NFS4ERR_NO_GRACE;
        r->last_reclaim_ns = env_now(r->mds->env);
        return NFS4_OK;
}

static enum nfsstat4 record(struct compound *c, struct mds_client *m, bool news)
{
        int error = 0;

        if (revoked_any(c->client))
                return NFS4_OK; /* it might reclaim what it does not know it has lost */
        if (!m->recorded || news)
                error = put_record(mds_of(c)->recovery, c->client, &m->record_seq);
        if (error < 0)
                return nfs4_status_from_errno(error);
        m->recorded = true;
        if (c->commit_seq < m->record_seq)
                c->commit_seq = m->record_seq;
        return NFS4_OK;
}

enum nfsstat4 recovery_record(struct compound *c)
{
        struct mds_client *m = mds_client_of(c->client);

        return m ? record(c, m, false) : NFS4ERR_DELAY;
}

enum nfsstat4 recovery_record_delegated(struct compound *c)
{
        struct mds_client *m = mds_client_of(c->client);
        bool knew = m && m->delegated;
        enum nfsstat4 status;

        if (!m)
                return NFS4ERR_DELAY;
        m->delegated = true;
        status = record(c, m, !knew);
        if (status != NFS4_OK)
                m->delegated = knew;
        return status;
}

static bool is_anothers(const struct survivor *s, const struct client *client)
{
        return s->record.lease_seconds != 0 /* 0: damaged */ &&
               (s->record.flavor != client->flavor || s->record.uid != client->uid);
}

/* The client itself has restarted: it has nothing to reclaim (§8.4.1). CREATE_SESSION knows no IO (§15.2): a
 * store that fails ends this server, and the next one answers. */
static enum nfsstat4 restarted(struct recovery *r, struct survivor *s)
{
        int error = delete_record(r, slice_of(s->owner, s->owner_length));

        if (error < 0)
                return error == -EIO ? NFS4ERR_DELAY : nfs4_status_from_errno(error);
        forget(r, s);
        end_if_all_done(r);
        return NFS4_OK;
}

enum nfsstat4 recovery_confirm(struct compound *c, struct client *client, const struct client *old)
{
        struct recovery *r = mds_of(c)->recovery;
        struct survivor *s = find(r, owner_of(client));
        struct mds_client *m;

        if (!s || (old && s->client == old))
                return NFS4_OK; /* nothing; or it goes with OLD */
        if (is_anothers(s, client))
                return NFS4ERR_CLID_INUSE;
        if (memcmp(s->record.verifier, client->verifier, sizeof(client->verifier)) != 0)
                return restarted(r, s);
        m = mds_client_of(client);
        if (!m)
                return NFS4ERR_DELAY;
        m->survivor = s;
        m->recorded = true;
        m->delegated = s->record.delegated;
        s->client = client;
        return NFS4_OK;
}

/* One that was too late for the grace period lost its record; what it has reclaimed until then is its own. */
enum nfsstat4 recovery_complete(struct compound *c)
{
        struct recovery *r = mds_of(c)->recovery;
        const struct mds_client *m = c->client->role;
        enum nfsstat4 status = mds_client_holds(c->client) ? recovery_record(c) : NFS4_OK;

        if (status != NFS4_OK)
                return status;
        if (m && m->survivor)
                forget(r, m->survivor);
        end_if_all_done(r);
        return NFS4_OK;
}

int recovery_revoke(struct recovery *r, struct client *client)
{
        struct mds_client *m = client->role;
        int error = m && m->recorded ? delete_record(r, owner_of(client)) : 0;

        if (m && error == 0)
                m->recorded = false;
        return error;
}

void recovery_client_gone(struct recovery *r, struct client *client)
{
        struct mds_client *m = client->role;

        if (!m)
                return;
        if (m->survivor)
                forget(r, m->survivor);
        if (r->mds->stopping)
                return; /* only we go */
        if (m->recorded && delete_record(r, owner_of(client)) < 0)
                log_warn("client-record-kept", "clientid=%016llx", (unsigned long long)client->clientid);
        m->recorded = false;
        end_if_all_done(r);
}

struct recovery_status recovery_status(const struct recovery *r)
{
        uint64_t now = env_now(r->mds->env), ends = r->started_ns + r->lease_ns;

        return (struct recovery_status){ .in_grace = r->in_grace,
                                         .waits_for = r->survivors.count,
                                         .left_ns = r->in_grace && ends > now ? ends - now : 0,
                                         .took_ns = r->ended_ns - r->started_ns };
}
