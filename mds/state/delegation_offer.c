/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets a delegation, and who has it again after a restart of ours: see delegation.h. */
#include <stdlib.h>

#include "mds/pnfs/recall.h"
#include "mds/pnfs/size.h"
#include "mds/state/client.h"
#include "mds/state/delegation_private.h"
#include "mds/state/layout.h"
#include "mds/state/open.h"
#include "mds/state/recovery.h"
#include "mds/state/returned.h"

/* NULL: at the limit, or the store does not take the record. */
static struct delegation *give(struct delegations *d, struct compound *c, const struct fh *fh, uint32_t type,
                               bool timestamps)
{
        struct delegation *one = NULL;

        if (mds_client_of(c->client) && delegation_has_room(d, c->client) &&
            recovery_record_delegated(c) == NFS4_OK)
                one = delegation_new(d, c, fh, type);
        if (!one)
                return NULL;
        one->timestamps = timestamps && type == OPEN_DELEGATE_WRITE;
        metric_add(&d->granted, 1);
        return one;
}

struct recent *delegation_recent(struct delegations *d, uint64_t fileid)
{
        struct recent *r = &d->recent[hash_u64(fileid) % RECENT_SLOTS];

        if (r->fileid != fileid)
                *r = (struct recent){ .fileid = fileid };
        return r;
}

static bool is_recent(const struct delegations *d, uint64_t when_ns)
{
        return when_ns != 0 && env_now(d->mds->env) - when_ns < RECENT_SECONDS * NS;
}

/* CLIENT opens it for reading: has anybody done that of late? For writing: has it, and nobody else since? */
static bool is_opened_again(const struct delegations *d, const struct client *client, struct recent *r,
                            uint32_t type)
{
        bool writes = type == OPEN_DELEGATE_WRITE;
        uint64_t *when = writes ? &r->written_ns : &r->read_ns;
        bool again = is_recent(d, *when) && (!writes || r->writer == client->tag);

        *when = env_now(d->mds->env);
        if (writes)
                r->writer = client->tag;
        return again;
}

static void called_back(struct fence_wait *wait)
{
        free(wait);
}

/* Nobody waits for it: the next OPEN finds them gone. */
static void call_layouts_back(struct delegations *d, const struct client *except, uint64_t fileid,
                              struct recent *r)
{
        struct mds *mds = d->mds;
        const struct inode *file;
        int64_t wall = (int64_t)env_wall(mds->env);
        struct fence_wait *wait;

        if (is_recent(d, r->layouts_ns) || meta_inode(mds->meta, fileid, &file) < 0 ||
            file->mtime + RECENT_SECONDS * (int64_t)NS > wall)
                return;
        wait = calloc(1, sizeof(*wait));
        if (!wait)
                return;
        wait->done = called_back;
        r->layouts_ns = env_now(mds->env);
        if (!recall_file(mds->recalls, file, RECALL_WRITERS, except, wait))
                free(wait);
}

/* With what opens does a delegation of TYPE not go together? As a deny. */
static uint8_t denied_by(uint32_t type)
{
        return type == OPEN_DELEGATE_WRITE ? OPEN4_SHARE_DENY_BOTH : OPEN4_SHARE_DENY_WRITE;
}

static bool is_opened_by_others(const struct mds *mds, const struct client *client, uint64_t fileid,
                                uint8_t deny)
{
        const struct open_state *s = NULL;

        while ((s = open_conflicting(mds->opens, fileid, NULL, 0, deny, s)) != NULL)
                if (s->client != client)
                        return true;
        return false;
}

/* Own opens for writing are no place for one for reading: it would be of no use to the next of them. */
static bool is_open(const struct delegations *d, const struct client *client, uint64_t fileid, uint32_t type)
{
        if (type == OPEN_DELEGATE_WRITE)
                return is_opened_by_others(d->mds, client, fileid, denied_by(type)) ||
                       delegation_of_other(d, client, fileid, NULL) != NULL;
        return open_conflicts(d->mds->opens, fileid, NULL, 0, denied_by(type));
}

static bool is_contended(struct delegations *d, const struct client *client, uint64_t fileid, uint32_t type,
                         struct recent *r)
{
        struct mds *mds = d->mds;

        if (is_recent(d, r->called_back_ns) || is_open(d, client, fileid, type))
                return true;
        returned_fence_file(mds->returned, fileid, client->tag); /* for the next time */
        if (layout_has_writer(mds->layouts, fileid, client)) {
                call_layouts_back(d, client, fileid, r);
                return true;
        }
        return !size_is_current(mds->sizes, fileid);
}

static void none(uint32_t want, uint32_t why, struct open_delegation *ret)
{
        /* how it would have one, not that it wishes for one */
        const uint32_t how =
                OPEN4_SHARE_ACCESS_WANT_DELEG_TIMESTAMPS | OPEN4_SHARE_ACCESS_WANT_OPEN_XOR_DELEGATION;
        uint32_t kind = want & OPEN4_SHARE_ACCESS_WANT_DELEG_MASK;

        *ret = (struct open_delegation){ .type = OPEN_DELEGATE_NONE_EXT, .why = why };
        if ((want & ~how) == 0)
                ret->type = OPEN_DELEGATE_NONE;
        if (kind == OPEN4_SHARE_ACCESS_WANT_NO_DELEG)
                ret->why = WND4_NOT_WANTED;
        if (kind == OPEN4_SHARE_ACCESS_WANT_CANCEL)
                ret->why = WND4_CANCELLED;
}

void delegation_refuse(uint32_t want, struct open_delegation *ret)
{
        none(want, WND4_RESOURCE, ret);
}

static void granted(const struct delegation *one, struct open_delegation *ret)
{
        *ret = (struct open_delegation){ .type = one->timestamps ? OPEN_DELEGATE_WRITE_ATTRS_DELEG
                                                                 : one->type,
                                         .recall = one->recalled,
                                         .stateid = one->stateid };
}

/* What its holder starts from. */
static void note_attributes(struct delegation *one)
{
        const struct inode *file;

        if (meta_inode(one->all->mds->meta, one->fileid, &file) < 0)
                return;
        one->change = file->change;
        one->time_modify = file->mtime;
}

void delegation_offer(struct compound *c, const struct fh *fh, uint32_t access, uint32_t deny, uint32_t want,
                      struct open_delegation *ret)
{
        struct delegations *d = mds_of(c)->delegations;
        uint32_t kind = want & OPEN4_SHARE_ACCESS_WANT_DELEG_MASK;
        bool writes = (access & OPEN4_SHARE_ACCESS_WRITE) != 0;
        uint32_t type = writes ? OPEN_DELEGATE_WRITE : OPEN_DELEGATE_READ;
        struct delegation *one;
        struct recent *recent;
        bool wished =
                kind == OPEN4_SHARE_ACCESS_WANT_ANY_DELEG ||
                kind == (writes ? OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG : OPEN4_SHARE_ACCESS_WANT_READ_DELEG);

        delegation_refuse(want, ret);
        if (!mds_of(c)->conf->delegations || deny != 0 || (kind != 0 && !wished))
                return;
        recent = delegation_recent(d, fh->fileid);
        if (!is_opened_again(d, c->client, recent, type) && !wished)
                return;
        if (!callback_proven(c->client) || delegation_of(d, c->client, fh->fileid))
                return;
        if (is_contended(d, c->client, fh->fileid, type, recent)) {
                none(want, WND4_CONTENTION, ret);
        } else if ((one = give(d, c, fh, type, want & OPEN4_SHARE_ACCESS_WANT_DELEG_TIMESTAMPS)) != NULL) {
                note_attributes(one);
                granted(one, ret);
        }
}

void delegation_reclaim(struct compound *c, const struct fh *fh, uint32_t type, uint32_t want,
                        struct open_delegation *ret)
{
        struct mds *mds = mds_of(c);
        struct delegations *d = mds->delegations;
        struct delegation *one = delegation_of(d, c->client, fh->fileid);
        bool writes = type == OPEN_DELEGATE_WRITE || type == OPEN_DELEGATE_WRITE_ATTRS_DELEG;

        if (!one)
                one = give(d, c, fh, writes ? OPEN_DELEGATE_WRITE : OPEN_DELEGATE_READ,
                           type == OPEN_DELEGATE_WRITE_ATTRS_DELEG);
        if (!one) {
                delegation_refuse(want, ret);
                return;
        }
        if (!mds->conf->delegations || is_opened_by_others(mds, c->client, fh->fileid, denied_by(one->type)))
                delegation_recall(one);
        granted(one, ret);
}
