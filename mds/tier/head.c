/* SPDX-License-Identifier: Apache-2.0 */
/* One object that is asked about: HEAD, of a symlink GET too; what they say goes into the store in
 * told.c. */
#include <stdlib.h>

#include "base/log.h"
#include "mds/tier/heads_private.h"

#define ROUND_PAUSE_NS 1000000000ull /* doubled each time, up to: */
#define ROUND_PAUSE_MAX_NS 32000000000ull
enum { DEADLINE_MS = 20000 };

/* --- the end of one */

void head_free(struct head *head)
{
        struct heads *h = head->heads;

        list_remove(&head->node);
        timer_stop(&head->pause);
        s3_cancel(&head->call);
        h->count--;
        h->background -= head->background;
        free(head);
}

void head_tell(struct head *head, enum nfsstat4 status)
{
        struct list all = LIST_INIT(all);

        list_splice(&all, &head->waiting);
        for (struct list *node; (node = list_pop(&all));) {
                struct head_wait *w = CONTAINER(node, struct head_wait, node);

                w->done(w, status);
        }
}

static void head_end(struct head *head)
{
        struct heads *h = head->heads;
        struct list all = LIST_INIT(all);

        list_splice(&all, &head->waiting);
        head_free(head);
        for (struct list *node; (node = list_pop(&all));) {
                struct head_wait *w = CONTAINER(node, struct head_wait, node);

                w->done(w, NFS4_OK);
        }
        heads_go(h);
}

static void on_pause(struct timer *t)
{
        head_ask(CONTAINER(t, struct head, pause));
}

static void ask_again(struct head *head)
{
        uint64_t ns = ROUND_PAUSE_NS << (head->rounds < 6 ? head->rounds : 5);

        head->rounds++;
        head->pause.fire = on_pause;
        timer_start(head->heads->tier->mds->env, &head->pause,
                    ns < ROUND_PAUSE_MAX_NS ? ns : ROUND_PAUSE_MAX_NS);
}

/* S3 has answered, or is not asked any more; TARGET: it is a symlink, and that is known. */
static void settle(struct head *head, bool target)
{
        struct heads *h = head->heads;
        const struct told told = { .metadata = head->told ? &head->call.object.metadata : NULL,
                                   .description = &head->description,
                                   .refused = head->refused,
                                   .modified_ns = head->told ? head->call.object.modified_ns : 0,
                                   .is_symlink = target,
                                   .etag = head->call.object.etag,
                                   .version = head->told ? head->call.object.version_id : NULL,
                                   .target = slice_of(head->target,
                                                      target ? (uint32_t)head->call.received : 0) };
        int r = heads_told(h->tier, head->fileid, &told);

        if (r < 0) {
                head_tell(head, NFS4ERR_DELAY); /* not stored: what is in the way is logged there */
                ask_again(head);
                return;
        }
        metric_add(&h->described, (uint64_t)r);
        head_end(head);
}

/* --- what S3 says */

/* It will be otherwise later. */
static bool is_passing(enum s3_error e)
{
        return e == S3_SLOW_DOWN || e == S3_TIMED_OUT || e == S3_UNREACHABLE || e == S3_CLOCK_SKEW;
}

static void refused(struct head *head)
{
        const struct s3_result *r = &head->call.result;
        bool last = !is_passing(r->error) && head->rounds + 1 >= HEADS_ROUNDS;

        metric_add(&head->heads->failed, 1);
        log_warn("not-described", "repo=%s key=%s error=%s status=%d code=%s message=%s round=%u%s",
                 head->repo->name, head->key, s3_error_name(r->error), r->status, r->code, r->message,
                 head->rounds + 1, last ? " (owner and mode are the defaults)" : "");
        snprintf(head->repo->problem, sizeof(head->repo->problem), "%s: %s", s3_error_name(r->error),
                 r->message);
        if (!last) {
                ask_again(head);
                return;
        }
        head->description = (struct description){ 0 };
        head->told = false;
        head->refused = true;
        settle(head, false);
}

static void on_target(struct s3_call *call)
{
        struct head *head = CONTAINER(call, struct head, call);
        bool whole =
                call->result.error == S3_OK && call->received > 0 && !memchr(head->target, 0, call->received);

        head->told = call->result.error == S3_OK;
        if (is_passing(call->result.error)) {
                refused(head);
                return;
        }
        if (!whole)
                log_warn("no-target",
                         "repo=%s key=%s error=S3ObjectTypeMismatch: it says that it is a symlink",
                         head->repo->name, head->key);
        settle(head, whole);
}

static void get_target(struct head *head)
{
        char etag[S3_ETAG_BYTES];

        memcpy(etag, head->call.object.etag, sizeof(etag));
        head->room = (struct iovec){ head->target, sizeof(head->target) };
        head->call.done = on_target;
        s3_get(head->repo->s3, &head->call, head->key,
               &(struct s3_get_args){ .etag = etag, .room = &head->room, .room_count = 1 });
}

static bool is_directory(const struct head *head)
{
        return (head->fileid & FILEID_DIRECTORY) != 0;
}

static void on_head(struct s3_call *call)
{
        struct head *head = CONTAINER(call, struct head, call);
        const struct s3_object *o = &call->object;

        head->description = (struct description){ 0 };
        head->told = call->result.error == S3_OK;
        if (head->told)
                describe_read(&o->metadata, is_directory(head), &head->description);
        else if (call->result.error != S3_OBJECT_NOT_FOUND) {
                refused(head);
                return;
        }
        if (head->description.type == NF4LNK && o->size > 0 && o->size < NFS4_MAXPATH)
                get_target(head);
        else
                settle(head, false);
}

void head_ask(struct head *head)
{
        head->call.done = on_head;
        head->call.priority = head->background ? S3_SCAN : S3_DEMAND;
        head->call.deadline_ms = DEADLINE_MS;
        s3_head(head->repo->s3, &head->call, head->key);
}
