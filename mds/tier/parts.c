/* SPDX-License-Identifier: Apache-2.0 */
/* A file that several data servers have: they send parts of it in turns. What is completed is what the file
 * was when it began and when the last part had arrived; else it is aborted, and nobody has seen it. */
#include <errno.h>
#include <stdlib.h>

#include "mds/tier/archive_private.h"

enum { PARTS_AT_ONCE = 16, PARTS_A_SERVER = 2 };

struct part {
        struct send *send;
        unsigned number; /* 1.. */
};
struct parts {
        struct send *send;
        struct s3_complete complete;
        uint64_t part_bytes;
        unsigned count, begun, at_once;
        enum archive_error error; /* the first */
        char message[256];
        struct s3_part *list;
        struct part *parts;
};

void parts_free(struct parts *p)
{
        s3_cancel(&p->complete.call);
        free(p->list);
        free(p->parts);
        free(p);
}

static void next_parts(struct send *s);

/* --- not */

static void aborted(struct send *s)
{
        struct parts *p = s->parts;
        enum archive_error error = p->error;
        char message[256];

        memcpy(message, p->message, sizeof(message));
        s->parts = NULL;
        parts_free(p);
        s->go = parts_begin;
        send_refused(s, error, message);
}

static void abort_upload(struct send *s, enum archive_error error, const char *message)
{
        struct parts *p = s->parts;

        p->error = error;
        snprintf(p->message, sizeof(p->message), "%s", message);
        s3_upload_abort(s->repo->s3, send_call(s, aborted), s->key, s->upload_id);
}

/* --- together */

static void completed(struct s3_call *call)
{
        struct s3_complete *c = CONTAINER(call, struct s3_complete, call);
        struct send *s = CONTAINER(c, struct parts, complete)->send;

        if (s->archiver->stopping)
                return;
        if (call->result.error == S3_OK)
                send_arrived(s, call->object.etag);
        else
                abort_upload(s, (enum archive_error)call->result.error, call->result.message);
}

static void complete(struct send *s)
{
        const struct s3_put_args args = send_put_args(s);
        struct parts *p = s->parts;

        p->complete.call.priority = S3_EXPORT;
        p->complete.call.done = completed;
        p->complete.parts = p->list;
        p->complete.count = p->count;
        p->complete.size = s->bytes;
        p->complete.if_none_match = args.if_none_match;
        p->complete.if_match = args.if_match;
        s3_upload_complete(s->repo->s3, &p->complete, s->key, s->upload_id);
}

/* Not every store heeds the conditions of a complete: it is looked at before, too. */
static void heard(struct size_wait *w, enum nfsstat4 status)
{
        struct send *s = CONTAINER(w, struct send, size);
        const struct inode *inode;

        if (s->archiver->stopping)
                return;
        if (status != NFS4_OK)
                abort_upload(s, ARCHIVE_NO_SERVER,
                             "a data server cannot be asked whether the file has changed");
        else if (meta_inode(s->archiver->mds->meta, s->fileid, &inode) < 0 || inode->change != s->change)
                abort_upload(s, ARCHIVE_AGAIN, "");
        else {
                s->go = complete;
                conflict_look(s);
        }
}

/* --- the parts */

static void part_over(struct send *s)
{
        struct parts *p = s->parts;

        if (p->error != ARCHIVE_OK) {
                if (s->under_way == 0)
                        abort_upload(s, p->error, p->message);
        } else if (p->begun < p->count) {
                next_parts(s);
        } else if (s->under_way == 0) {
                s->size.done = heard;
                size_wait(s->archiver->mds->sizes, s->fileid, &s->size);
        }
}

static void part_done(void *arg, struct server *server, void *result)
{
        struct part *part = arg;
        struct send *s = part->send;
        const ctl_upload_res *r = result;
        struct parts *p = s->parts;
        enum archive_error error;
        char message[256];

        (void)server;
        if (!send_answered(s))
                return;
        error = upload_error(r, message);
        if (error == ARCHIVE_OK) {
                snprintf(p->list[part->number - 1].etag, S3_ETAG_BYTES, "%s", r->etag);
        } else if (p->error == ARCHIVE_OK) {
                p->error = error;
                memcpy(p->message, message, sizeof(p->message));
        }
        part_over(s);
}

static int begin_part(struct send *s, const struct inode *file)
{
        struct parts *p = s->parts;
        unsigned i = p->begun;
        struct upload u = { .file = file,
                            .index = i % file->width,
                            .offset = i * p->part_bytes,
                            .upload_id = s->upload_id,
                            .part = i + 1 };
        int r;

        u.length = s->bytes - u.offset < p->part_bytes ? s->bytes - u.offset : p->part_bytes;
        p->list[i].number = i + 1;
        p->list[i].size = u.length;
        p->parts[i] = (struct part){ s, i + 1 };
        r = upload_call(s, &u, part_done, &p->parts[i]);
        if (r < 0)
                return r;
        p->begun++;
        s->under_way++;
        return 0;
}

static void next_parts(struct send *s)
{
        struct parts *p = s->parts;
        const struct inode *file;

        if (meta_inode(s->archiver->mds->meta, s->fileid, &file) < 0 || file->change != s->change)
                p->error = ARCHIVE_AGAIN;
        while (p->error == ARCHIVE_OK && p->begun < p->count && s->under_way < p->at_once)
                if (begin_part(s, file) < 0) {
                        p->error = ARCHIVE_NO_SERVER;
                        snprintf(p->message, sizeof(p->message), "a data server that has some of it is away");
                }
        if (p->error != ARCHIVE_OK && s->under_way == 0)
                abort_upload(s, p->error, p->message);
}

static void created(struct send *s)
{
        const struct s3_result *r = &s->call.result;

        if (r->error != S3_OK) {
                send_refused(s, (enum archive_error)r->error, r->message);
                return;
        }
        snprintf(s->upload_id, sizeof(s->upload_id), "%s", s->call.upload_id);
        send_mark(s, s->upload_id, next_parts);
}

void parts_begin(struct send *s)
{
        const struct s3_put_args args = { .metadata = &s->metadata };
        struct parts *p = s->parts = calloc(1, sizeof(*p));
        const struct inode *file;

        if (!p || meta_inode(s->archiver->mds->meta, s->fileid, &file) < 0) {
                send_ended(s, ARCHIVE_AGAIN, "");
                return;
        }
        p->send = s;
        p->part_bytes = s3_part_bytes(s->bytes, file->unit);
        p->count = (unsigned)((s->bytes + p->part_bytes - 1) / p->part_bytes);
        p->at_once =
                PARTS_A_SERVER * file->width < PARTS_AT_ONCE ? PARTS_A_SERVER * file->width : PARTS_AT_ONCE;
        p->list = calloc(p->count, sizeof(*p->list));
        p->parts = calloc(p->count, sizeof(*p->parts));
        if (p->list && p->parts)
                s3_upload_create(s->repo->s3, send_call(s, created), s->key, &args);
        else
                send_ended(s, ARCHIVE_AGAIN, "");
}
