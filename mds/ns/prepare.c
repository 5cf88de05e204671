/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/ns/prepare.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

/* The directory NAME in PARENT, made when missing. */
static int make_dir(struct mds *mds, uint64_t parent, struct slice name, uint64_t *ret)
{
        struct txn *t;
        struct inode *dir, *fresh;
        uint64_t seq;
        int r = meta_lookup(mds->meta, parent, name, ret);

        if (r != -ENOENT)
                return r;
        t = txn_begin(mds->meta);
        dir = txn_edit(t, parent);
        fresh = dir && dir->type == NF4DIR ? txn_new_inode(t) : NULL;
        if (!fresh) {
                txn_abort(t);
                return -ENOTDIR;
        }
        fresh->type = NF4DIR;
        fresh->mode = 0755;
        fresh->nlink = 2;
        fresh->parent = parent;
        dir->nlink++;
        *ret = fresh->fileid;
        r = txn_link(t, parent, name, fresh->fileid, NF4DIR);
        if (r < 0) {
                txn_abort(t);
                return r;
        }
        txn_touch(t, dir, true);
        return txn_commit(t, &seq);
}

static int make_path(struct mds *mds, const char *path)
{
        uint64_t fileid = ROOT_FILEID;
        int r = 0;

        while (r == 0 && *path) {
                size_t length = strcspn(path, "/");

                if (length > 0)
                        r = make_dir(mds, fileid, slice_of(path, (uint32_t)length), &fileid);
                path += length + (path[length] == '/');
        }
        return r;
}

int exports_prepare(struct mds *mds)
{
        for (unsigned i = 0; i < mds->exports->count; i++) {
                const char *path = mds->exports->items[i].path;
                int r = make_path(mds, path);

                if (r < 0) {
                        log_error("export-path-not-made", "path=%s error=%s", path, strerror(-r));
                        return r;
                }
        }
        return 0;
}
