/* SPDX-License-Identifier: Apache-2.0 */
/* What a job does with a file: is there anything to be done, begin it, has it ended? Errors are named as in
 * FSx for Lustre, where it has a name. */
#include <errno.h>

#include "mds/tier/jobs_private.h"

static const char busy[] = "ResourceBusy", broken[] = "InternalError", strange[] = "NotInRepository";

/* --- archive */

static enum item_result check_archive(struct mds *mds, const struct inode *file, const char **error)
{
        static const enum item_result results[] = { [ARCHIVE_WAITS] = ITEM_DONE,
                                                    [ARCHIVE_DONE] = ITEM_SAME,
                                                    [ARCHIVE_FAILED] = ITEM_DONE, /* it is tried anew */
                                                    [ARCHIVE_REFUSED] = ITEM_FAILED };

        return results[archive_progress(mds, file->fileid, error)];
}

static void look_at_archive(struct job_item *item)
{
        const char *error = NULL;

        switch (archive_progress(item_mds(item), item->fileid, &error)) {
        case ARCHIVE_WAITS: break;
        case ARCHIVE_DONE: item_end(item, ITEM_DONE, NULL); break;
        case ARCHIVE_FAILED:
        case ARCHIVE_REFUSED: item_end(item, ITEM_FAILED, error); break;
        }
}

static void begin_archive(struct job_item *item)
{
        switch (archive_now(item_mds(item), item->fileid)) {
        case 0: break;
        case -EALREADY:
        case -ENOENT: item_end(item, ITEM_SAME, NULL); break; /* it is gone */
        case -EINVAL: item_end(item, ITEM_FAILED, strange); break;
        default: item_again(item, busy);
        }
}

/* It stays queued, as it was when it was changed. */
static void cancel_archive(struct job_item *item)
{
        item_end(item, ITEM_SAME, NULL);
}

/* --- restore, prefetch */

static enum item_result check_restore(struct mds *mds, const struct inode *file, const char **error)
{
        (void)mds, (void)error;
        return file->flags & INODE_COLD ? ITEM_DONE : ITEM_SAME;
}

static bool is_lost(struct mds *mds, uint64_t fileid)
{
        uint8_t record[RECORD_MAX];
        const struct inode *file;
        struct backing b;

        return meta_inode(mds->meta, fileid, &file) == 0 && tier_backing(mds, file, record, &b) == 0 &&
               b.flags & BACKING_LOST;
}

static void restored(struct restore_wait *w, enum nfsstat4 status)
{
        struct job_item *item = CONTAINER(w, struct job_item, wait.restore);

        if (status == NFS4_OK)
                item_end(item, ITEM_DONE, NULL);
        else if (status == NFS4ERR_DELAY)
                item_end(item, ITEM_FAILED, busy);
        else if (is_lost(item_mds(item), item->fileid))
                item_end(item, ITEM_FAILED, "S3ObjectNotFound");
        else
                item_end(item, ITEM_FAILED, "S3Error");
}

static void begin_restore(struct job_item *item)
{
        const struct inode *file;

        item->wait.restore.done = restored;
        if (restore_file_for(item_mds(item), item->fileid, &item->wait.restore))
                return;
        if (meta_inode(item_mds(item)->meta, item->fileid, &file) < 0 || !(file->flags & INODE_COLD))
                item_end(item, ITEM_SAME, NULL);
        else
                item_again(item, busy);
}

static void cancel_restore(struct job_item *item)
{
        restore_cancel(item_mds(item), item->fileid, &item->wait.restore);
        item_end(item, ITEM_SAME, NULL);
}

/* --- release */

static const char *const release_errors[RELEASE_RESULTS] = {
        [RELEASE_NO_OBJECT] = "NotArchived",
        [RELEASE_DIRTY] = "NotArchived",
        [RELEASE_PINNED] = "Pinned",
        [RELEASE_UNHEARD] = busy,
        [RELEASE_LOST] = "S3ObjectNotFound",
        [RELEASE_IN_USE] = busy,
        [RELEASE_AWAY] = busy,
        [RELEASE_NO_S3] = "S3Error",
        [RELEASE_FAILED] = broken,
};

static enum item_result check_release(struct mds *mds, const struct inode *file, const char **error)
{
        enum release_result r;

        if (file->flags & INODE_COLD && file->used == 0 && !(file->flags & INODE_USED_OLD))
                return ITEM_SAME;
        r = release_check(mds, file);
        *error = release_errors[r];
        return r == RELEASE_DONE || r == RELEASE_AWAY ? ITEM_DONE : ITEM_FAILED;
}

static void released(struct release_wait *w, enum release_result result)
{
        struct job_item *item = CONTAINER(w, struct job_item, wait.release);

        if (result == RELEASE_DONE)
                item_end(item, ITEM_DONE, NULL);
        else if (result == RELEASE_AWAY)
                item_again(item, busy);
        else
                item_end(item, ITEM_FAILED, release_errors[result]);
}

static void begin_release(struct job_item *item)
{
        item->wait.release.done = released;
        release_file(item_mds(item), item->fileid, &item->wait.release);
}

/* --- pin, unpin */

static enum item_result check_flag(struct mds *mds, const struct inode *file, bool pinned, const char **error)
{
        uint8_t record[RECORD_MAX];
        struct backing b;

        *error = strange;
        if (tier_backing(mds, file, record, &b) < 0)
                return pinned ? ITEM_FAILED : ITEM_SAME;
        return pinned == ((b.flags & BACKING_PINNED) != 0) ? ITEM_SAME : ITEM_DONE;
}

static enum item_result check_pin(struct mds *mds, const struct inode *file, const char **error)
{
        return check_flag(mds, file, true, error);
}

static enum item_result check_unpin(struct mds *mds, const struct inode *file, const char **error)
{
        return check_flag(mds, file, false, error);
}

static void set_flag(struct job_item *item, bool pinned)
{
        struct mds *mds = item_mds(item);
        const struct inode *file;
        struct txn *t;
        uint64_t seq;

        if (meta_inode(mds->meta, item->fileid, &file) < 0)
                item_end(item, ITEM_SAME, NULL);
        else if (tier_pin(mds, file, pinned, &t) < 0 || txn_commit(t, &seq) < 0)
                item_end(item, ITEM_FAILED, broken);
        else
                item_end(item, ITEM_DONE, NULL);
}

static void begin_pin(struct job_item *item)
{
        set_flag(item, true);
}

static void begin_unpin(struct job_item *item)
{
        set_flag(item, false);
}

/* --- the verbs */

const struct job_verb_ops job_verbs[JOB_VERBS] = {
        [JOB_ARCHIVE] = { "archive", 256, false, check_archive, begin_archive, look_at_archive,
                          cancel_archive },
        [JOB_RESTORE] = { "restore", 32, true, check_restore, begin_restore, NULL, cancel_restore },
        [JOB_RELEASE] = { "release", 32, false, check_release, begin_release, NULL, NULL },
        [JOB_PREFETCH] = { "prefetch", 16, true, check_restore, begin_restore, NULL, cancel_restore },
        [JOB_PIN] = { "pin", 1, true, check_pin, begin_pin, NULL, NULL },
        [JOB_UNPIN] = { "unpin", 1, false, check_unpin, begin_unpin, NULL, NULL },
};
