/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/pnfs/devices.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/slab.h"
#include "mds/pnfs/files.h"
#include "mds/pnfs/recall.h"
#include "mds/state/client.h"
#include "nfs4/codec.h"

struct known {
        struct list by_age, in_client;
        struct devices *devices;
        struct client *client;
        uint8_t id[NFS4_DEVICEID_SIZE];
        struct referring told; /* the GETDEVICEINFO, which the callback must not overtake */
        uint64_t gone_ns;      /* since when it names nothing; 0: it does */
        struct callback *cb;   /* the client is being told */
};

struct devices {
        struct mds *mds;
        struct list by_age; /* oldest first */
        struct slab slab;
        uint32_t gone; /* of those known */
        struct metric notified;
};

struct devices *devices_new(struct mds *mds)
{
        struct devices *d = calloc(1, sizeof(*d));

        if (!d)
                return NULL;
        d->mds = mds;
        list_init(&d->by_age);
        slab_init(&d->slab, sizeof(struct known), DEVICES_MAX);
        metric_counter(&mds->metrics, &d->notified, "nacre_device_notifications_total",
                       "Clients told that a device id is gone (CB_NOTIFY_DEVICEID)");
        return d;
}

void devices_free(struct devices *d)
{
        if (!d)
                return;
        CHECK(list_empty(&d->by_age));
        slab_destroy(&d->slab);
        free(d);
}

uint32_t devices_count(const struct devices *d)
{
        return d->slab.in_use;
}

/* --- who knows what */

static void forget(struct known *k)
{
        struct devices *d = k->devices;
        struct mds_client *m = k->client->role;

        if (k->cb)
                callback_forget(k->cb);
        if (k->gone_ns != 0)
                d->gone--;
        m->device_count--;
        list_remove(&k->by_age);
        list_remove(&k->in_client);
        slab_put(&d->slab, k);
}

static struct known *find(const struct mds_client *m, const uint8_t id[NFS4_DEVICEID_SIZE])
{
        LIST_FOR_EACH(node, &m->devices) {
                struct known *k = CONTAINER(node, struct known, in_client);

                if (memcmp(k->id, id, NFS4_DEVICEID_SIZE) == 0)
                        return k;
        }
        return NULL;
}

/* NULL: out of memory. */
static struct known *remember(struct devices *d, struct client *client, struct mds_client *m,
                              const uint8_t id[NFS4_DEVICEID_SIZE])
{
        struct known *k;

        if (m->device_count == DEVICES_OF_CLIENT)
                forget(CONTAINER(m->devices.next, struct known, in_client));
        if (d->slab.in_use == DEVICES_MAX)
                forget(CONTAINER(d->by_age.next, struct known, by_age));
        k = slab_get(&d->slab);
        if (!k)
                return NULL;
        k->devices = d;
        k->client = client;
        memcpy(k->id, id, sizeof(k->id));
        list_push(&d->by_age, &k->by_age);
        list_push(&m->devices, &k->in_client);
        m->device_count++;
        return k;
}

void devices_told(struct devices *d, const struct compound *c, const uint8_t id[NFS4_DEVICEID_SIZE],
                  bool notify)
{
        struct mds_client *m = d->mds->conf->device_notifications ? mds_client_of(c->client) : NULL;
        struct known *k = m ? find(m, id) : NULL;

        if (k && !notify)
                forget(k);
        if (!m || !notify)
                return;
        if (!k)
                k = remember(d, c->client, m, id);
        if (k)
                k->told = referring_of(c);
}

void devices_client_gone(const struct client *client)
{
        const struct mds_client *m = client->role;

        while (m && !list_empty(&m->devices))
                forget(CONTAINER(m->devices.next, struct known, in_client));
}

/* --- telling that one is gone */

/* §20.12.1. */
static void encode(void *arg, struct xdr_out *x)
{
        static const struct bitmap4 mask = { .word = { 1u << NOTIFY_DEVICEID4_DELETE } };
        const struct known *k = arg;

        xdr_put_u32(x, 1);
        put_bitmap(x, &mask);
        xdr_put_u32(x, 4 + NFS4_DEVICEID_SIZE); /* notifylist4 is an opaque<> */
        xdr_put_u32(x, LAYOUT4_NFSV4_1_FILES);
        xdr_put_fixed(x, k->id, NFS4_DEVICEID_SIZE);
}

/* Whatever it says: GETDEVICEINFO would tell it NOENT. */
static void answered(void *arg, enum nfsstat4 status, struct xdr_in *results)
{
        struct known *k = arg;

        (void)results;
        k->cb = NULL;
        if (status == NFS4_OK)
                metric_add(&k->devices->notified, 1);
        else
                log_info("device-notification-failed", "clientid=%016" PRIx64 " status=%s",
                         k->client->clientid, nfs4_status_name(status));
        forget(k);
}

struct referring_layouts {
        uint64_t gone_ns;
        bool any;
};

/* A layout that was out when the id ended is being taken back since then, at the latest. */
static bool look_for_layout(void *arg, struct layout_state *state)
{
        struct referring_layouts *r = arg;

        r->any = state->recall && recall_began_ns(state) <= r->gone_ns;
        return !r->any;
}

/* Not before the client has let go of what refers to it (§20.12.3). */
static void tell(struct known *k)
{
        struct devices *d = k->devices;
        struct referring_layouts r = { .gone_ns = k->gone_ns };
        const struct callback_what what = { .opnum = OP_CB_NOTIFY_DEVICEID,
                                            .seconds = d->mds->nfs.lease_seconds,
                                            .refers = k->told,
                                            .arg = k,
                                            .encode = encode,
                                            .done = answered };

        if (k->gone_ns == 0 || k->cb)
                return;
        layouts_each(d->mds->layouts, k->client, look_for_layout, &r);
        if (r.any)
                return;
        if (callback_possible(k->client))
                k->cb = callback_send(&d->mds->nfs, k->client, &what);
        if (!k->cb)
                forget(k);
}

void devices_recall_ended(struct devices *d, const struct client *client)
{
        const struct mds_client *m = client->role;

        if (!m || d->gone == 0)
                return;
        LIST_FOR_EACH_SAFE(node, &m->devices)
                tell(CONTAINER(node, struct known, in_client));
}

/* An id may also be good again: the data server has moved back, and the client was not told yet. */
static void look_again(struct devices *d, struct known *k)
{
        uint16_t pool, width;
        uint8_t start;
        bool good = device_parse(d->mds->fleet, k->id, &pool, &start, &width);

        if (good == (k->gone_ns == 0) || k->cb)
                return;
        k->gone_ns = good ? 0 : env_now(d->mds->env);
        d->gone += good ? -1u : 1u;
}

void devices_server_moved(struct devices *d, const struct server *s)
{
        recall_moved(d->mds->recalls, s);
        LIST_FOR_EACH(node, &d->by_age)
                look_again(d, CONTAINER(node, struct known, by_age));
        LIST_FOR_EACH_SAFE(node, &d->by_age)
                tell(CONTAINER(node, struct known, by_age));
}
