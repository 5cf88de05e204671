/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/state/courtesy.h"

#include <stdlib.h>

#include "base/log.h"
#include "mds/fleet/fences.h"
#include "mds/state/delegation.h"
#include "mds/state/layout.h"
#include "mds/state/open.h"
#include "mds/state/recovery.h"

struct courtesy {
        struct mds *mds;
        struct list yielding; /* struct yielding */
        struct task room;
};

/* Data servers are told that HOLDER's handles of a file are no good any more. */
struct yielding {
        struct list node;
        struct fence_wait fence;
        struct courtesy *courtesy;
        uint64_t clientid; /* the client may be gone when it is done */
        uint64_t fileid;
};

static void make_room(struct task *t)
{
        struct courtesy *c = CONTAINER(t, struct courtesy, room);

        clients_make_room(&c->mds->nfs);
}

struct courtesy *courtesy_new(struct mds *mds)
{
        struct courtesy *c = calloc(1, sizeof(*c));

        if (!c)
                return NULL;
        c->mds = mds;
        list_init(&c->yielding);
        list_init(&c->room.node);
        c->room.run = make_room;
        return c;
}

void courtesy_free(struct courtesy *c)
{
        if (!c)
                return;
        LIST_FOR_EACH_SAFE(node, &c->yielding)
                free(CONTAINER(node, struct yielding, node));
        list_remove(&c->room.node);
        free(c);
}

/* Not at once: callers are in the middle of something. */
void courtesy_make_room(struct courtesy *c)
{
        env_defer(c->mds->env, &c->room);
}

/* Nothing of FILEID that HOLDER had is of use any more at any data server. Only then does its record go: one
 * that comes back while the data servers are told has lost nothing that a restart of ours may take from it.
 * False: the store refuses that. */
static bool take_away(struct courtesy *c, struct client *holder, uint64_t fileid)
{
        struct mds *mds = c->mds;
        struct layout_state *layout = layout_of(mds->layouts, holder, fileid);

        if (recovery_revoke(mds->recovery, holder) < 0)
                return false;
        log_info("state-expired", "clientid=%016llx fileid=%llu", (unsigned long long)holder->clientid,
                 (unsigned long long)fileid);
        if (layout)
                layout_drop(mds->layouts, layout);
        delegation_revoke(mds->delegations, holder, fileid, NFS4ERR_EXPIRED);
        opens_revoke(mds->opens, holder, fileid, NFS4ERR_EXPIRED);
        return true;
}

/* It may have come back meanwhile: then it has only lost its layout. If the store refuses, whoever wants the
 * file asks again. */
static void fenced(struct fence_wait *wait)
{
        struct yielding *y = CONTAINER(wait, struct yielding, fence);
        struct courtesy *c = y->courtesy;
        struct client *holder = client_by_id(&c->mds->nfs, y->clientid);

        if (holder && client_lapsed(&c->mds->nfs, holder))
                take_away(c, holder, y->fileid);
        list_remove(&y->node);
        free(y);
}

static bool is_yielding(const struct courtesy *c, const struct client *holder, uint64_t fileid)
{
        LIST_FOR_EACH(node, &c->yielding) {
                const struct yielding *y = CONTAINER(node, struct yielding, node);

                if (y->clientid == holder->clientid && y->fileid == fileid)
                        return true;
        }
        return false;
}

static enum nfsstat4 fence(struct courtesy *c, const struct client *holder, const struct inode *file)
{
        struct yielding *y = calloc(1, sizeof(*y));

        if (!y)
                return NFS4ERR_DELAY;
        y->courtesy = c;
        y->clientid = holder->clientid;
        y->fileid = file->fileid;
        y->fence.done = fenced;
        list_push(&c->yielding, &y->node);
        fence_raise(c->mds->fleet, file, &holder->tag, 1, true, &y->fence);
        return NFS4ERR_DELAY;
}

enum nfsstat4 courtesy_yield(struct courtesy *c, struct client *holder, uint64_t fileid)
{
        struct mds *mds = c->mds;
        const struct inode *file;

        if (!client_lapsed(&mds->nfs, holder))
                return NFS4ERR_DENIED;
        if (is_yielding(c, holder, fileid))
                return NFS4ERR_DELAY;
        if (layout_of(mds->layouts, holder, fileid) && meta_inode(mds->meta, fileid, &file) == 0)
                return fence(c, holder, file);
        return take_away(c, holder, fileid) ? NFS4_OK : NFS4ERR_DELAY;
}

enum nfsstat4 courtesy_share(struct courtesy *c, uint64_t fileid, const struct open_state *except,
                             uint8_t access, uint8_t deny)
{
        struct opens *opens = c->mds->opens;
        struct open_state *state = NULL;
        enum nfsstat4 status = NFS4_OK, one;

        while ((state = open_conflicting(opens, fileid, except, access, deny, state)) != NULL)
                if (!client_lapsed(&c->mds->nfs, state->client))
                        return NFS4ERR_SHARE_DENIED;
        while ((state = open_conflicting(opens, fileid, except, access, deny, state)) != NULL) {
                one = courtesy_yield(c, state->client, fileid);
                if (one == NFS4_OK)
                        state = NULL; /* it is gone, and others of that client: from the front */
                else
                        status = one;
        }
        return status;
}
