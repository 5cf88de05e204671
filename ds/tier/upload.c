/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/tier/upload.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "ds/worker.h"
#include "s3tier/multipart.h"

enum { DIGEST_PIECE = 1 << 20 /* half a millisecond, or two */ };

/* --- the end */

static void come_back(struct message *msg)
{
        struct upload *u = CONTAINER(msg, struct upload, msg);

        u->done(u);
}

static void end(struct upload *u, ctl_status status)
{
        struct worker *w = u->worker;
        struct tier_metrics *c = &w->tier->counts;

        u->status = status;
        if (u->link)
                link_release(u->link);
        free(u->bytes);
        list_remove(&u->node);
        metric_set(&c->uploading, c->uploading.value - 1);
        histogram_add(&c->upload, env_now(w->env) - u->since_ns);
        w->busy--;
        worker_note_end(w);
        u->msg.run = come_back;
        worker_post(w, w->ds->workers[0], &u->msg);
}

/* ERROR: of the S3 engine; S3_OK: it has not come to that. */
static void failed(struct upload *u, ctl_status status, enum s3_error error, const char *why)
{
        metric_add(&u->worker->tier->counts.upload_errors[error], 1);
        u->error = error == S3_OK ? "" : s3_error_name(error);
        snprintf(u->message, sizeof(u->message), "%s", why);
        log_warn("upload-failed", "file=%llu key=%s offset=%llu error=%s why=%s",
                 (unsigned long long)u->fh.fileid, u->args->key, (unsigned long long)u->args->offset,
                 u->error, why);
        end(u, status);
}

/* --- S3 */

static void get_link(struct upload *u);

static void s3_failed(struct upload *u)
{
        const struct s3_result *r = &u->call.result;
        char why[256];

        if (r->error == S3_ACCESS_DENIED && !u->tried_other_keys && link_refused(u->link)) {
                u->tried_other_keys = true;
                link_release(u->link);
                u->link = NULL;
                get_link(u);
                return;
        }
        if (r->error == S3_UNREACHABLE)
                link_refused(u->link); /* for the next one */
        snprintf(why, sizeof(why), "%s%s%s", r->code, r->code[0] ? ": " : "", r->message);
        failed(u, CTL_REFUSED, r->error, why);
}

static void sent(struct s3_call *call)
{
        struct upload *u = CONTAINER(call, struct upload, call);
        struct tier_metrics *c = &u->worker->tier->counts;

        u->late |= s3_may_come_late(call);
        if (call->result.error != S3_OK) {
                s3_failed(u);
                return;
        }
        metric_add(&c->uploaded, 1);
        metric_add(&c->uploaded_bytes, u->args->length);
        snprintf(u->etag, sizeof(u->etag), "%s", call->object.etag);
        snprintf(u->version, sizeof(u->version), "%s", call->object.version_id);
        end(u, CTL_OK);
}

static void put(struct upload *u)
{
        const ctl_upload_args *a = u->args;
        struct s3_metadata metadata = { .bytes = 0 };
        struct s3_put_args args = { .body = &u->body,
                                    .body_count = 1,
                                    .if_none_match = a->if_none_match,
                                    .if_match = a->if_match[0] ? a->if_match : NULL,
                                    .same_is_fine = true,
                                    .metadata = &metadata };

        for (u_int i = 0; i < a->metadata.metadata_len; i++)
                if (!s3_metadata_put(&metadata, a->metadata.metadata_val[i].name,
                                     a->metadata.metadata_val[i].value)) {
                        failed(u, CTL_INVAL, S3_TOO_LARGE, "there is more metadata than fits");
                        return;
                }
        s3_put(u->link->s3, &u->call, a->key, &args);
}

static void send_it(struct upload *u)
{
        const ctl_upload_args *a = u->args;

        u->step = UPLOAD_WITH_S3;
        u->body = (struct iovec){ u->bytes, a->length };
        u->call.priority = S3_EXPORT;
        u->call.deadline_ms = 1000 * (UPLOAD_SECONDS + (uint32_t)(a->length / UPLOAD_SLOWEST));
        u->call.done = sent;
        if (a->upload_id[0])
                s3_upload_part(u->link->s3, &u->call, a->key, a->upload_id, a->part, &u->body, 1);
        else
                put(u);
}

static void have_link(struct link_wait *wait, struct link *link, enum tier_outcome why)
{
        struct upload *u = CONTAINER(wait, struct upload, link_wait);

        u->link = link;
        if (link)
                send_it(u);
        else if (why == TIER_NEVER)
                failed(u, CTL_NOENT, S3_OK, "the MDS knows no such repo");
        else
                failed(u, CTL_REFUSED, S3_OK, "the repo is paused, or the MDS does not say its keys");
}

static void get_link(struct upload *u)
{
        u->step = UPLOAD_WITH_BUCKET;
        u->link_wait.ready = have_link;
        u->link = link_get(u->worker->tier, u->args->repo, u->args->revision, &u->link_wait);
        if (u->link)
                send_it(u);
}

/* --- is it the file? */

static void said(struct tier_ask *ask)
{
        struct upload *u = CONTAINER(ask, struct upload, ask);
        int status = ask->status;

        tier_ask_forget(ask);
        if (u->worker->turned_away || status == ASK_LOST)
                end(u, CTL_UNKNOWN);
        else if (status != CTL_OK)
                end(u, (ctl_status)status);
        else
                get_link(u);
}

/* Whoever completes an upload of parts looks at it then. */
static void ask_if_same(struct upload *u)
{
        u->step = UPLOAD_WITH_MDS;
        u->ask = (struct tier_ask){ .proc = CTL_SAME,
                                    .args.same = { .file = { .fileid = u->fh.fileid,
                                                             .generation = u->fh.generation },
                                                   .change = u->args->change,
                                                   .key = u->args->key },
                                    .status = ASK_LOST,
                                    .done = said };
        tier_ask(u->worker, &u->ask);
}

/* --- the bytes */

/* A part, of which the digest is wanted: has S3 these bytes? */
static void have_digest(struct upload *u)
{
        const ctl_upload_args *a = u->args;

        sha256_end(u->pieces, u->digest);
        u->same = a->known.known_len == SHA256_BYTES &&
                  memcmp(a->known.known_val, u->digest, SHA256_BYTES) == 0;
        if (!u->same) {
                get_link(u);
                return;
        }
        metric_add(&u->worker->tier->counts.same_bytes, a->length);
        end(u, CTL_OK);
}

static void digest_some(struct timer *turn)
{
        struct upload *u = CONTAINER(turn, struct upload, turn);
        uint64_t left = u->args->length - u->digested, n = left < DIGEST_PIECE ? left : DIGEST_PIECE;

        sha256_add(u->pieces, u->bytes + u->digested, n);
        u->digested += n;
        if (u->digested == u->args->length)
                have_digest(u);
        else
                timer_start(u->worker->env, turn, 1);
}

static void take_part(struct upload *u)
{
        if (!u->args->digest) {
                get_link(u);
                return;
        }
        u->step = UPLOAD_DIGESTS;
        u->pieces = sha256_begin();
        u->turn.fire = digest_some;
        digest_some(&u->turn);
}

static void gathered(struct gather *g)
{
        struct upload *u = CONTAINER(g, struct upload, gather);

        metric_add(&u->worker->tier->counts.gathered_bytes, g->from_others);
        if (u->worker->turned_away)
                end(u, CTL_UNKNOWN);
        else if (g->why)
                failed(u, CTL_IO, S3_OK, g->why);
        else if (u->args->upload_id[0])
                take_part(u);
        else
                ask_if_same(u);
}

static void begin(struct message *msg)
{
        struct upload *u = CONTAINER(msg, struct upload, msg);
        const ctl_upload_args *a = u->args;
        struct worker *w = u->worker;

        w->busy++;
        u->since_ns = env_now(w->env);
        u->step = UPLOAD_GATHERS;
        list_init(&u->link_wait.node);
        list_push(&w->tier->uploading, &u->node);
        metric_add(&w->tier->counts.uploading, 1);
        u->bytes = malloc(a->length + 1);
        if (w->turned_away) {
                end(u, CTL_UNKNOWN);
                return;
        }
        if (!u->bytes) {
                failed(u, CTL_IO, S3_OK, "no memory");
                return;
        }
        u->gather = (struct gather){ .worker = w,
                                     .fh = u->fh,
                                     .handle = (const uint8_t *)a->handle.handle_val,
                                     .members = a->members.members_len > 0 ? a->members.members_val : NULL,
                                     .index = a->object.index,
                                     .offset = a->offset,
                                     .length = a->length,
                                     .out = u->bytes,
                                     .done = gathered };
        gather_start(&u->gather);
}

void upload_start(struct worker *w, struct upload *u)
{
        u->worker = w;
        u->error = "";
        u->msg.run = begin;
        worker_post(w->ds->workers[0], w, &u->msg);
}

void uploads_give_up(struct tier_worker *tw)
{
        LIST_FOR_EACH_SAFE(node, &tw->uploading) {
                struct upload *u = CONTAINER(node, struct upload, node);

                switch (u->step) {
                case UPLOAD_GATHERS: gather_give_up(&u->gather, "the data server is turned away"); break;
                case UPLOAD_DIGESTS:
                        timer_stop(&u->turn);
                        sha256_drop(u->pieces);
                        end(u, CTL_UNKNOWN);
                        break;
                case UPLOAD_WITH_MDS: break; /* the question ends */
                case UPLOAD_WITH_BUCKET:
                        link_cancel(&u->link_wait);
                        end(u, CTL_UNKNOWN);
                        break;
                case UPLOAD_WITH_S3:
                        s3_cancel(&u->call);
                        u->late = true;
                        end(u, CTL_UNKNOWN);
                        break;
                }
        }
}

void upload_metrics_register(struct tier_metrics *c, struct metrics *m)
{
        metric_gauge(m, &c->uploading, "nacre_ds_tier_uploading", "Uploads to S3 that are under way");
        metric_counter(m, &c->uploaded, "nacre_ds_tier_uploaded_total",
                       "Objects, and parts of objects, that S3 took");
        metric_counter(m, &c->uploaded_bytes, "nacre_ds_tier_uploaded_bytes_total", "Bytes of them");
        metric_counter(m, &c->same_bytes, "nacre_ds_tier_same_bytes_total",
                       "Bytes of parts that were not sent because S3 has them already");
        metric_counter(m, &c->gathered_bytes, "nacre_ds_tier_gathered_bytes_total",
                       "Bytes read at data servers for uploads");
        for (int i = S3_OK; i < S3_ERRORS; i++) {
                snprintf(c->upload_labels[i], sizeof(c->upload_labels[i]), "error=\"%s\"",
                         i == S3_OK ? "Unreadable" : s3_error_name((enum s3_error)i));
                metric_counter(m, &c->upload_errors[i], "nacre_ds_tier_upload_errors_total",
                               "Uploads that failed, by S3's reason");
                c->upload_errors[i].labels = c->upload_labels[i];
        }
        c->upload.name = "nacre_ds_tier_upload_seconds";
        c->upload.help = "How long uploads took, from their turn on";
        histogram_register(m, &c->upload);
}
