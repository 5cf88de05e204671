/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/hello.h"

#include <stdio.h>
#include <string.h>

#include "ds/health.h"
#include "ds/worker.h"

void hello_say(struct ds *ds, struct hello_words *words, ctl_hello_args *ret)
{
        *ret = (ctl_hello_args){ .protocol = CTL_VERSION_NUMBER,
                                 .name = ds->conf->name,
                                 .space = ds_space(ds) };
        memcpy(ret->uuid, ds->identity.uuid, sizeof(ret->uuid));
        memcpy(ret->boot, ds->boot, sizeof(ret->boot));
        for (unsigned i = 0; i < ds->front.count; i++) {
                const struct netaddr *addr = &ds->front.addrs[i];

                snprintf(words->netids[i], sizeof(words->netids[i]), "%s", netaddr_netid(addr));
                netaddr_universal(addr, words->uaddrs[i]);
                words->addrs[i] = (ctl_addr){ .netid = words->netids[i], .uaddr = words->uaddrs[i] };
        }
        ret->addrs.addrs_len = ds->front.count;
        ret->addrs.addrs_val = words->addrs;
}

const char *hello_refusal(ctl_status status)
{
        switch (status) {
        case CTL_VERSION: return "the MDS speaks another version of the control protocol";
        case CTL_REFUSED: return "the MDS refuses this data server: its name is taken, or there is no room";
        default: return "the MDS cannot take data servers now";
        }
}

static const ctl_hello_ok *answer_of(const struct hello *h)
{
        return &h->res.ctl_hello_res_u.ok;
}

void hello_forget(struct hello *h)
{
        xdr_free((xdrproc_t)xdr_ctl_hello_res, (char *)&h->res);
        memset(&h->res, 0, sizeof(h->res));
        if (h->ds && h->ds->hello == h)
                h->ds->hello = NULL;
}

bool places_are_valid(const ctl_pool *pools, uint32_t count)
{
        for (uint32_t i = 0; i < count; i++)
                if (pools[i].generation == 0 || pools[i].generation > UINT16_MAX ||
                    pools[i].size > CTL_MAX_SERVERS || pools[i].position >= pools[i].size)
                        return false;
        return true;
}

void places_take(struct fence_table *t, const ctl_pool *pools, uint32_t count)
{
        struct place places[PLACES_MAX];

        for (uint32_t i = 0; i < count; i++)
                places[i] = (struct place){ .generation = pools[i].generation,
                                            .position = pools[i].position,
                                            .size = pools[i].size };
        fence_table_set_places(t, places, count);
}

static void take_table(struct fence_table *t, const ctl_hello_ok *ok)
{
        fence_table_reset(t);
        fence_table_raise_floor(t, ok->floor);
        for (u_int i = 0; i < ok->fences.fences_len; i++) {
                const ctl_fence *f = &ok->fences.fences_val[i];

                fence_table_raise(t, f->fileid, f->client, f->below, f->final);
        }
        places_take(t, ok->pools.pools_val, ok->pools.pools_len);
}

static void at_worker(struct leg *leg)
{
        const struct hello *h = leg->visit->arg;
        struct worker *w = leg->worker;

        if (!w->rpc && !worker_serve(w, answer_of(h)->server_id, answer_of(h)->lease_seconds))
                leg->marks[0] = 1;
        w->nfs.lease_seconds = answer_of(h)->lease_seconds;
        take_table(&w->fences, answer_of(h));
        if (h->forget_announced)
                objects_forget_announced(&w->objects);
        leg_drain(leg, &w->inflight, fence_refuses, &w->fences);
}

static void back(struct leg *leg)
{
        struct hello *h = leg->visit->arg;

        if (leg->marks[0])
                snprintf(h->problem, sizeof(h->problem), "no memory to serve");
}

static void visited(struct visit *v)
{
        struct hello *h = v->arg;
        struct ds *ds = h->ds;

        if (!ds->joined && h->problem[0] == '\0') {
                ds->joined = true;
                ds->server_id = answer_of(h)->server_id;
                front_serve(&ds->front);
        }
        h->done(h);
}

/* What could not be worked with, though a HELLO that can be read may say it. */
static const char *find_nonsense(const ctl_hello_ok *ok)
{
        if (ok->server_id == 0 || ok->server_id > CTL_MAX_SERVERS)
                return "a number for this data server";
        if (ok->lease_seconds == 0)
                return "a lease";
        if (ok->heartbeat_ms == 0 || ok->heartbeat_ms > ok->trust_ms / 2)
                return "times for heartbeats and trust";
        if (!places_are_valid(ok->pools.pools_val, ok->pools.pools_len))
                return "a place in a pool";
        return NULL;
}

/* The store is ours to serve under this MDS. */
static void join(struct hello *h)
{
        struct ds *ds = h->ds;

        if (ds->joined && ds->server_id != answer_of(h)->server_id) {
                snprintf(h->problem, sizeof(h->problem),
                         "the MDS gave this data server another number: restart it");
                h->done(h);
                return;
        }
        h->visit = (struct visit){ .ds = ds, .arg = h, .each = at_worker, .back = back, .done = visited };
        visit_start(&h->visit);
}

static void bound(struct identity *id)
{
        struct hello *h = CONTAINER(id, struct ds, identity)->hello;

        if (id->problem[0] == '\0') {
                join(h);
                return;
        }
        snprintf(h->problem, sizeof(h->problem), "%.127s", id->problem);
        h->done(h);
}

void hello_take(struct hello *h, struct ds *ds)
{
        const char *nonsense = find_nonsense(answer_of(h));

        h->ds = ds;
        ds->hello = h;
        h->problem[0] = '\0';
        if (nonsense) {
                snprintf(h->problem, sizeof(h->problem), "the MDS gives %s that cannot be", nonsense);
                h->done(h);
        } else if (!ds->identity.has_fsid) {
                ds->identity.done = bound;
                identity_bind(&ds->identity, (const uint8_t *)answer_of(h)->fsid);
        } else if (memcmp(ds->identity.fsid, answer_of(h)->fsid, STORE_UUID) != 0) {
                snprintf(h->problem, sizeof(h->problem), "the store holds objects of another cluster");
                h->done(h);
        } else {
                join(h);
        }
}
