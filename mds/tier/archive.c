/* SPDX-License-Identifier: Apache-2.0 */
/* What is done about one that is queued: may it be sent, what of it, and what became of it. */
#include "mds/tier/archive.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "mds/state/delegation.h"
#include "mds/state/open.h"
#include "mds/state/recovery.h"
#include "mds/tier/archive_private.h"
#include "mds/tier/second.h"
#include "mds/tier/unfinished.h"

#define PARKED_NS 60000000000ull /* open for writing (its CLOSE comes earlier), a repo that is not there */
#define PAUSED_NS 5000000000ull
#define AGAIN_NS 200000000ull
#define BACKOFF_NS 1000000000ull
#define BACKOFF_MOST_NS 300000000000ull
#define FOR_GOOD_NS 86400000000000ull /* until it is changed, or somebody asks */

const char *archive_error_name(enum archive_error e)
{
        switch (e) {
        case ARCHIVE_AGAIN:
        case ARCHIVE_NO_SERVER: return "ResourceBusy";
        case ARCHIVE_UNREADABLE:
        case ARCHIVE_NONSENSE: return "InternalError";
        case ARCHIVE_CONFLICT: return "S3Conflict";
        case ARCHIVE_TOO_LONG: return "PathSizeTooLong";
        default: return s3_error_name((enum s3_error)e);
        }
}

/* --- may it be sent? */

static void add_access(void *arg, const struct open_state *open)
{
        *(bool *)arg |= (open->access & OPEN4_SHARE_ACCESS_WRITE) != 0;
}

bool archive_is_open(const struct mds *mds, uint64_t fileid)
{
        bool writing = delegation_answering(mds->delegations, NULL, fileid) != NULL;

        opens_each_of_file(mds->opens, fileid, add_access, &writing);
        return writing;
}

/* How long it has to wait yet; 0: its turn has come. */
static uint64_t wait_ns(const struct job *job, const struct repo *repo, const struct inode *inode)
{
        const struct mds *mds = job->archiver->mds;
        uint64_t delay = repo->conf.export_delay * 1000000000ull,
                 rested = env_now(mds->env) - job->touched_ns;

        if (repo->conf.paused)
                return PAUSED_NS;
        if (recovery_in_grace(mds->recovery)) /* who has it open may not have said so yet */
                return PAUSED_NS;
        if (inode->type == NF4REG && archive_is_open(mds, inode->fileid))
                return PARKED_NS;
        return job->now || job->attempts > 0 || rested >= delay ? 0 : delay - rested;
}

/* Nothing is to be sent: it is gone, or its repo does not export. */
static void drop(struct job *job)
{
        struct txn *t = txn_begin(job->archiver->mds->meta);
        uint64_t seq;

        queue_delete(t, job->fileid);
        unfinished_look(job->archiver);
        if (txn_commit(t, &seq) == 0)
                job_forget(job);
        else
                job_wait(job, PAUSED_NS);
}

/* May what B backs, of REPO, have an object there now? The bucket itself is none. */
static bool has_place(const struct repo *repo, const struct backing *b)
{
        return repo->conf.export & (b->etag.length > 0 ? REPO_CHANGED : REPO_NEW) &&
               (b->key.length > 0 || repo->conf.prefix[0] != '\0');
}

/* With the queue's and the backing record in SPACE and RECORD. False: it was dealt with. */
static bool may_run(struct job *job, uint8_t *space, uint8_t *record, struct queue_record *q,
                    struct backing *b, const struct inode **inode, struct repo **repo)
{
        struct mds *mds = job->archiver->mds;
        int r = queue_read(mds, job->fileid, space, q);
        uint64_t ns;

        if (r == -ENOENT) {
                job_forget(job);
                return false;
        }
        if (r == 0)
                r = meta_inode(mds->meta, job->fileid, inode);
        if (r == -ENOENT || (r == 0 && ((*inode)->nlink == 0 || !((*inode)->flags & INODE_BACKED)))) {
                drop(job);
                return false;
        }
        if (r != 0 || tier_backing(mds, *inode, record, b) < 0) {
                job_wait(job, PAUSED_NS);
                return false;
        }
        *repo = repo_by_number(job->archiver->tier, b->repo);
        if (*repo && !has_place(*repo, b)) {
                drop(job);
                return false;
        }
        ns = *repo ? wait_ns(job, *repo, *inode) : PARKED_NS;
        if (ns > 0)
                job_wait(job, ns);
        return ns == 0;
}

void job_run(struct job *job)
{
        uint8_t space[RECORD_MAX], record[RECORD_MAX];
        struct archiver *a = job->archiver;
        const struct inode *inode;
        struct queue_record q;
        struct backing b;
        struct repo *repo;
        struct send *s;

        if (!may_run(job, space, record, &q, &b, &inode, &repo))
                return;
        s = calloc(1, sizeof(*s));
        if (!s) {
                job_wait(job, PAUSED_NS);
                return;
        }
        job->state = JOB_RUNS;
        job->send = s;
        job->now = false;
        s->archiver = a;
        s->job = job;
        s->repo = repo;
        s->fileid = job->fileid;
        list_push(&a->sends, &s->node);
        a->sending++;
        send_begin(s, &q);
}

/* --- what became of it */

static bool is_for_good(enum archive_error e)
{
        return e == (enum archive_error)S3_PATH_TOO_LONG || e == (enum archive_error)S3_TOO_LARGE ||
               e == ARCHIVE_CONFLICT || e == ARCHIVE_NONSENSE || e == (enum archive_error)S3_UNSUPPORTED_TIER;
}

static void note_failure(struct archiver *a, uint64_t fileid, enum archive_error error)
{
        uint8_t space[RECORD_MAX];
        struct queue_record q;
        struct txn *t;
        uint64_t seq;

        if (queue_read(a->mds, fileid, space, &q) < 0 || q.failed == (uint8_t)error)
                return;
        t = txn_begin(a->mds->meta);
        q.failed = (uint8_t)error;
        queue_put(t, fileid, &q);
        txn_commit(t, &seq);
}

static uint64_t backoff_ns(const struct job *job)
{
        uint64_t ns = BACKOFF_NS << (job->attempts < 9 ? job->attempts - 1 : 8);

        if (ns > BACKOFF_MOST_NS)
                ns = BACKOFF_MOST_NS;
        return ns / 2 + env_random_u64(job->archiver->mds->env) % (ns / 2);
}

static void failed(struct job *job, const char *key, enum archive_error error, const char *message)
{
        struct archiver *a = job->archiver;

        if (job->attempts < UINT8_MAX)
                job->attempts++;
        archive_count_failure(a, error);
        log_warn("archive-failed", "key=%s error=%s attempt=%u message=%s", key, archive_error_name(error),
                 job->attempts, message);
        if (is_for_good(error) || job->attempts >= GIVE_UP_ATTEMPTS)
                note_failure(a, job->fileid, error);
        job_wait(job, is_for_good(error) ? FOR_GOOD_NS : backoff_ns(job));
}

void send_ended(struct send *s, enum archive_error error, const char *message)
{
        struct archiver *a = s->archiver;
        struct job *job = s->job;
        char key[BACKING_KEY_BYTES + 1];

        memcpy(key, s->key, sizeof(key));
        if (error != ARCHIVE_OK && error != ARCHIVE_AGAIN && message[0])
                snprintf(s->repo->problem, sizeof(s->repo->problem), "%s: %s", archive_error_name(error),
                         message);
        if (is_for_good(error))
                unfinished_give_up(s);
        job->send = NULL;
        a->sending--;
        unfinished_look(a);
        if (error == ARCHIVE_OK || error == ARCHIVE_AGAIN) /* looks whether something is left */
                job_wait(job, error == ARCHIVE_OK ? 0 : s->pause_ns ? s->pause_ns : AGAIN_NS);
        else
                failed(job, key, error, message);
        send_free(s);
        env_defer(a->mds->env, &a->task);
}

/* Data servers still owe answers: nobody waits for them. */
static void abandon(struct send *s)
{
        struct job *job = s->job;

        s->abandoned = true;
        s->job = NULL;
        s->repo = NULL;
        s->archiver->sending--;
        s3_cancel(&s->call);
        if (s->parts)
                parts_cancel(s->parts);
        job->send = NULL;
        job_wait(job, AGAIN_NS);
}

void archiver_go(struct archiver *a)
{
        if (a)
                unfinished_look(a);
}

void archiver_quieten(struct archiver *a, const struct repo *r)
{
        if (!a)
                return;
        LIST_FOR_EACH_SAFE(node, &a->sends) {
                struct send *s = CONTAINER(node, struct send, node);

                if (s->repo != r)
                        continue;
                s->job->unheard.whole = false; /* what is under way */
                if (s->under_way > 0)
                        abandon(s);
                else
                        send_ended(s, ARCHIVE_AGAIN, "");
        }
        tombs_quieten(a, r);
        unfinished_quieten(a, r);
}

/* --- what is heard */

/* Did somebody set the time of a directory? Names that come and go stamp both. */
static bool sets_time(const struct inode *before, const struct inode *after)
{
        return after->type == NF4DIR && before->mtime != after->mtime && after->mtime != after->ctime;
}

/* Does T say itself that S3 has the file as it is AFTER? */
static bool is_backed_so(const struct txn *t, const struct inode *after)
{
        uint8_t key[KEY_MAX];
        struct slice value;
        struct backing b;

        return txn_changes(t, key_backing(key, after->fileid), &value) && backing_decode(value, &b) &&
               b.etag.length > 0 && b.change == after->change;
}

static void watch(void *arg, struct txn *t, const struct inode *before, const struct inode *after)
{
        struct archiver *a = arg;
        bool described = before->mode != after->mode || before->uid != after->uid ||
                         before->gid != after->gid || txn_moves_xattrs(t, after->fileid) ||
                         sets_time(before, after);
        uint8_t what = 0;

        if (after->nlink == 0 || queue_delay_ns(a) == UINT64_MAX || is_backed_so(t, after))
                return;
        if (after->type == NF4DIR && !described)
                return; /* names came or went */
        if (after->type == NF4REG && (before->size != after->size || before->mtime != after->mtime))
                what = QUEUE_CONTENT;
        else if (described || before->mtime != after->mtime || before->atime != after->atime)
                what = QUEUE_METADATA;
        queue_note(a, t, after->fileid, what, NULL);
}

void archive_written(struct mds *mds, uint64_t fileid)
{
        struct archiver *a = archiver_of(mds);
        const struct inode *inode;
        struct txn *t;
        uint64_t seq;

        if (!a || queue_delay_ns(a) == UINT64_MAX || meta_inode(mds->meta, fileid, &inode) < 0 ||
            !(inode->flags & INODE_BACKED) || inode->nlink == 0)
                return;
        t = txn_begin(mds->meta);
        queue_note(a, t, fileid, QUEUE_CONTENT, NULL);
        txn_commit(t, &seq);
}

void archive_closed(struct mds *mds, uint64_t fileid)
{
        struct archiver *a = archiver_of(mds);
        struct job *job = a ? queue_find(a, fileid) : NULL;

        if (job)
                queue_touch(job);
}

/* What failed is tried anew, and is no failure before that. */
static bool try_anew(struct archiver *a, struct job *job, struct queue_record *q)
{
        struct txn *t;
        uint64_t seq;

        job->attempts = 0;
        if (!q->failed)
                return true;
        t = txn_begin(a->mds->meta);
        q->failed = 0;
        queue_put(t, job->fileid, q);
        return txn_commit(t, &seq) == 0;
}

int archive_now(struct mds *mds, uint64_t fileid)
{
        struct archiver *a = archiver_of(mds);
        uint8_t space[RECORD_MAX], record[RECORD_MAX];
        const struct inode *inode;
        struct queue_record q;
        struct backing b;
        struct repo *repo;
        struct job *job;
        bool also; /* second names */

        if (!a || meta_inode(mds->meta, fileid, &inode) < 0)
                return -ENOENT;
        repo = tier_backing(mds, inode, record, &b) == 0 ? repo_by_number(a->tier, b.repo) : NULL;
        if (!repo || !repo->conf.export)
                return -EINVAL;
        if (b.change != inode->change || b.etag.length == 0)
                archive_written(mds, fileid);
        also = inode->nlink > 1 && seconds_hurry(a, fileid);
        if (queue_read(mds, fileid, space, &q) < 0)
                return also ? 0 : -EALREADY;
        job = queue_get(a, fileid);
        if (!job || !try_anew(a, job, &q))
                return -ENOBUFS;
        job->now = true;
        if (job->state == JOB_WAITS)
                job_wait(job, 0);
        return 0;
}

/* Has what is queued of NUMBER been sent to KEY, as far as is known? */
static bool goes_to(struct mds *mds, uint64_t number, struct slice key)
{
        uint8_t space[RECORD_MAX];
        struct queue_record q;

        return queue_read(mds, number, space, &q) == 0 && q.what & QUEUE_SENT && slice_equal(q.sent_key, key);
}

static bool any_goes_to(struct mds *mds, const struct inode *file, struct slice key)
{
        bool goes = goes_to(mds, file->fileid, key);
        struct second s = { 0 };

        while (!goes && file->nlink > 1 && second_next(mds, file->fileid, s.number, &s))
                goes = goes_to(mds, s.number, key);
        return goes;
}

bool archive_is_same(struct mds *mds, uint64_t fileid, uint32_t generation, uint64_t change, struct slice key)
{
        const struct inode *inode, *file;

        if (meta_inode(mds->meta, fileid, &inode) < 0 || inode->generation != generation)
                return false;
        if (inode->type == INODE_NAME)
                return goes_to(mds, fileid, key) && meta_inode(mds->meta, inode->parent, &file) == 0 &&
                       file->change == change;
        return inode->nlink > 0 && inode->change == change && any_goes_to(mds, inode, key);
}

bool archive_is_pending(struct mds *mds, uint64_t fileid)
{
        uint8_t space[RECORD_MAX];
        struct queue_record q;

        return queue_read(mds, fileid, space, &q) != -ENOENT;
}

/* --- birth and death */

static void run(struct task *task)
{
        struct archiver *a = CONTAINER(task, struct archiver, task);

        meta_trim(a->mds->meta);
        while (!a->stopping && a->sending < SENDS_MAX && !list_empty(&a->ready)) {
                struct job *job = CONTAINER(list_pop(&a->ready), struct job, in_ready);

                job_run(job);
        }
        if (a->beyond && a->jobs.count < JOBS_MAX / 2)
                queue_load(a);
}

struct archiver *archiver_new(struct tier *t)
{
        struct archiver *a = calloc(1, sizeof(*a));

        if (!a)
                return NULL;
        if (!hashtab_init(&a->jobs, 256)) {
                free(a);
                return NULL;
        }
        a->tier = t;
        a->mds = t->mds;
        a->task.run = run;
        list_init(&a->task.node);
        list_init(&a->ready);
        list_init(&a->sends);
        slab_init(&a->slab, sizeof(struct job), JOBS_MAX);
        archive_metrics_register(a);
        meta_watch(t->mds->meta, watch, a);
        queue_load(a);
        tombs_start(a);
        unfinished_start(a);
        return a;
}

void archiver_stop(struct archiver *a)
{
        if (!a || a->stopping)
                return;
        a->stopping = true; /* what is changed yet is noted, and waits in the store */
        tombs_stop(a);
        unfinished_stop(a);
        list_remove(&a->task.node);
}

void archiver_free(struct archiver *a)
{
        struct hnode *node = NULL;
        uint32_t bucket = 0;

        if (!a)
                return;
        archiver_stop(a);
        meta_watch(a->mds->meta, NULL, NULL);
        for (struct list *at; (at = list_pop(&a->sends));)
                send_free(CONTAINER(at, struct send, node));
        while ((node = hashtab_walk(&a->jobs, &bucket, node)))
                timer_stop(&CONTAINER(node, struct job, node)->due);
        hashtab_destroy(&a->jobs);
        slab_destroy(&a->slab);
        free(a);
}
