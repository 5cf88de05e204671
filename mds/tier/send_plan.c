/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning of an attempt: what is to be done, and may it be done now? */
#include <errno.h>

#include "mds/tier/archive_private.h"
#include "mds/tier/heads.h"
#include "mds/tier/restore.h"

#define SECOND_PAUSE_NS 60000000000ull

static void go(struct send *s)
{
        bool moves = strcmp(s->key, s->old_key) != 0;

        /* A copy knows no condition for its target, and not every store one of a write. */
        if (!s->unconditional && ((s->go == send_copy && (moves || send_is_second(s))) ||
                                  (s->go == send_content && s->repo->unconditional)))
                conflict_look(s);
        else
                s->go(s);
}

/* False: somebody else needs what is there. */
static bool find_expected(struct send *s)
{
        struct mds *mds = s->archiver->mds;
        uint8_t space[RECORD_MAX];
        struct tomb_record z = { 0 };
        bool has_tomb = tomb_read(mds, s->repo->number, slice_str(s->key), space, &z) == 0;
        int64_t late = tomb_late_deletion(&z), now = (int64_t)env_wall(mds->env);

        if (late > now) { /* it may be deleted yet */
                s->pause_ns = (uint64_t)(late - now);
                return false;
        }
        if (s->type == NF4DIR) {
                s->unconditional = true; /* it says nothing that could be lost */
                return true;
        }
        if (s->etag[0] && strcmp(s->key, s->old_key) == 0) {
                memcpy(s->expected, s->etag, sizeof(s->expected));
                return true;
        }
        if (!has_tomb)
                return true;
        if (z.fileid != s->fileid && send_needs_key(s->archiver, z.fileid, s->key))
                return false;
        slice_text(s->expected, sizeof(s->expected), z.etag);
        return true;
}

static bool read_target(struct send *s)
{
        int length = meta_symlink(s->archiver->mds->meta, s->file, s->target);

        if (length < 0)
                return false;
        s->body = (struct iovec){ s->target, (size_t)length };
        s->bytes = (uint64_t)length;
        return true;
}

/* The data servers know which units are here by the ETag of the object that the others are in: as long as
 * some are not here that must not become another. */
static void wait_until_here(struct send *s)
{
        restore_file(s->archiver->mds, s->fileid);
        send_ended(s, ARCHIVE_AGAIN, "");
}

/* What INODE, the file, is; B: what backs FILEID. */
static void fill_in(struct send *s, const struct inode *inode, const struct queue_record *q,
                    const struct backing *b)
{
        s->type = inode->type;
        s->change = inode->change;
        s->ctime = inode->ctime;
        s->mode = inode->mode;
        s->uid = inode->uid;
        s->gid = inode->gid;
        s->bytes = inode->type == NF4REG ? inode->size : 0;
        slice_text(s->etag, sizeof(s->etag), b->etag);
        slice_text(s->old_key, sizeof(s->old_key),
                   q->what & QUEUE_NAME && s->type == NF4DIR ? q->key : b->key);
        slice_text(s->key, sizeof(s->key), q->what & QUEUE_NAME && s->type != NF4DIR ? q->key : b->key);
}

/* The file has to be in S3 before a second name of it. OF_FILE is what backs it, in RECORD. */
static bool find_source(struct send *s, const struct inode *file, const struct backing *b, uint8_t *record,
                        struct backing *of_file)
{
        struct mds *mds = s->archiver->mds;

        *of_file = *b;
        if (send_is_second(s) && (tier_backing(mds, file, record, of_file) < 0 || of_file->etag.length == 0 ||
                                  of_file->change != file->change || archive_is_pending(mds, s->file)))
                return false;
        slice_text(s->source, sizeof(s->source), of_file->key);
        slice_text(s->source_etag, sizeof(s->source_etag), of_file->etag);
        return true;
}

/* Is another one at work at a key of S? */
static bool is_in_use(struct send *s)
{
        struct archiver *a = s->archiver;

        return tomb_is_being_deleted(a, s->repo->number, s->key) || send_uses_key(a, s->key);
}

/* INODE: whose bytes they are. */
static void begin(struct send *s, const struct inode *inode, const struct queue_record *q)
{
        bool is_new = q->what & QUEUE_CONTENT && !send_is_second(s);

        s->planned = true;
        late_begin(s, q->what & QUEUE_SENT);
        s->renews = !s->etag[0] || q->what & (QUEUE_CONTENT | QUEUE_METADATA);
        s->go = is_new || s->type != NF4REG || (!s->etag[0] && !send_is_second(s)) ? send_content : send_copy;
        if (s->etag[0] && !(q->what & (QUEUE_CONTENT | QUEUE_METADATA | QUEUE_NAME)))
                send_stamp(s);
        else if (s->etag[0] && !send_is_second(s) && inode->type == NF4REG && inode->flags & INODE_COLD)
                wait_until_here(s);
        else
                send_mark(s, go);
}

static void plan(struct send *s)
{
        struct archiver *a = s->archiver;
        uint8_t space[RECORD_MAX], record[RECORD_MAX], file_record[RECORD_MAX];
        const struct inode *inode, *file;
        struct describe_id id;
        struct queue_record q;
        struct backing b, of_file;

        if (queue_read(a->mds, s->fileid, space, &q) < 0 || meta_inode(a->mds->meta, s->fileid, &inode) < 0 ||
            meta_inode(a->mds->meta, s->file, &file) < 0 || file->nlink == 0 ||
            tier_backing(a->mds, inode, record, &b) < 0) {
                send_ended(s, ARCHIVE_AGAIN, "");
                return;
        }
        if (heads_is_due(a->tier, file)) { /* what S3 says of it must not be written over */
                heads_hurry(a->tier->heads, s->file);
                send_ended(s, ARCHIVE_AGAIN, "");
                return;
        }
        fill_in(s, file, &q, &b);
        if (!find_source(s, file, &b, file_record, &of_file)) {
                s->pause_ns = SECOND_PAUSE_NS; /* seconds_hurry() comes earlier */
                send_ended(s, ARCHIVE_AGAIN, "");
                return;
        }
        id = describe_id(a->mds, inode, file->change);
        describe(a->mds, file, &id, of_file.kept, q.what & QUEUE_CONTENT && !send_is_second(s), &s->metadata);
        if (q.failed == S3_ERROR || q.failed == S3_TOO_LARGE)
                describe_shorten(&s->metadata); /* rather than the content */
        describe_key(&s->metadata, slice_str(s->key));
        if (is_in_use(s) || (s->type == NF4LNK && !read_target(s)) || !find_expected(s)) {
                send_ended(s, ARCHIVE_AGAIN, "");
                return;
        }
        begin(s, file, &q);
}

static void heard(struct size_wait *w, enum nfsstat4 status)
{
        struct send *s = CONTAINER(w, struct send, size);

        if (s->archiver->stopping)
                return;
        if (status == NFS4_OK)
                plan(s);
        else
                send_ended(s, status == NFS4ERR_STALE ? ARCHIVE_AGAIN : ARCHIVE_NO_SERVER,
                           "a data server that knows of it is away");
}

/* Of a directory that was renamed, what is in it goes first: some of it in each turn of the loop. */
static void follow(struct timer *turn)
{
        struct send *s = CONTAINER(turn, struct send, turn);
        int r = s->archiver->stopping ? -ECANCELED : members_follow(s->archiver, s->fileid, &s->followed);

        if (r < 0)
                send_ended(s, ARCHIVE_AGAIN, "");
        else if (r > 0)
                timer_start(s->archiver->mds->env, turn, 1);
        else
                plan(s);
}

void send_begin(struct send *s, const struct queue_record *q)
{
        const struct inode *inode;

        list_init(&s->durable.node);
        list_init(&s->size.node);
        s->renamed = (q->what & QUEUE_NAME) != 0;
        s->size.done = heard;
        s->turn.fire = follow;
        if (meta_inode(s->archiver->mds->meta, s->fileid, &inode) < 0) {
                send_ended(s, ARCHIVE_AGAIN, "");
                return;
        }
        s->file = inode->type == INODE_NAME ? inode->parent : s->fileid;
        if (inode->type == NF4REG || inode->type == INODE_NAME)
                size_wait(s->archiver->mds->sizes, s->file, &s->size);
        else if (inode->type == NF4DIR && s->renamed)
                follow(&s->turn);
        else
                plan(s);
}
