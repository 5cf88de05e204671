/* SPDX-License-Identifier: Apache-2.0 */
/* One manifest: the listing of a directory becomes its pages. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mds/tier/archive.h"
#include "mds/tier/away.h"
#include "mds/tier/manifest_private.h"
#include "mds/tier/second.h"

#define FAILED_NS INT64_C(600000000000)
enum { PAGE_KEYS = 1000 };

/* --- the end of one */

void writing_free(struct writing *w)
{
        s3_cancel(&w->list.call);
        s3_cancel(&w->call);
        list_remove(&w->node);
        w->manifests->count--;
        free(w->page.space);
        free(w);
}

/* Not before DUE again; 0: before it has changed. */
static void end(struct writing *w, int64_t due)
{
        struct manifests *m = w->manifests;
        struct txn *txn = txn_begin(m->tier->mds->meta);
        struct slice prefix = slice_str(w->prefix);
        uint8_t key[KEY_MAX], value[RECORD_MAX];
        uint64_t seq;

        if (due == 0)
                txn_delete(txn, key_manifest(key, w->repo->number, prefix));
        else
                manifest_put_mark(m, txn, w->repo->number, prefix, due);
        if (w->there > 0)
                txn_put(txn, key_pages(key, w->repo->number, prefix), pages_encode(value, w->there));
        else
                txn_delete(txn, key_pages(key, w->repo->number, prefix));
        txn_commit(txn, &seq); /* else it is done once more */
        writing_free(w);
        manifests_go_on(m);
}

static void fail(struct writing *w, const struct s3_call *call)
{
        metric_add(&w->manifests->failed, 1);
        log_warn("manifest-not-written", "repo=%s directory=%s error=%s message=%s", w->repo->name, w->prefix,
                 s3_error_name(call->result.error), call->result.message);
        end(w, manifests_wall(w->manifests) + FAILED_NS);
}

/* --- pages that are not needed any more */

static void remove_next(struct writing *w);

static void on_removed(struct s3_call *call)
{
        struct writing *w = CONTAINER(call, struct writing, call);

        if (call->result.error != S3_OK) {
                fail(w, call);
                return;
        }
        w->there--;
        remove_next(w);
}

static void remove_next(struct writing *w)
{
        if (w->there <= w->pages) {
                log_debug("manifest-written", "repo=%s directory=%s pages=%u again=%d", w->repo->name,
                          w->prefix, w->pages, w->again);
                end(w, w->again ? manifests_wall(w->manifests) + manifest_delay(w->repo, w->pages) : 0);
                return;
        }
        manifest_key(w->prefix, w->there - 1, w->key);
        w->call.done = on_removed;
        s3_delete(w->repo->s3, &w->call, w->key, NULL);
}

/* --- what is told of an object */

/* Does B, of INODE, say of the object E all that it is? */
static bool is_known(const struct writing *w, const struct s3_entry *e, const struct inode *inode,
                     const struct backing *b, uint64_t member)
{
        bool told = b->flags & BACKING_SENT || (b->flags & BACKING_TOLD && inode->nlink == 1);

        if (b->repo != w->repo->number || inode->undescribed || b->flags & (BACKING_UNTOLD | BACKING_LOST) ||
            archive_is_pending(w->manifests->tier->mds, member) || e->is_prefix != (inode->type == NF4DIR))
                return false;
        if (e->is_prefix) /* else what was said of it here may not have gone to S3 */
                return w->repo->conf.export & REPO_CHANGED &&
                       (b->flags & BACKING_BARE ||
                        (b->flags & (BACKING_SENT | BACKING_TOLD) && b->modified > 0));
        return told && inode->change == b->change && slice_equal(b->etag, slice_str(e->etag)) &&
               b->size == e->size && e->modified_ns <= (uint64_t)b->modified + MANIFEST_SLACK_NS;
}

/* Of M, which describe() has made, what an import asks for. */
static void take_metadata(const struct s3_metadata *m, struct s3_metadata *ret)
{
        const char *name = NULL, *value;
        bool linked = s3_metadata_get(m, "nacre-link") != NULL;

        while (s3_metadata_next(m, &name, &value))
                if (strcmp(name, "user-agent") != 0 && strcmp(name, "nacre-id") != 0 &&
                    (linked || strcmp(name, "nacre-key") != 0))
                        s3_metadata_put(ret, name, value);
}

/* What HEAD would say of E, the object of INODE, which B says of MEMBER. False: that is not known. */
static bool fill_in(const struct writing *w, const struct s3_entry *e, const struct inode *inode,
                    const struct backing *b, uint64_t member, struct manifest_entry *ret)
{
        struct mds *mds = w->manifests->tier->mds;
        uint8_t record[RECORD_MAX];
        struct describe_id id = describe_id(mds, inode, b->change);
        struct backing of_file = *b;
        struct s3_metadata m;
        int length;

        *ret = (struct manifest_entry){ .size = e->size, .modified_ns = e->modified_ns };
        snprintf(ret->etag, sizeof(ret->etag), "%s", e->is_prefix ? "" : e->etag);
        if (e->is_prefix)
                ret->modified_ns = b->flags & BACKING_BARE ? 0 : (uint64_t)b->modified;
        if (e->is_prefix && b->flags & BACKING_BARE)
                return true;
        if (member != inode->fileid && tier_backing(mds, inode, record, &of_file) < 0)
                return false;
        describe_again(mds, inode, &id, of_file.kept, &m);
        describe_key(&m, slice_str(e->key));
        take_metadata(&m, &ret->metadata);
        if (inode->type != NF4LNK)
                return true;
        length = meta_symlink(mds->meta, inode->fileid, ret->target);
        ret->target_length = length > 0 ? (uint32_t)length : 0;
        return length > 0 && (uint64_t)length == e->size;
}

static bool look_up(const struct writing *w, const struct s3_entry *e, struct manifest_entry *ret)
{
        struct tier *t = w->manifests->tier;
        uint8_t record[RECORD_MAX];
        struct key_place place;
        struct backing b;
        uint64_t member;

        key_find(t, w->directory, w->prefix, e, &place);
        if (!place.there && !away_find(t, w->repo, slice_str(e->key), &place))
                return false;
        return second_backing(t->mds, place.inode, place.directory, place.name, record, &b, &member) == 0 &&
               is_known(w, e, place.inode, &b, member) && fill_in(w, e, place.inode, &b, member, ret);
}

/* Objects come before directories, so a page that is full lacks some that are before its end: of these
 * nothing is told. */
static void on_entry(struct s3_list *list, const struct s3_entry *e)
{
        struct writing *w = CONTAINER(list, struct writing, list);
        struct manifest_entry entry;

        if (w->full || (!e->is_prefix && strcmp(e->key, w->prefix) == 0) || manifest_is_reserved(e->key))
                return;
        if (look_up(w, e, &entry) && !manifest_page_add(&w->page, e->key + strlen(w->prefix), &entry)) {
                w->full = true;
                return;
        }
        if (strcmp(e->key, w->through) > 0)
                strcpy(w->through, e->key);
}

/* --- page by page */

static void on_listed(struct s3_call *call);

static void list_on(struct writing *w)
{
        w->full = false;
        w->list = (struct s3_list){ .call.priority = S3_SCAN,
                                    .call.done = on_listed,
                                    .prefix = w->prefix,
                                    .delimiter = "/",
                                    .start_after = w->through,
                                    .page = PAGE_KEYS,
                                    .entry = on_entry };
        manifest_page_begin(&w->page, w->prefix, w->pages);
        s3_list_first(w->repo->s3, &w->list);
}

static void on_put(struct s3_call *call)
{
        struct writing *w = CONTAINER(call, struct writing, call);

        if (call->result.error != S3_OK) {
                fail(w, call);
                return;
        }
        metric_add(&w->manifests->written, 1);
        w->repo->manifests = MANIFESTS_SOME;
        w->pages++;
        if (w->full) {
                list_on(w);
        } else if (w->list.more) {
                manifest_page_begin(&w->page, w->prefix, w->pages);
                s3_list_next(w->repo->s3, &w->list);
        } else {
                remove_next(w);
        }
}

/* That there may be one more, before it is sent. What a crash of the store forgets stays in the bucket. */
static void note_page(struct writing *w)
{
        struct txn *txn = txn_begin(w->manifests->tier->mds->meta);
        uint8_t key[KEY_MAX], value[RECORD_MAX];
        uint64_t seq;

        w->there = w->pages + 1;
        txn_put(txn, key_pages(key, w->repo->number, slice_str(w->prefix)), pages_encode(value, w->there));
        txn_commit(txn, &seq);
}

static void on_listed(struct s3_call *call)
{
        struct writing *w = CONTAINER(call, struct writing, list.call);
        bool more = w->full || w->list.more;
        struct slice text;

        meta_trim(w->manifests->tier->mds->meta);
        if (call->result.error != S3_OK) {
                fail(w, call);
                return;
        }
        if (w->page.count == 0 && w->pages == 0 && !more) {
                remove_next(w);
                return;
        }
        if (w->pages == w->there)
                note_page(w);
        text = manifest_page_end(&w->page, w->through[0] ? w->through + strlen(w->prefix) : "", more);
        w->body = (struct iovec){ w->page.space, text.length };
        manifest_key(w->prefix, w->pages, w->key);
        w->call.done = on_put;
        s3_put(w->repo->s3, &w->call, w->key,
               &(struct s3_put_args){ .body = &w->body, .body_count = 1, .content_type = "text/plain" });
}

/* --- the beginning */

/* The directory of R with the key PREFIX. NULL: there is none. */
static const struct inode *find_directory(struct tier *t, struct repo *r, const char *prefix)
{
        char key[BACKING_KEY_BYTES + 1] = "", above[BACKING_KEY_BYTES + 1] = "";
        const struct s3_entry e = { .key = key, .is_prefix = true };
        uint64_t directory = r->directory;
        const struct inode *dir;
        struct key_place place;

        for (const char *slash = prefix; (slash = strchr(slash, '/')); slash++) {
                strcpy(above, key);
                snprintf(key, sizeof(key), "%.*s", (int)(slash + 1 - prefix), prefix);
                key_find(t, directory, above, &e, &place);
                if ((!place.there && !away_find(t, r, slice_str(key), &place)) || place.inode->type != NF4DIR)
                        return NULL;
                directory = place.inode->fileid;
        }
        return meta_inode(t->mds->meta, directory, &dir) == 0 ? dir : NULL;
}

void manifest_write(struct manifests *m, struct repo *r, struct slice prefix)
{
        struct writing *w = calloc(1, sizeof(*w));
        const struct inode *dir;

        if (w)
                w->page.space = malloc(MANIFEST_PAGE_BYTES);
        if (!w || !w->page.space) {
                free(w);
                manifests_look_at(m, manifests_wall(m) + manifest_delay(r, 1));
                return;
        }
        w->manifests = m;
        w->repo = r;
        slice_text(w->prefix, sizeof(w->prefix), prefix);
        list_push(&m->active, &w->node);
        m->count++;
        w->call.priority = S3_SCAN;
        w->there = manifest_pages(m->tier, r->number, prefix);
        dir = find_directory(m->tier, r, w->prefix);
        if (!dir) {
                remove_next(w);
        } else if (dir->flags & INODE_COLD) { /* what is there is as true as it was */
                end(w, 0);
        } else {
                w->directory = dir->fileid;
                list_on(w);
        }
}
