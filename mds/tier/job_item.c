/* SPDX-License-Identifier: Apache-2.0 */
/* The files that a job has under way: whether it speaks of one, its beginning, what became of it. */
#include <fnmatch.h>
#include <stdlib.h>

#include "mds/tier/jobs_private.h"

enum { TRIES_MAX = 60 };
#define AGAIN_NS 1000000000ull
#define SECOND_NS 1000000000ull

/* --- a file has ended */

/* FILEID is not, or not any more, one that JOB has failed with. */
void item_forget_failure(struct job_run *run, struct txn *t, uint64_t fileid)
{
        uint8_t key[KEY_MAX];

        txn_delete(t, key_failure(key, run->job->number, fileid));
}

static void put_failure(struct txn *t, const struct job_item *item, const char *error)
{
        const struct job_failure f = { slice_str(item->path), slice_str(error) };
        uint8_t key[KEY_MAX], value[RECORD_MAX];

        txn_put(t, key_failure(key, item->run->job->number, item->fileid), failure_encode(value, &f));
}

/* With the counts, since nothing else says how far a second pass is. */
static void save_failure(struct job_item *item, enum item_result result, const char *error)
{
        struct job_run *run = item->run;
        bool again = run->job->record.options & JOB_AGAIN;
        struct txn *t;
        uint64_t seq;

        if (result != ITEM_FAILED && !again && !run->resumed)
                return;
        t = txn_begin(run_mds(run)->meta);
        if (result == ITEM_FAILED)
                put_failure(t, item, error);
        else
                item_forget_failure(run, t, item->fileid);
        if (again) {
                run->job->record.counts = run->before;
                job_save(run->job, t, NULL);
        } else {
                txn_commit(t, &seq);
        }
}

static void count_item(struct job_item *item, enum item_result result)
{
        struct job_run *run = item->run;
        bool again = run->job->record.options & JOB_AGAIN;
        struct job_counts *c = item->late ? &run->after : &run->before;

        run->passed++;
        run->passed_bytes += item->bytes;
        run->early -= !item->late;
        switch (result) {
        case ITEM_DONE:
                c->done++;
                c->bytes += item->bytes;
                break;
        case ITEM_SAME: c->same++; break;
        case ITEM_FAILED: c->failed++; break;
        }
        if (again) {
                run->before.failed--;
                run->failed_again += result == ITEM_FAILED;
        }
}

void item_end(struct job_item *item, enum item_result result, const char *error)
{
        struct job_run *run = item->run;

        if (!run->cancelled && !run->job->jobs->stopping) {
                count_item(item, result);
                save_failure(item, result, error);
        }
        list_remove(&item->node);
        run->under_way--;
        free(item);
        run_next_turn(run, 0);
}

void item_again(struct job_item *item, const char *error)
{
        if (item->run->cancelled || item->tries++ >= TRIES_MAX) {
                item_end(item, ITEM_FAILED, error);
                return;
        }
        item->begun = false;
        item->again_ns = env_now(item_mds(item)->env) + AGAIN_NS;
}

/* --- a file begins */

/* Does the job speak of FILE at PATH? */
bool job_means(const struct job_run *run, const struct inode *file, const char *path)
{
        const struct job_record *record = &run->job->record;
        int64_t used = file->atime > file->mtime ? file->atime : file->mtime;
        int64_t now = (int64_t)env_wall(run_mds(run)->env);
        const char *match = (const char *)record->match.data, *name = strrchr(path, '/');

        if (file->type != NF4REG || file->size < record->min_size)
                return false;
        if (record->older_seconds > 0 &&
            (now < used || (uint64_t)(now - used) / SECOND_NS < record->older_seconds))
                return false;
        return record->match.length == 0 ||
               fnmatch(match, strchr(match, '/') || !name ? path : name + 1, 0) == 0;
}

struct job_item *item_new(struct job_run *run, const struct inode *file, const char *path)
{
        struct job_item *item = calloc(1, sizeof(*item) + strlen(path) + 1);

        if (!item)
                return NULL;
        item->run = run;
        item->fileid = file->fileid;
        item->bytes = file->size;
        item->late = !(run->job->record.options & JOB_AGAIN);
        run->early += !item->late;
        strcpy(item->path, path);
        list_push(&run->items, &item->node);
        run->under_way++;
        return item;
}

void item_begin(struct job_item *item)
{
        const struct job_run *run = item->run;
        const struct inode *file;
        const char *error = NULL;
        enum item_result result;

        item->begun = true;
        if (meta_inode(item_mds(item)->meta, item->fileid, &file) < 0) {
                item_end(item, ITEM_SAME, NULL); /* it is gone */
                return;
        }
        result = run->verb->check(item_mds(item), file, &error);
        if (result == ITEM_DONE && !(run->job->record.options & JOB_DRY))
                run->verb->begin(item);
        else
                item_end(item, result, error);
}

void item_take(struct job_run *run, const struct inode *file, const char *path)
{
        struct job_item *item = item_new(run, file, path);

        if (item)
                item_begin(item);
        else
                job_set_problem(run->job, "out of memory: some files were left out");
}
