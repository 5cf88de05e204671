/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a job: to the file, through the tree, or from one that it has failed with to the next. */
#include <errno.h>
#include <string.h>

#include "mds/tier/adopt.h"
#include "mds/tier/jobs_private.h"

enum { AHEAD_FILES = 500, TRIES_MAX = 60 };
#define SECOND_NS 1000000000ull

/* Of what W is at, from the root, for people: of what cannot be told any more the top alone. */
static void path_of(const struct job_run *run, const struct walk *w, char path[JOB_PATH_BYTES + 1])
{
        const struct slice top = run->job->record.path;
        size_t length = top.length;

        memcpy(path, top.data, length + 1);
        if (length >= JOB_PATH_BYTES)
                return;
        if (length == 0 || path[length - 1] != '/')
                path[length++] = '/';
        if (!walk_path(w, path + length, JOB_PATH_BYTES + 1 - length))
                snprintf(path + length, JOB_PATH_BYTES + 1 - length, "…");
        else if (path[length] == '\0')
                path[top.length] = '\0';
}

/* The names of the directory that the walk is in cannot be had. */
static void fail_directory(struct job_run *run)
{
        uint64_t directory = run->walk.levels[run->walk.depth - 1].directory;
        char path[JOB_PATH_BYTES + 1];
        const struct inode *dir;
        struct job_item *item;

        run->listed = directory;
        path_of(run, &run->walk, path);
        if (meta_inode(run_mds(run)->meta, directory, &dir) == 0 && (item = item_new(run, dir, path))) {
                item->bytes = 0;
                item_end(item, ITEM_FAILED, "S3Error");
        }
}

static void have_names(struct import_wait *w, enum nfsstat4 status)
{
        struct job_run *run = CONTAINER(w, struct job_run, names);

        run->waits = false;
        if (run->cancelled || run->job->jobs->stopping) {
                run_next_turn(run, 0);
                return;
        }
        if (status == NFS4ERR_DELAY && run->names_tries++ < TRIES_MAX) {
                run->waits = true;
                timer_start(run_mds(run)->env, &run->names_again, SECOND_NS);
                return;
        }
        run->names_tries = 0;
        if (status != NFS4_OK)
                fail_directory(run);
        run_next_turn(run, 0);
}

void way_ask_again(struct timer *timer)
{
        struct job_run *run = CONTAINER(timer, struct job_run, names_again);

        run->waits = false;
        run_next_turn(run, 0);
}

/* It is not known any more whether the job had failed with DIRECTORY before. */
static void forget_directory(struct job_run *run, uint64_t directory)
{
        struct txn *t = txn_begin(run_mds(run)->meta);
        uint64_t seq;

        item_forget_failure(run, t, directory);
        txn_commit(t, &seq);
}

/* Is the walk about to enter a directory whose names are not here? */
static bool wait_for_names(struct job_run *run)
{
        const struct walk *w = &run->walk;
        const struct walk_level *level = w->depth > 0 ? &w->levels[w->depth - 1] : NULL;
        const struct inode *dir;

        if (!run->verb->lists || !level || level->cookie > 0 || w->count > 0 ||
            run->listed == level->directory)
                return false;
        if (run->resumed)
                forget_directory(run, level->directory);
        if (meta_inode(run_mds(run)->meta, level->directory, &dir) < 0 || !(dir->flags & INODE_COLD))
                return false;
        run->names.done = have_names;
        run->waits = import_names(run->job->jobs->tier, dir, &run->names);
        if (!run->waits)
                fail_directory(run);
        return run->waits;
}

/* INODE, to which the walk has come, is no member of its repo, and PATH: shall it be one? */
static bool shall_be_adopted(const struct job_run *run, const struct inode *inode, const char *path)
{
        return inode->type == NF4DIR || job_archives_all(run->job) || job_means(run, inode, path);
}

static void adopt_one(struct job_run *run, const struct inode *inode, const char *path)
{
        const struct walk *w = &run->walk;
        const char *name = strrchr(path, '/');

        if (name && shall_be_adopted(run, inode, path))
                adopt(run_mds(run), inode->type == NF4DIR ? inode->parent : w->levels[w->depth - 1].directory,
                      slice_str(name + 1), inode);
}

static void walk_on(struct job_run *run)
{
        const struct job_record *record = &run->job->record;
        bool any_name = record->match.length == 0;
        char path[JOB_PATH_BYTES + 1];
        const struct inode *inode;
        struct walk_entry e;
        bool is_none;

        if (wait_for_names(run))
                return;
        if (!walk_next(&run->walk, &e)) {
                run->all_begun = true;
                return;
        }
        if (meta_inode(run_mds(run)->meta, e.fileid, &inode) < 0)
                return;
        is_none =
                record->verb == JOB_ARCHIVE && !(record->options & JOB_DRY) && !(inode->flags & INODE_BACKED);
        if (!is_none && any_name && !job_means(run, inode, ""))
                return;
        path_of(run, &run->walk, path);
        if (is_none) {
                adopt_one(run, inode, path);
                if (meta_inode(run_mds(run)->meta, e.fileid, &inode) < 0)
                        return;
        }
        if (job_means(run, inode, path))
                item_take(run, inode, path);
}

void way_begin(struct job_run *run)
{
        const struct job_record *record = &run->job->record;
        struct meta *meta = run_mds(run)->meta;
        struct walk_level levels[JOB_LEVELS];

        for (uint32_t i = 0; i < record->depth; i++)
                levels[i] = (struct walk_level){ record->levels[i].fileid, record->levels[i].after };
        if (record->depth > 0)
                walk_resume(&run->walk, meta, levels, record->depth);
        else
                walk_begin(&run->walk, meta, record->top);
        walk_begin(&run->ahead, meta, record->top);
}

struct failure_found {
        uint64_t fileid;
        char path[JOB_PATH_BYTES + 1];
};

static bool first_failure(void *arg, struct slice key, struct slice value)
{
        struct failure_found *found = arg;
        struct job_failure f;
        uint64_t number;

        if (!key_parse_u64_u64(key, 'f', &number, &found->fileid) || !failure_decode(value, &f))
                return true; /* fsck tells */
        memcpy(found->path, f.path.data, f.path.length);
        found->path[f.path.length] = '\0';
        return false;
}

static void again_on(struct job_run *run)
{
        uint8_t prefix[KEY_MAX], from[KEY_MAX];
        uint64_t number = run->job->number;
        struct failure_found found = { 0 };
        struct inode gone = { .type = NF4REG };
        const struct inode *file;

        if (meta_scan_from(run_mds(run)->meta, key_failures(prefix, number),
                           key_failure(from, number, run->again + 1), first_failure, &found) < 0)
                run->walk.error = -EIO;
        if (found.fileid == 0) {
                run->all_begun = true;
                return;
        }
        run->again = found.fileid;
        if (meta_inode(run_mds(run)->meta, found.fileid, &file) < 0)
                gone.fileid = found.fileid, file = &gone;
        if (file->type == NF4DIR) {
                run->all_begun = true;
                run->walk_anew = found.fileid;
        } else {
                item_take(run, file, found.path);
        }
}

/* A directory had no names: what is in it is to be found by a walk. */
void way_anew(struct job_run *run)
{
        struct job_record *record = &run->job->record;
        struct txn *t = txn_begin(run_mds(run)->meta);

        item_forget_failure(run, t, run->walk_anew);
        record->counts = run->before;
        record->counts.failed = 0;
        record->options &= (uint8_t)~JOB_AGAIN;
        if (job_save(run->job, t, NULL) < 0) {
                record->options |= JOB_AGAIN;
                run_next_turn(run, SECOND_NS);
                return;
        }
        run->walk_anew = 0;
        run->all_begun = run->counted = false;
        run->resumed = true;
        run->passed = run->passed_bytes = run->total = run->total_bytes = 0;
        run->before = record->counts;
        way_begin(run);
        run_note_place(run);
        run_next_turn(run, 0);
}

void way_go_on(struct job_run *run)
{
        const struct job_record *record = &run->job->record;
        const struct inode *file;

        if (record->options & JOB_AGAIN) {
                again_on(run);
        } else if (record->options & JOB_RECURSIVE) {
                walk_on(run);
        } else {
                run->all_begun = true;
                if (meta_inode(run_mds(run)->meta, record->top, &file) == 0 &&
                    job_means(run, file, (const char *)record->path.data))
                        item_take(run, file, (const char *)record->path.data);
        }
}

/* --- how much is there? */

void way_count(struct job_run *run)
{
        struct walk *w = &run->ahead;
        char path[JOB_PATH_BYTES + 1];
        const struct inode *inode;
        struct walk_entry e;

        for (int i = 0; i < AHEAD_FILES && !run->counted; i++) {
                if (!walk_next(w, &e)) {
                        run->counted = true;
                        walk_end(w);
                        return;
                }
                if (meta_inode(run_mds(run)->meta, e.fileid, &inode) < 0)
                        continue;
                if (e.type == NF4DIR)
                        run->unlisted |= run->verb->lists && inode->flags & INODE_COLD;
                path[0] = '\0';
                if (run->job->record.match.length > 0)
                        path_of(run, w, path);
                if (job_means(run, inode, path)) {
                        run->total++;
                        run->total_bytes += inode->size;
                }
        }
}
