/* SPDX-License-Identifier: Apache-2.0 */
/* Tombstones: what is noted of keys whose files are gone, or were there. Who deletes the objects: tombs.c. */
#include <errno.h>

#include "mds/tier/archive_private.h"

int tomb_read(struct mds *mds, uint32_t repo, struct slice key, uint8_t *space, struct tomb_record *ret)
{
        uint8_t text[KEY_MAX];
        uint32_t length;
        int r = meta_get(mds->meta, key_tomb(text, repo, key), space, RECORD_MAX, &length);

        if (r < 0)
                return r == -ENOENT ? r : -EIO;
        return tomb_decode(slice_of(space, length), ret) ? 0 : -EIO;
}

int64_t tomb_late(const struct archiver *a, const struct backing *b, bool sent)
{
        return (sent ? (int64_t)env_wall(a->mds->env) : b->modified) + LATE_NS;
}

int64_t tomb_late_deletion(const struct tomb_record *z)
{
        return z->deleting ? z->deleting + LATE_NS : 0;
}

void tomb_write(struct txn *t, uint32_t repo, struct slice key, const struct tomb_record *z)
{
        uint8_t text[KEY_MAX], value[RECORD_MAX];

        txn_put(t, key_tomb(text, repo, key), tomb_encode(value, z));
}

void tomb_put(struct archiver *a, struct txn *t, uint32_t repo, struct slice key, const struct tomb_record *z)
{
        struct tomb_record both = *z, there;
        uint8_t space[RECORD_MAX];

        if (tomb_read(a->mds, repo, key, space, &there) == 0) {
                if (z->etag.length == 0)
                        both.etag = there.etag; /* of the file before this one, perhaps not replaced */
                if (there.gone)
                        there.late = there.due;
                if (there.late > both.late)
                        both.late = there.late;
                if (there.unheard > both.unheard)
                        both.unheard = there.unheard;
                both.deleting = there.deleting;
                both.removed |= there.removed && there.fileid == z->fileid;
        }
        tomb_write(t, repo, key, &both);
        tombs_ask_for(a, both.due);
}

void tomb_reserve(struct archiver *a, struct txn *t, const struct backing *b, struct slice key,
                  uint64_t fileid, bool sent, bool removed)
{
        struct tomb_record z = { .due = INT64_MAX,
                                 .late = tomb_late(a, b, sent),
                                 .unheard = tomb_unheard(a, b, sent),
                                 .removed = removed,
                                 .etag = b->etag,
                                 .fileid = fileid };

        tomb_put(a, t, b->repo, key, &z);
}

int64_t tomb_due(const struct archiver *a, const struct repo *repo)
{
        if (!repo || !(repo->conf.export & REPO_DELETED))
                return INT64_MAX;
        return (int64_t)(env_wall(a->mds->env) + repo->conf.delete_grace * 1000000000ull);
}

void tomb_ripen(struct archiver *a, struct txn *t, uint32_t repo, struct slice key, uint64_t fileid)
{
        uint8_t space[RECORD_MAX];
        struct tomb_record z;

        if (tomb_read(a->mds, repo, key, space, &z) < 0 || z.fileid != fileid || z.due != INT64_MAX)
                return;
        z.due = z.removed ? tomb_due(a, repo_by_number(a->tier, repo)) : 0;
        tomb_write(t, repo, key, &z);
        tombs_ask_for(a, z.due);
}

bool tomb_is_of(const struct archiver *a, uint32_t repo, struct slice key, uint64_t fileid)
{
        uint8_t space[RECORD_MAX];
        struct tomb_record z;

        return tomb_read(a->mds, repo, key, space, &z) == 0 && z.fileid == fileid;
}
