/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/state/revoked.h"

#include <stdlib.h>

#include "base/slab.h"
#include "mds/state/client.h"

enum { REVOKED_MAX = 1 << 20 };

struct revoked {
        struct hnode by_other;
        struct list in_client;
        struct client *client;
        uint8_t other[NFS4_OTHER_SIZE];
        enum nfsstat4 why;
};

struct revocations {
        struct hashtab by_other;
        struct slab slab;
};

struct revocations *revocations_new(void)
{
        struct revocations *r = calloc(1, sizeof(*r));

        if (!r || !hashtab_init(&r->by_other, 64)) {
                free(r);
                return NULL;
        }
        slab_init(&r->slab, sizeof(struct revoked), REVOKED_MAX);
        return r;
}

/* Clients are gone before (client_gone), so nothing is left inside. */
void revocations_free(struct revocations *r)
{
        if (!r)
                return;
        CHECK(r->by_other.count == 0);
        hashtab_destroy(&r->by_other);
        slab_destroy(&r->slab);
        free(r);
}

/* Kind, salt and index; the boot number in front of them is the same in all. */
static uint64_t other_hash(const uint8_t other[NFS4_OTHER_SIZE])
{
        uint64_t rest;

        memcpy(&rest, other + NFS4_OTHER_SIZE - sizeof(rest), sizeof(rest));
        return hash_u64(rest);
}

static struct revoked *find(const struct revocations *r, const struct client *client, const struct stateid *s)
{
        HASHTAB_FOR_EACH(node, &r->by_other, other_hash(s->other)) {
                struct revoked *one = CONTAINER(node, struct revoked, by_other);

                if (one->client == client && memcmp(one->other, s->other, NFS4_OTHER_SIZE) == 0)
                        return one;
        }
        return NULL;
}

void revoked_add(struct revocations *r, struct client *client, const struct stateid *s, enum nfsstat4 why)
{
        struct mds_client *m = mds_client_of(client);
        struct revoked *one = m ? slab_get(&r->slab) : NULL;

        if (!one)
                return;
        one->client = client;
        one->why = why;
        memcpy(one->other, s->other, NFS4_OTHER_SIZE);
        hashtab_insert(&r->by_other, &one->by_other, other_hash(one->other));
        list_push(&m->revoked, &one->in_client);
}

enum nfsstat4 revoked_status(const struct revocations *r, const struct client *client,
                             const struct stateid *s)
{
        const struct revoked *one = find(r, client, s);

        return one ? one->why : NFS4ERR_BAD_STATEID;
}

static void drop(struct revocations *r, struct revoked *one)
{
        hashtab_remove(&r->by_other, &one->by_other);
        list_remove(&one->in_client);
        slab_put(&r->slab, one);
}

enum nfsstat4 revoked_let_go(struct revocations *r, const struct client *client, const struct stateid *s)
{
        struct revoked *one = find(r, client, s);

        if (!one)
                return NFS4ERR_BAD_STATEID;
        drop(r, one);
        return NFS4_OK;
}

void revoked_drop_client(struct revocations *r, struct client *client)
{
        const struct mds_client *m = client->role;

        while (m && !list_empty(&m->revoked))
                drop(r, CONTAINER(m->revoked.next, struct revoked, in_client));
}

bool revoked_any(const struct client *client)
{
        const struct mds_client *m = client->role;

        return m && !list_empty(&m->revoked);
}

/* EXPIRED_SOME also when nothing is left: it is what was lost to a conflict (§18.46.3), one stateid after the
 * other. EXPIRED_ALL makes Linux begin anew as another instance and then open its files without
 * RECLAIM_COMPLETE, which is NFS4ERR_GRACE for ever. */
uint32_t revoked_flags(const struct client *client)
{
        const struct mds_client *m = client->role;
        uint32_t flags = 0;

        if (!revoked_any(client))
                return 0;
        LIST_FOR_EACH(node, &m->revoked)
                switch (CONTAINER(node, struct revoked, in_client)->why) {
                case NFS4ERR_ADMIN_REVOKED: flags |= SEQ4_STATUS_ADMIN_STATE_REVOKED; break;
                case NFS4ERR_DELEG_REVOKED: flags |= SEQ4_STATUS_RECALLABLE_STATE_REVOKED; break;
                default: flags |= SEQ4_STATUS_EXPIRED_SOME_STATE_REVOKED;
                }
        return flags;
}
