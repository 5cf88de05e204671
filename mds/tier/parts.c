/* SPDX-License-Identifier: Apache-2.0 */
/* A file that several data servers have, or that is large: they send parts of it in turns, and those that are
 * in S3 already are copied there (parts_copy.c). What is completed is what the file was when the upload was
 * begun and when the last part had arrived; else it is aborted, and nobody has seen it. What fails for
 * another reason is gone on with by the next attempt, with the parts that S3 has then. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "mds/tier/parts_private.h"
#include "mds/tier/unfinished.h"

enum { PARTS_AT_ONCE = 16, PARTS_A_SERVER = 2, COPIES_AT_ONCE = 16 };

void parts_cancel(struct parts *p)
{
        s3_cancel(&p->there.call);
        s3_cancel(&p->complete.call);
        parts_cancel_copies(p);
}

void parts_free(struct parts *p)
{
        parts_cancel(p);
        digests_free(&p->old);
        digests_free(&p->digests);
        free(p->list);
        free(p->parts);
        free(p);
}

/* --- not */

/* May another attempt go on with what S3 has, after this error? */
static bool leaves_parts(enum archive_error e)
{
        switch ((int)e) {
        case ARCHIVE_NO_SERVER:
        case ARCHIVE_UNREADABLE:
        case S3_ACCESS_DENIED:
        case S3_SLOW_DOWN:
        case S3_TIMED_OUT:
        case S3_UNREACHABLE:
        case S3_CLOCK_SKEW:
        case S3_INTERNAL: return true;
        default: return false;
        }
}

/* S goes on, if it does, with all of the content. */
static void drop_parts(struct send *s)
{
        parts_free(s->parts);
        s->parts = NULL;
        s->go = send_content;
}

static void give_up(struct send *s, enum archive_error error, const char *why)
{
        char message[256];

        snprintf(message, sizeof(message), "%s", why); /* which may be the parts' */
        if (!leaves_parts(error))
                unfinished_give_up(s);
        drop_parts(s);
        send_refused(s, error, message);
}

static void s3_failed(struct send *s, const struct s3_result *r)
{
        give_up(s, (enum archive_error)r->error, r->message);
}

/* S3 does not know it any more: somebody has aborted it, or it was completed, and nobody has heard so. */
static void is_gone(struct send *s)
{
        struct txn *t = txn_begin(s->archiver->mds->meta);
        uint64_t seq;

        unfinished_over(s, t);
        txn_commit(t, &seq);
        drop_parts(s);
        conflict_look(s);
}

/* --- together */

static void completed(struct s3_call *call)
{
        struct s3_complete *c = CONTAINER(call, struct s3_complete, call);
        struct send *s = CONTAINER(c, struct parts, complete)->send;
        const struct s3_result *r = &call->result;

        if (s->archiver->stopping)
                return;
        send_heard(s, s3_may_come_late(call));
        if (r->error == S3_OK)
                send_arrived_as(s, call->object.etag, call->object.version_id);
        else if (r->error == S3_OBJECT_NOT_FOUND)
                is_gone(s);
        else if (!s->unconditional && (r->error == S3_PRECONDITION_FAILED || r->error == S3_NOT_IMPLEMENTED))
                send_refused(s, (enum archive_error)r->error, r->message); /* and once more */
        else
                s3_failed(s, r);
}

/* What was copied may be of an object that is not what the file was: all of it is sent. */
static void begin_anew(struct send *s)
{
        s->whole = true;
        unfinished_give_up(s);
        drop_parts(s);
}

static void complete(struct send *s)
{
        const struct s3_put_args args = send_put_args(s);
        struct parts *p = s->parts;

        if (p->copied && !parts_is_renamed(s) && strcmp(s->expected, s->etag) != 0) {
                begin_anew(s);
                send_content(s);
                return;
        }
        p->complete.call.priority = S3_EXPORT;
        p->complete.call.done = completed;
        p->complete.parts = p->list;
        p->complete.count = p->count;
        p->complete.size = s->bytes;
        p->complete.if_none_match = args.if_none_match;
        p->complete.if_match = args.if_match;
        s3_upload_complete(s->repo->s3, &p->complete, s->key, s->upload_id);
}

/* --- is the object that parts are copied of still there? */

/* No, as S's HEAD says: it may be a conflict. */
static void leave_source(struct send *s)
{
        const struct s3_result *r = &s->call.result;

        if (r->error != S3_OK && r->error != S3_OBJECT_NOT_FOUND) {
                s3_failed(s, r);
                return;
        }
        begin_anew(s);
        if (parts_is_renamed(s))
                send_content(s);
        else
                conflict_look(s);
}

static bool has_source(const struct send *s)
{
        return s->call.result.error == S3_OK && strcmp(s->call.object.etag, s->etag) == 0;
}

static void look_at_source(struct send *s, void (*then)(struct send *))
{
        s3_head(s->repo->s3, send_call(s, then), s->old_key);
}

/* A copy was refused: if that is so without a condition, too, it is of no use to ask again. */
static void looked_in_doubt(struct send *s)
{
        if (!has_source(s)) {
                leave_source(s);
                return;
        }
        s->parts->doubted = false;
        if (!s->whole) {
                s->whole = s->repo->no_copy_conditions;
                s->repo->no_copy_conditions = true;
        }
        parts_go_on(s);
}

static void looked_at_end(struct send *s)
{
        if (!has_source(s)) {
                leave_source(s);
                return;
        }
        s->go = complete;
        conflict_look(s);
}

/* Not every store heeds the conditions of a complete: it is looked at before, too. */
static void heard(struct size_wait *w, enum nfsstat4 status)
{
        struct send *s = CONTAINER(w, struct send, size);
        const struct inode *inode;

        if (s->archiver->stopping)
                return;
        if (status != NFS4_OK)
                give_up(s, ARCHIVE_NO_SERVER, "a data server cannot be asked whether the file has changed");
        else if (meta_inode(s->archiver->mds->meta, s->file, &inode) < 0 || inode->change != s->change)
                give_up(s, ARCHIVE_AGAIN, "");
        else if (s->parts->copied && parts_is_renamed(s))
                look_at_source(s, looked_at_end);
        else {
                s->go = complete;
                conflict_look(s);
        }
}

/* --- the parts */

static void take_answer(struct part *part, const ctl_upload_res *r)
{
        struct parts *p = part->send->parts;
        unsigned i = part->number - 1;
        enum archive_error error;
        char message[256];

        if (r && r->status == CTL_OK && r->digest.digest_len == DIGEST_BYTES && p->digests.list)
                memcpy(p->digests.list[i], r->digest.digest_val, DIGEST_BYTES);
        if (r && r->status == CTL_OK && r->same && part->offered) {
                parts_copy(part);
                return;
        }
        part->under_way = false;
        error = upload_error(r, message);
        if (r && error == ARCHIVE_OK) {
                snprintf(p->list[i].etag, S3_ETAG_BYTES, "%s", r->etag);
        } else if (p->error == ARCHIVE_OK) {
                p->error = error;
                memcpy(p->message, message, sizeof(p->message));
        }
}

static void part_done(void *arg, struct server *server, void *result)
{
        struct part *part = arg;
        struct send *s = part->send;

        (void)server;
        if (!send_answered(s))
                return;
        take_answer(part, result);
        parts_go_on(s);
}

static int begin_part(struct send *s, const struct inode *file, unsigned i)
{
        struct parts *p = s->parts;
        struct upload u = { .file = file,
                            .index = i % file->width,
                            .offset = i * p->part_bytes,
                            .length = p->list[i].size,
                            .upload_id = s->upload_id,
                            .part = i + 1,
                            .known = parts_known(s, i) };
        int r;

        u.digest = p->digests.list || u.known;
        r = upload_call(s, &u, part_done, &p->parts[i]);
        if (r < 0)
                return r;
        p->parts[i].under_way = true;
        p->parts[i].offered = u.known != NULL;
        s->under_way++;
        return 0;
}

static bool is_to_be_begun(const struct parts *p, unsigned i)
{
        return !p->list[i].etag[0] && !p->parts[i].under_way;
}

void parts_go_on(struct send *s)
{
        struct parts *p = s->parts;
        const struct inode *file;

        if (p->error == ARCHIVE_OK &&
            (meta_inode(s->archiver->mds->meta, s->file, &file) < 0 || file->change != s->change))
                p->error = ARCHIVE_AGAIN;
        for (; p->error == ARCHIVE_OK && !p->doubted && p->begun < p->count && s->under_way < p->at_once &&
               p->copying < COPIES_AT_ONCE;
             p->begun++)
                if (is_to_be_begun(p, p->begun) && begin_part(s, file, p->begun) < 0) {
                        p->error = ARCHIVE_NO_SERVER;
                        snprintf(p->message, sizeof(p->message), "a data server that has some of it is away");
                }
        if (s->under_way + p->copying > 0)
                return;
        if (p->doubted) {
                look_at_source(s, looked_in_doubt);
        } else if (p->error == (enum archive_error)S3_OBJECT_NOT_FOUND) {
                is_gone(s);
        } else if (p->error != ARCHIVE_OK) {
                give_up(s, p->error, p->message);
        } else {
                s->size.done = heard;
                size_wait(s->archiver->mds->sizes, s->file, &s->size);
        }
}

/* --- the upload: a new one */

static void created(struct send *s)
{
        if (s->call.result.error == S3_OK) {
                unfinished_heard(s, parts_go_on);
                return;
        }
        unfinished_refused(s);
        s3_failed(s, &s->call.result);
}

static void create(struct send *s)
{
        const struct s3_put_args args = { .metadata = &s->metadata };

        s3_upload_create(s->repo->s3, send_call(s, created), s->key, &args);
}

/* --- or one that was begun before */

static void on_part(struct s3_part_list *list, const struct s3_part *part)
{
        struct parts *p = CONTAINER(list, struct parts, there);

        if (part->number > p->count || part->size != p->list[part->number - 1].size)
                return;
        p->list[part->number - 1] = *part;
        p->copied |= p->send->etag[0] != '\0'; /* for all we know */
}

/* Who may not ask sends them all again. */
static bool may_not_ask(enum s3_error e)
{
        return e == S3_ACCESS_DENIED || e == S3_NOT_IMPLEMENTED;
}

static void listed(struct s3_call *call)
{
        struct parts *p = CONTAINER(call, struct parts, there.call);
        struct send *s = p->send;
        enum s3_error error = call->result.error;

        if (s->archiver->stopping)
                return;
        if (error == S3_OBJECT_NOT_FOUND) {
                is_gone(s);
        } else if (error != S3_OK && !may_not_ask(error)) {
                s3_failed(s, &call->result);
        } else if (p->there.more) {
                s3_upload_parts(s->repo->s3, &p->there, s->key, s->upload_id);
        } else {
                log_info("archive-goes-on", "repo=%s key=%s", s->repo->name, s->key);
                parts_go_on(s);
        }
}

static void go_on(struct send *s)
{
        struct parts *p = s->parts;

        p->there.call.priority = S3_EXPORT;
        p->there.call.done = listed;
        p->there.part = on_part;
        s3_upload_parts(s->repo->s3, &p->there, s->key, s->upload_id);
}

/* --- */

static uint64_t count_of(const struct send *s, uint64_t part_bytes)
{
        return (s->bytes + part_bytes - 1) / part_bytes;
}

static uint64_t part_bytes_of(const struct send *s, const struct parts *p, const struct inode *file,
                              bool goes_on)
{
        if (goes_on && s->part_bytes > 0)
                return s->part_bytes;
        return parts_length(s->bytes, file->unit, goes_on ? 0 : p->old.part_bytes);
}

/* What each is to be; GOES_ON: in an upload that was begun. False: no memory. */
static bool plan(struct send *s, struct parts *p, const struct inode *file, bool goes_on)
{
        p->send = s;
        parts_look_back(s, p);
        p->part_bytes = s->part_bytes = part_bytes_of(s, p, file, goes_on);
        p->count = (unsigned)count_of(s, p->part_bytes);
        p->at_once =
                PARTS_A_SERVER * file->width < PARTS_AT_ONCE ? PARTS_A_SERVER * file->width : PARTS_AT_ONCE;
        p->list = calloc(p->count, sizeof(*p->list));
        p->parts = calloc(p->count, sizeof(*p->parts));
        if (p->count > 1 && !send_is_second(s) &&
            !digests_make(&p->digests, s->bytes, p->part_bytes, p->count))
                return false;
        for (unsigned i = 0; p->list && p->parts && i < p->count; i++) {
                uint64_t rest = s->bytes - i * p->part_bytes;

                p->list[i].number = i + 1;
                p->list[i].size = rest < p->part_bytes ? rest : p->part_bytes;
                p->parts[i] = (struct part){ .send = s, .number = i + 1 };
        }
        return p->list && p->parts;
}

void parts_begin(struct send *s)
{
        struct parts *p = s->parts = calloc(1, sizeof(*p));
        const struct inode *file;
        bool goes_on = unfinished_find(s);

        if (p)
                list_init(&p->copies);
        if (!p || meta_inode(s->archiver->mds->meta, s->file, &file) < 0 || !plan(s, p, file, goes_on))
                send_ended(s, ARCHIVE_AGAIN, "");
        else if (goes_on)
                go_on(s);
        else
                unfinished_note(s, create);
}

void parts_note(struct send *s, struct txn *t, const struct backing *before)
{
        const struct digests *d = s->parts ? &s->parts->digests : NULL;
        struct digests old;

        if (send_is_second(s) || slice_equal(before->etag, slice_str(s->arrived)))
                return;
        if (d && d->list) {
                digests_put(t, s->fileid, s->arrived, d);
        } else if (before->size > S3_PART_MIN_BYTES) { /* there may be some */
                bool copied =
                        s->go == send_copy && digests_read(s->archiver->mds, s->fileid, s->source_etag, &old);

                digests_put(t, s->fileid, s->arrived, copied ? &old : NULL);
                if (copied)
                        digests_free(&old);
        }
}
