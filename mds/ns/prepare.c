/* SPDX-License-Identifier: Apache-2.0 */
/* An exported path that is not there yet is made when the exports are loaded: the store starts empty, and
 * whoever writes an exports file means its paths. */
#include "mds/ns/prepare.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

enum { DIRECTORY_MODE = 0755 };

static int make_directory(struct mds *mds, uint64_t parent, struct slice name, uint64_t *ret)
{
        struct txn *t = txn_begin(mds->meta);
        struct inode *inode = txn_new_inode(t, NF4DIR), *dir = txn_edit(t, parent);
        uint64_t seq, fileid;
        int r = inode && dir ? txn_link(t, parent, name, inode->fileid, NF4DIR) : -EIO;

        if (r < 0) {
                txn_abort(t);
                return r;
        }
        inode->mode = DIRECTORY_MODE;
        inode->nlink = 2;
        inode->parent = parent;
        fileid = inode->fileid;
        dir->nlink++;
        txn_touch(t, dir, true);
        r = txn_commit(t, &seq);
        if (r == 0)
                *ret = fileid;
        return r;
}

/* The directory NAME in PARENT, made when it is missing. */
static int step(struct mds *mds, uint64_t parent, struct slice name, uint64_t *ret)
{
        const struct inode *inode;
        int r = meta_lookup(mds->meta, parent, name, ret);

        if (r == -ENOENT)
                return make_directory(mds, parent, name, ret);
        if (r == 0)
                r = meta_inode(mds->meta, *ret, &inode);
        if (r == 0 && inode->type != NF4DIR)
                r = -ENOTDIR;
        return r;
}

int directory_prepare(struct mds *mds, const char *path, uint64_t *ret)
{
        uint64_t fileid = ROOT_FILEID;

        while (*path) {
                size_t length = strcspn(path, "/");
                int r = length == 0 ? 0 : step(mds, fileid, slice_of(path, (uint32_t)length), &fileid);

                if (r < 0)
                        return r;
                path += length + (path[length] == '/');
        }
        *ret = fileid;
        return 0;
}

int exports_prepare(struct mds *mds)
{
        for (unsigned i = 0; i < mds->exports->count; i++) {
                const char *path = mds->exports->items[i].path;
                uint64_t fileid;
                int r = directory_prepare(mds, path, &fileid);

                if (r < 0) {
                        log_error("export-not-prepared", "path=%s error=%s", path, strerror(-r));
                        return r;
                }
        }
        mds->exports_loaded++;
        return 0;
}
