/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/repo.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mds/state/delegation.h"
#include "mds/tier/archive.h"
#include "mds/tier/manifest.h"
#include "mds/tier/sweep.h"
#include "tests/sim/nfs.h"
#include "tests/sim/sim.h"

enum { REPO_ONCE_IN = 4 };

/* The file that NUMBER is a second name of, as far as is known; else that is a file, or was. */
static uint64_t file_of(const struct repo_sim *r, uint64_t number)
{
        const struct mds *mds = r->sim->cluster.mds.mds;
        const struct inode *inode;

        return mds && meta_inode(mds->meta, number, &inode) == 0 && inode->type == INODE_NAME ? inode->parent
                                                                                              : number;
}

/* What our servers say to be a file's content was that, as a whole. */
static void check_whole(void *arg, const struct blob *o)
{
        const struct repo_sim *r = arg;
        const struct model *m = &r->sim->model;
        char id[128];
        uint64_t fileid;

        if (!lines_get(&o->metadata, "x-amz-meta-nacre-id", id, sizeof(id)) ||
            sscanf(id, "%*x.%" SCNx64, &fileid) != 1)
                return;
        fileid = file_of(r, fileid);
        stranger_sees(&r->sim->stranger, fileid, o);
        for (uint32_t i = 0; i < m->file_count; i++)
                if (m->files[i]->fileid == fileid)
                        model_whole(m->files[i], o->data, (uint32_t)o->size);
}

void repo_init(struct repo_sim *r, struct sim *sim)
{
        struct world *w = &sim->world;

        *r = (struct repo_sim){ .sim = sim };
        if (w->seed % REPO_ONCE_IN != 0)
                return;
        r->s3 = sim_s3_new(w);
        r->s3->blobs.made = check_whole;
        r->s3->blobs.arg = r;
        snprintf(r->conf, sizeof(r->conf),
                 "path: /shared\nurl: s3://bucket/%s\nendpoint: http://s3\nimport: new,changed,deleted\n"
                 "export: new,changed,deleted\nexport_delay: %u\ndelete_grace: %u\nsweep_interval: %u\n",
                 REPO_PREFIX, (unsigned)world_random(w, 4), (unsigned)world_random(w, 20),
                 (unsigned)world_random(w, 30));
}

void repo_destroy(struct repo_sim *r)
{
        if (r->s3)
                sim_s3_free(r->s3);
}

/* --- at the end */

static bool others_are_finished(const struct actor *c)
{
        const struct sim *sim = c->sim;

        for (uint32_t i = 0; i < sim->actor_count; i++)
                if (&sim->actors[i] != c && !sim->actors[i].finished)
                        return false;
        return true;
}

/* What waits for S3 may wait for ever: what is in its way is somebody else's, or bytes of it were only in an
 * object that is another now. */
static bool may_be_stuck(const struct sim *sim)
{
        return sim->stranger.acts > 0;
}

/* S3 has heard of everything; false: of what it can. */
static bool wait_until_quiet(struct actor *c)
{
        struct world *w = &c->sim->world;
        struct mds *mds = c->sim->cluster.mds.mds;
        uint64_t end = w->now + (may_be_stuck(c->sim) ? REPO_STUCK_NS : REPO_QUIET_NS);
        struct archive_status status;

        for (;;) {
                archive_status(mds, repo_by_name(mds->tier, "repo"), &status);
                if (status.pending == 0 && status.deletions == 0)
                        return true;
                if (w->now > end && may_be_stuck(c->sim))
                        return false;
                if (w->now > end)
                        world_fail(w,
                                   "%" PRIu64 " files (%" PRIu64 " have failed) and %" PRIu64
                                   " deletions do not come to S3",
                                   status.pending, status.failed, status.deletions);
                co_sleep(SECOND_NS);
        }
}

/* What came to the bucket when nobody waited for it any more is found by a sweep. */
static void sweep(struct actor *c)
{
        struct tier *t = c->sim->cluster.mds.mds->tier;
        struct repo *repo = repo_by_name(t, "repo");

        while (sweep_start(t, repo, false) < 0)
                co_sleep(SECOND_NS);
        while (sweep_start(t, repo, true) < 0)
                co_sleep(SECOND_NS);
}

static void compare(struct actor *c, uint32_t which)
{
        struct world *w = &c->sim->world;
        char name[FILE_NAME], key[BLOB_KEY];
        const struct blob *o;
        struct attributes a;
        struct fhandle fh;
        uint32_t length;
        bool end;

        file_name(which, name);
        snprintf(key, sizeof(key), REPO_PREFIX "%s", name);
        o = blobs_find(&c->sim->repo.s3->blobs, key);
        if (nfs_lookup(&c->main, &c->shared, name, &fh) == NFS4ERR_NOENT)
                return; /* renamed at last */
        while (!file_open(c, which, false))
                ;
        if (!o)
                world_fail(w, "%s is not in the bucket", key);
        if (nfs_getattr(&c->main, &c->fh, &a) != NFS4_OK || a.size != o->size)
                world_fail(w, "%s has %" PRIu64 " bytes, the file %" PRIu64, key, o->size, a.size);
        for (uint64_t at = 0; at < a.size; at += length) {
                int status = nfs_read(&c->main, -1, &c->fh, &c->stateid, at, ACTOR_IO, c->main.data, &length,
                                      &end);

                if (status != NFS4_OK || length == 0)
                        world_fail(w, "%s cannot be read: %s", name, nfs_name(status));
                if (memcmp(c->main.data, o->data + at, length) != 0)
                        world_fail(w, "%s has other bytes than the file, from %" PRIu64 " on", key, at);
        }
        file_close(c);
}

/* An object has its file, or is known to have to go. */
static void look_for_left_over(struct actor *c)
{
        struct world *w = &c->sim->world;
        const struct blobs *b = &c->sim->repo.s3->blobs;
        struct mds *mds = c->sim->cluster.mds.mds;
        struct repo *repo = repo_by_name(mds->tier, "repo");
        struct fhandle fh;

        for (uint32_t i = 0; i < b->count; i++) {
                const char *key = b->list[i]->key + strlen(REPO_PREFIX);

                if (!manifest_is_reserved(key) && nfs_lookup(&c->main, &c->shared, key, &fh) != NFS4_OK &&
                    !archive_is_deleted(mds, repo, slice_str(key), slice_str(b->list[i]->etag)))
                        world_fail(w, "%s is left over", b->list[i]->key);
        }
}

/* What was sent of uploads that nobody has completed goes; those without a part may stay for a day. */
static void wait_until_finished(struct actor *c)
{
        struct world *w = &c->sim->world;
        const struct blobs *b = &c->sim->repo.s3->blobs;
        uint64_t end = w->now + REPO_QUIET_NS;

        for (const struct blob_upload *u; (u = blobs_unfinished(b)) != NULL; co_sleep(SECOND_NS))
                if (w->now > end)
                        world_fail(w, "an upload of %s is left over", u->target.key);
}

/* Who is delegated is left to the next sweep. */
static bool was_delegated(const struct sim *sim, uint32_t which)
{
        const struct model_file *f = sim->names.names[which].file;

        return f && delegations_has_file(sim->cluster.mds.mds->delegations, f->fileid);
}

void repo_last_look(struct actor *c)
{
        bool delegated[NAMES];

        while (!others_are_finished(c))
                co_sleep(SECOND_NS);
        wait_until_quiet(c);
        for (uint32_t i = 0; i < NAMES; i++)
                delegated[i] = may_be_stuck(c->sim) && was_delegated(c->sim, i);
        sweep(c);
        if (!wait_until_quiet(c))
                return;
        wait_until_finished(c);
        for (uint32_t i = 0; i < NAMES; i++)
                if (!delegated[i])
                        compare(c, i);
        /* A full or failing data server takes no new files, of what others have put either. */
        if (!may_be_stuck(c->sim) || !faults_no_room(&c->sim->faults, c->sim->world.now))
                look_for_left_over(c);
}
