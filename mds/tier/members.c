/* SPDX-License-Identifier: Apache-2.0 */
/* Members: what becomes one, what ceases to be one, and what each change of one leaves in the queue. */
#include "base/log.h"
#include "mds/tier/away.h"
#include "mds/tier/unfinished.h"

/* The repo of INODE, if it takes WHAT to S3; B: what backs it. */
static struct repo *exporting(struct archiver *a, const struct inode *inode, unsigned what, uint8_t *record,
                              struct backing *b)
{
        struct repo *repo = NULL;

        if (inode->flags & INODE_BACKED && tier_backing(a->mds, inode, record, b) == 0)
                repo = repo_by_number(a->tier, b->repo);
        return repo && repo->conf.export & what ? repo : NULL;
}

/* The key of NAME in the directory with the key DIR, into OUT (BACKING_KEY_BYTES). False: it is too long. */
static bool make_key(struct slice dir, struct slice name, bool is_dir, uint8_t *out, struct slice *ret)
{
        uint32_t length = dir.length + name.length + is_dir;

        if (length > BACKING_KEY_BYTES)
                return false;
        memcpy(out, dir.data, dir.length);
        memcpy(out + dir.length, name.data, name.length);
        if (is_dir)
                out[length - 1] = '/';
        *ret = slice_of(out, length);
        return true;
}

static bool has_place(const struct inode *inode)
{
        return inode->type == NF4REG || inode->type == NF4DIR || inode->type == NF4LNK;
}

/* More than one: which of them would be its key? Some are from before its repo exported. */
static bool has_names(const struct inode *inode)
{
        return inode->type != NF4DIR && inode->nlink > 1;
}

void archive_linked(struct mds *mds, struct txn *t, const struct inode *dir, struct slice name,
                    struct inode *inode)
{
        struct archiver *a = archiver_of(mds);
        uint8_t record[RECORD_MAX], key[BACKING_KEY_BYTES];
        struct backing of_dir, b = { .etag = slice_str("") };

        if (!a || inode->flags & INODE_BACKED || !has_place(inode) || has_names(inode) ||
            !exporting(a, dir, REPO_NEW, record, &of_dir))
                return;
        b.repo = of_dir.repo;
        if (!make_key(of_dir.key, name, inode->type == NF4DIR, key, &b.key)) {
                log_warn("archive-path-too-long", "fileid=%llu error=%s", (unsigned long long)inode->fileid,
                         archive_error_name(ARCHIVE_TOO_LONG));
                metric_add(&a->failed, 1);
                return;
        }
        tier_put_backing(t, inode, &b);
        queue_note(a, t, inode->fileid, QUEUE_CONTENT, NULL);
}

static int64_t due_of(const struct archiver *a, const struct repo *repo)
{
        if (!(repo->conf.export & REPO_DELETED))
                return INT64_MAX;
        return (int64_t)(env_wall(a->mds->env) + repo->conf.delete_grace * 1000000000ull);
}

/* Its object is to go; S3 may have one that we have not heard of. */
static void bury(struct archiver *a, struct txn *t, const struct inode *inode, const struct backing *b,
                 const struct repo *repo)
{
        uint8_t space[RECORD_MAX];
        struct queue_record q = { 0 };
        bool queued = queue_read(a->mds, inode->fileid, space, &q) == 0, is_dir = inode->type == NF4DIR,
             moves = q.what & QUEUE_NAME, sent = q.what & QUEUE_SENT;
        struct slice at = moves && is_dir ? q.key : b->key;
        bool taken = moves && !tomb_is_of(a, b->repo, at, inode->fileid); /* by another one's object */
        struct tomb_record z = { .due = due_of(a, repo),
                                 .late = tomb_late(a, b, sent),
                                 .unheard = tomb_unheard(a, b, sent),
                                 .fileid = inode->fileid };

        if (sent && !(b->etag.length > 0 && slice_equal(q.sent_key, at)))
                tomb_put(a, t, b->repo, q.sent_key, &z);
        z.etag = b->etag;
        if ((b->etag.length > 0 || is_dir) && !taken)
                tomb_put(a, t, b->repo, at, &z);
        if (queued) {
                queue_delete(t, inode->fileid);
                unfinished_look(a);
        }
}

void archive_unlinked(struct mds *mds, struct txn *t, const struct inode *inode)
{
        struct archiver *a = archiver_of(mds);
        uint8_t record[RECORD_MAX];
        struct backing b;
        struct repo *repo =
                a ? exporting(a, inode, REPO_NEW | REPO_CHANGED | REPO_DELETED, record, &b) : NULL;

        if (repo && b.key.length > 0) /* not the repo's own directory */
                bury(a, t, inode, &b, repo);
        if (a && !repo && inode->flags & INODE_BACKED)
                away_forget(mds, t, inode);
}

/* --- second names */

static uint32_t repo_of(struct mds *mds, const struct inode *inode)
{
        uint8_t record[RECORD_MAX];
        struct backing b;

        return inode->flags & INODE_BACKED && tier_backing(mds, inode, record, &b) == 0 ? b.repo : 0;
}

/* Does what gets a name in DIR become a member? */
static bool takes_members(struct archiver *a, const struct inode *dir)
{
        uint8_t record[RECORD_MAX];
        struct backing b;

        return exporting(a, dir, REPO_NEW, record, &b) != NULL;
}

enum nfsstat4 archive_may_link(struct mds *mds, const struct inode *inode, const struct inode *dir)
{
        struct archiver *a = archiver_of(mds);

        if (!a || !has_place(inode))
                return NFS4_OK;
        return repo_by_number(a->tier, repo_of(mds, inode)) || takes_members(a, dir) ? NFS4ERR_XDEV : NFS4_OK;
}

/* --- renames */

enum nfsstat4 archive_may_move(struct mds *mds, const struct inode *moved, const struct inode *from,
                               const struct inode *to)
{
        struct archiver *a = archiver_of(mds);
        uint32_t here, there;

        if (from->fileid == to->fileid || !((from->flags | to->flags | moved->flags) & INODE_BACKED))
                return NFS4_OK;
        here = repo_of(mds, moved);
        there = repo_of(mds, to);
        if (here == there)
                return NFS4_OK;
        if (moved->type == NF4DIR && (moved->size > 0 || moved->flags & INODE_COLD))
                return NFS4ERR_XDEV;
        if (moved->flags & INODE_COLD)
                return NFS4ERR_XDEV;
        return a && has_names(moved) && takes_members(a, to) ? NFS4ERR_XDEV : NFS4_OK;
}

/* It is nobody's any more. */
static void leave(struct archiver *a, struct txn *t, struct inode *inode)
{
        uint8_t key[KEY_MAX];

        archive_unlinked(a->mds, t, inode);
        txn_delete(t, key_backing(key, inode->fileid));
        inode->flags &= (uint8_t)~INODE_BACKED;
}

/* INODE is to go to KEY: where it is, or may be, nobody takes it for his or deletes it until then. */
static void reserve(struct archiver *a, struct txn *t, const struct inode *inode, const struct backing *b,
                    const struct queue_record *q, struct slice key)
{
        struct slice at = inode->type == NF4DIR && q->what & QUEUE_NAME ? q->key : b->key;
        bool sent = q->what & QUEUE_SENT, known = b->etag.length > 0;

        if (known && !(q->what & QUEUE_NAME))
                tomb_reserve(a, t, b, at, inode->fileid, sent);
        if (sent && !slice_equal(q->sent_key, key) && !(known && slice_equal(q->sent_key, at)))
                tomb_reserve(a, t, &(struct backing){ .repo = b->repo }, q->sent_key, inode->fileid, true);
}

/* A directory whose names are in S3 only: under the old one, and so are those that are made in it. */
static bool keeps_key(const struct inode *inode)
{
        return inode->type == NF4DIR && (inode->flags & INODE_COLD || inode->undescribed);
}

/* The key of INODE, with the backing B, is to be KEY. A directory has its new one at once, for what is made
 * in it from now on; what is in it follows (members_follow()). */
static void rename_key(struct archiver *a, struct txn *t, struct inode *inode, struct backing *b,
                       struct slice key)
{
        uint8_t space[RECORD_MAX];
        struct queue_record q = { 0 };
        bool queued = queue_read(a->mds, inode->fileid, space, &q) == 0, is_dir = inode->type == NF4DIR;
        struct slice wanted = key;

        if (keeps_key(inode))
                return;
        reserve(a, t, inode, b, &q, key);
        if (is_dir) {
                wanted = queued && q.what & QUEUE_NAME ? q.key : b->key;
                b->key = key;
                tier_put_backing(t, inode, b);
        } else if (b->etag.length == 0 && !(q.what & QUEUE_SENT)) {
                b->key = key;
                tier_put_backing(t, inode, b);
                queue_note(a, t, inode->fileid, QUEUE_CONTENT, NULL);
                return;
        }
        queue_note(a, t, inode->fileid, QUEUE_NAME, &wanted);
}

void archive_moved(struct mds *mds, struct txn *t, const struct inode *to, struct slice name,
                   struct inode *moved)
{
        struct archiver *a = archiver_of(mds);
        uint8_t record[RECORD_MAX], dir_record[RECORD_MAX], key[BACKING_KEY_BYTES];
        struct backing b, of_dir;
        struct slice new_key;

        if (!a)
                return;
        if (!(moved->flags & INODE_BACKED)) {
                archive_linked(mds, t, to, name, moved);
                return;
        }
        if (!(to->flags & INODE_BACKED)) {
                leave(a, t, moved);
                return;
        }
        if (!exporting(a, to, REPO_NEW | REPO_CHANGED, dir_record, &of_dir)) {
                away_note(mds, t, to, name, moved);
                return;
        }
        if (tier_backing(mds, moved, record, &b) < 0)
                return;
        if (of_dir.repo != b.repo) { /* it is here whole: archive_may_move() */
                leave(a, t, moved);
                archive_linked(mds, t, to, name, moved);
                return;
        }
        a->moved = moved->fileid;
        if (keeps_key(moved))
                away_note(mds, t, to, name, moved);
        else if (make_key(of_dir.key, name, moved->type == NF4DIR, key, &new_key))
                rename_key(a, t, moved, &b, new_key);
}

/* --- what is in a directory that was renamed */

enum { FOLLOW_AT_ONCE = 64 };

struct following {
        uint64_t fileids[FOLLOW_AT_ONCE], last;
        unsigned count;
};

static bool collect(void *arg, uint64_t cookie, const struct dirent_record *entry)
{
        struct following *f = arg;

        f->fileids[f->count++] = entry->fileid;
        f->last = cookie;
        return f->count < FOLLOW_AT_ONCE;
}

/* The part of KEY behind the directory's, without the slash of a directory. */
static struct slice last_part(struct slice key, bool is_dir)
{
        uint32_t length = key.length - (is_dir && key.length > 0), from = length;

        while (from > 0 && key.data[from - 1] != '/')
                from--;
        return slice_of(key.data + from, length - from);
}

static int follow_one(struct archiver *a, const struct backing *of_dir, uint64_t fileid)
{
        uint8_t record[RECORD_MAX], space[RECORD_MAX], key[BACKING_KEY_BYTES];
        struct txn *t = txn_begin(a->mds->meta);
        struct inode *inode = txn_edit(t, fileid);
        struct queue_record q;
        struct backing b;
        struct slice is, wanted;
        uint64_t seq;

        if (!inode || !(inode->flags & INODE_BACKED) || tier_backing(a->mds, inode, record, &b) < 0 ||
            b.repo != of_dir->repo) {
                txn_abort(t);
                return 0;
        }
        is = b.key;
        if (inode->type != NF4DIR && queue_read(a->mds, fileid, space, &q) == 0 && q.what & QUEUE_NAME)
                is = q.key;
        if (!make_key(of_dir->key, last_part(is, inode->type == NF4DIR), inode->type == NF4DIR, key,
                      &wanted) ||
            slice_equal(is, wanted)) {
                txn_abort(t);
                return 0;
        }
        rename_key(a, t, inode, &b, wanted);
        return txn_commit(t, &seq);
}

int members_follow(struct archiver *a, uint64_t fileid, uint64_t *after)
{
        struct following f = { 0 };
        uint8_t record[RECORD_MAX];
        const struct inode *dir;
        struct backing b;
        int r = meta_inode(a->mds->meta, fileid, &dir);

        if (r == 0)
                r = tier_backing(a->mds, dir, record, &b);
        if (r == 0)
                r = meta_readdir(a->mds->meta, fileid, *after, collect, &f);
        for (unsigned i = 0; r == 0 && i < f.count; i++)
                r = follow_one(a, &b, f.fileids[i]);
        *after = f.last;
        meta_trim(a->mds->meta);
        return r < 0 ? r : f.count == FOLLOW_AT_ONCE;
}
