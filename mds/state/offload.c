/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/state/offload.h"

#include <stdlib.h>

#include "base/slab.h"
#include "mds/state/client.h"
#include "mds/state/delegation.h"
#include "mds/state/limit.h"
#include "mds/state/open.h"
#include "nfs4/codec.h"

enum {
        COPIES_MOST = 4096,  /* at a time */
        OFFLOADED_MOST = 64, /* of these with a stateid: each may need a buffer */
        ANSWER_MS = 500,     /* COPY is answered then at the latest */
        TELL_AGAIN_MS = 1000,
};

struct offload {
        struct copier copier;
        struct offloads *all;
        struct compound *waiter; /* COPY, or OFFLOAD_CANCEL */
        struct timer timer;      /* of its answer; until the client is called again */
        bool dropped;            /* nobody wants to know of its end */
        /* with a stateid */
        struct client *client; /* NULL: it has none (any more) */
        struct list in_client;
        struct stateid stateid;
        struct fh source, target;
        struct referring given;
        struct callback *call;
};

struct offloads {
        struct mds *mds;
        struct slab slab;
        uint32_t count, last_index, answer_ms;
        struct state_limit limit;
        struct metric running, begun;
};

static struct mds *mds_of_offload(const struct offload *f)
{
        return f->all->mds;
}

static void count_up(struct offloads *o, int by)
{
        o->count += (uint32_t)by;
        metric_set(&o->running, o->count);
}

/* Its stateid is not good any more. */
static void leave_client(struct offload *f)
{
        struct mds_client *m;

        if (!f->client)
                return;
        m = mds_client_of(f->client);
        CHECK(m != NULL && m->offload_count > 0);
        m->offload_count--;
        list_remove(&f->in_client);
        f->client = NULL;
        count_up(f->all, -1);
}

static void release(struct offload *f)
{
        leave_client(f);
        timer_stop(&f->timer);
        slab_put(&f->all->slab, f);
}

static void wake(struct offload *f)
{
        struct compound *c = f->waiter;

        f->waiter = NULL;
        timer_stop(&f->timer);
        compound_wake(c);
}

/* --- telling the client */

bool offload_has_ended(const struct offload *f)
{
        return f->copier.step == COPIER_ENDED;
}

uint64_t offload_done(const struct offload *f)
{
        return f->copier.done;
}

/* What was copied counts; the client finds out what is in the way of the rest when it comes for it. */
enum nfsstat4 offload_result(const struct offload *f)
{
        return f->copier.done > 0 ? NFS4_OK : f->copier.status;
}

static void encode(void *arg, struct xdr_out *x)
{
        const struct offload *f = arg;
        const struct nfs4_server *nfs = &mds_of_offload(f)->nfs;
        uint8_t bytes[FH_BYTES];

        fh_encode(&f->target, nfs->key, bytes);
        xdr_put_opaque(x, bytes, FH_BYTES);
        put_stateid(x, &f->stateid);
        xdr_put_u32(x, offload_result(f));
        if (offload_result(f) == NFS4_OK)
                xdr_put_u32(x, 0); /* no callback to come */
        xdr_put_u64(x, f->copier.done);
        if (offload_result(f) != NFS4_OK)
                return;
        xdr_put_u32(x, FILE_SYNC4);
        xdr_put_fixed(x, nfs->write_verifier, NFS4_VERIFIER_SIZE);
}

static void tell_later(struct offload *f)
{
        timer_start(mds_of_offload(f)->env, &f->timer, TELL_AGAIN_MS * 1000000ull);
}

/* An answer of any kind is one: the client has it, or does not know the copy. */
static void told(void *arg, enum nfsstat4 status, struct xdr_in *results)
{
        struct offload *f = arg;

        (void)results;
        f->call = NULL;
        if (status == NFS4ERR_CB_PATH_DOWN)
                tell_later(f);
        else
                release(f);
}

static void tell(struct timer *t)
{
        struct offload *f = CONTAINER(t, struct offload, timer);
        struct nfs4_server *nfs = &mds_of_offload(f)->nfs;
        const struct callback_what what = { .opnum = OP_CB_OFFLOAD,
                                            .seconds = nfs->lease_seconds,
                                            .refers = f->given,
                                            .arg = f,
                                            .encode = encode,
                                            .done = told };

        f->call = callback_send(nfs, f->client, &what);
        if (!f->call)
                tell_later(f);
}

static void ended(struct copier *k)
{
        struct offload *f = CONTAINER(k, struct offload, copier);

        if (f->waiter)
                wake(f);
        else if (f->dropped)
                release(f);
        else if (f->client)
                tell(&f->timer);
}

/* --- COPY */

static void time_is_over(struct timer *t)
{
        wake(CONTAINER(t, struct offload, timer));
}

struct offload *offload_begin(struct compound *c, uint64_t from, uint64_t to, uint64_t count)
{
        struct mds *mds = mds_of(c);
        struct offload *f = slab_get(&mds->offloads->slab);

        if (!f)
                return NULL;
        f->all = mds->offloads;
        f->waiter = c;
        f->source = c->saved_fh;
        f->target = c->fh;
        list_init(&f->in_client);
        f->copier = (struct copier){ .io = { .mds = mds, .export_id = c->fh.export_id },
                                     .source = c->saved_fh.fileid,
                                     .target = c->fh.fileid,
                                     .from = from,
                                     .to = to,
                                     .count = count,
                                     .ended = ended };
        f->timer.fire = time_is_over;
        timer_start(mds->env, &f->timer, f->all->answer_ms * 1000000ull);
        copier_start(&f->copier);
        return f;
}

static bool has_open(const struct mds *mds, const struct client *client, uint64_t fileid)
{
        return opens_has_open(mds->opens, client, fileid) ||
               delegation_of(mds->delegations, client, fileid) != NULL;
}

static bool may_use(const struct mds *mds, const struct client *client, const struct fh *fh, bool writes)
{
        const struct export_rule *rule =
                export_match(mds->exports, fh->export_id, &client->address, client->flavor, mds->names);

        return rule == &export_undecided || (rule && (!writes || rule->access == EXPORT_RW));
}

/* The client that has the stateid may still do what it was allowed to when it asked. */
static enum nfsstat4 may_go_on(struct copier *k)
{
        const struct offload *f = CONTAINER(k, struct offload, copier);
        const struct mds *mds = k->io.mds;

        if (!f->client)
                return NFS4_OK; /* it is being stopped */
        if (!has_open(mds, f->client, k->source) || !has_open(mds, f->client, k->target))
                return NFS4ERR_BAD_STATEID;
        return may_use(mds, f->client, &f->source, false) && may_use(mds, f->client, &f->target, true)
                       ? NFS4_OK
                       : NFS4ERR_ACCESS;
}

bool offload_detach(struct offload *f, struct compound *c, struct stateid *ret)
{
        struct offloads *o = f->all;
        struct mds_client *m = mds_client_of(c->client);

        if (!m || !callback_has_path(c->client) || !has_open(o->mds, c->client, f->copier.source) ||
            !has_open(o->mds, c->client, f->copier.target) ||
            !state_limit_admits(&o->limit, o->count, m->offload_count))
                return false;
        stateid_make(o->mds, STATEID_COPY, ++o->last_index, &f->stateid);
        stateid_bump(&f->stateid);
        f->client = c->client;
        list_push(&m->offloads, &f->in_client);
        m->offload_count++;
        count_up(o, 1);
        metric_add(&o->begun, 1);
        f->given = referring_of(c);
        f->timer.fire = tell;
        f->copier.patient = true;
        f->copier.check = may_go_on;
        *ret = f->stateid;
        return true;
}

void offload_stop(struct offload *f, struct compound *c)
{
        CHECK(!offload_has_ended(f) && !f->waiter);
        leave_client(f);
        f->waiter = c;
        copier_stop(&f->copier);
}

enum nfsstat4 offload_end(struct offload *f, uint64_t *ret_done)
{
        enum nfsstat4 status = offload_result(f);

        CHECK(offload_has_ended(f) && !f->call);
        *ret_done = f->copier.done;
        release(f);
        return status;
}

/* --- those with a stateid */

enum nfsstat4 offload_find(const struct client *client, uint64_t fileid, const struct stateid *s,
                           struct offload **ret)
{
        const struct mds_client *m = client->role;

        if (!m || s->seqid == 0) /* RFC 7862 §4.8 */
                return NFS4ERR_BAD_STATEID;
        LIST_FOR_EACH(node, &m->offloads) {
                struct offload *f = CONTAINER(node, struct offload, in_client);

                if (memcmp(f->stateid.other, s->other, NFS4_OTHER_SIZE) != 0 ||
                    (fileid != 0 && f->target.fileid != fileid))
                        continue;
                *ret = f;
                return stateid_check(s, &f->stateid);
        }
        return NFS4ERR_BAD_STATEID;
}

void offloads_drop_client(struct offloads *o, struct client *client)
{
        const struct mds_client *m = client->role;

        (void)o;
        while (m && !list_empty(&m->offloads)) {
                struct offload *f = CONTAINER(m->offloads.next, struct offload, in_client);

                if (f->call)
                        callback_forget(f->call);
                leave_client(f);
                timer_stop(&f->timer);
                f->dropped = true;
                if (offload_has_ended(f))
                        release(f);
                else
                        copier_stop(&f->copier);
        }
}

uint32_t offloads_count(const struct offloads *o)
{
        return o->count;
}

void offloads_answer_after(struct offloads *o, uint32_t ms)
{
        o->answer_ms = ms;
}

struct offloads *offloads_new(struct mds *mds)
{
        struct offloads *o = calloc(1, sizeof(*o));

        if (!o)
                return NULL;
        o->mds = mds;
        o->answer_ms = ANSWER_MS;
        slab_init(&o->slab, sizeof(struct offload), COPIES_MOST);
        state_limit_init(&o->limit, &mds->metrics, OFFLOADED_MOST, "nacre_copies_refused_total",
                         "Copies that did not go on in the background, because there were too many");
        metric_gauge(&mds->metrics, &o->running, "nacre_copies",
                     "Copies in the background, or whose end the client was not told of");
        metric_counter(&mds->metrics, &o->begun, "nacre_copies_total",
                       "Copies that went on in the background");
        return o;
}

void offloads_free(struct offloads *o)
{
        if (!o)
                return;
        CHECK(o->count == 0);
        slab_destroy(&o->slab);
        free(o);
}
