/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/tier/import.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mds/tier/archive.h"
#include "mds/tier/away.h"
#include "mds/tier/manifest.h"

/* When a name cannot be stored: often so much is not durable yet that the cache is full, and a little later
 * it is. Doubled each time. */
#define STORE_PAUSE_NS 20000000ull
#define STORE_PAUSE_MAX_NS 30000000000ull
#define STORE_PAUSE_TOLD_NS 10000000000ull /* from here on people are told */
enum { PAGE_KEYS = 1000 };

struct import {
        struct list node; /* in tier->imports */
        struct tier *tier;
        struct repo *repo;
        uint64_t directory;
        char prefix[BACKING_KEY_BYTES + 1];
        char reached[S3_KEY_BYTES];       /* all keys up to this have their names */
        char last[BACKING_KEY_BYTES + 1]; /* of the page under way; objects come before directories */
        char past[BACKING_KEY_BYTES + 1]; /* this one is told of by the manifest's next page; "": none */
        bool has_object;                  /* the directory has one itself, */
        uint64_t object_ns;               /* last modified then */
        struct manifest_reader *manifest; /* NULL: none is read */
        struct list waiting;
        struct timer pause;
        struct s3_list list;
        uint64_t names, began_ns, pause_ns;
        int error; /* of the store, in this page */
};

/* --- the end */

static void tell(struct import *i, enum nfsstat4 status)
{
        struct list all = LIST_INIT(all);

        list_splice(&all, &i->waiting);
        for (struct list *node; (node = list_pop(&all));) {
                struct import_wait *w = CONTAINER(node, struct import_wait, node);

                w->done(w, status);
        }
}

static void import_end(struct import *i, enum nfsstat4 status)
{
        list_remove(&i->node);
        timer_stop(&i->pause);
        manifest_close(i->manifest);
        tell(i, status);
        free(i);
}

/* Is the directory's own object, as the listing has shown it or not, the one that B was made of? */
static bool is_as_believed(const struct import *i, const struct backing *b)
{
        return i->has_object ? b->modified > 0 && i->object_ns <= (uint64_t)b->modified + MANIFEST_SLACK_NS
                             : b->modified == 0;
}

/* In T: what a manifest has said of DIR was believed until now. If it is not so, S3 is asked. */
static void check_belief(const struct import *i, struct txn *t, struct inode *dir)
{
        struct mds *mds = i->tier->mds;
        uint8_t record[RECORD_MAX];
        char name[TIER_NAME_BYTES];
        struct backing b;
        uint32_t from;

        if (tier_backing(mds, dir, record, &b) < 0 || !(b.flags & BACKING_BELIEVED))
                return;
        b.flags &= (uint8_t)~BACKING_BELIEVED;
        tier_put_backing(t, dir, &b);
        if (is_as_believed(i, &b) || b.key.length == 0 || archive_is_pending(mds, dir->fileid))
                return;
        for (from = b.key.length - 1; from > 0 && b.key.data[from - 1] != '/';)
                from--;
        heads_note(t, dir, dir->parent,
                   slice_of(name,
                            tier_name(slice_of(b.key.data + from, b.key.length - 1 - from), false, name)));
}

/* In T: DIR is the repo's own, and there is an object that says what it is. */
static void ask_about_own(const struct import *i, struct txn *t, struct inode *dir)
{
        if (i->prefix[0] == '\0' && i->has_object && !archive_is_pending(i->tier->mds, dir->fileid))
                heads_note(t, dir, dir->parent, slice_str(i->repo->name));
}

/* Every key has its name: the directory is as any other. */
static int warm_directory(struct import *i)
{
        struct txn *t = txn_begin(i->tier->mds->meta);
        struct inode *dir = txn_edit(t, i->directory);
        uint64_t seq;

        if (!dir) { /* removed meanwhile */
                txn_abort(t);
                return 0;
        }
        dir->flags &= (uint8_t)~INODE_COLD;
        check_belief(i, t, dir);
        ask_about_own(i, t, dir);
        txn_touch(t, dir, false); /* its names were there all the time */
        return txn_commit(t, &seq);
}

static void import_done(struct import *i)
{
        int r = warm_directory(i);

        heads_go(i->tier->heads);
        i->repo->problem[0] = '\0';
        log_debug("names-imported", "repo=%s prefix=%s names=%llu ms=%llu", i->repo->name, i->prefix,
                  (unsigned long long)i->names,
                  (unsigned long long)((env_now(i->tier->mds->env) - i->began_ns) / 1000000));
        import_end(i, r < 0 ? NFS4ERR_DELAY : NFS4_OK);
}

static void import_failed(struct import *i)
{
        const struct s3_result *r = &i->list.call.result;
        bool passing = r->error == S3_SLOW_DOWN || r->error == S3_TIMED_OUT || r->error == S3_UNREACHABLE;

        log_warn("names-not-imported", "repo=%s prefix=%s error=%s status=%d code=%s message=%s",
                 i->repo->name, i->prefix, s3_error_name(r->error), r->status, r->code, r->message);
        snprintf(i->repo->problem, sizeof(i->repo->problem), "%s: %s", s3_error_name(r->error), r->message);
        import_end(i, passing ? NFS4ERR_DELAY : NFS4ERR_IO);
}

/* --- a name */

/* The key of E has no name yet: it gets the one at PLACE. */
static int make_name(struct import *i, const struct s3_entry *e, const struct key_place *place)
{
        uint64_t fileid;
        int r = key_make_name(i->tier, i->repo, i->directory, place, e, false);

        if (r < 0)
                return r;
        i->names++;
        if (i->manifest && meta_lookup(i->tier->mds->meta, i->directory, place->name, &fileid) == 0)
                manifest_describe(i->manifest, e, fileid);
        return 0;
}

static void on_entry(struct s3_list *list, const struct s3_entry *e)
{
        struct import *i = CONTAINER(list, struct import, list);
        struct key_place place;

        if (i->error < 0 || manifest_is_reserved(e->key))
                return;
        if (!e->is_prefix && strcmp(e->key, i->prefix) == 0) {
                i->has_object = true;
                i->object_ns = e->modified_ns;
                return;
        }
        if (manifest_is_past(i->manifest, e->key)) {
                if (!i->past[0] || strcmp(e->key, i->past) < 0)
                        snprintf(i->past, sizeof(i->past), "%s", e->key);
                return;
        }
        key_find(i->tier, i->directory, i->prefix, e, &place);
        if (!place.there && !away_find(i->tier, i->repo, slice_str(e->key), &place)) {
                i->error = make_name(i, e, &place);
                if (i->error < 0)
                        return;
                i->pause_ns = 0;
        }
        if (strcmp(e->key, i->last) > 0)
                snprintf(i->last, sizeof(i->last), "%s", e->key);
}

/* --- page by page */

/* It goes on by itself; who waits for it longer than clients like to has had his DELAY. */
static void import_pause(struct import *i)
{
        if (i->pause_ns == 0)
                i->pause_ns = STORE_PAUSE_NS;
        else if (i->pause_ns < STORE_PAUSE_MAX_NS)
                i->pause_ns *= 2;
        if (i->pause_ns > STORE_PAUSE_TOLD_NS) {
                log_warn("names-not-stored", "repo=%s prefix=%s reached=%s error=%s", i->repo->name,
                         i->prefix, i->reached, strerror(-i->error));
                snprintf(i->repo->problem, sizeof(i->repo->problem), "names cannot be stored: %s",
                         strerror(-i->error));
        }
        timer_start(i->tier->mds->env, &i->pause, i->pause_ns);
}

/* What is behind the page of the manifest is listed once more, with the next one. */
static void next_page(struct import *i)
{
        char key[BACKING_KEY_BYTES + 1];

        memcpy(key, i->past, sizeof(key));
        i->past[0] = '\0';
        manifest_through(i->manifest, i->reached);
        manifest_next(i->manifest, key);
}

static void on_page(struct s3_call *call)
{
        struct import *i = CONTAINER(call, struct import, list.call);

        if (call->result.error == S3_OK && i->error == 0)
                strcpy(i->reached, i->last);
        if (call->result.error != S3_OK)
                import_failed(i);
        else if (i->error == -ENOENT)
                import_end(i, NFS4ERR_STALE); /* the directory was removed */
        else if (i->error < 0)
                import_pause(i);
        else if (i->past[0])
                next_page(i);
        else if (i->list.more)
                s3_list_next(i->repo->s3, &i->list);
        else
                import_done(i);
}

/* From behind what has its names. */
static void list_on(struct import *i)
{
        i->error = 0;
        i->past[0] = '\0';
        i->list = (struct s3_list){ .call.priority = S3_DEMAND,
                                    .call.done = on_page,
                                    .prefix = i->prefix,
                                    .delimiter = "/",
                                    .start_after = i->reached,
                                    .page = PAGE_KEYS,
                                    .entry = on_entry };
        s3_list_first(i->repo->s3, &i->list);
}

static void on_pause(struct timer *t)
{
        list_on(CONTAINER(t, struct import, pause));
}

/* The manifest's first page is there, or its next one; or none. */
static void on_manifest(void *arg)
{
        list_on(arg);
}

static struct import *import_begin(struct tier *t, const struct inode *dir)
{
        uint8_t record[RECORD_MAX];
        struct import *i = calloc(1, sizeof(*i));
        struct backing b;
        struct repo *repo;

        if (!i)
                return NULL;
        repo = tier_backing(t->mds, dir, record, &b) == 0 ? repo_by_number(t, b.repo) : NULL;
        if (!repo) {
                free(i);
                return NULL;
        }
        i->tier = t;
        i->repo = repo;
        i->directory = dir->fileid;
        slice_text(i->prefix, sizeof(i->prefix), b.key);
        i->pause.fire = on_pause;
        i->began_ns = env_now(t->mds->env);
        list_init(&i->waiting);
        list_push(&t->imports, &i->node);
        i->manifest = manifest_open(t, repo, i->prefix, on_manifest, i);
        if (!i->manifest)
                list_on(i);
        return i;
}

static struct import *import_of(const struct tier *t, uint64_t directory)
{
        LIST_FOR_EACH(node, &t->imports) {
                struct import *i = CONTAINER(node, struct import, node);

                if (i->directory == directory)
                        return i;
        }
        return NULL;
}

static struct import *import_get(struct tier *t, const struct inode *dir)
{
        struct import *i = import_of(t, dir->fileid);

        return i || t->stopping ? i : import_begin(t, dir);
}

bool import_names(struct tier *t, const struct inode *dir, struct import_wait *w)
{
        struct import *i = import_get(t, dir);

        if (i)
                list_push(&i->waiting, &w->node);
        return i != NULL;
}

/* --- stop */

void imports_stop(struct tier *t, const struct repo *repo)
{
        struct list all = LIST_INIT(all);

        list_splice(&all, &t->imports);
        for (struct list *node; (node = list_pop(&all));) {
                struct import *i = CONTAINER(node, struct import, node);

                list_push(&t->imports, node);
                if (repo && i->repo != repo)
                        continue;
                s3_cancel(&i->list.call);
                import_end(i, NFS4ERR_DELAY);
        }
}
