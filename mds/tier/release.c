/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/tier/release.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mds/pnfs/proxy.h"
#include "mds/pnfs/recall.h"
#include "mds/pnfs/size_file.h"
#include "mds/pnfs/space.h"
#include "mds/tier/archive.h"
#include "mds/tier/tier.h"

const char *const release_result_names[] = {
        [RELEASE_DONE] = "released",
        [RELEASE_NO_OBJECT] = "not archived",
        [RELEASE_DIRTY] = "dirty",
        [RELEASE_PINNED] = "pinned",
        [RELEASE_UNHEARD] = "an earlier write that S3 has not answered may still arrive: later",
        [RELEASE_LOST] = "not in S3",
        [RELEASE_IN_USE] = "in use",
        [RELEASE_AWAY] = "a data server is away",
        [RELEASE_NO_S3] = "S3 does not answer",
        [RELEASE_FAILED] = "failed: see the log",
};
_Static_assert(sizeof(release_result_names) / sizeof(release_result_names[0]) == RELEASE_RESULTS,
               "each result has a name");

struct release {
        struct list node; /* in tier->releases */
        struct mds *mds;
        struct release_wait *wait;
        uint64_t fileid, size;
        char key[BACKING_KEY_BYTES + 1], etag[BACKING_ETAG_BYTES + 1], version[S3_VERSION_BYTES];
        struct s3_call head;
        struct fence_wait fence;
        const struct repo *asking; /* its S3; NULL: not any more */
        struct size_wait sizes;
        struct durable_wait durable;
        uint32_t epoch;   /* handles from this one on are not fenced; then, that know that it is cold */
        uint64_t servers; /* who they were, and since when */
        uint32_t pending;
        uint64_t freed;
        enum release_result result;
};

static void release_end(struct release *r, enum release_result result)
{
        struct release_wait *wait = r->wait;

        if (result == RELEASE_DONE)
                log_debug("file-released", "file=%llu bytes=%llu", (unsigned long long)r->fileid,
                          (unsigned long long)r->freed);
        metric_add(result == RELEASE_DONE ? &r->mds->tier->released : &r->mds->tier->not_released, 1);
        metric_add(&r->mds->tier->released_bytes, r->freed);
        list_remove(&r->node);
        free(r);
        wait->done(wait, result);
}

/* --- 5. at the data servers */

/* Somebody still has something of it. */
static void note_rest(struct release *r)
{
        struct txn *t = txn_begin(r->mds->meta);
        struct inode *edit = txn_edit(t, r->fileid);
        uint64_t seq;

        if (!edit) {
                txn_abort(t);
                return;
        }
        edit->flags |= INODE_USED_OLD;
        txn_commit(t, &seq);
}

static void all_answered(struct release *r)
{
        if (r->result != RELEASE_DONE)
                note_rest(r);
        release_end(r, r->result);
}

static void released(void *arg, struct server *server, void *result)
{
        struct release *r = arg;
        const ctl_release_res *res = result;

        if (res && res->status == CTL_OK) {
                r->freed += res->ctl_release_res_u.freed;
        } else {
                r->result = !res                         ? RELEASE_AWAY
                            : res->status == CTL_REFUSED ? RELEASE_IN_USE
                                                         : RELEASE_FAILED;
                log_info("not-released", "file=%llu server=%s status=%d", (unsigned long long)r->fileid,
                         server->name, res ? (int)res->status : -1);
        }
        if (--r->pending == 0)
                all_answered(r);
}

/* Those that have a part of FILE, and since when they run. */
static uint64_t servers_of(const struct mds *mds, const struct inode *file)
{
        uint64_t mark = 0;

        for (uint32_t i = 0; i < file->width; i++) {
                const struct server *s = fleet_file_server(mds->fleet, file, i);
                uint64_t boot = 0;

                if (!s || !s->conn)
                        return 0;
                memcpy(&boot, s->boot, sizeof(boot));
                mark = hash_u64(hash_u64(mark + s->id) + boot);
        }
        return mark | 1;
}

static void ask_servers(struct release *r, const struct inode *file)
{
        const struct inode copy = *file;

        r->pending = 1;
        r->result = RELEASE_DONE;
        for (uint32_t i = 0; i < copy.width; i++) {
                struct server *s = fleet_file_server(r->mds->fleet, &copy, i);
                ctl_release_args args = { .object = size_object(&copy, i), .epoch = r->epoch };

                r->pending++;
                if (!s ||
                    ctl_call(s, CTL_RELEASE, (xdrproc_t)xdr_ctl_release_args, &args,
                             (xdrproc_t)xdr_ctl_release_res, sizeof(ctl_release_res), released, r) < 0) {
                        r->result = RELEASE_AWAY;
                        r->pending--;
                }
        }
        if (--r->pending == 0)
                all_answered(r);
}

static void cold_for_good(struct durable_wait *w)
{
        struct release *r = CONTAINER(w, struct release, durable);
        const struct inode *file;

        r->result = RELEASE_AWAY;
        if (meta_inode(r->mds->meta, r->fileid, &file) < 0)
                release_end(r, RELEASE_NO_OBJECT);
        else if (servers_of(r->mds, file) == r->servers)
                ask_servers(r, file);
        else
                all_answered(r);
}

/* --- 3., 4. is it clean? */

/* FILE is clean as far as the metadata know: *b. */
static enum release_result look(struct mds *mds, const struct inode *file, uint8_t *record, struct backing *b)
{
        if (file->type != NF4REG || file->nlink == 0 || tier_backing(mds, file, record, b) < 0 ||
            b->etag.length == 0)
                return RELEASE_NO_OBJECT;
        if (b->change != file->change || b->size != file->size || archive_is_pending(mds, file->fileid))
                return RELEASE_DIRTY;
        if (b->flags & BACKING_PINNED)
                return RELEASE_PINNED;
        if (b->late > (int64_t)env_wall(mds->env))
                return RELEASE_UNHEARD;
        return servers_of(mds, file) == 0 ? RELEASE_AWAY : RELEASE_DONE;
}

enum release_result release_check(struct mds *mds, const struct inode *file)
{
        uint8_t record[RECORD_MAX];
        struct backing b;

        return look(mds, file, record, &b);
}

/* Who got a handle since the others were fenced does not know that the file is to be cold; neither does a
 * DEALLOCATE, which would make a hole of what is here only until it is fetched again. */
static bool is_in_use(const struct release *r)
{
        return recall_is_outrun(r->mds->recalls, r->fileid, RECALL_HOLDERS, NULL, r->epoch) ||
               proxy_is_busy(r->mds->proxy, r->fileid) || space_is_emptying(r->mds, r->fileid);
}

static enum release_result make_cold(struct release *r, const struct inode *file, struct backing *b)
{
        struct txn *t = txn_begin(r->mds->meta);
        struct inode *edit = txn_edit(t, file->fileid);

        b->version = slice_str(r->version);
        r->servers = servers_of(r->mds, file);
        r->epoch = edit ? tier_chill(r->mds, t, edit, b) : 0;
        if (r->epoch == 0) {
                txn_abort(t);
                return RELEASE_FAILED;
        }
        return txn_commit(t, &r->durable.seq) < 0 ? RELEASE_FAILED : RELEASE_DONE;
}

static void have_sizes(struct size_wait *w, enum nfsstat4 status)
{
        struct release *r = CONTAINER(w, struct release, sizes);
        const struct inode *file;
        uint8_t record[RECORD_MAX];
        struct backing b;
        enum release_result result = RELEASE_NO_OBJECT;

        if (status == NFS4_OK && meta_inode(r->mds->meta, r->fileid, &file) == 0)
                result = look(r->mds, file, record, &b);
        else if (status != NFS4ERR_STALE)
                result = RELEASE_AWAY;
        if (result == RELEASE_DONE && !slice_equal(b.etag, slice_str(r->etag)))
                result = RELEASE_IN_USE; /* archived again meanwhile */
        if (result == RELEASE_DONE && is_in_use(r))
                result = RELEASE_IN_USE;
        /* An empty file has nothing that anybody could fetch, and so find that all of it is here. */
        if (result == RELEASE_DONE && file->size > 0)
                result = make_cold(r, file, &b);
        if (result != RELEASE_DONE || file->size == 0) {
                release_end(r, result);
                return;
        }
        r->durable.done = cold_for_good;
        mds_when_durable(r->mds, &r->durable);
}

/* --- 2. nobody writes any more */

static void ask_sizes(struct release *r)
{
        r->sizes.done = have_sizes;
        size_wait(r->mds->sizes, r->fileid, &r->sizes);
}

static void fenced(struct fence_wait *fence)
{
        struct release *r = CONTAINER(fence, struct release, fence);

        if (fence->given_up)
                release_end(r, RELEASE_IN_USE);
        else
                ask_sizes(r);
}

static void fence(struct release *r)
{
        const struct inode *file;

        if (meta_inode(r->mds->meta, r->fileid, &file) < 0) {
                release_end(r, RELEASE_NO_OBJECT);
                return;
        }
        r->fence.done = fenced;
        if (!recall_file(r->mds->recalls, file, RECALL_HOLDERS, NULL, &r->fence)) {
                ask_sizes(r); /* and whoever has a layout then has got it meanwhile */
                return;
        }
        r->epoch = meta_epoch(r->mds->meta);
}

/* --- 1. S3 has it */

static void have_head(struct s3_call *call)
{
        struct release *r = CONTAINER(call, struct release, head);
        const struct s3_result *s = &call->result;
        bool gone = s->error == S3_OBJECT_NOT_FOUND || s->error == S3_BUCKET_NOT_FOUND;

        r->asking = NULL;
        if (s->error == S3_OK && strcmp(call->object.etag, r->etag) == 0 && call->object.size == r->size) {
                memcpy(r->version, call->object.version_id, sizeof(r->version));
                fence(r);
                return;
        }
        log_warn("not-released", "file=%llu key=%s error=%s why=%s", (unsigned long long)r->fileid, r->key,
                 s->error == S3_OK ? "S3ObjectChanged" : s3_error_name(s->error), s->message);
        release_end(r, gone || s->error == S3_OK ? RELEASE_LOST : RELEASE_NO_S3);
}

static enum release_result ask_s3(struct release *r)
{
        const struct inode *file;
        uint8_t record[RECORD_MAX];
        struct backing b;
        const struct repo *repo;
        enum release_result result;

        if (meta_inode(r->mds->meta, r->fileid, &file) < 0)
                return RELEASE_NO_OBJECT;
        result = look(r->mds, file, record, &b);
        if (result != RELEASE_DONE)
                return result;
        repo = repo_by_number(r->mds->tier, b.repo);
        if (!repo || !repo->s3)
                return RELEASE_NO_S3;
        r->size = b.size;
        slice_text(r->key, sizeof(r->key), b.key);
        slice_text(r->etag, sizeof(r->etag), b.etag);
        r->head.priority = S3_SCAN;
        r->head.done = have_head;
        r->asking = repo;
        s3_head(repo->s3, &r->head, r->key);
        return RELEASE_DONE;
}

/* --- the beginning */

void release_file(struct mds *mds, uint64_t fileid, struct release_wait *wait)
{
        struct release *r;
        enum release_result result;

        if (mds->tier->stopping || release_is_under_way(mds, fileid)) {
                wait->done(wait, RELEASE_IN_USE);
                return;
        }
        r = calloc(1, sizeof(*r));
        if (!r) {
                wait->done(wait, RELEASE_FAILED);
                return;
        }
        r->mds = mds;
        r->fileid = fileid;
        r->wait = wait;
        list_init(&r->durable.node);
        list_push(&mds->tier->releases, &r->node);
        result = ask_s3(r);
        if (result != RELEASE_DONE)
                release_end(r, result);
}

bool release_is_under_way(const struct mds *mds, uint64_t fileid)
{
        LIST_FOR_EACH(node, &mds->tier->releases)
                if (CONTAINER(node, struct release, node)->fileid == fileid)
                        return true;
        return false;
}

void releases_register(struct tier *t)
{
        struct metrics *m = &t->mds->metrics;

        metric_counter(m, &t->released, "nacre_tier_released_files_total",
                       "Files whose bytes left the data servers");
        metric_counter(m, &t->released_bytes, "nacre_tier_released_bytes_total",
                       "Bytes of disk that this gave back");
        metric_counter(m, &t->not_released, "nacre_tier_not_released_files_total",
                       "Files that were to be released and could not be");
}

void releases_stop(struct tier *t, const struct repo *repo)
{
        LIST_FOR_EACH_SAFE(node, &t->releases) {
                struct release *r = CONTAINER(node, struct release, node);

                if (!r->asking || (repo && r->asking != repo))
                        continue;
                s3_cancel(&r->head);
                release_end(r, RELEASE_IN_USE);
        }
}
