/* SPDX-License-Identifier: Apache-2.0 */
/* Recalls: see recall.h. What clients answer (§20.3): OK and DELAY mean that they are at it, and they are
 * asked again until the layout is back; NOMATCHING_LAYOUT means that they have forgotten it, which is as good
 * as a LAYOUTRETURN; OLD_STATEID that our sequence id was not news to them, so a higher one follows; anything
 * else, or no answer within the lease, ends the layout without them. */
#include "mds/pnfs/recall.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "mds/pnfs/devices.h"
#include "mds/state/returned.h"
#include "nfs4/codec.h"

enum {
        POLL_MS = 1000,    /* it said OK: is it back? */
        OLD_MS = 50,       /* it said OLD_STATEID */
        CONFLICT_MS = 500, /* RECALLCONFLICT for so long: Linux 6.1 hangs on it */
        GONE_SECONDS = 10, /* for telling of a deleted file */
};

struct recalls {
        struct mds *mds;
        uint32_t count;
        struct metric started, revoked;
};

struct recall {
        struct recalls *recalls;
        struct layout_state *state;
        struct callback *cb; /* NULL: none under way */
        struct timer timer;  /* until it is asked again */
        uint64_t began_ns;
        uint32_t seqid; /* what it was asked with; 0: a new one is due */
};

struct recalls *recalls_new(struct mds *mds)
{
        struct recalls *r = calloc(1, sizeof(*r));

        if (!r)
                return NULL;
        r->mds = mds;
        metric_counter(&mds->metrics, &r->started, "nacre_layout_recalls_total",
                       "Layouts that clients were asked to give back");
        metric_counter(&mds->metrics, &r->revoked, "nacre_layouts_revoked_total",
                       "Layouts that were taken without the client's consent");
        return r;
}

void recalls_free(struct recalls *r)
{
        CHECK(!r || r->count == 0);
        free(r);
}

uint32_t recalls_count(const struct recalls *r)
{
        return r->count;
}

void recall_end(struct layout_state *state)
{
        struct recall *recall = state->recall;
        struct recalls *r;

        if (!recall)
                return;
        r = recall->recalls;
        if (recall->cb)
                callback_forget(recall->cb);
        timer_stop(&recall->timer);
        r->count--;
        state->recall = NULL;
        free(recall);
        devices_recall_ended(r->mds->devices, state->client);
}

uint64_t recall_began_ns(const struct layout_state *state)
{
        return state->recall->began_ns;
}

enum nfsstat4 recall_conflict(const struct layout_state *state)
{
        const struct recall *recall = state->recall;

        if (!recall)
                return NFS4_OK;
        return env_now(recall->recalls->mds->env) - recall->began_ns < CONFLICT_MS * 1000000ull
                       ? NFS4ERR_RECALLCONFLICT
                       : NFS4ERR_LAYOUTUNAVAILABLE;
}

/* --- revoking */

static void fenced(struct fence_wait *wait)
{
        free(wait);
}

/* A fence that nobody waits for. */
static void fence_one(const struct recalls *r, const struct layout_state *state, bool final)
{
        const struct inode *file;
        struct fence_wait *wait;

        if (meta_inode(r->mds->meta, state->fileid, &file) < 0)
                return;
        wait = calloc(1, sizeof(*wait));
        CHECK(wait != NULL);
        wait->done = fenced;
        fence_raise(r->mds->fleet, file, &state->client->tag, 1, final, wait);
}

void recall_revoke(struct recalls *r, struct layout_state *state)
{
        log_info("layout-revoked", "fileid=%" PRIu64 " clientid=%016" PRIx64, state->fileid,
                 state->client->clientid);
        metric_add(&r->revoked, 1);
        fence_one(r, state, true);
        layout_drop(r->mds->layouts, state);
}

/* --- asking */

static void put_recall(struct xdr_out *x, const struct mds *mds, const struct layout_state *state)
{
        const struct fh fh = { .kind = FH_MDS,
                               .export_id = state->export_id,
                               .fileid = state->fileid,
                               .generation = state->generation };
        uint8_t bytes[FH_BYTES];

        fh_encode(&fh, mds->nfs.key, bytes);
        xdr_put_u32(x, LAYOUT4_NFSV4_1_FILES);
        xdr_put_u32(x, LAYOUTIOMODE4_ANY);
        xdr_put_bool(x, true); /* changed: it is no use flushing through the layout */
        xdr_put_u32(x, LAYOUTRECALL4_FILE);
        xdr_put_opaque(x, bytes, FH_BYTES);
        xdr_put_u64(x, 0);
        xdr_put_u64(x, NFS4_UINT64_MAX);
        put_stateid(x, &state->stateid);
}

/* A new question has a new sequence id; the same one again, after a DELAY, has the same. */
static void encode(void *arg, struct xdr_out *x)
{
        struct recall *recall = arg;
        struct layout_state *state = recall->state;

        if (recall->seqid != state->stateid.seqid) {
                layout_bump(state);
                recall->seqid = state->stateid.seqid;
        }
        put_recall(x, recall->recalls->mds, state);
}

static void ask_later(struct recall *recall, uint32_t ms)
{
        recall->seqid = 0;
        timer_start(recall->recalls->mds->env, &recall->timer, ms * 1000000ull);
}

static void answered(void *arg, enum nfsstat4 status, struct xdr_in *results)
{
        struct recall *recall = arg;
        struct recalls *r = recall->recalls;
        struct layout_state *state = recall->state;
        uint64_t seq;
        bool gone;

        (void)results;
        recall->cb = NULL;
        switch (status) {
        case NFS4_OK: ask_later(recall, POLL_MS); return;
        case NFS4ERR_OLD_STATEID: ask_later(recall, OLD_MS); return;
        case NFS4ERR_NOMATCHING_LAYOUT:
                layout_return(r->mds->layouts, state, LAYOUTIOMODE4_ANY, 0, &seq, &gone);
                return;
        default: log_info("recall-failed", "status=%s", nfs4_status_name(status)); recall_revoke(r, state);
        }
}

/* Once more, if there is time. */
static void ask(struct timer *t)
{
        struct recall *recall = CONTAINER(t, struct recall, timer);
        struct mds *mds = recall->recalls->mds;
        struct callback_what what = { .opnum = OP_CB_LAYOUTRECALL,
                                      .refers = recall->state->given,
                                      .arg = recall,
                                      .encode = encode,
                                      .done = answered };
        uint64_t passed = (env_now(mds->env) - recall->began_ns) / 1000000000;

        if (passed < mds->nfs.lease_seconds) {
                what.seconds = mds->nfs.lease_seconds - (uint32_t)passed;
                recall->cb = callback_send(&mds->nfs, recall->state->client, &what);
        }
        if (!recall->cb)
                recall_revoke(recall->recalls, recall->state);
}

static void start(struct recalls *r, struct layout_state *state)
{
        struct recall *recall;

        if (state->recall)
                return;
        if (client_lapsed(&r->mds->nfs, state->client) || !callback_possible(state->client)) {
                recall_revoke(r, state);
                return;
        }
        recall = calloc(1, sizeof(*recall));
        CHECK(recall != NULL);
        recall->recalls = r;
        recall->state = state;
        recall->timer.fire = ask;
        recall->began_ns = env_now(r->mds->env);
        state->recall = recall;
        r->count++;
        metric_add(&r->started, 1);
        ask(&recall->timer);
}

/* --- of a file */

struct gathering {
        struct recalls *recalls;
        enum recall_whom whom;
        const struct client *except;
        uint32_t tags[FENCE_CLIENTS], count; /* count goes on beyond what tags holds */
};

static uint8_t iomodes_of(enum recall_whom whom)
{
        return 1u << LAYOUTIOMODE4_RW | (whom == RECALL_HOLDERS ? 1u << LAYOUTIOMODE4_READ : 0);
}

static bool is_meant(const struct gathering *g, const struct layout_state *state)
{
        return state->client != g->except && state->handles & iomodes_of(g->whom);
}

static void gather(void *arg, struct layout_state *state)
{
        struct gathering *g = arg;

        if (!is_meant(g, state))
                return;
        if (g->count < FENCE_CLIENTS)
                g->tags[g->count] = state->client->tag;
        g->count++;
}

/* Who has given it back is not asked, but fenced. */
static void gather_returned(struct gathering *g, uint64_t fileid)
{
        const struct returned *returned = g->recalls->mds->returned;
        uint32_t room = g->count < FENCE_CLIENTS ? FENCE_CLIENTS - g->count : 0;

        g->count += returned_tags(returned, fileid, iomodes_of(g->whom), 0, g->except ? g->except->tag : 0,
                                  g->tags + FENCE_CLIENTS - room, room);
}

static void start_one(void *arg, struct layout_state *state)
{
        const struct gathering *g = arg;

        if (is_meant(g, state))
                start(g->recalls, state);
}

bool recall_file(struct recalls *r, const struct inode *file, enum recall_whom whom,
                 const struct client *except, struct fence_wait *wait)
{
        struct gathering g = { .recalls = r, .whom = whom, .except = except };

        layouts_each_holder(r->mds->layouts, file->fileid, gather, &g);
        gather_returned(&g, file->fileid);
        if (g.count == 0)
                return false;
        if (g.count > FENCE_CLIENTS) { /* everybody, then */
                g.tags[0] = 0;
                g.count = 1;
                g.whom = RECALL_HOLDERS;
                g.except = NULL;
        }
        fence_raise(r->mds->fleet, file, g.tags, g.count, false, wait);
        for (uint32_t i = 0; i < g.count; i++)
                returned_forget(r->mds->returned, file->fileid, g.tags[i]);
        layouts_each_holder(r->mds->layouts, file->fileid, start_one, &g);
        return true;
}

struct latecomers {
        struct gathering meant;
        uint32_t epoch;
        bool any;
};

static void look_for_latecomer(void *arg, struct layout_state *state)
{
        struct latecomers *late = arg;

        if (is_meant(&late->meant, state) && state->epoch >= late->epoch)
                late->any = true;
}

bool recall_is_outrun(struct recalls *r, uint64_t fileid, enum recall_whom whom, const struct client *except,
                      uint32_t epoch)
{
        struct latecomers late = { .meant = { .whom = whom, .except = except }, .epoch = epoch };

        layouts_each_holder(r->mds->layouts, fileid, look_for_latecomer, &late);
        return late.any || returned_tags(r->mds->returned, fileid, iomodes_of(whom), epoch,
                                         except ? except->tag : 0, NULL, 0) > 0;
}

/* --- a file that is gone */

struct farewell {
        const struct mds *mds;
        struct layout_state state; /* a copy */
};

static void put_farewell(void *arg, struct xdr_out *x)
{
        const struct farewell *f = arg;

        put_recall(x, f->mds, &f->state);
}

static void farewell_said(void *arg, enum nfsstat4 status, struct xdr_in *results)
{
        (void)status;
        (void)results;
        free(arg);
}

struct parting {
        struct recalls *recalls;
        const struct client *by;
};

static void tell(void *arg, struct layout_state *state)
{
        const struct parting *p = arg;
        struct mds *mds = p->recalls->mds;
        struct callback_what what = { .opnum = OP_CB_LAYOUTRECALL,
                                      .seconds = GONE_SECONDS,
                                      .refers = state->given,
                                      .encode = put_farewell,
                                      .done = farewell_said };
        struct farewell *f;

        if (state->client == p->by || !callback_possible(state->client) || !(f = malloc(sizeof(*f))))
                return;
        layout_bump(state);
        *f = (struct farewell){ .mds = mds, .state = *state };
        what.arg = f;
        if (!callback_send(&mds->nfs, state->client, &what))
                free(f);
}

void recall_tell_gone(struct recalls *r, uint64_t fileid, const struct client *by)
{
        struct parting p = { .recalls = r, .by = by };

        layouts_each_holder(r->mds->layouts, fileid, tell, &p);
}

/* --- the export policy */

static void check_export(void *arg, struct layout_state *state)
{
        struct recalls *r = arg;
        const struct mds *mds = r->mds;
        const struct client *client = state->client;
        const struct export_rule *rule =
                export_match(mds->exports, state->export_id, &client->address, client->flavor, mds->names);

        if (rule == &export_undecided ||
            (rule && rule->pnfs && (rule->access == EXPORT_RW || !(state->iomodes & 1u << LAYOUTIOMODE4_RW))))
                return;
        fence_one(r, state, false);
        start(r, state);
}

void recall_unexported(struct recalls *r)
{
        layouts_each_of_all(r->mds->layouts, check_export, r);
        returned_fence_all(r->mds->returned);
}

/* --- a data server that has moved */

struct move {
        struct recalls *recalls;
        const struct server *server;
};

static void check_move(void *arg, struct layout_state *state)
{
        const struct move *m = arg;
        const struct mds *mds = m->recalls->mds;
        const struct inode *file;

        if (meta_inode(mds->meta, state->fileid, &file) < 0 ||
            !fleet_file_is_on(mds->fleet, file, m->server->id))
                return;
        fence_one(m->recalls, state, false);
        start(m->recalls, state);
}

void recall_moved(struct recalls *r, const struct server *s)
{
        struct move m = { .recalls = r, .server = s };

        layouts_each_of_all(r->mds->layouts, check_move, &m);
}
