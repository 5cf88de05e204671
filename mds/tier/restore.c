/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/tier/restore.h"

#include <stdlib.h>

#include "base/log.h"
#include "mds/pnfs/proxy.h"
#include "mds/tier/answers.h"
#include "mds/tier/evict.h"
#include "mds/tier/tier.h"

enum { PAUSE_MS = 1000, PAUSES_MAX = 60 };

struct restore {
        struct list node; /* in tier->restores */
        struct mds *mds;
        uint64_t fileid, at;
        struct list waiting; /* struct restore_wait */
        bool wanted;         /* also by somebody who does not wait */
        struct proxy_caller io;
        bool reading;
        struct timer pause;
        uint32_t pauses; /* since a unit came */
        uint8_t byte;
};

static void restore_end(struct restore *r, enum nfsstat4 status)
{
        struct tier *t = r->mds->tier;

        if (status != NFS4_OK)
                log_info("not-restored", "file=%llu at=%llu status=%s", (unsigned long long)r->fileid,
                         (unsigned long long)r->at, nfs4_status_name(status));
        timer_stop(&r->pause);
        list_remove(&r->node);
        t->restoring--;
        for (struct list *node; (node = list_pop(&r->waiting));) {
                struct restore_wait *w = CONTAINER(node, struct restore_wait, node);

                w->done(w, status);
        }
        free(r);
}

static void step(struct restore *r);

static bool is_unwanted(const struct restore *r)
{
        return r->mds->stopping || (!r->wanted && list_empty(&r->waiting));
}

static void read_ended(struct restore *r, enum nfsstat4 status)
{
        r->reading = false;
        if (is_unwanted(r)) {
                restore_end(r, NFS4ERR_DELAY);
        } else if (status == NFS4_OK) {
                r->pauses = 0;
                r->at += 1;
                step(r);
        } else if (status == NFS4ERR_DELAY && r->pauses++ < PAUSES_MAX) {
                timer_start(r->mds->env, &r->pause, PAUSE_MS * 1000000ull);
        } else {
                restore_end(r, status);
        }
}

static void woken(void *arg)
{
        struct restore *r = arg;

        read_ended(r, proxy_result(&r->io));
}

/* r->at is in the unit that is next, or behind the first byte of the one that was read. */
static void step(struct restore *r)
{
        const struct inode *file;
        enum nfsstat4 status;

        if (meta_inode(r->mds->meta, r->fileid, &file) < 0 || !(file->flags & INODE_COLD)) {
                restore_end(r, NFS4_OK);
                return;
        }
        r->at = (r->at + file->unit - 1) / file->unit * file->unit;
        if (r->at >= file->size) {
                tier_look_if_here(r->mds, r->fileid);
                restore_end(r, NFS4_OK);
                return;
        }
        r->io = (struct proxy_caller){ .mds = r->mds, .wake = woken, .arg = r };
        r->reading = true;
        status = proxy_read(&r->io, file, r->at, 1, &r->byte);
        if (status != NFS4_WAIT) /* else it may have ended already */
                read_ended(r, status);
}

static void go_on(struct timer *t)
{
        step(CONTAINER(t, struct restore, pause));
}

static struct restore *restore_of(const struct tier *t, uint64_t fileid)
{
        LIST_FOR_EACH(node, &t->restores) {
                struct restore *r = CONTAINER(node, struct restore, node);

                if (r->fileid == fileid)
                        return r;
        }
        return NULL;
}

static struct restore *restore_get(struct mds *mds, uint64_t fileid)
{
        struct tier *t = mds->tier;
        struct restore *r = restore_of(t, fileid);
        const struct inode *file;

        if (r)
                return r;
        if (t->stopping || t->restoring == RESTORES_MAX || meta_inode(mds->meta, fileid, &file) < 0 ||
            !(file->flags & INODE_COLD) || !(r = calloc(1, sizeof(*r))))
                return NULL;
        evict_note_open(mds, file);
        r->mds = mds;
        r->fileid = fileid;
        r->pause.fire = go_on;
        list_init(&r->waiting);
        list_push(&t->restores, &r->node);
        t->restoring++;
        timer_start(mds->env, &r->pause, 1); /* not from inside */
        return r;
}

bool restore_file(struct mds *mds, uint64_t fileid)
{
        struct restore *r = restore_get(mds, fileid);

        if (r)
                r->wanted = true;
        return r != NULL;
}

bool restore_file_for(struct mds *mds, uint64_t fileid, struct restore_wait *w)
{
        struct restore *r = restore_get(mds, fileid);

        if (r)
                list_push(&r->waiting, &w->node);
        return r != NULL;
}

static void end_if_unwanted(struct restore *r)
{
        if (is_unwanted(r) && !r->reading)
                restore_end(r, NFS4ERR_DELAY);
}

void restore_forget(struct mds *mds, uint64_t fileid)
{
        struct restore *r = restore_of(mds->tier, fileid);

        if (!r)
                return;
        r->wanted = false;
        end_if_unwanted(r);
}

void restore_cancel(struct mds *mds, uint64_t fileid, struct restore_wait *w)
{
        struct restore *r = restore_of(mds->tier, fileid);

        list_remove(&w->node);
        if (r)
                end_if_unwanted(r);
}

void restores_stop(struct tier *t)
{
        LIST_FOR_EACH_SAFE(node, &t->restores) {
                struct restore *r = CONTAINER(node, struct restore, node);

                if (!r->reading)
                        restore_end(r, NFS4_OK);
        }
}
