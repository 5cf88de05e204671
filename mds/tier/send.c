/* SPDX-License-Identifier: Apache-2.0 */
/* One attempt: see archive_private.h. */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "mds/tier/archive_private.h"
#include "mds/tier/second.h"
#include "mds/tier/sweep.h"
#include "mds/tier/unfinished.h"

/* --- requests of our own */

static void call_done(struct s3_call *call)
{
        struct send *s = CONTAINER(call, struct send, call);

        if (!s->archiver->stopping)
                s->then(s);
}

struct s3_call *send_call(struct send *s, void (*then)(struct send *))
{
        s->then = then;
        s->call.priority = S3_EXPORT;
        s->call.done = call_done;
        return &s->call;
}

struct s3_put_args send_put_args(const struct send *s)
{
        return (struct s3_put_args){ .body = &s->body,
                                     .body_count = s->body.iov_len > 0,
                                     .metadata = &s->metadata,
                                     .if_none_match = !s->unconditional && !s->expected[0],
                                     .if_match = !s->unconditional && s->expected[0] ? s->expected : NULL };
}

void send_free(struct send *s)
{
        list_remove(&s->node);
        s3_cancel(&s->call);
        timer_stop(&s->turn);
        list_remove(&s->durable.node);
        list_remove(&s->size.node);
        if (s->parts)
                parts_free(s->parts);
        free(s);
}

void send_refused(struct send *s, enum archive_error error, const char *message)
{
        bool missing = error == (enum archive_error)S3_OBJECT_NOT_FOUND && s->expected[0];

        if (error == (enum archive_error)S3_PRECONDITION_FAILED || missing) {
                s->refused = true;
                conflict_look(s);
        } else if (error == (enum archive_error)S3_NOT_IMPLEMENTED && !s->unconditional) {
                s->repo->unconditional = true;
                conflict_look(s);
        } else {
                send_ended(s, error, message);
        }
}

/* --- durable before it is begun */

static void marked(struct durable_wait *w)
{
        struct send *s = CONTAINER(w, struct send, durable);

        if (!s->archiver->stopping)
                s->then(s);
}

void send_commit(struct send *s, struct txn *t, void (*then)(struct send *))
{
        s->then = then;
        s->durable.done = marked;
        if (txn_commit(t, &s->durable.seq) < 0)
                send_ended(s, ARCHIVE_AGAIN, "");
        else
                mds_when_durable(s->archiver->mds, &s->durable);
}

void send_mark(struct send *s, void (*then)(struct send *))
{
        struct archiver *a = s->archiver;
        uint8_t space[RECORD_MAX];
        struct queue_record q;
        struct txn *t;

        if (queue_read(a->mds, s->fileid, space, &q) < 0) {
                send_ended(s, ARCHIVE_AGAIN, "");
                return;
        }
        t = txn_begin(a->mds->meta);
        if (q.what & QUEUE_SENT && !slice_equal(q.sent_key, slice_str(s->key)) &&
            !(s->etag[0] && slice_equal(q.sent_key, slice_str(s->old_key)))) /* an earlier attempt's */
                tomb_ripen(a, t, s->repo->number, q.sent_key, s->fileid);
        q.what |= QUEUE_SENT;
        q.sent_key = slice_str(s->key);
        queue_put(t, s->fileid, &q);
        send_commit(s, t, then);
}

/* --- the end */

/* Is INODE, the file, what was sent? A directory's change attribute moves with each name in it, and that
 * stamps both times; what else is changed moves ctime alone. */
static bool is_same(const struct send *s, const struct inode *inode)
{
        if (inode->type != NF4DIR)
                return inode->change == s->change;
        return inode->mode == s->mode && inode->uid == s->uid && inode->gid == s->gid &&
               (inode->ctime == s->ctime || inode->ctime == inode->mtime);
}

/* In T, with the inode's and the queue's present state; SAME: the file is what was sent. True: nothing is
 * left to be done. */
static bool note_arrival(struct send *s, struct txn *t, struct inode *inode, struct queue_record *q,
                         struct backing *b, bool same)
{
        struct archiver *a = s->archiver;
        bool renamed = strcmp(s->key, s->old_key) != 0;
        uint8_t key[KEY_MAX];

        if (renamed)
                tomb_ripen(a, t, s->repo->number, slice_str(s->old_key), s->fileid);
        if (inode->type != NF4DIR)
                b->key = slice_str(s->key);
        parts_note(s, t, b);
        if (s->arrived_version[0] || !slice_equal(b->etag, slice_str(s->arrived)))
                b->version = slice_str(s->arrived_version);
        b->etag = slice_str(s->arrived);
        b->size = b->valid = s->bytes;
        b->modified = (int64_t)env_wall(a->mds->env);
        b->change = s->change;
        b->flags &= (uint8_t)~BACKING_LOST;
        if (q->what & QUEUE_SENT) {
                late_note(s, b);
                b->flags = (uint8_t)((b->flags & ~(BACKING_TOLD | BACKING_BARE | BACKING_BELIEVED)) |
                                     BACKING_SENT);
        }
        manifest_note(a->tier, t, s->repo, slice_str(s->key));
        tier_put_backing(t, inode, b);
        txn_delete(t, key_tomb(key, s->repo->number, slice_str(s->key)));
        unfinished_over(s, t);
        q->what &= (uint8_t)~QUEUE_SENT;
        if (q->what & QUEUE_NAME && slice_equal(inode->type == NF4DIR ? b->key : q->key, slice_str(s->key)))
                q->what &= (uint8_t)~QUEUE_NAME;
        if (q->what & QUEUE_NAME) { /* renamed meanwhile */
                tomb_reserve(a, t, b, slice_str(s->key), s->fileid, true, false);
                if (inode->type == NF4DIR)
                        q->key = slice_str(s->key);
        }
        if (same && !(q->what & QUEUE_NAME)) {
                queue_delete(t, s->fileid);
                return true;
        }
        q->failed = 0;
        q->sent_key = slice_str("");
        queue_put(t, s->fileid, q);
        return false;
}

/* The file was removed while it was sent: the tombstone that is there knows the file, not the ETag. */
static void arrived_too_late(struct send *s)
{
        struct archiver *a = s->archiver;
        struct txn *t = txn_begin(a->mds->meta);
        uint64_t seq;

        queue_delete(t, s->fileid);
        unfinished_over(s, t);
        txn_commit(t, &seq);
        send_ended(s, ARCHIVE_OK, "");
}

/* The file, and what backs it, is it what was sent at a second name? S3 has all of it then. */
static bool is_copied(const struct send *s, const struct inode *file, const struct backing *b)
{
        return is_same(s, file) && b->change == file->change &&
               slice_equal(b->etag, slice_str(s->source_etag)) &&
               !archive_is_pending(s->archiver->mds, s->file);
}

/* S3 has what was sent. What else is of the same file may go there as well. */
static void seconds_follow(struct send *s, const struct inode *inode)
{
        if (!send_is_second(s) && inode->type != NF4DIR && inode->nlink > 1)
                seconds_hurry(s->archiver, s->fileid);
}

static void commit_arrival(struct send *s)
{
        struct archiver *a = s->archiver;
        uint8_t space[RECORD_MAX], record[RECORD_MAX], file_record[RECORD_MAX], kept[BACKING_KEPT_BYTES];
        struct queue_record q = { 0 };
        const struct inode *now, *file;
        struct inode *inode;
        struct backing b, of_file;
        struct txn *t;
        uint64_t seq;
        bool whole;

        if (meta_inode(a->mds->meta, s->fileid, &now) < 0 || now->nlink == 0 ||
            tier_backing(a->mds, now, record, &b) < 0 || meta_inode(a->mds->meta, s->file, &file) < 0 ||
            tier_backing(a->mds, file, file_record, &of_file) < 0) {
                arrived_too_late(s);
                return;
        }
        b.kept = slice_of(kept, send_is_second(s) ? 0 : describe_keep(&s->metadata, kept));
        queue_read(a->mds, s->fileid, space, &q);
        t = txn_begin(a->mds->meta);
        inode = txn_edit(t, s->fileid);
        CHECK(inode != NULL); /* it was read just now */
        whole = note_arrival(s, t, inode, &q, &b,
                             send_is_second(s) ? is_copied(s, file, &of_file) : is_same(s, inode));
        if (s->renews && !send_is_second(s) && inode->type != NF4DIR && inode->nlink > 1)
                seconds_renew(a, t, s->fileid);
        if (txn_commit(t, &seq) < 0) {
                send_ended(s, ARCHIVE_AGAIN, "");
                return;
        }
        s->job->seen = 0;
        s->job->attempts = 0;
        s->job->first_ns = env_now(a->mds->env);
        s->repo->problem[0] = '\0';
        sweep_heard(s->repo, s->key);
        sweep_heard(s->repo, s->old_key);
        metric_add(&a->sent, 1);
        metric_add(&a->sent_bytes, s->bytes);
        if (whole)
                histogram_add(&a->lag, s->job->first_ns - s->job->touched_ns);
        log_debug("archived", "key=%s bytes=%llu etag=%s whole=%d", s->key, (unsigned long long)s->bytes,
                  s->arrived, whole);
        seconds_follow(s, now);
        send_ended(s, ARCHIVE_OK, "");
}

void send_stamp(struct send *s)
{
        memcpy(s->arrived, s->etag, sizeof(s->arrived));
        s->arrived_version[0] = '\0';
        commit_arrival(s);
}

static void heard_again(struct size_wait *w, enum nfsstat4 status)
{
        struct send *s = CONTAINER(w, struct send, size);

        if (s->archiver->stopping)
                return;
        if (status == NFS4_OK || status == NFS4ERR_STALE)
                commit_arrival(s);
        else
                send_ended(s, ARCHIVE_NO_SERVER,
                           "a data server cannot be asked whether the file has changed");
}

void send_arrived(struct send *s, const char *etag)
{
        send_arrived_as(s, etag, "");
}

void send_arrived_as(struct send *s, const char *etag, const char *version)
{
        snprintf(s->arrived, sizeof(s->arrived), "%s", etag);
        snprintf(s->arrived_version, sizeof(s->arrived_version), "%s", version);
        if (s->type != NF4REG) {
                commit_arrival(s);
                return;
        }
        s->size.done = heard_again;
        size_wait(s->archiver->mds->sizes, s->file, &s->size);
}

/* --- the content: by us, by one data server, or as a multipart upload */

static void put_by_us(struct send *s)
{
        send_heard(s, s3_may_come_late(&s->call));
        if (s->call.result.error == S3_OK)
                send_arrived_as(s, s->call.object.etag, s->call.object.version_id);
        else
                send_refused(s, (enum archive_error)s->call.result.error, s->call.result.message);
}

bool send_answered(struct send *s)
{
        bool wanted = !s->abandoned;

        s->under_way--;
        if (!wanted && s->under_way == 0)
                send_free(s);
        return wanted && !s->archiver->stopping;
}

static void put_by_server(void *arg, struct server *server, void *result)
{
        struct send *s = arg;
        const ctl_upload_res *r = result;
        enum archive_error error;
        char message[256];

        (void)server;
        if (!send_answered(s))
                return;
        send_heard(s, !r || r->late);
        error = upload_error(r, message);
        if (r && error == ARCHIVE_OK)
                send_arrived_as(s, r->etag, r->version_id);
        else
                send_refused(s, error, message);
}

/* The data server that can put all of the file at once; false: it is sent in parts. */
static bool find_only(const struct inode *file, uint32_t *ret)
{
        const struct stripe stripe = inode_stripe(file);

        *ret = stripe_index(stripe, 0);
        return file->size <= file->unit ||
               (file->width == 1 && file->size <= s3_part_bytes(file->size, file->unit));
}

void send_content(struct send *s)
{
        const struct inode *file;
        struct s3_put_args args = send_put_args(s);
        struct upload u = { 0 };
        int r;

        if (meta_inode(s->archiver->mds->meta, s->file, &file) < 0) {
                send_ended(s, ARCHIVE_AGAIN, "");
                return;
        }
        if (s->bytes == 0 || s->type != NF4REG) {
                s3_put(s->repo->s3, send_call(s, put_by_us), s->key, &args);
                return;
        }
        if (!find_only(file, &u.index)) {
                parts_begin(s);
                return;
        }
        u.file = file;
        u.length = s->bytes;
        r = upload_call(s, &u, put_by_server, s);
        if (r < 0)
                send_ended(s, ARCHIVE_NO_SERVER, "the data server that has it is away");
        else
                s->under_way++;
}
