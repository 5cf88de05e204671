/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/tier/bucket.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "ds/worker.h"

enum {
        IN_FLIGHT = 64, /* requests of this data server to one repo; divided by the workers */
        FEWEST_IN_FLIGHT = 8,
        CONNECT_MS = 5000,
        IDLE_MS = 15000,
        DEADLINE_MS = 40000,
        ASK_AGAIN_SECONDS = 5,
        BEFORE_END_SECONDS = 60,
};
static const uint64_t second_ns = 1000000000;

struct bucket {
        struct list node;
        struct tier_worker *tw;
        uint32_t repo;
        struct link *link;   /* NULL: none yet, or it was not to be had */
        struct list waiting; /* struct link_wait */
        struct tier_ask ask;
        bool asking;
        uint64_t asked_ns;     /* when last; 0: never */
        enum tier_outcome why; /* there is no link */
};

/* --- links */

static void free_link(struct link *l)
{
        s3_free(l->s3);
        creds_free(l->creds);
        http_free(l->http);
        free(l);
}

void link_release(struct link *l)
{
        CHECK(l->users > 0);
        if (--l->users == 0 && l->old)
                free_link(l);
}

static void retire(struct bucket *b)
{
        struct link *l = b->link;

        b->link = NULL;
        if (!l)
                return;
        l->old = true;
        if (l->users == 0)
                free_link(l);
}

static uint32_t in_flight(const struct ds *ds)
{
        uint32_t n = IN_FLIGHT / ds->worker_share;

        return n < FEWEST_IN_FLIGHT ? FEWEST_IN_FLIGHT : n;
}

static struct creds_provider *make_creds(struct worker *w, const ctl_repo *repo)
{
        const struct creds_conf conf = { .source = CREDS_GIVEN,
                                         .access_key = repo->access_key,
                                         .secret = repo->secret_key,
                                         .token = repo->session_token };

        return repo->session_token[0] == '\0' ? creds_given(repo->access_key, repo->secret_key)
                                              : creds_new(w->loop, &conf);
}

static struct http *make_http(struct worker *w, const ctl_repo *repo)
{
        const struct http_conf conf = { .connections = in_flight(w->ds),
                                        .connect_ms = CONNECT_MS,
                                        .idle_ms = IDLE_MS,
                                        .ca = repo->ca[0] ? repo->ca : NULL };

        return w->ds->make_http ? w->ds->make_http(w->ds->make_http_arg, w->env) : http_new(w->loop, &conf);
}

static uint64_t share(const struct worker *w, uint64_t all)
{
        uint64_t part = all / w->ds->worker_share;

        return all > 0 && part == 0 ? 1 : part;
}

static enum s3_checksum checksum_of(const ctl_repo *repo)
{
        return repo->checksum <= S3_SUM_CRC64NVME ? (enum s3_checksum)repo->checksum : S3_SUM_NONE;
}

static struct link *make_link(struct bucket *b, const ctl_repo *repo, const char **why)
{
        struct worker *w = b->tw->worker;
        struct s3_conf conf = { .endpoint = repo->endpoint,
                                .bucket = repo->bucket,
                                .prefix = repo->prefix,
                                .region = repo->region[0] ? repo->region : NULL,
                                .virtual_host = repo->virtual_host,
                                .checksum = checksum_of(repo),
                                .retry = retry_default,
                                .budget = { .requests_per_second =
                                                    (uint32_t)share(w, repo->requests_per_second),
                                            .bytes_per_second = share(w, repo->bytes_per_second),
                                            .in_flight = in_flight(w->ds) },
                                .metrics = b->tw->s3 };
        struct link *l = calloc(1, sizeof(*l));

        *why = "out of memory";
        if (!l)
                return NULL;
        conf.retry.deadline_ms = DEADLINE_MS;
        l->bucket = b;
        l->revision = repo->revision;
        l->made_ns = env_now(w->env);
        l->expires_wall_ns = repo->expires_ns;
        l->http = make_http(w, repo);
        l->creds = make_creds(w, repo);
        l->s3 = l->http && l->creds ? s3_new(l->http, l->creds, &conf, why) : NULL;
        if (l->s3)
                return l;
        free_link(l);
        return NULL;
}

/* --- asking */

static void ask_anew(struct bucket *b);

/* Has the repo changed since it was asked for? Once is enough: W may have heard of it in another time. */
static bool is_too_old(const struct link *l, struct link_wait *w)
{
        bool again = l && l->revision < w->revision && !w->asked_again;

        w->asked_again |= again;
        return again;
}

static void tell(struct bucket *b)
{
        struct list waiting = LIST_INIT(waiting);

        list_splice(&waiting, &b->waiting);
        for (struct list *node; (node = list_pop(&waiting));) {
                struct link_wait *w = CONTAINER(node, struct link_wait, node);

                if (is_too_old(b->link, w)) {
                        list_push(&b->waiting, node);
                        continue;
                }
                if (b->link)
                        b->link->users++;
                w->ready(w, b->link, b->why);
        }
        if (!list_empty(&b->waiting))
                ask_anew(b);
}

static void answered(struct tier_ask *ask)
{
        struct bucket *b = CONTAINER(ask, struct bucket, ask);
        const char *why = ask->status == CTL_NOENT ? "the MDS knows no such repo" : "it is paused";

        b->asking = false;
        b->why = TIER_LATER;
        if (ask->status == CTL_OK) {
                struct link *l = make_link(b, &ask->res.repo.ctl_repo_res_u.repo, &why);

                retire(b);
                b->link = l;
        } else if (ask->status == CTL_NOENT) {
                retire(b);
                b->why = TIER_NEVER;
        }
        if (!b->link && ask->status != ASK_LOST)
                log_warn("repo-not-usable", "repo=%u why=%s", b->repo, why);
        tier_ask_forget(ask);
        tell(b);
}

static void ask_anew(struct bucket *b)
{
        if (b->asking)
                return;
        b->asking = true;
        b->asked_ns = env_now(b->tw->worker->env);
        b->ask = (struct tier_ask){
                .proc = CTL_REPO, .args.repo = { .repo = b->repo }, .status = ASK_LOST, .done = answered
        };
        tier_ask(b->tw->worker, &b->ask);
}

static bool asked_lately(const struct bucket *b)
{
        return b->asked_ns != 0 && env_now(b->tw->worker->env) - b->asked_ns < ASK_AGAIN_SECONDS * second_ns;
}

static struct bucket *bucket_of(struct tier_worker *tw, uint32_t repo)
{
        struct bucket *b;

        LIST_FOR_EACH(node, &tw->buckets)
                if (CONTAINER(node, struct bucket, node)->repo == repo)
                        return CONTAINER(node, struct bucket, node);
        b = calloc(1, sizeof(*b));
        CHECK(b != NULL);
        b->tw = tw;
        b->repo = repo;
        list_init(&b->waiting);
        list_push(&tw->buckets, &b->node);
        return b;
}

struct link *link_get(struct tier_worker *tw, uint32_t repo, uint64_t revision, struct link_wait *w)
{
        struct bucket *b = bucket_of(tw, repo);
        struct env *env = tw->worker->env;

        if (b->link && b->link->expires_wall_ns != 0 && !asked_lately(b) &&
            env_wall(env) + BEFORE_END_SECONDS * second_ns > b->link->expires_wall_ns)
                ask_anew(b); /* the present keys are good meanwhile */
        if (b->link && b->link->revision < revision)
                retire(b);
        if (b->link) {
                b->link->users++;
                return b->link;
        }
        w->revision = revision;
        w->asked_again = false;
        list_push(&b->waiting, &w->node);
        ask_anew(b);
        return NULL;
}

bool link_refused(struct link *l)
{
        struct bucket *b = l->bucket;

        if (l->old)
                return true; /* there are others already */
        if (asked_lately(b))
                return false;
        retire(b);
        ask_anew(b);
        return true;
}

void link_cancel(struct link_wait *w)
{
        list_remove(&w->node);
}

void buckets_free(struct tier_worker *tw)
{
        for (struct list *node; (node = list_pop(&tw->buckets));) {
                struct bucket *b = CONTAINER(node, struct bucket, node);

                CHECK(list_empty(&b->waiting) && !b->asking);
                retire(b);
                free(b);
        }
}
