/* SPDX-License-Identifier: Apache-2.0 */
/* What S3 does not have yet: of one file, or counted in the store. */
#include <errno.h>

#include "mds/tier/archive_private.h"
#include "mds/tier/second.h"

enum { COUNT_MOST = 20000 };

struct counting {
        struct mds *mds;
        const struct repo *repo;
        int64_t oldest;
        uint64_t looked_at;
        struct archive_status *status;
        archive_failed_fn *each;
        void *arg;
};

/* Past the cache, which is not to be filled by this. */
static bool read_inode(struct mds *mds, uint64_t fileid, struct inode *ret)
{
        uint8_t key[KEY_MAX], value[RECORD_MAX];
        uint32_t length;

        return meta_get(mds->meta, key_inode(key, fileid), value, sizeof(value), &length) == 0 &&
               inode_decode(slice_of(value, length), ret);
}

/* What KEY is about: *INODE, with the backing *B in RECORD, for the queue's record VALUE. False: it is not
 * one of REPO. */
static bool parse_queued(struct mds *mds, const struct repo *repo, struct slice key, struct slice value,
                         struct queue_record *q, struct inode *inode, uint8_t *record, struct backing *b)
{
        uint64_t fileid;

        return key_parse_u64(key, 'q', &fileid) && queue_decode(value, q) && read_inode(mds, fileid, inode) &&
               tier_backing(mds, inode, record, b) == 0 && b->repo == repo->number;
}

static bool count_queued(void *arg, struct slice key, struct slice value)
{
        struct counting *c = arg;
        uint8_t record[RECORD_MAX];
        struct queue_record q;
        struct inode inode;
        struct backing b;

        c->status->more = c->looked_at++ == COUNT_MOST;
        if (!parse_queued(c->mds, c->repo, key, value, &q, &inode, record, &b))
                return !c->status->more;
        c->status->pending++;
        c->status->bytes += inode.type == NF4REG ? inode.size : 0;
        c->status->failed += q.failed != 0;
        c->oldest = q.since < c->oldest ? q.since : c->oldest;
        if (c->each && q.failed)
                c->each(c->arg, b.key, archive_error_name(q.failed));
        return !c->status->more;
}

static bool count_tomb(void *arg, struct slice key, struct slice value)
{
        struct counting *c = arg;
        struct tomb_record z;
        struct slice name;
        uint32_t repo;

        if (key_parse_tomb(key, &repo, &name) && tomb_decode(value, &z) && repo == c->repo->number &&
            z.due != INT64_MAX && !z.gone)
                c->status->deletions++;
        return c->status->deletions < COUNT_MOST;
}

static void count(struct counting *c)
{
        uint8_t key[KEY_MAX];
        int64_t now = (int64_t)env_wall(c->mds->env);

        c->oldest = now;
        meta_scan(c->mds->meta, key_kind(key, 'q'), count_queued, c);
        meta_scan(c->mds->meta, key_kind(key, 'z'), count_tomb, c);
        c->status->oldest_ns = c->oldest < now ? (uint64_t)(now - c->oldest) : 0;
}

void archive_status(struct mds *mds, const struct repo *repo, struct archive_status *ret)
{
        struct counting c = { .mds = mds, .repo = repo, .status = ret };

        *ret = (struct archive_status){ 0 };
        count(&c);
}

void archive_each_failed(struct mds *mds, const struct repo *repo, archive_failed_fn *each, void *arg)
{
        struct archive_status status = { 0 };
        struct counting c = { .mds = mds, .repo = repo, .status = &status, .each = each, .arg = arg };

        count(&c);
}

struct telling {
        struct mds *mds;
        const struct repo *repo;
        uint64_t looked_at;
        archive_key_fn *each;
        void *arg;
};

static bool tell_keys(void *arg, struct slice key, struct slice value)
{
        struct telling *t = arg;
        uint8_t record[RECORD_MAX];
        struct queue_record q;
        struct inode inode;
        struct backing b;

        if (t->looked_at++ == COUNT_MOST)
                return false;
        if (!parse_queued(t->mds, t->repo, key, value, &q, &inode, record, &b))
                return true;
        t->each(t->arg, b.key, false);
        if (q.what & QUEUE_NAME)
                t->each(t->arg, q.key, inode.type == NF4DIR);
        if (q.what & QUEUE_SENT)
                t->each(t->arg, q.sent_key, false);
        return true;
}

bool archive_each_key(struct mds *mds, const struct repo *repo, archive_key_fn *each, void *arg)
{
        struct telling t = { .mds = mds, .repo = repo, .each = each, .arg = arg };
        uint8_t key[KEY_MAX];

        return meta_scan(mds->meta, key_kind(key, 'q'), tell_keys, &t) == 0 && t.looked_at <= COUNT_MOST;
}

/* What is queued of a second name of FILE; one that has failed comes first. As queue_read(). */
static int read_second(struct mds *mds, const struct inode *file, uint8_t *space, struct queue_record *ret)
{
        struct queue_record q = { 0 };
        struct second s = { 0 };
        int r = -ENOENT;

        while (!q.failed && file->nlink > 1 && second_next(mds, file->fileid, s.number, &s))
                if (queue_read(mds, s.number, space, &q) == 0) {
                        *ret = q;
                        r = 0;
                }
        return r;
}

enum archive_progress archive_progress(struct mds *mds, uint64_t fileid, const char **ret_error)
{
        uint8_t space[RECORD_MAX], record[RECORD_MAX];
        const struct inode *file;
        const struct repo *repo;
        struct queue_record q = { 0 };
        struct backing b;
        int queued;

        if (meta_inode(mds->meta, fileid, &file) < 0 || tier_backing(mds, file, record, &b) < 0) {
                *ret_error = "NotInRepository";
                return ARCHIVE_REFUSED;
        }
        repo = repo_by_number(mds->tier, b.repo);
        queued = queue_read(mds, fileid, space, &q);
        if (queued == -ENOENT && b.etag.length > 0 && b.change == file->change) {
                queued = read_second(mds, file, space, &q);
                if (queued == -ENOENT)
                        return ARCHIVE_DONE;
        }
        if (queued == 0 && q.failed) {
                *ret_error = archive_error_name(q.failed);
                return ARCHIVE_FAILED;
        }
        if (!repo || !(repo->conf.export & (b.etag.length > 0 ? REPO_CHANGED : REPO_NEW)))
                *ret_error = "NotExported";
        else if (repo->conf.paused || archive_is_open(mds, fileid))
                *ret_error = "ResourceBusy";
        else
                return ARCHIVE_WAITS;
        return ARCHIVE_REFUSED;
}
