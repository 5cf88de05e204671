/* SPDX-License-Identifier: Apache-2.0 */
/* Who needs what is at a key: nobody else writes there, and it is not deleted. */
#include "mds/tier/archive_private.h"
#include "mds/tier/restore.h"

bool send_uses_key(const struct archiver *a, const char *key)
{
        LIST_FOR_EACH(node, &a->sends) {
                const struct send *s = CONTAINER(node, struct send, node);

                if (s->planned &&
                    (strcmp(s->key, key) == 0 || strcmp(s->old_key, key) == 0 || strcmp(s->source, key) == 0))
                        return true;
        }
        return false;
}

bool orphan_needs(struct archiver *a, uint64_t fileid, const char *key)
{
        uint8_t record[RECORD_MAX];
        const struct inode *inode;
        struct backing b;

        if (meta_inode(a->mds->meta, fileid, &inode) < 0 || inode->nlink > 0 ||
            !(inode->flags & INODE_COLD) || tier_backing(a->mds, inode, record, &b) < 0 ||
            !slice_equal(b.key, slice_str(key)) || b.flags & BACKING_LOST)
                return false;
        restore_file(a->mds, fileid);
        return true;
}

bool send_needs_key(struct archiver *a, uint64_t fileid, const char *key)
{
        uint8_t record[RECORD_MAX];
        const struct inode *inode;
        struct backing b;
        struct txn *t;
        uint64_t seq;

        if (meta_inode(a->mds->meta, fileid, &inode) < 0 || tier_backing(a->mds, inode, record, &b) < 0 ||
            !slice_equal(b.key, slice_str(key)))
                return false;
        if (inode->nlink == 0)
                return orphan_needs(a, fileid, key);
        if (inode->flags & INODE_COLD) {
                restore_file(a->mds, fileid);
                return true;
        }
        if (inode->type != NF4REG)
                return false;
        t = txn_begin(a->mds->meta);
        queue_note(a, t, fileid, QUEUE_CONTENT, NULL);
        return txn_commit(t, &seq) < 0;
}
