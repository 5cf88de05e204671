/* SPDX-License-Identifier: Apache-2.0 */
/* How many delegations there may be: see delegation.h. RFC 8881 §20.6, §10.2.1.
 *
 * Who asks for one beyond the limits gets none, which is no error. Before it comes to that a client that has
 * nearly as many as it may have is asked to keep three quarters (CB_RECALL_ANY; which, it knows best), and
 * when nearly all that there can be are out, every client is. It need not do so at once, or at all: it is
 * asked again when it opens more files, ten seconds later. */
#include "mds/state/client.h"
#include "mds/state/delegation_private.h"
#include "nfs4/codec.h"

enum { TRIM_SECONDS = 10, RCA4_TYPE_MASK_RDATA_DLG = 0, RCA4_TYPE_MASK_WDATA_DLG = 1 };

static void encode(void *arg, struct xdr_out *x)
{
        const struct client *client = arg;
        const struct mds_client *m = client->role;
        struct bitmap4 types = { 0 };

        bitmap_set(&types, RCA4_TYPE_MASK_RDATA_DLG);
        bitmap_set(&types, RCA4_TYPE_MASK_WDATA_DLG);
        xdr_put_u32(x, m->delegation_count - m->delegation_count / 4);
        put_bitmap(x, &types);
}

/* What it gives back comes by itself. */
static void answered(void *arg, enum nfsstat4 status, struct xdr_in *results)
{
        (void)arg;
        (void)status;
        (void)results;
}

static void trim(struct delegations *d, struct client *client)
{
        struct mds_client *m = client->role;
        uint64_t now = env_now(d->mds->env);
        const struct callback_what what = { .opnum = OP_CB_RECALL_ANY,
                                            .seconds = TRIM_SECONDS,
                                            .arg = client,
                                            .encode = encode,
                                            .done = answered };

        if (!m || m->delegation_count == 0 || (m->trimmed_ns != 0 && now - m->trimmed_ns < TRIM_SECONDS * NS))
                return;
        m->trimmed_ns = now;
        if (callback_send(&d->mds->nfs, client, &what))
                metric_add(&d->trims, 1);
}

static void trim_all(struct delegations *d)
{
        uint64_t now = env_now(d->mds->env);

        if (d->trimmed_ns != 0 && now - d->trimmed_ns < TRIM_SECONDS * NS)
                return;
        d->trimmed_ns = now;
        LIST_FOR_EACH(node, &d->mds->nfs.clients.lru)
                trim(d, CONTAINER(node, struct client, in_lru));
}

static bool is_nearly_full(uint32_t count, uint32_t max)
{
        return count >= max - max / 8;
}

bool delegation_has_room(struct delegations *d, struct client *client)
{
        const struct mds_client *m = client->role;
        bool room;

        if (!m)
                return true;
        room = m->delegation_count < d->client_max && d->by_index.count < d->max;
        if (is_nearly_full(m->delegation_count, d->client_max))
                trim(d, client);
        if (is_nearly_full(d->by_index.count, d->max))
                trim_all(d);
        if (!room)
                metric_add(&d->refused, 1);
        return room;
}
