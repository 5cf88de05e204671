/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes after a restart of ours: a write layout that was out when we stopped means that only the data servers
 * know what was written under it (RFC 8881 §12.7.4). Its handles are refused since we started (the floor has
 * risen), so they are asked once all of them are back, a few files at a time, whether anybody looks or not:
 * then the records can go, and a listing shows true sizes. Who looks earlier waits for that file. */
#include <stdlib.h>

#include "base/log.h"
#include "mds/pnfs/size_file.h"

enum { AT_A_TIME = 32 };

/* Every data server of a file that has a record is dirty for it. */
static bool recover_one(void *arg, struct slice key, struct slice value)
{
        struct sizes *s = arg;
        struct size_file *f = NULL;
        const struct inode *inode;
        uint64_t fileid;
        uint32_t tag;

        (void)value;
        if (!key_parse_u64_u32(key, 'l', &fileid, &tag) || meta_inode(s->mds->meta, fileid, &inode) < 0)
                return true;
        layout_leftover(s->mds->layouts, fileid);
        for (uint32_t i = 0; i < inode->width; i++) {
                const struct server *server = fleet_file_server(s->mds->fleet, inode, i);

                f = server ? size_file_get(s, fileid) : NULL;
                if (f)
                        f->dirty[server->id / 64] |= 1ull << (server->id % 64);
        }
        if (f && !f->recovered) {
                f->recovered = true;
                list_push(&s->unrecovered, &f->in_unrecovered);
        }
        return true;
}

int sizes_find_unrecovered(struct sizes *s)
{
        uint8_t key[KEY_MAX];
        int r = meta_scan(s->mds->meta, key_kind(key, 'l'), recover_one, s);

        if (r == 0 && s->files.count > 0)
                log_info("write-layouts-to-recover", "files=%u", s->files.count);
        return r;
}

/* Files with a write layout, by number, a handful at a time: nothing is changed while records are read. */
struct writable {
        uint64_t last; /* already looked at, up to here */
        uint64_t fileids[256];
        unsigned count;
};

static bool collect(void *arg, struct slice key, struct slice value)
{
        struct writable *w = arg;
        uint64_t fileid;
        uint32_t tag;

        (void)value;
        if (key_parse_u64_u32(key, 'l', &fileid, &tag) && fileid > w->last)
                w->last = w->fileids[w->count++] = fileid;
        return w->count < sizeof(w->fileids) / sizeof(w->fileids[0]);
}

/* Dirty, but nobody has said so; who had announced itself already has said so. */
static void suspect(struct sizes *s, uint64_t fileid, uint32_t server_id)
{
        struct size_file *f = size_file_get(s, fileid);
        uint64_t bit = 1ull << (server_id % 64);

        if (!f || (size_bit(f->dirty, server_id) && !size_bit(f->settled, server_id)))
                return;
        if (!size_any_dirty(f))
                size_file_dirtied(f);
        f->dirty[server_id / 64] |= bit;
        f->suspect[server_id / 64] |= bit;
        f->settled[server_id / 64] &= ~bit;
}

static void suspect_if_there(struct sizes *s, uint64_t fileid, const struct server *server)
{
        const struct inode *inode;

        if (meta_inode(s->mds->meta, fileid, &inode) == 0 &&
            fleet_file_is_on(s->mds->fleet, inode, server->id))
                suspect(s, fileid, server->id);
}

void sizes_server_restarted(struct sizes *s, const struct server *server)
{
        struct writable w = { 0 };
        uint8_t prefix[KEY_MAX], from[KEY_MAX];
        int r;

        do {
                w.count = 0;
                r = meta_scan_from(s->mds->meta, key_kind(prefix, 'l'), key_layouts(from, w.last + 1),
                                   collect, &w);
                for (unsigned i = 0; r == 0 && i < w.count; i++)
                        suspect_if_there(s, w.fileids[i], server);
        } while (r == 0 && w.count == sizeof(w.fileids) / sizeof(w.fileids[0]));
        if (r < 0)
                log_error("write-layouts-not-read", "server=%s", server->name);
}

static bool servers_are_there(const struct size_file *f)
{
        const struct mds *mds = f->sizes->mds;
        const struct inode *inode;

        if (meta_inode(mds->meta, f->fileid, &inode) < 0)
                return false;
        for (uint32_t i = 0; i < inode->width; i++) {
                const struct server *server = fleet_file_server(mds->fleet, inode, i);

                if (!server || !server->conn)
                        return false;
        }
        return true;
}

static void ask_some(struct sizes *s)
{
        while (s->recovering < AT_A_TIME && !list_empty(&s->unrecovered)) {
                struct size_file *f = CONTAINER(s->unrecovered.next, struct size_file, in_unrecovered);

                list_remove(&f->in_unrecovered);
                list_push(&s->put_off, &f->in_unrecovered);
                if (f->busy || !servers_are_there(f))
                        continue; /* until the next data server comes */
                f->recovering = true;
                s->recovering++;
                size_file_ask(f);
        }
}

void sizes_recover(struct sizes *s)
{
        list_splice(&s->unrecovered, &s->put_off);
        ask_some(s);
}

void size_file_recovered(struct size_file *f, bool success)
{
        struct sizes *s = f->sizes;

        if (success && f->recovered) {
                f->recovered = false;
                list_remove(&f->in_unrecovered);
                if (list_empty(&s->unrecovered) && list_empty(&s->put_off))
                        log_info("write-layouts-recovered", "seconds=%.1f",
                                 (double)(env_now(s->mds->env) - s->mds->started_ns) / 1e9);
        }
        if (!f->recovering)
                return;
        f->recovering = false;
        s->recovering--;
        ask_some(s);
}

bool size_is_unknown(const struct sizes *s, uint64_t fileid)
{
        const struct size_file *f = size_file_find(s, fileid);

        return f && f->recovered;
}
