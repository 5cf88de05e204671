/* SPDX-License-Identifier: Apache-2.0 */
/* Members: what becomes one, what ceases to be one, and what each change of one leaves in the queue. */
#include "base/log.h"
#include "mds/tier/away.h"
#include "mds/tier/manifest.h"
#include "mds/tier/restore.h"
#include "mds/tier/second.h"
#include "mds/tier/unfinished.h"

struct repo *member_exporting(struct archiver *a, const struct inode *inode, unsigned what, uint8_t *record,
                              struct backing *b)
{
        struct repo *repo = NULL;

        if (inode->flags & INODE_BACKED && tier_backing(a->mds, inode, record, b) == 0)
                repo = repo_by_number(a->tier, b->repo);
        return repo && repo->conf.export & what ? repo : NULL;
}

bool member_make_key(struct slice dir, struct slice name, bool is_dir, uint8_t *out, struct slice *ret)
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

/* As archive_linked(), of what has no other name. */
static void join(struct archiver *a, struct txn *t, const struct inode *dir, struct slice name,
                 struct inode *inode)
{
        uint8_t record[RECORD_MAX], key[BACKING_KEY_BYTES];
        struct backing of_dir, b = { .etag = slice_str("") };

        if (!has_place(inode) || has_names(inode) || !member_exporting(a, dir, REPO_NEW, record, &of_dir))
                return;
        b.repo = of_dir.repo;
        if (!member_make_key(of_dir.key, name, inode->type == NF4DIR, key, &b.key)) {
                log_warn("archive-path-too-long", "fileid=%llu error=%s", (unsigned long long)inode->fileid,
                         archive_error_name(ARCHIVE_TOO_LONG));
                archive_count_failure(a, ARCHIVE_TOO_LONG);
                return;
        }
        tier_put_backing(t, inode, &b);
        queue_note(a, t, inode->fileid, QUEUE_CONTENT, NULL);
}

bool archive_linked(struct mds *mds, struct txn *t, const struct inode *dir, struct slice name,
                    struct inode *inode)
{
        struct archiver *a = archiver_of(mds);

        if (!a)
                return true;
        if (inode->flags & INODE_BACKED)
                return !has_names(inode) || second_made(a, t, dir, name, inode);
        join(a, t, dir, name, inode);
        return true;
}

void member_bury(struct archiver *a, struct txn *t, const struct inode *inode, const struct backing *b,
                 const struct repo *repo)
{
        uint8_t space[RECORD_MAX];
        struct queue_record q = { 0 };
        bool queued = queue_read(a->mds, inode->fileid, space, &q) == 0, is_dir = inode->type == NF4DIR,
             moves = q.what & QUEUE_NAME, sent = q.what & QUEUE_SENT;
        struct slice at = moves && is_dir ? q.key : b->key;
        bool taken = moves && !tomb_is_of(a, b->repo, at, inode->fileid); /* by another one's object */
        struct tomb_record z = { .due = tomb_due(a, repo),
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
                a ? member_exporting(a, inode, REPO_NEW | REPO_CHANGED | REPO_DELETED, record, &b) : NULL;

        if (repo && b.key.length > 0) /* not the repo's own directory */
                member_bury(a, t, inode, &b, repo);
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

        return member_exporting(a, dir, REPO_NEW, record, &b) != NULL;
}

/* Has INODE several names of which nobody has noted where they are? They are from before its repo exported.
 */
static bool has_unknown_names(struct mds *mds, const struct inode *inode)
{
        struct second s;

        return has_names(inode) && !second_next(mds, inode->fileid, 0, &s);
}

enum nfsstat4 archive_may_link(struct mds *mds, const struct inode *inode, const struct inode *dir,
                               struct slice name)
{
        struct archiver *a = archiver_of(mds);
        uint8_t record[RECORD_MAX], key[BACKING_KEY_BYTES];
        struct backing of_dir;
        struct slice is;
        uint32_t repo;

        if (!a || !has_place(inode))
                return NFS4_OK;
        repo = repo_of(mds, inode);
        if (!repo_by_number(a->tier, repo) && !takes_members(a, dir))
                return NFS4_OK;
        if (!member_exporting(a, dir, REPO_NEW, record, &of_dir) || of_dir.repo != repo ||
            has_unknown_names(mds, inode) || !member_make_key(of_dir.key, name, false, key, &is))
                return NFS4ERR_XDEV;
        return inode->nlink > SECONDS_MAX ? NFS4ERR_MLINK : NFS4_OK;
}

enum nfsstat4 archive_may_name(struct mds *mds, const struct inode *dir, struct slice name)
{
        uint8_t record[RECORD_MAX];
        struct backing b;

        if (!mds->tier || !manifest_is_reserved_name(name) || tier_backing(mds, dir, record, &b) < 0 ||
            b.key.length > 0 || !repo_by_number(mds->tier, b.repo))
                return NFS4_OK;
        return NFS4ERR_PERM;
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
        return a && has_names(moved) && (here != 0 || takes_members(a, to)) ? NFS4ERR_XDEV : NFS4_OK;
}

/* It is nobody's any more. */
static void leave(struct archiver *a, struct txn *t, struct inode *inode)
{
        uint8_t key[KEY_MAX];

        archive_unlinked(a->mds, t, inode);
        txn_delete(t, key_backing(key, inode->fileid));
        txn_delete_all(t, key_all_digests(key, inode->fileid));
        inode->flags &= (uint8_t)~INODE_BACKED;
}

/* Is NAME in DIR the one that the key of INODE is of, or is to be of? */
static bool is_key_of(struct archiver *a, const struct inode *inode, const struct inode *dir,
                      struct slice name)
{
        uint8_t record[RECORD_MAX], of_dir_record[RECORD_MAX], space[RECORD_MAX], key[BACKING_KEY_BYTES];
        struct backing b, of_dir;
        struct queue_record q;
        struct slice is, made;

        if (tier_backing(a->mds, inode, record, &b) < 0 ||
            tier_backing(a->mds, dir, of_dir_record, &of_dir) < 0)
                return false;
        is = queue_read(a->mds, inode->fileid, space, &q) == 0 && q.what & QUEUE_NAME ? q.key : b.key;
        return (member_make_key(of_dir.key, name, false, key, &made) && slice_equal(is, made)) ||
               away_is_at(a->mds, &b, dir->fileid, name);
}

void member_lost_name(struct archiver *a, struct txn *t, const struct inode *dir, struct slice name,
                      struct inode *inode)
{
        if (!is_key_of(a, inode, dir, name))
                return;
        if (inode->flags & INODE_COLD)
                restore_file(a->mds, inode->fileid);
        else
                leave(a, t, inode);
}

/* INODE is to go to KEY: where it is, or may be, nobody takes it for his or deletes it until then. */
static void reserve(struct archiver *a, struct txn *t, const struct inode *inode, const struct backing *b,
                    const struct queue_record *q, struct slice key, enum member_why why)
{
        struct slice at = inode->type == NF4DIR && q->what & QUEUE_NAME ? q->key : b->key;
        bool sent = q->what & QUEUE_SENT, known = b->etag.length > 0;

        if (known && !(q->what & QUEUE_NAME) && why != MEMBER_TAKEN)
                tomb_reserve(a, t, b, at, inode->fileid, sent, why == MEMBER_REMOVED);
        if (sent && !slice_equal(q->sent_key, key) && !(known && slice_equal(q->sent_key, at)))
                tomb_reserve(a, t, &(struct backing){ .repo = b->repo }, q->sent_key, inode->fileid, true,
                             why == MEMBER_REMOVED);
}

/* A directory whose names are in S3 only: under the old one, and so are those that are made in it. */
static bool keeps_key(const struct inode *inode)
{
        return inode->type == NF4DIR && (inode->flags & INODE_COLD || inode->undescribed);
}

void member_rename(struct archiver *a, struct txn *t, struct inode *inode, struct backing *b,
                   struct slice key, enum member_why why)
{
        uint8_t space[RECORD_MAX];
        struct queue_record q = { 0 };
        bool queued = queue_read(a->mds, inode->fileid, space, &q) == 0, is_dir = inode->type == NF4DIR;
        struct slice wanted = key;

        if (keeps_key(inode))
                return;
        reserve(a, t, inode, b, &q, key, why);
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

void archive_moved(struct mds *mds, struct txn *t, const struct inode *from, struct slice old_name,
                   const struct inode *to, struct slice name, struct inode *moved)
{
        struct archiver *a = archiver_of(mds);
        uint8_t record[RECORD_MAX], dir_record[RECORD_MAX], key[BACKING_KEY_BYTES];
        struct backing b, of_dir;
        struct slice new_key;

        if (!a)
                return;
        if (!(moved->flags & INODE_BACKED)) {
                join(a, t, to, name, moved);
                return;
        }
        if (has_names(moved) && (second_moved(a, t, from, old_name, to, name, moved) ||
                                 (has_unknown_names(mds, moved) && !is_key_of(a, moved, from, old_name))))
                return;
        if (!(to->flags & INODE_BACKED)) {
                leave(a, t, moved);
                return;
        }
        if (!member_exporting(a, to, REPO_NEW | REPO_CHANGED, dir_record, &of_dir)) {
                away_note(mds, t, to, name, moved, moved);
                return;
        }
        if (tier_backing(mds, moved, record, &b) < 0)
                return;
        if (of_dir.repo != b.repo) { /* it is here whole: archive_may_move() */
                leave(a, t, moved);
                join(a, t, to, name, moved);
                return;
        }
        if (keeps_key(moved))
                away_note(mds, t, to, name, moved, moved);
        else if (member_make_key(of_dir.key, name, moved->type == NF4DIR, key, &new_key))
                member_rename(a, t, moved, &b, new_key, MEMBER_RENAMED);
}

/* --- what is in a directory that was renamed */

enum { FOLLOW_AT_ONCE = 64 };

struct following {
        struct dirent_record entries[FOLLOW_AT_ONCE];
        uint64_t last;
        unsigned count;
};

static bool collect(void *arg, uint64_t cookie, const struct dirent_record *entry)
{
        struct following *f = arg;

        f->entries[f->count++] = *entry;
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

/* Who is backed by the key that is made of ENTRY in the directory DIR. */
static uint64_t member_of(struct archiver *a, uint64_t dir, const struct dirent_record *entry)
{
        const struct inode *file;
        struct second second;

        return meta_inode(a->mds->meta, entry->fileid, &file) == 0 && has_names(file) &&
                               second_find(a->mds, file, dir, slice_of(entry->name, entry->name_length),
                                           &second)
                       ? second.number
                       : entry->fileid;
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
        if (!member_make_key(of_dir->key, last_part(is, inode->type == NF4DIR), inode->type == NF4DIR, key,
                             &wanted) ||
            slice_equal(is, wanted)) {
                txn_abort(t);
                return 0;
        }
        member_rename(a, t, inode, &b, wanted, MEMBER_RENAMED);
        return txn_commit(t, &seq);
}

int members_follow(struct archiver *a, uint64_t fileid, uint64_t *after)
{
        struct following f = { .count = 0 };
        uint8_t record[RECORD_MAX];
        const struct inode *dir;
        struct backing b;
        int r = meta_inode(a->mds->meta, fileid, &dir);

        if (r == 0)
                r = tier_backing(a->mds, dir, record, &b);
        if (r == 0)
                r = meta_readdir(a->mds->meta, fileid, *after, collect, &f);
        for (unsigned i = 0; r == 0 && i < f.count; i++)
                r = follow_one(a, &b, member_of(a, fileid, &f.entries[i]));
        *after = f.last;
        meta_trim(a->mds->meta);
        return r < 0 ? r : f.count == FOLLOW_AT_ONCE;
}
