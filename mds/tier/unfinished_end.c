/* SPDX-License-Identifier: Apache-2.0 */
/* The end of uploads that nobody goes on with: which are due, and what is done about one. */
#include <stdlib.h>

#include "base/log.h"
#include "mds/tier/unfinished_private.h"

enum { ENDINGS_MAX = 16 /* at once */, CANDIDATES_MAX = 32 };
#define PASS_NS 1000000000ull   /* a pass begins at most so often */
#define LATER_NS 60000000000ull /* after an error */
#define GRACE_NS (UNFINISHED_GRACE_SECONDS * 1000000000ll)
#define SKEW_NS 900000000000ll /* by as much S3's clock may differ from ours, or it takes nothing */

/* What is done about one that nobody goes on with. */
struct ending {
        struct list node; /* in archiver->endings */
        struct archiver *archiver;
        struct repo *repo;
        struct note note;
        struct s3_call abort;
        /* not heard: the uploads that may be it */
        struct s3_upload_list uploads;
        struct s3_part_list parts;
        char ids[CANDIDATES_MAX][S3_UPLOAD_ID_BYTES];
        unsigned count, at, aborted;
        bool beyond /* its key */, full, has_parts;
};

bool unfinished_is_being_ended(const struct archiver *a, uint64_t fileid, int64_t noted)
{
        LIST_FOR_EACH(node, &a->endings) {
                const struct ending *e = CONTAINER(node, struct ending, node);

                if (e->note.fileid == fileid && e->note.noted == noted)
                        return true;
        }
        return false;
}

/* --- the end of one */

static void look_in(struct archiver *a, uint64_t ns)
{
        uint64_t now = env_now(a->mds->env), due = now + ns;

        if (due < a->upload_earliest_ns)
                due = a->upload_earliest_ns;
        if (a->stopping || (timer_running(&a->upload_timer) && a->upload_timer.due_ns <= due))
                return;
        timer_start(a->mds->env, &a->upload_timer, due - now + 1);
}

static void end(struct ending *e)
{
        s3_cancel(&e->abort);
        s3_cancel(&e->uploads.call);
        s3_cancel(&e->parts.call);
        list_remove(&e->node);
        e->archiver->ending--;
        free(e);
}

static void failed(struct ending *e, const struct s3_call *call)
{
        struct archiver *a = e->archiver;

        log_warn("upload-not-aborted", "repo=%s key=%s error=%s message=%s", e->repo->name, e->note.key,
                 s3_error_name(call->result.error), call->result.message);
        a->upload_earliest_ns = env_now(a->mds->env) + LATER_NS;
        end(e);
        look_in(a, 0);
}

/* The record becomes U, or nothing for NULL. */
static void become(struct ending *e, const struct upload_record *u)
{
        struct archiver *a = e->archiver;
        struct txn *t = txn_begin(a->mds->meta);
        uint64_t seq;

        if (u)
                note_put(t, e->note.fileid, e->note.noted, u);
        else
                note_delete(t, e->note.fileid, e->note.noted);
        txn_commit(t, &seq);
        end(e);
        look_in(a, 0);
}

/* --- one that we have heard of */

static void aborted(struct s3_call *call)
{
        struct ending *e = CONTAINER(call, struct ending, abort);
        struct upload_record u = e->note.record;

        if (call->result.error != S3_OK) {
                failed(e, call);
                return;
        }
        if (u.until != 0) { /* the second time */
                become(e, NULL);
                return;
        }
        metric_add(&e->archiver->aborted, 1);
        log_info("upload-aborted", "repo=%s key=%s", e->repo->name, e->note.key);
        u.until = unfinished_now(e->archiver) + LATE_NS;
        u.change = 0;
        become(e, &u);
}

static void abort_upload(struct ending *e, const char *upload_id, void (*done)(struct s3_call *))
{
        e->abort.priority = S3_EXPORT;
        e->abort.done = done;
        s3_upload_abort(e->repo->s3, &e->abort, e->note.key, upload_id);
}

/* --- one that we have not: which is it? */

static void next_candidate(struct ending *e);

static void empty_aborted(struct s3_call *call)
{
        struct ending *e = CONTAINER(call, struct ending, abort);

        if (call->result.error != S3_OK) {
                failed(e, call);
                return;
        }
        metric_add(&e->archiver->aborted, 1);
        log_info("upload-aborted", "repo=%s key=%s answer=lost", e->repo->name, e->note.key);
        e->aborted++;
        e->at++;
        next_candidate(e);
}

static void on_part(struct s3_part_list *list, const struct s3_part *part)
{
        (void)part;
        CONTAINER(list, struct ending, parts)->has_parts = true;
}

static void looked(struct s3_call *call)
{
        struct ending *e = CONTAINER(call, struct ending, parts.call);

        if (call->result.error == S3_OK && !e->has_parts) {
                abort_upload(e, e->ids[e->at], empty_aborted);
        } else if (call->result.error == S3_OK || call->result.error == S3_OBJECT_NOT_FOUND) {
                e->at++;
                next_candidate(e);
        } else {
                failed(e, call);
        }
}

static void list_on(struct ending *e)
{
        e->count = e->at = 0;
        s3_uploads(e->repo->s3, &e->uploads);
}

static void next_candidate(struct ending *e)
{
        if (e->at < e->count) {
                e->has_parts = false;
                e->parts.next = 0;
                s3_upload_parts(e->repo->s3, &e->parts, e->note.key, e->ids[e->at]);
        } else if (e->uploads.more && !e->beyond) {
                list_on(e);
        } else {
                become(e, e->full && e->aborted > 0 ? &e->note.record : NULL);
        }
}

struct known {
        struct slice upload_id;
        uint32_t repo;
        bool is;
};

static bool compare(void *arg, struct slice key, struct slice value)
{
        struct known *known = arg;
        struct note n;

        if (note_parse(key, value, &n) && n.record.repo == known->repo &&
            slice_equal(n.record.upload_id, known->upload_id))
                known->is = true;
        return !known->is;
}

static bool is_noted(const struct ending *e, const char *upload_id)
{
        struct known known = { .upload_id = slice_str(upload_id), .repo = e->repo->number };
        uint8_t prefix[KEY_MAX];

        return meta_scan(e->archiver->mds->meta, key_kind(prefix, 'u'), compare, &known) < 0 || known.is;
}

static void on_upload(struct s3_upload_list *list, const struct s3_upload *u)
{
        struct ending *e = CONTAINER(list, struct ending, uploads);
        const struct note *n = &e->note;
        int64_t initiated = (int64_t)u->initiated_ns;

        if (strcmp(u->key, n->key) != 0)
                e->beyond = true; /* of those that begin with it, it is the first */
        else if (initiated < n->noted - SKEW_NS || initiated > n->record.until + SKEW_NS ||
                 is_noted(e, u->upload_id))
                return;
        else if (e->count == CANDIDATES_MAX)
                e->full = true;
        else
                strcpy(e->ids[e->count++], u->upload_id);
}

static void listed(struct s3_call *call)
{
        struct ending *e = CONTAINER(call, struct ending, uploads.call);

        if (call->result.error == S3_OK)
                next_candidate(e);
        else
                failed(e, call);
}

static void look_for(struct ending *e)
{
        e->uploads.call.priority = e->parts.call.priority = S3_SCAN;
        e->uploads.call.done = listed;
        e->uploads.prefix = e->note.key;
        e->uploads.upload = on_upload;
        e->parts.call.done = looked;
        e->parts.part = on_part;
        list_on(e);
}

/* --- which are due */

static bool is_wanted(const struct archiver *a, const struct note *n)
{
        const struct upload_record *u = &n->record;
        const struct job *job = queue_find(a, n->fileid);

        if (job && job->send && job->send->noted == n->noted)
                return true;
        return note_is_heard(n) && u->until == 0 &&
               archive_is_same(a->mds, n->fileid, u->generation, u->change, u->key);
}

/* When something is to be done about N. */
static int64_t due_of(const struct note *n)
{
        return note_is_heard(n) ? n->record.until : n->record.until + GRACE_NS;
}

static void start(struct archiver *a, struct repo *repo, const struct note *n)
{
        struct ending *e = calloc(1, sizeof(*e));

        if (!e) {
                look_in(a, LATER_NS);
                return;
        }
        e->archiver = a;
        e->repo = repo;
        e->note = *n;
        note_keep(&e->note);
        list_push(&a->endings, &e->node);
        a->ending++;
        if (note_is_heard(&e->note))
                abort_upload(e, e->note.upload_id, aborted);
        else
                look_for(e);
}

static bool each(void *arg, struct slice key, struct slice value)
{
        struct archiver *a = arg;
        int64_t now = unfinished_now(a), due;
        struct repo *repo;
        struct note n;

        if (!note_parse(key, value, &n) || unfinished_is_being_ended(a, n.fileid, n.noted) ||
            is_wanted(a, &n))
                return true;
        repo = repo_by_number(a->tier, n.record.repo);
        if (!repo || repo->conf.paused)
                return true; /* archiver_go() */
        due = due_of(&n);
        if (due > now)
                look_in(a, (uint64_t)(due - now));
        else if (a->ending < ENDINGS_MAX)
                start(a, repo, &n);
        return a->ending < ENDINGS_MAX; /* each that ends looks again */
}

static void pass(struct timer *timer)
{
        struct archiver *a = CONTAINER(timer, struct archiver, upload_timer);
        uint8_t prefix[KEY_MAX];

        a->upload_earliest_ns = env_now(a->mds->env) + PASS_NS;
        if (meta_scan(a->mds->meta, key_kind(prefix, 'u'), each, a) < 0)
                look_in(a, LATER_NS);
}

void unfinished_look(struct archiver *a)
{
        look_in(a, 0);
}

void unfinished_start(struct archiver *a)
{
        list_init(&a->endings);
        a->upload_timer.fire = pass;
        look_in(a, PASS_NS);
}

void unfinished_quieten(struct archiver *a, const struct repo *r)
{
        LIST_FOR_EACH_SAFE(node, &a->endings) {
                struct ending *e = CONTAINER(node, struct ending, node);

                if (!r || e->repo == r)
                        end(e);
        }
        unfinished_look(a);
}

void unfinished_stop(struct archiver *a)
{
        timer_stop(&a->upload_timer);
        unfinished_quieten(a, NULL);
}
