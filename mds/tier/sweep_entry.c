/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "mds/state/delegation.h"
#include "mds/state/open.h"
#include "mds/state/recovery.h"
#include "mds/tier/archive.h"
#include "mds/tier/away.h"
#include "mds/tier/describe.h"
#include "mds/tier/heads.h"
#include "mds/tier/manifest.h"
#include "mds/tier/second.h"
#include "mds/tier/sweep_private.h"

/* --- what is in the listing */

/* May it be taken from under whoever uses it? After a restart clients may come back to what they wrote. */
static bool is_busy(const struct sweep *s, uint64_t fileid)
{
        const struct mds *mds = s->tier->mds;

        return recovery_in_grace(mds->recovery) || archive_is_pending(s->tier->mds, fileid) ||
               delegations_has_file(mds->delegations, fileid) ||
               open_conflicts(mds->opens, fileid, NULL, OPEN4_SHARE_ACCESS_READ, OPEN4_SHARE_DENY_WRITE);
}

/* Is the object at KEY, which has no name here, one that S3 has still to hear of? It was removed; or renamed:
 * the old key stays until S3 has the new one, and nothing tells whose it is. */
static bool is_of_the_queue(struct sweep *s, const struct s3_entry *e)
{
        struct slice key = slice_str(e->key);

        return sweep_is_in_motion(s, key) ||
               archive_is_deleted(s->tier->mds, s->repo, key, slice_str(e->etag));
}

/* E is WHAT; false: that is all that is asked for. */
static bool note(struct sweep *s, uint64_t *count, const char *what, const struct s3_entry *e)
{
        ++*count;
        sweep_report(s, what, e->key);
        return !s->dry;
}

/* Under its name, or another that it was given here. */
static void find(struct sweep *s, const struct s3_entry *e, struct key_place *ret)
{
        key_find(s->tier, s->directory, s->prefix, e, ret);
        if (!ret->there)
                away_find(s->tier, s->repo, slice_str(e->key), ret);
}

static int take_new(struct sweep *s, const struct s3_entry *e, const struct key_place *place)
{
        if (!note(s, &s->counts.new_names, "new", e))
                return 0;
        if (s->repo->conf.import & REPO_NEW && !is_of_the_queue(s, e))
                return key_make_name(s->tier, s->repo, s->directory, place, e, true);
        s->counts.left++;
        return 0;
}

/* The object and the file at PLACE have both changed. */
static int settle(struct sweep *s, const struct s3_entry *e, const struct key_place *place)
{
        struct key_place both;
        uint64_t fileid;

        if (!note(s, &s->counts.conflicts, "conflict", e))
                return 0;
        if (s->repo->conf.conflict == REPO_S3_WINS)
                return key_replace(s->tier, s->repo, place->directory, place, e);
        if (s->repo->conf.conflict == REPO_KEEP_BOTH) {
                key_conflict_name(place->name, e, &both);
                if (meta_lookup(s->tier->mds->meta, place->directory, both.name, &fileid) == -ENOENT)
                        return key_make_name(s->tier, s->repo, place->directory, &both, e, true);
        }
        s->counts.left++;
        return 0;
}

static int take_changed(struct sweep *s, const struct s3_entry *e, const struct key_place *place,
                        const struct backing *b)
{
        /* What goes out to S3 meets the other object there, and settles it. */
        if (place->inode->change == b->change && s->repo->conf.import & REPO_CHANGED &&
            !sweep_is_in_motion(s, b->key) && !is_busy(s, place->inode->fileid))
                return key_replace(s->tier, s->repo, place->directory, place, e);
        s->counts.left++;
        return 0;
}

/* INODE, with the backing B, is what S3 was sent. May E be what was sent there before, of this file or of
 * another that had the key, and arrived after it? A condition does not keep that away for sure: two empty
 * objects have one ETag. */
static bool is_doubtful(const struct sweep *s, const struct s3_entry *e, const struct inode *inode,
                        const struct backing *b)
{
        struct mds *mds = s->tier->mds;

        return s->repo->conf.export & REPO_CHANGED && inode->change == b->change &&
               !archive_is_pending(mds, inode->fileid) && archive_may_be_late(mds, b, e->modified_ns);
}

/* Does M say that the object at E's key is one of ours, and not of a later content of INODE? */
static bool is_outdated(const struct sweep *s, const struct s3_entry *e, const struct s3_metadata *m,
                        const struct inode *inode)
{
        struct describe_id id;

        return describe_read_ours(s->tier->mds, m, slice_str(e->key), &id) &&
               (id.fileid != inode->fileid || id.generation != inode->generation ||
                id.change <= inode->change);
}

static int compare(struct sweep *s, const struct s3_entry *e, const struct key_place *place)
{
        uint8_t record[RECORD_MAX];
        struct backing b;
        uint64_t member;

        if (second_backing(s->tier->mds, place->inode, place->directory, place->name, record, &b, &member) <
            0)
                return -EIO;
        if (slice_equal(b.etag, slice_str(e->etag)))
                return b.flags & BACKING_UNTOLD && !s->dry
                               ? heads_again(s->tier, place->inode, place->directory, place->name)
                               : 0;
        if (place->inode->change != b.change && s->repo->conf.export == 0)
                return settle(s, e, place);
        if (!note(s, &s->counts.changed, "changed", e))
                return 0;
        if (is_doubtful(s, e, place->inode, &b))
                return sweep_doubt(s, e);
        return take_changed(s, e, place, &b);
}

void sweep_told(struct sweep *s, const struct s3_entry *e, const struct s3_metadata *m)
{
        struct mds *mds = s->tier->mds;
        uint8_t record[RECORD_MAX];
        struct key_place place;
        struct backing b;
        uint64_t member;

        find(s, e, &place);
        if (!place.there ||
            second_backing(mds, place.inode, place.directory, place.name, record, &b, &member) < 0 ||
            slice_equal(b.etag, slice_str(e->etag)))
                return; /* the listing was older than what we know */
        if (!is_doubtful(s, e, place.inode, &b) || !is_outdated(s, e, m, place.inode)) {
                if (take_changed(s, e, &place, &b) < 0)
                        s->counts.left++;
                return;
        }
        s->counts.left++;
        log_warn("archive-overtaken", "repo=%s key=%s etag=%s fileid=%llu cold=%d", s->repo->name, e->key,
                 e->etag, (unsigned long long)place.inode->fileid, (place.inode->flags & INODE_COLD) != 0);
        if (!(place.inode->flags & INODE_COLD) || member != place.inode->fileid)
                archive_written(mds, member); /* else its bytes were in the bucket only */
}

int sweep_entry(struct sweep *s, const struct s3_entry *e)
{
        struct key_place place;

        if (!e->is_prefix && strcmp(e->key, s->prefix) == 0)
                return 0; /* the directory's own object */
        filter_add(&s->seen, slice_str(e->key));
        if (manifest_is_reserved(e->key))
                return 0;
        if (s->removing)
                return 0;
        s->counts.names++;
        find(s, e, &place);
        if (tier_name_is_escaped(place.name))
                note(s, &s->counts.odd, "odd", e);
        if (!place.there)
                return take_new(s, e, &place);
        return e->is_prefix ? 0 : compare(s, e, &place);
}

/* --- what is not */

static void add_name(struct sweep *s, uint64_t directory, struct slice name, uint64_t fileid)
{
        struct sweep_name *n = &s->page[s->page_count++];

        n->directory = directory;
        n->fileid = fileid;
        memcpy(n->text, name.data, name.length);
        n->name = slice_of(n->text, name.length);
}

static bool take_page(void *arg, uint64_t cookie, const struct dirent_record *entry)
{
        struct sweep *s = arg;
        add_name(s, s->directory, slice_of(entry->name, entry->name_length), entry->fileid);
        s->cookie = cookie;
        return s->page_count < SWEEP_PAGE;
}

static bool take_away(void *arg, uint64_t directory, struct slice name, uint64_t fileid)
{
        struct sweep *s = arg;

        add_name(s, directory, name, fileid);
        return s->page_count < SWEEP_PAGE;
}

/* The next entries of the directory, then those that have left it for another. False: that was all. */
static bool next_page(struct sweep *s)
{
        bool more = s->away;

        s->page_at = s->page_count = 0;
        if (!s->away && (meta_readdir(s->tier->mds->meta, s->directory, s->cookie, take_page, s) < 0 ||
                         s->page_count == 0)) {
                s->away = more = true;
                s->away_at_length = 0;
        }
        if (s->away)
                more = away_each(s->tier, s->repo, s->directory, slice_str(s->prefix), s->away_at,
                                 &s->away_at_length, take_away, s);
        return more || s->page_count > 0;
}

/* Is what N names gone from the bucket, and may it go here? Then its key is s->key. */
static bool is_gone(struct sweep *s, const struct sweep_name *n)
{
        struct mds *mds = s->tier->mds;
        uint8_t record[RECORD_MAX];
        const struct inode *inode;
        struct backing b;
        uint64_t fileid, member;

        if (meta_lookup(mds->meta, n->directory, n->name, &fileid) < 0 || fileid != n->fileid)
                return false; /* renamed or removed meanwhile */
        if (meta_inode(mds->meta, fileid, &inode) < 0 ||
            second_backing(mds, inode, n->directory, n->name, record, &b, &member) < 0 ||
            b.repo != s->repo->number || !key_is_in(slice_str(s->prefix), b.key) ||
            filter_has(&s->seen, b.key))
                return false;
        slice_text(s->key, sizeof(s->key), b.key);
        if (inode->type == NF4DIR)
                return inode->size == 0 && b.change != 0 && !archive_is_pending(mds, n->fileid);
        if (b.change == 0)
                return false; /* S3 has never had it */
        if (inode->change == b.change && !sweep_is_in_motion(s, b.key) && !is_busy(s, n->fileid))
                return true;
        if (!s->removing) {
                s->counts.left++;
                sweep_report(s, "deleted, but changed or in use here", s->key);
        }
        return false;
}

static void on_head(struct s3_call *call)
{
        struct sweep *s = CONTAINER(call, struct sweep, head);
        const struct sweep_name *n = &s->page[s->page_at - 1];

        /* What was done here while S3 was asked counts. */
        if (call->result.error == S3_OBJECT_NOT_FOUND && is_gone(s, n))
                key_remove(s->tier, n->directory, n->name, n->fileid);
        sweep_look_on(s);
}

void sweep_look_for_gone(struct sweep *s)
{
        if (s->page_at == s->page_count && !next_page(s)) {
                sweep_next_directory(s);
                return;
        }
        while (s->page_at < s->page_count) {
                if (!is_gone(s, &s->page[s->page_at++]))
                        continue;
                if (s->removing) {
                        s->head.priority = S3_SCAN;
                        s->head.done = on_head;
                        s3_head(s->repo->s3, &s->head, s->key);
                        return;
                }
                s->counts.deleted++;
                sweep_report(s, "deleted", s->key);
        }
        sweep_look_on(s);
}
