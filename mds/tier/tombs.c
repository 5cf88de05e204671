/* SPDX-License-Identifier: Apache-2.0 */
/* Objects whose files were removed: the 'z' records are the queue, in no order of time, so there is a pass
 * through all of them when the first is due; it halts while DELETIONS_MAX are under way. An object goes only
 * if it is the one that the file had, or one that we made of it: not every store heeds a DELETE's condition,
 * so a HEAD comes before; who refuses what was seen, twice, compares with another ETag than it tells.
 *
 * What is written to S3 may be carried out after nobody waits for it any more: by a server that has crashed,
 * on a connection that broke. S3 refuses what was signed more than 15 minutes ago; so a tombstone stays for
 * LATE_NS after the last attempt that may have been made, and its key is looked at once more; and where a
 * DELETE has had no answer nothing is written for as long. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "mds/tier/archive_private.h"
#include "mds/tier/sweep.h"

enum { DELETIONS_MAX = 64 /* at once */ };
#define PASS_NS 1000000000ull   /* a pass begins at most so often */
#define LATER_NS 60000000000ull /* of a repo that is not there, or after an error */

struct deletion {
        struct list node; /* in archiver->deletions */
        struct archiver *archiver;
        struct repo *repo;
        struct s3_call call;
        struct durable_wait marked;
        struct tomb_record tomb; /* its etag is: */
        char key[BACKING_KEY_BYTES + 1], etag[BACKING_ETAG_BYTES + 1];
        bool was_refused; /* by the condition, although a HEAD had shown that one */
};

static void look_in(struct archiver *a, uint64_t ns)
{
        uint64_t now = env_now(a->mds->env);

        if (a->stopping || (timer_running(&a->tomb_timer) && a->tomb_timer.due_ns <= now + ns))
                return;
        timer_start(a->mds->env, &a->tomb_timer, ns + 1);
}

static bool is_halted(const struct archiver *a)
{
        return a->tomb_from_length > 0;
}

void tombs_ask_for(struct archiver *a, int64_t due)
{
        int64_t now = (int64_t)env_wall(a->mds->env);
        uint64_t ns = due > now ? (uint64_t)(due - now) : 0;
        uint64_t earliest = a->tomb_pass_ns + PASS_NS, monotonic = env_now(a->mds->env);

        if (due < a->tomb_next)
                a->tomb_next = due;
        if (due != INT64_MAX && !is_halted(a))
                look_in(a, monotonic + ns < earliest ? earliest - monotonic : ns);
}

bool tomb_is_being_deleted(const struct archiver *a, uint32_t repo, const char *key)
{
        LIST_FOR_EACH(node, &a->deletions) {
                const struct deletion *d = CONTAINER(node, struct deletion, node);

                if (d->repo->number == repo && strcmp(d->key, key) == 0)
                        return true;
        }
        return false;
}

/* --- one deletion */

/* What D is about, as it is now; false: it has become another. */
static bool read_again(const struct deletion *d, uint8_t *space, struct tomb_record *ret)
{
        return tomb_read(d->archiver->mds, d->repo->number, slice_str(d->key), space, ret) == 0 &&
               ret->fileid == d->tomb.fileid && ret->due == d->tomb.due;
}

/* It becomes Z, or nothing for NULL. False: the store refuses. */
static bool become(struct deletion *d, const struct tomb_record *z, uint64_t *ret_seq)
{
        struct txn *t = txn_begin(d->archiver->mds->meta);
        uint8_t key[KEY_MAX];

        if (z)
                tomb_write(t, d->repo->number, slice_str(d->key), z);
        else
                txn_delete(t, key_tomb(key, d->repo->number, slice_str(d->key)));
        if (!z || z->gone)
                manifest_note_gone(d->archiver->tier, t, d->repo, slice_str(d->key));
        return txn_commit(t, ret_seq) == 0;
}

static void end(struct deletion *d, bool over)
{
        struct archiver *a = d->archiver;

        if (!over)
                log_warn("archive-not-deleted", "repo=%s key=%s error=%s message=%s", d->repo->name, d->key,
                         s3_error_name(d->call.result.error), d->call.result.message);
        sweep_heard(d->repo, d->key);
        list_remove(&d->marked.node);
        list_remove(&d->node);
        free(d);
        a->deleting--;
        if (!over)
                tombs_ask_for(a, (int64_t)(env_wall(a->mds->env) + LATER_NS));
        if (is_halted(a) && a->deleting <= DELETIONS_MAX / 2)
                look_in(a, over ? 0 : LATER_NS);
}

/* There is nothing, or nothing of ours. */
static void end_gone(struct deletion *d)
{
        struct tomb_record z = d->tomb;
        int64_t now = (int64_t)env_wall(d->archiver->mds->env), late = tomb_late_deletion(&z);
        uint64_t seq;

        if (z.gone)
                z.late = z.due;
        if (late < z.late)
                late = z.late;
        z = (struct tomb_record){
                .due = late, .unheard = z.unheard, .deleting = z.deleting, .gone = true, .fileid = z.fileid
        };
        if (late > now)
                tombs_ask_for(d->archiver, late);
        end(d, become(d, late > now ? &z : NULL, &seq));
}

static void ask_s3(struct deletion *d);

static void deleted(struct s3_call *call)
{
        struct deletion *d = CONTAINER(call, struct deletion, call);

        if (call->result.error == S3_PRECONDITION_FAILED && !d->was_refused) {
                d->was_refused = true;
                ask_s3(d);
        } else if (call->result.error != S3_OK) {
                end(d, false);
        } else {
                metric_add(&d->archiver->deleted, 1);
                if (!s3_may_come_late(call))
                        d->tomb.deleting = 0;
                end_gone(d);
        }
}

static void delete_it(struct durable_wait *w)
{
        struct deletion *d = CONTAINER(w, struct deletion, marked);

        d->call.done = deleted;
        s3_delete(d->repo->s3, &d->call, d->key, d->was_refused ? NULL : d->etag);
}

/* That it goes becomes durable first. */
static void mark(struct deletion *d)
{
        d->tomb.etag = slice_str(d->etag); /* which is what was found */
        d->tomb.deleting = (int64_t)env_wall(d->archiver->mds->env);
        d->marked.done = delete_it;
        if (become(d, &d->tomb, &d->marked.seq))
                mds_when_durable(d->archiver->mds, &d->marked);
        else
                end(d, false);
}

bool tomb_is_of_nobody(struct mds *mds, const struct describe_id *id)
{
        const struct inode *inode;
        int r = meta_inode(mds->meta, id->fileid, &inode);

        return r == -ENOENT || (r == 0 && (inode->generation != id->generation || inode->nlink == 0));
}

/* What is to become of the object that was found. */
enum verdict { GOES, STAYS, IS_NEEDED /* by the file ID, until that has moved */, IS_SOMEBODYS };

/* One that we made of the file ID, which may live here, be on its way to another key, or have left. */
static enum verdict judge_ours(const struct deletion *d, const struct describe_id *id)
{
        struct mds *mds = d->archiver->mds;
        uint8_t record[RECORD_MAX], space[RECORD_MAX];
        struct queue_record q = { 0 };
        const struct inode *inode;
        struct backing b;
        bool moves;

        if (tomb_is_of_nobody(mds, id) || meta_inode(mds->meta, id->fileid, &inode) < 0 ||
            tier_backing(mds, inode, record, &b) < 0 || b.repo != d->repo->number)
                return GOES;
        moves = queue_read(mds, id->fileid, space, &q) == 0 && q.what & QUEUE_NAME;
        if (moves && slice_equal(inode->type == NF4DIR ? q.key : b.key, slice_str(d->key)))
                return IS_NEEDED;
        return slice_equal(b.key, slice_str(d->key)) ? STAYS : GOES;
}

static enum verdict judge(const struct deletion *d, struct describe_id *id)
{
        const struct s3_object *object = &d->call.object;
        size_t length = strlen(d->key);

        if (describe_read_ours(d->archiver->mds, &object->metadata, slice_str(d->key), id))
                return judge_ours(d, id);
        if (d->etag[0] && strcmp(object->etag, d->etag) == 0)
                return GOES;
        /* a directory's */
        return length > 0 && d->key[length - 1] == '/' && object->size == 0 ? GOES : IS_SOMEBODYS;
}

/* There is an object, Z says the tombstone. */
static void found(struct deletion *d, struct tomb_record *z)
{
        bool due = z->due <= (int64_t)env_wall(d->archiver->mds->env) || z->gone;
        struct describe_id id = { .fileid = z->fileid };
        uint64_t seq;

        switch (judge(d, &id)) {
        case IS_SOMEBODYS: /* since its file was removed */
                log_info("archive-kept", "repo=%s key=%s etag=%s", d->repo->name, d->key,
                         d->call.object.etag);
                /* fall through */
        case STAYS: end(d, become(d, NULL, &seq)); return;
        case IS_NEEDED:
                z->due = INT64_MAX;
                z->gone = false;
                break;
        case GOES: break;
        }
        snprintf(d->etag, sizeof(d->etag), "%s", d->call.object.etag);
        if (due && z->due != INT64_MAX) {
                mark(d);
                return;
        }
        z->fileid = id.fileid;
        z->etag = slice_str(d->etag);
        end(d, become(d, z, &seq));
}

static void looked(struct s3_call *call)
{
        struct deletion *d = CONTAINER(call, struct deletion, call);
        int64_t now = (int64_t)env_wall(d->archiver->mds->env);
        uint8_t space[RECORD_MAX];
        struct tomb_record z;

        if (!read_again(d, space, &z)) {
                end(d, true);
        } else if (call->result.error == S3_OBJECT_NOT_FOUND) {
                if (d->tomb.due > now)
                        end(d, true);
                else
                        end_gone(d);
        } else if (call->result.error != S3_OK) {
                end(d, false);
        } else {
                found(d, &z);
        }
}

static void ask_s3(struct deletion *d)
{
        d->call.done = looked;
        s3_head(d->repo->s3, &d->call, d->key);
}

/* --- who is due */

static struct deletion *new_deletion(struct archiver *a, struct repo *repo, struct slice key,
                                     const struct tomb_record *z)
{
        struct deletion *d = calloc(1, sizeof(*d));

        if (!d)
                return NULL;
        d->archiver = a;
        d->repo = repo;
        d->tomb = *z;
        list_init(&d->marked.node);
        slice_text(d->key, sizeof(d->key), key);
        slice_text(d->etag, sizeof(d->etag), z->etag);
        d->tomb.etag = slice_str(d->etag);
        d->call.priority = S3_EXPORT;
        return d;
}

/* Does somebody still need the object? Who has the file open reads it to its end. */
static bool is_needed(struct archiver *a, const struct deletion *d)
{
        return tomb_is_being_deleted(a, d->repo->number, d->key) || send_uses_key(a, d->key) ||
               orphan_needs(a, d->tomb.fileid, d->key);
}

static void start(struct deletion *d)
{
        d->archiver->deleting++;
        list_push(&d->archiver->deletions, &d->node);
        ask_s3(d);
}

static bool each(void *arg, struct slice key, struct slice value)
{
        struct archiver *a = arg;
        struct tomb_record z;
        struct deletion *d;
        struct slice name;
        struct repo *repo;
        uint32_t number;
        int64_t now = (int64_t)env_wall(a->mds->env);

        if (!key_parse_tomb(key, &number, &name) || !tomb_decode(value, &z))
                return true; /* fsck tells */
        repo = repo_by_number(a->tier, number);
        if (z.due > now || !repo || repo->conf.paused) {
                tombs_ask_for(a, z.due > now ? z.due : now + (int64_t)LATER_NS);
                return true;
        }
        if (a->deleting >= DELETIONS_MAX || !(d = new_deletion(a, repo, name, &z))) {
                memcpy(a->tomb_from, key.data, key.length);
                a->tomb_from_length = key.length; /* halted */
                return false;
        }
        if (is_needed(a, d)) {
                tombs_ask_for(a, now);
                free(d);
                return true;
        }
        start(d);
        return true;
}

/* An object that is not the one that Z speaks of: is it one that arrived late? */
static void look_at(struct archiver *a, struct repo *repo, struct slice key, const struct tomb_record *z)
{
        struct deletion *d =
                a->stopping || a->deleting >= DELETIONS_MAX ? NULL : new_deletion(a, repo, key, z);

        if (d && !tomb_is_being_deleted(a, repo->number, d->key) && !send_uses_key(a, d->key))
                start(d);
        else
                free(d);
}

bool archive_is_deleted(struct mds *mds, struct repo *repo, struct slice key, struct slice etag)
{
        struct archiver *a = archiver_of(mds);
        uint8_t space[RECORD_MAX];
        struct tomb_record z;

        if (!a || tomb_read(mds, repo->number, key, space, &z) < 0)
                return false;
        if (!z.gone && slice_equal(z.etag, etag))
                return true;
        if (z.due == INT64_MAX && z.etag.length > 0 && z.late < (int64_t)env_wall(mds->env))
                return false;
        look_at(a, repo, key, &z);
        return true;
}

/* A pass begins, or goes on where it halted. */
static void look(struct timer *timer)
{
        struct archiver *a = CONTAINER(timer, struct archiver, tomb_timer);
        uint8_t key[KEY_MAX], at[KEY_MAX];
        struct slice prefix = key_kind(key, 'z'), from = prefix;

        if (is_halted(a)) {
                memcpy(at, a->tomb_from, a->tomb_from_length);
                from = slice_of(at, a->tomb_from_length);
                a->tomb_from_length = 0;
        } else {
                a->tomb_next = INT64_MAX;
                a->tomb_pass_ns = env_now(a->mds->env);
        }
        if (meta_scan_from(a->mds->meta, prefix, from, each, a) < 0)
                tombs_ask_for(a, (int64_t)(env_wall(a->mds->env) + LATER_NS));
        if (is_halted(a) && a->deleting == 0)
                look_in(a, PASS_NS); /* no memory */
        tombs_ask_for(a, a->tomb_next);
}

void tombs_start(struct archiver *a)
{
        list_init(&a->deletions);
        a->tomb_timer.fire = look;
        a->tomb_next = INT64_MAX;
        look_in(a, PASS_NS);
}

void tombs_quieten(struct archiver *a, const struct repo *r)
{
        LIST_FOR_EACH_SAFE(node, &a->deletions) {
                struct deletion *d = CONTAINER(node, struct deletion, node);

                if (r && d->repo != r)
                        continue;
                s3_cancel(&d->call);
                list_remove(&d->marked.node);
                list_remove(&d->node);
                a->deleting--;
                free(d);
        }
        look_in(a, PASS_NS);
}

void tombs_stop(struct archiver *a)
{
        timer_stop(&a->tomb_timer);
        tombs_quieten(a, NULL);
}
