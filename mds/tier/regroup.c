/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/tier/regroup.h"

#include <errno.h>

#include "mds/ns/orphan.h"
#include "mds/state/delegation.h"
#include "mds/state/open.h"
#include "mds/tier/archive_private.h"
#include "mds/tier/second.h"

/* What FILE, with the backing B, is a name of, as M says. False: of nothing. */
static bool find_group(const struct inode *file, const struct backing *b, const struct s3_metadata *m,
                       struct group_key *ret)
{
        struct describe_id id;

        if (file->type != NF4REG || !describe_read_link(m, b->key, &id))
                return false;
        *ret = (struct group_key){ .repo = b->repo,
                                   .cluster = id.cluster,
                                   .fileid = id.fileid,
                                   .generation = id.generation,
                                   .number = file->fileid };
        return true;
}

void regroup_note(struct txn *t, const struct inode *file, const struct backing *b,
                  const struct s3_metadata *m)
{
        uint8_t key[KEY_MAX], value[RECORD_MAX];
        struct group_key g;

        if (find_group(file, b, m, &g))
                txn_put(t, key_group(key, &g), group_encode(value, file->generation));
}

/* --- are they the same? */

static bool is_in_parts(struct slice etag)
{
        return memchr(etag.data, '-', etag.length) != NULL;
}

/* The same bytes, as far as ETags tell: those of an upload in parts do not. */
static bool is_like(const struct backing *one, const struct backing *two)
{
        return one->size == two->size &&
               (slice_equal(one->etag, two->etag) || is_in_parts(one->etag) || is_in_parts(two->etag));
}

struct search {
        struct mds *mds;
        const struct inode *file;
        const struct backing *b;
        int64_t mtime;
        const struct inode *found;
        uint64_t gone[8]; /* what is in the records and nowhere else */
        unsigned gone_count;
};

/* Could S's file be another name of OTHER? That is as S3 has it then. */
static bool fits(const struct search *s, const struct inode *other)
{
        uint8_t record[RECORD_MAX];
        struct backing b;
        struct second second;

        return other->type == NF4REG && other->nlink > 0 && other->nlink <= SECONDS_MAX &&
               !other->undescribed && other->mtime == s->mtime &&
               tier_backing(s->mds, other, record, &b) == 0 && b.repo == s->b->repo &&
               b.change == other->change && is_like(s->b, &b) && !archive_is_pending(s->mds, other->fileid) &&
               (other->nlink == 1 || second_next(s->mds, other->fileid, 0, &second));
}

static bool look(void *arg, struct slice key, struct slice value)
{
        struct search *s = arg;
        const struct inode *other;
        struct group_key g;
        uint32_t generation;
        int r;

        if (!key_parse_group(key, &g) || !group_decode(value, &generation) || g.number == s->file->fileid)
                return true; /* fsck tells of what is damaged */
        r = meta_inode(s->mds->meta, g.number, &other);
        if (r == 0 && other->generation == generation && fits(s, other))
                s->found = other;
        else if (r == -ENOENT && s->gone_count < sizeof(s->gone) / sizeof(s->gone[0]))
                s->gone[s->gone_count++] = g.number;
        return s->found == NULL;
}

static void forget(const struct search *s, struct group_key g)
{
        struct txn *t = txn_begin(s->mds->meta);
        uint8_t key[KEY_MAX];
        uint64_t seq;

        for (unsigned i = 0; i < s->gone_count; i++) {
                g.number = s->gone[i];
                txn_delete(t, key_group(key, &g));
        }
        txn_commit(t, &seq);
}

/* Has anybody acted on it? Nobody does before it is described, unless S3 had refused to say. */
static bool is_untouched(const struct mds *mds, const struct inode *file, const struct backing *b)
{
        return file->change == b->change && file->nlink == 1 && !(b->flags & BACKING_UNTOLD) &&
               !opens_file_is_open(mds->opens, file->fileid) &&
               !delegations_has_file(mds->delegations, file->fileid);
}

/* The file whose name FILE, of the backing B, is to become. NULL: there is none. */
static const struct inode *find_other(struct mds *mds, const struct inode *file, const struct backing *b,
                                      const struct s3_metadata *m, const struct description *d)
{
        struct search s = { .mds = mds, .file = file, .b = b, .mtime = d->mtime };
        uint8_t prefix[KEY_MAX];
        struct group_key g;

        if (!d->has_mtime || !is_untouched(mds, file, b) || !find_group(file, b, m, &g) ||
            meta_scan(mds->meta, key_groups(prefix, &g), look, &s) < 0)
                return NULL;
        if (s.gone_count > 0)
                forget(&s, g);
        return s.found;
}

/* --- one of both */

/* NAME in DIRECTORY is OTHER's instead of FILE's, in T. */
static int join(struct tier *tier, struct txn *t, const struct head_record *at, struct inode *file,
                const struct backing *b, struct inode *other, struct orphan *ret)
{
        struct inode *dir = txn_edit(t, at->directory);
        uint8_t record[RECORD_MAX];
        struct backing of_other;
        int64_t mtime;
        int r = dir ? tier_backing(tier->mds, other, record, &of_other) : -1;

        if (r == 0)
                r = txn_unlink(t, at->directory, at->name);
        if (r == 0)
                r = txn_link(t, at->directory, at->name, other->fileid, other->type);
        if (r < 0 || !second_adopted(t, other, at->directory, at->name, b))
                return -1;
        file->nlink = 0;
        orphan_unlinked(tier->mds, t, file, ret);
        mtime = dir->mtime;
        txn_touch(t, dir, true);
        dir->mtime = mtime; /* nobody has changed anything, */
        other->nlink++;
        other->change++; /* but clients are to see the name */
        of_other.change = other->change;
        tier_put_backing(t, other, &of_other);
        return 0;
}

bool regroup(struct tier *tier, const struct inode *file, const struct backing *b,
             const struct s3_metadata *m, const struct description *d)
{
        struct mds *mds = tier->mds;
        uint8_t key[KEY_MAX], value[RECORD_MAX], record[RECORD_MAX];
        const struct inode *other = find_other(mds, file, b, m, d), *dir;
        struct orphan orphan = { 0 };
        struct backing of_dir;
        struct head_record at;
        struct txn *t;
        uint32_t length;
        uint64_t is, seq;
        struct inode *edit_file, *edit_other;

        if (!other || meta_get(mds->meta, key_head(key, file->fileid), value, sizeof(value), &length) < 0 ||
            !head_decode(slice_of(value, length), &at) ||
            meta_lookup(mds->meta, at.directory, at.name, &is) < 0 || is != file->fileid ||
            meta_inode(mds->meta, at.directory, &dir) < 0 || !mds->tier->archiver ||
            !member_exporting(mds->tier->archiver, dir, REPO_NEW, record, &of_dir) || of_dir.repo != b->repo)
                return false;
        t = txn_begin(mds->meta);
        edit_file = txn_edit(t, file->fileid);
        edit_other = txn_edit(t, other->fileid);
        if (!edit_file || !edit_other || join(tier, t, &at, edit_file, b, edit_other, &orphan) < 0) {
                txn_abort(t);
                return false;
        }
        if (txn_commit(t, &seq) < 0)
                return false;
        orphan_finish(mds, &orphan, NULL);
        return true;
}
