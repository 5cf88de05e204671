/* SPDX-License-Identifier: Apache-2.0 */
/* A new name, new metadata or a second name: a copy inside S3. */
#include "mds/tier/archive_private.h"
#include "mds/tier/restore.h"

#define HERE_PAUSE_NS 5000000000ull

/* ERROR: it cannot be copied, or the source is not what it was: the content goes instead, if it is here. */
static void no_source(struct send *s, enum s3_error error)
{
        struct archiver *a = s->archiver;
        const struct inode *file;
        bool is_there = error == S3_NOT_IMPLEMENTED || error == S3_TOO_LARGE;

        if (meta_inode(a->mds->meta, s->file, &file) < 0) {
                send_ended(s, ARCHIVE_AGAIN, "");
        } else if (file->flags & INODE_COLD && is_there) {
                s->pause_ns = HERE_PAUSE_NS;
                restore_file(a->mds, s->file);
                send_ended(s, ARCHIVE_AGAIN, "");
        } else if (file->flags & INODE_COLD) {
                send_ended(s, (enum archive_error)S3_OBJECT_NOT_FOUND,
                           "its object is gone or changed, and its content is not here");
        } else {
                s->go = send_content;
                if (strcmp(s->key, s->old_key) == 0)
                        conflict_look(s);
                else
                        send_content(s);
        }
}

static void copied(struct send *s)
{
        enum s3_error error = s->call.result.error;

        send_heard_copy(s);
        if (error == S3_OK)
                send_arrived_as(s, s->call.object.etag, s->call.object.version_id);
        else if (error == S3_OBJECT_CHANGED || error == S3_OBJECT_NOT_FOUND || error == S3_NOT_IMPLEMENTED ||
                 error == S3_TOO_LARGE || error == S3_PRECONDITION_FAILED)
                no_source(s, error);
        else
                send_refused(s, (enum archive_error)error, s->call.result.message);
}

/* Not every store heeds the condition of a copy. */
static void copy_source(struct send *s)
{
        const struct s3_put_args args = { .metadata = &s->metadata };

        if (s->call.result.error == S3_OBJECT_NOT_FOUND ||
            (s->call.result.error == S3_OK && strcmp(s->call.object.etag, s->source_etag) != 0))
                no_source(s, S3_OBJECT_CHANGED);
        else if (s->call.result.error != S3_OK)
                send_refused(s, (enum archive_error)s->call.result.error, s->call.result.message);
        else
                s3_copy(s->repo->s3, send_call(s, copied), s->source, s->source_etag, s->key, &args);
}

void send_copy(struct send *s)
{
        s3_head(s->repo->s3, send_call(s, copy_source), s->source);
}
