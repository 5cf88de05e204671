/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of a file that another client has a delegation for writing of: only its holder knows what is in
 * its cache. RFC 8881 §10.4.3, §20.1.
 *
 * The RFC: the holder is asked for size and change by CB_GETATTR; a change attribute above the one that it
 * was delegated with says no more than that it has modified something, and each time it says so the server
 * makes a new change attribute and a new mtime. We do that. The size is told on, but is not the file's before
 * the data are: should the holder die, what never left it is lost. The data servers are asked afterwards
 * (mds/pnfs/size.h), so that what moves from the holder to them meanwhile is seen in one place or both.
 *
 * A holder that does not answer within a second, or not with sense, has its delegation called back; so has
 * one that reclaimed it after a restart of ours, since nobody knows any more what change attribute it was
 * delegated with. One whose lease has run out is not asked. */
#include "mds/state/delegation_private.h"
#include "nfs4/attrs.h"
#include "nfs4/codec.h"

enum { ASK_SECONDS = 1 };

struct answer {
        uint64_t change, size;
        bool times; /* it has said them */
        int64_t time_access, time_modify;
};

static void encode(void *arg, struct xdr_out *x)
{
        const struct delegation *one = arg;
        struct bitmap4 asked = { 0 };

        bitmap_set(&asked, FATTR4_CHANGE);
        bitmap_set(&asked, FATTR4_SIZE);
        if (one->timestamps) {
                bitmap_set(&asked, FATTR4_TIME_DELEG_ACCESS);
                bitmap_set(&asked, FATTR4_TIME_DELEG_MODIFY);
        }
        delegation_put_fh(arg, x);
        put_bitmap(x, &asked);
}

static bool get_answer(struct xdr_in *results, bool with_times, struct answer *ret)
{
        struct raw_attrs attrs;
        struct xdr_in x;

        attrs_get_raw(results, &attrs);
        if (results->bad || !bitmap_has(&attrs.mask, FATTR4_CHANGE) || !bitmap_has(&attrs.mask, FATTR4_SIZE))
                return false;
        x = xdr_in_of(attrs.values);
        ret->change = xdr_get_u64(&x);
        ret->size = xdr_get_u64(&x);
        ret->times = with_times && bitmap_has(&attrs.mask, FATTR4_TIME_DELEG_ACCESS) &&
                     bitmap_has(&attrs.mask, FATTR4_TIME_DELEG_MODIFY);
        if (ret->times && !(attrs_get_time(&x, &ret->time_access) && attrs_get_time(&x, &ret->time_modify)))
                return false;
        return !x.bad && xdr_left(&x) == 0 && ret->size <= INT64_MAX;
}

static bool is_news(const struct delegation *one, const struct answer *a, const struct inode *now)
{
        return a->change > one->change || (a->size > now->size && a->size > one->size) ||
               (a->times && a->time_modify != one->time_modify);
}

/* False: the store does not take it. */
static bool note(struct delegation *one, struct answer *a)
{
        struct meta *meta = one->all->mds->meta;
        int64_t wall = (int64_t)env_wall(one->all->mds->env);
        const struct inode *now;
        struct inode *inode;
        struct txn *t;
        uint64_t seq;

        if (meta_inode(meta, one->fileid, &now) < 0)
                return false;
        a->time_access = delegated_time(a->time_access, wall);
        a->time_modify = delegated_time(a->time_modify, wall);
        if (is_news(one, a, now)) {
                t = txn_begin(meta);
                inode = txn_edit(t, one->fileid);
                if (!inode) {
                        txn_abort(t);
                        return false;
                }
                txn_touch(t, inode, true);
                if (txn_commit(t, &seq) < 0)
                        return false;
        }
        one->size = a->size;
        one->said_times = a->times;
        if (one->said_times) {
                one->time_access = a->time_access;
                one->time_modify = a->time_modify;
        }
        return true;
}

static void answered(void *arg, enum nfsstat4 status, struct xdr_in *results)
{
        struct delegation *one = arg;
        struct answer answer = { 0 };

        one->question = NULL;
        if (status == NFS4_OK && get_answer(results, one->timestamps, &answer) && note(one, &answer))
                one->heard_ns = one->asked_ns;
        else
                delegation_recall(one);
        delegation_go_on(one->all, one->fileid);
}

static void ask(struct delegation *one)
{
        struct delegations *d = one->all;
        const struct callback_what what = { .opnum = OP_CB_GETATTR,
                                            .seconds = ASK_SECONDS,
                                            .refers = one->given,
                                            .arg = one,
                                            .encode = encode,
                                            .done = answered };

        one->asked_ns = env_now(d->mds->env);
        one->question = callback_send(&d->mds->nfs, one->client, &what);
        metric_add(&d->asked, 1);
}

enum nfsstat4 delegation_ask(struct compound *c, uint64_t fileid, struct delegation_wait *w)
{
        struct delegations *d = mds_of(c)->delegations;
        struct delegation *one = delegation_of_writer(d, c->client, fileid);
        enum nfsstat4 status;

        if (!one || client_lapsed(&d->mds->nfs, one->client) || one->heard_ns >= c->call.arrived_ns)
                return NFS4_OK;
        if (one->recalled || one->change == 0)
                return delegation_conflict(c, fileid, w);
        if (!one->question)
                ask(one);
        status = delegation_wait_for(d, c, fileid, w);
        if (status == NFS4ERR_DELAY)
                delegation_recall(one);
        return status;
}

const struct delegation *delegation_answering(const struct delegations *d, const struct client *except,
                                              uint64_t fileid)
{
        const struct delegation *one = delegation_of_writer(d, except, fileid);

        return one && !client_lapsed(&d->mds->nfs, one->client) ? one : NULL;
}

void delegation_resized(struct delegations *d, uint64_t fileid)
{
        struct delegation *one = delegation_of_writer(d, NULL, fileid);

        if (one)
                one->size = 0;
}
