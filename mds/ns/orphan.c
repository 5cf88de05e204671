/* SPDX-License-Identifier: Apache-2.0 */
/* Orphans: see orphan.h. A deleted file's layouts are dropped without a fence: nobody has it open, its number
 * is never used again, and fencing every deleted file would fill the fence table in a large delete and
 * disturb everybody (DESIGN §6). */
#include "mds/ns/orphan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "mds/fleet/reaper.h"
#include "mds/pnfs/recall.h"
#include "mds/pnfs/size.h"
#include "mds/state/delegation.h"
#include "mds/state/open.h"
#include "mds/state/recovery.h"
#include "mds/tier/archive.h"

static struct orphan_record record_of(const struct inode *inode, bool open)
{
        return (struct orphan_record){ .open = open,
                                       .generation = inode->generation,
                                       .unit = inode->unit,
                                       .width = inode->width,
                                       .pool = inode->pool,
                                       .first = inode->first,
                                       .start = inode->start };
}

static void put_record(struct txn *t, uint64_t fileid, const struct orphan_record *o)
{
        uint8_t key[KEY_MAX], value[RECORD_MAX];

        txn_put(t, key_orphan(key, fileid), orphan_encode(value, o));
}

/* The inode goes; its objects, if there may be any, are written down. */
static void bury(struct mds *mds, struct txn *t, struct inode *inode, bool was_orphan, struct orphan *ret)
{
        uint8_t key[KEY_MAX];

        ret->deleted = true;
        ret->has_objects = inode->type == NF4REG && (size_has_data(mds->sizes, inode) ||
                                                     layout_has_leftover(mds->layouts, inode->fileid));
        ret->record = record_of(inode, false);
        layout_records_delete(mds->layouts, t, inode->fileid);
        if (ret->has_objects)
                put_record(t, inode->fileid, &ret->record);
        else if (was_orphan)
                txn_delete(t, key_orphan(key, inode->fileid));
        txn_delete_inode(t, inode->fileid);
}

/* In the grace period any file may be one that a client has open and has not reclaimed yet; who has a
 * delegation may have it open without our knowing. */
static bool may_be_open(const struct mds *mds, uint64_t fileid)
{
        return recovery_in_grace(mds->recovery) || opens_file_is_open(mds->opens, fileid) ||
               delegations_has_file(mds->delegations, fileid);
}

void orphan_unlinked(struct mds *mds, struct txn *t, struct inode *inode, struct orphan *ret)
{
        *ret = (struct orphan){ .fileid = inode->fileid };
        CHECK(inode->nlink == 0);
        if (!may_be_open(mds, inode->fileid)) {
                bury(mds, t, inode, false, ret);
                return;
        }
        ret->record = record_of(inode, true);
        put_record(t, inode->fileid, &ret->record);
        txn_touch(t, inode, false);
}

void orphan_finish(struct mds *mds, const struct orphan *o, const struct client *by)
{
        if (!o->deleted)
                return;
        recall_tell_gone(mds->recalls, o->fileid, by);
        layouts_file_gone(mds->layouts, o->fileid);
        size_forget(mds->sizes, o->fileid);
        if (o->has_objects)
                reaper_add(mds->reaper, o->fileid, &o->record);
}

static int bury_orphan(struct mds *mds, uint64_t fileid, const struct client *by)
{
        struct txn *t = txn_begin(mds->meta);
        struct inode *inode = txn_edit(t, fileid);
        struct orphan o = { .fileid = fileid };
        uint64_t seq;
        int r;

        if (!inode || inode->nlink != 0) {
                txn_abort(t);
                return inode ? 0 : -EIO;
        }
        bury(mds, t, inode, true, &o);
        r = txn_commit(t, &seq);
        if (r == 0)
                orphan_finish(mds, &o, by);
        return r;
}

void orphan_closed(struct mds *mds, uint64_t fileid, const struct client *by)
{
        const struct inode *inode;
        int r;

        archive_closed(mds, fileid);
        if (meta_inode(mds->meta, fileid, &inode) < 0 || inode->nlink != 0 || may_be_open(mds, fileid))
                return;
        r = bury_orphan(mds, fileid, by);
        if (r < 0) /* the record stays: the next start finds it */
                log_error("orphan-kept", "fileid=%" PRIu64 " error=%d", fileid, r);
}

/* Records are collected before anything is changed, a handful at a time, in the order of their numbers. */
struct sweep {
        uint64_t last; /* already looked at, up to here */
        uint64_t fileids[256];
        unsigned count;
};

static bool collect(void *arg, struct slice key, struct slice value)
{
        struct sweep *s = arg;
        struct orphan_record o;
        uint64_t fileid;

        if (orphan_decode(value, &o) && o.open && key_parse_u64(key, 'o', &fileid) && fileid > s->last)
                s->fileids[s->count++] = fileid;
        return s->count < sizeof(s->fileids) / sizeof(s->fileids[0]);
}

/* The inode is gone, or has a name again: the record is left over. */
static int drop_record(struct mds *mds, uint64_t fileid)
{
        struct txn *t = txn_begin(mds->meta);
        uint8_t key[KEY_MAX];
        uint64_t seq;

        txn_delete(t, key_orphan(key, fileid));
        return txn_commit(t, &seq);
}

static int recover_one(struct mds *mds, uint64_t fileid)
{
        const struct inode *inode;
        int r = meta_inode(mds->meta, fileid, &inode);

        if (r == 0 && may_be_open(mds, fileid))
                return 0;
        if (r == 0 && inode->nlink == 0)
                return bury_orphan(mds, fileid, NULL);
        return r < 0 && r != -ENOENT ? r : drop_record(mds, fileid);
}

int orphans_recover(struct mds *mds)
{
        struct sweep s = { 0 };
        uint8_t key[KEY_MAX];
        uint64_t total = 0;
        int r = 0;

        if (recovery_in_grace(mds->recovery))
                return 0;
        do {
                s.count = 0;
                r = meta_scan(mds->meta, key_kind(key, 'o'), collect, &s);
                for (unsigned i = 0; r == 0 && i < s.count; i++)
                        r = recover_one(mds, s.last = s.fileids[i]);
                total += s.count;
        } while (r == 0 && s.count > 0);
        if (r < 0)
                log_error("orphans-not-recovered", "error=%d", r);
        else if (total > 0)
                log_info("orphans-recovered", "looked_at=%" PRIu64, total);
        return r;
}
