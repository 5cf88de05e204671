/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/tier/second.h"

#include <errno.h>

#include "mds/tier/archive_private.h"
#include "mds/tier/away.h"
#include "mds/tier/restore.h"

/* --- found */

struct search {
        uint64_t directory; /* 0: any */
        struct slice name;
        struct second *ret;
        bool found;
};

static bool match(void *arg, struct slice key, struct slice value)
{
        struct search *s = arg;
        uint64_t fileid, number;
        struct head_record h;

        if (!key_parse_u64_u64(key, 'n', &fileid, &number) || !head_decode(value, &h) ||
            (s->directory && (h.directory != s->directory || !slice_equal(h.name, s->name))))
                return true; /* fsck tells of what is damaged */
        s->ret->number = number;
        s->ret->directory = h.directory;
        memcpy(s->ret->text, h.name.data, h.name.length);
        s->ret->name = slice_of(s->ret->text, h.name.length);
        s->found = true;
        return false;
}

bool second_find(struct mds *mds, const struct inode *file, uint64_t directory, struct slice name,
                 struct second *ret)
{
        struct search search = { .directory = directory, .name = name, .ret = ret };
        uint8_t prefix[KEY_MAX];

        if (file->type == NF4DIR || !(file->flags & INODE_BACKED))
                return false;
        return meta_scan(mds->meta, key_names(prefix, file->fileid), match, &search) == 0 && search.found;
}

bool second_next(struct mds *mds, uint64_t fileid, uint64_t after, struct second *ret)
{
        struct search search = { .ret = ret };
        uint8_t prefix[KEY_MAX], from[KEY_MAX];

        return meta_scan_from(mds->meta, key_names(prefix, fileid), key_name(from, fileid, after + 1), match,
                              &search) == 0 &&
               search.found;
}

int second_backing(struct mds *mds, const struct inode *file, uint64_t directory, struct slice name,
                   uint8_t *record, struct backing *ret, uint64_t *ret_member)
{
        uint8_t own[RECORD_MAX];
        const struct inode *inode;
        struct second second;
        struct backing b;
        int r;

        *ret_member = file->fileid;
        if (file->nlink < 2 || !second_find(mds, file, directory, name, &second))
                return tier_backing(mds, file, record, ret);
        *ret_member = second.number;
        r = meta_inode(mds->meta, second.number, &inode);
        if (r == 0)
                r = tier_backing(mds, inode, record, ret);
        if (r == 0)
                r = tier_backing(mds, file, own, &b);
        if (r == 0 && ret->etag.length == 0)
                ret->change = 0;
        else if (r == 0)
                ret->change = b.change - (archive_is_pending(mds, second.number) ? 1 : 0);
        return r;
}

/* --- come, gone, renamed */

static void put(struct txn *t, uint64_t fileid, uint64_t number, uint64_t directory, struct slice name)
{
        uint8_t key[KEY_MAX], value[RECORD_MAX];

        txn_put(t, key_name(key, fileid, number),
                head_encode(value, &(struct head_record){ .directory = directory, .name = name }));
}

bool second_made(struct archiver *a, struct txn *t, const struct inode *dir, struct slice name,
                 const struct inode *file)
{
        uint8_t record[RECORD_MAX], key[BACKING_KEY_BYTES];
        struct backing of_dir, b = { .etag = slice_str("") };
        struct inode *inode;

        if (!member_exporting(a, dir, REPO_NEW, record, &of_dir) ||
            !member_make_key(of_dir.key, name, false, key, &b.key))
                return true; /* asked for before: archive_may_link() */
        inode = txn_new_inode(t, INODE_NAME);
        if (!inode)
                return false;
        inode->nlink = 1;
        inode->parent = file->fileid;
        b.repo = of_dir.repo;
        tier_put_backing(t, inode, &b);
        put(t, file->fileid, inode->fileid, dir->fileid, name);
        queue_note(a, t, inode->fileid, QUEUE_CONTENT, NULL);
        if (!(file->flags & INODE_COLD)) /* it would have to be brought here for that */
                queue_note(a, t, file->fileid, QUEUE_METADATA, NULL);
        return true;
}

bool second_adopted(struct txn *t, const struct inode *file, uint64_t directory, struct slice name,
                    const struct backing *b)
{
        struct inode *inode = txn_new_inode(t, INODE_NAME);
        struct backing own = *b;

        if (!inode)
                return false;
        inode->nlink = 1;
        inode->parent = file->fileid;
        own.kept = slice_str("");
        own.flags = 0;
        tier_put_backing(t, inode, &own);
        put(t, file->fileid, inode->fileid, directory, name);
        return true;
}

static void forget(struct txn *t, uint64_t fileid, uint64_t number)
{
        uint8_t key[KEY_MAX];

        txn_delete(t, key_name(key, fileid, number));
        queue_delete(t, number);
        txn_delete_inode(t, number);
}

static bool exports(const struct archiver *a, const struct backing *b)
{
        const struct repo *repo = repo_by_number(a->tier, b->repo);

        return repo && repo->conf.export & (REPO_NEW | REPO_CHANGED);
}

/* The second name S of FILE is gone. OURS: here, so that its object is to go as well. */
static void drop(struct archiver *a, struct txn *t, struct inode *file, const struct second *s, bool ours)
{
        const struct inode *inode = txn_edit(t, s->number);
        uint8_t record[RECORD_MAX];
        struct backing b;
        struct repo *repo =
                inode && ours ? member_exporting(a, inode, REPO_NEW | REPO_CHANGED | REPO_DELETED, record, &b)
                              : NULL;

        if (repo)
                member_bury(a, t, inode, &b, repo);
        else if (inode && ours)
                away_forget(a->mds, t, inode);
        if (inode && tier_backing(a->mds, inode, record, &b) == 0 && !exports(a, &b))
                away_keep(a->mds, t, file);
        forget(t, file->fileid, s->number);
}

/* What is at the key of FILE, with the backing B, is not its object any more, or nothing is sent to it. Has
 * it another one with the same bytes, at the key of S? Then that is what it is backed by. */
static bool adopt(struct archiver *a, struct txn *t, struct inode *file, const struct second *s,
                  struct backing *b, const struct backing *of_second)
{
        const struct inode *was;

        if (meta_inode(a->mds->meta, file->fileid, &was) < 0 || was->change != b->change ||
            file->flags & INODE_COLD || of_second->etag.length == 0 ||
            archive_is_pending(a->mds, file->fileid) || archive_is_pending(a->mds, s->number))
                return false;
        b->key = of_second->key;
        b->etag = of_second->etag;
        b->version = of_second->version;
        b->modified = of_second->modified;
        b->late = of_second->late;
        b->again = of_second->again;
        b->change = file->change;
        tier_put_backing(t, file, b);
        forget(t, file->fileid, s->number);
        return true;
}

/* The name is gone that the key of FILE is of; it gets that of S, instead of S. */
static void take_over(struct archiver *a, struct txn *t, struct inode *file, const struct second *s,
                      bool ours)
{
        uint8_t record[RECORD_MAX], other[RECORD_MAX], space[RECORD_MAX];
        const struct inode *inode = txn_edit(t, s->number);
        struct queue_record q = { 0 };
        struct backing b, of_second;
        struct slice key;

        if (!inode || tier_backing(a->mds, inode, other, &of_second) < 0 ||
            tier_backing(a->mds, file, record, &b) < 0)
                return;
        if (ours && !exports(a, &b))
                away_forget(a->mds, t, file);
        if ((!ours || !exports(a, &b)) && adopt(a, t, file, s, &b, &of_second))
                return;
        key = queue_read(a->mds, s->number, space, &q) == 0 && q.what & QUEUE_NAME ? q.key : of_second.key;
        member_bury(a, t, inode, &of_second, repo_by_number(a->tier, b.repo));
        forget(t, file->fileid, s->number);
        member_rename(a, t, file, &b, key, ours ? MEMBER_REMOVED : MEMBER_TAKEN);
}

static void lose(struct mds *mds, struct txn *t, const struct inode *dir, struct slice name,
                 struct inode *file, bool ours)
{
        struct archiver *a = archiver_of(mds);
        struct second s;

        if (!a || !(file->flags & INODE_BACKED))
                return;
        if (second_find(mds, file, dir->fileid, name, &s))
                drop(a, t, file, &s, ours);
        else if (second_next(mds, file->fileid, 0, &s))
                take_over(a, t, file, &s, ours);
        else if (ours)
                member_lost_name(a, t, dir, name, file);
}

void archive_name_removed(struct mds *mds, struct txn *t, const struct inode *dir, struct slice name,
                          struct inode *inode)
{
        lose(mds, t, dir, name, inode, true);
}

void archive_name_taken(struct mds *mds, struct txn *t, const struct inode *dir, struct slice name,
                        struct inode *inode)
{
        lose(mds, t, dir, name, inode, false);
}

bool second_moved(struct archiver *a, struct txn *t, const struct inode *from, struct slice old_name,
                  const struct inode *to, struct slice name, struct inode *file)
{
        uint8_t record[RECORD_MAX], of_dir_record[RECORD_MAX], text[BACKING_KEY_BYTES];
        struct backing b, of_dir;
        struct inode *inode;
        struct second s;
        struct slice key;

        if (!second_find(a->mds, file, from->fileid, old_name, &s))
                return false;
        put(t, file->fileid, s.number, to->fileid, name);
        inode = txn_edit(t, s.number);
        if (inode && !member_exporting(a, to, REPO_NEW | REPO_CHANGED, of_dir_record, &of_dir))
                away_note(a->mds, t, to, name, file, inode);
        else if (inode && tier_backing(a->mds, inode, record, &b) == 0 && b.repo == of_dir.repo &&
                 member_make_key(of_dir.key, name, false, text, &key))
                member_rename(a, t, inode, &b, key, MEMBER_RENAMED);
        return true;
}

/* --- what is sent */

void seconds_renew(struct archiver *a, struct txn *t, uint64_t fileid)
{
        struct second s = { 0 };

        while (second_next(a->mds, fileid, s.number, &s))
                queue_note(a, t, s.number, QUEUE_CONTENT, NULL);
}

bool seconds_hurry(struct archiver *a, uint64_t fileid)
{
        struct second s = { 0 };
        bool some = false;

        while (second_next(a->mds, fileid, s.number, &s)) {
                struct job *job = archive_is_pending(a->mds, s.number) ? queue_get(a, s.number) : NULL;

                some |= job != NULL;
                if (!job || job->state == JOB_RUNS)
                        continue;
                job->now = true;
                job_wait(job, 0);
        }
        return some;
}
