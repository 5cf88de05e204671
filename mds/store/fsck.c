/* SPDX-License-Identifier: Apache-2.0 */
/* Two passes over the store: inodes into an array sorted by number, then every other record against it. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "mds/store/fsck_private.h"

void fsck_problem(struct fsck *f, const char *kind, uint64_t fileid, const char *format, ...)
{
        va_list args;

        f->report.problems++;
        fprintf(f->out, "problem: %s %" PRIu64 ": ", kind, fileid);
        va_start(args, format);
        vfprintf(f->out, format, args);
        va_end(args);
        fputc('\n', f->out);
}

struct node *fsck_node(const struct fsck *f, uint64_t fileid)
{
        uint64_t low = 0, high = f->count;

        while (low < high) {
                uint64_t middle = low + (high - low) / 2;

                if (f->nodes[middle].fileid == fileid)
                        return &f->nodes[middle];
                if (f->nodes[middle].fileid < fileid)
                        low = middle + 1;
                else
                        high = middle;
        }
        return NULL;
}

/* --- the first pass: inodes */

static bool grow(struct fsck *f)
{
        uint64_t capacity = f->capacity ? f->capacity * 2 : 1024;
        struct node *grown = realloc(f->nodes, capacity * sizeof(*grown));

        if (!grown) {
                f->out_of_memory = true;
                return false;
        }
        f->nodes = grown;
        f->capacity = capacity;
        return true;
}

static void check_inode(struct fsck *f, const struct inode *i)
{
        if ((i->fileid & ~FILEID_DIRECTORY) >= f->next_fileid)
                fsck_problem(f, "inode", i->fileid, "its number was not given out yet");
        if (i->fileid == ROOT_FILEID && i->type != NF4DIR)
                fsck_problem(f, "inode", i->fileid, "the root is not a directory");
        if (i->type == NF4REG && (i->flags & INODE_DATA) && (i->unit == 0 || i->first >= i->width))
                fsck_problem(f, "inode", i->fileid, "it has data but no sane stripes");
        if ((i->flags & INODE_COLD) && !(i->flags & INODE_BACKED))
                fsck_problem(f, "inode", i->fileid, "some of it is elsewhere, but nothing says where");
}

static uint16_t marks_of(const struct inode *i)
{
        return (uint16_t)((i->flags & INODE_XATTRS ? HAS_XATTRS : 0) | (i->flags & INODE_ACL ? HAS_ACL : 0) |
                          (i->flags & INODE_BACKED ? HAS_BACKING : 0) | (i->undescribed ? UNDESCRIBED : 0));
}

static bool each_inode(void *arg, struct slice key, struct slice value)
{
        struct fsck *f = arg;
        uint64_t fileid = 0;
        struct inode i;

        if (!key_parse_u64(key, 'i', &fileid) || !inode_decode(value, &i) || i.fileid != fileid) {
                fsck_problem(f, "inode", fileid, "its record is damaged");
                return true;
        }
        if (f->count == f->capacity && !grow(f))
                return false;
        check_inode(f, &i);
        f->nodes[f->count++] = (struct node){ i.fileid, i.parent, i.size, i.nlink, 0, i.type, marks_of(&i) };
        f->report.inodes++;
        return true;
}

/* --- the second pass: all others */

static void on_symlink(struct fsck *f, struct slice key, struct slice value)
{
        uint32_t bytes = value.length > 1 && value.data[0] == SYMLINK_VERSION ? value.length - 1 : 0;
        uint64_t fileid = 0;
        struct node *n;

        if (!key_parse_u64(key, 't', &fileid) || bytes == 0 || bytes > NFS4_MAXPATH) {
                fsck_problem(f, "target", fileid, "its record is damaged");
                return;
        }
        n = fsck_node(f, fileid);
        if (!n || n->type != NF4LNK) {
                fsck_problem(f, "target", fileid, "there is no such symlink");
                return;
        }
        n->marks |= TARGET;
        if (n->size != bytes)
                fsck_problem(f, "symlink", fileid, "size is %" PRIu64 ", its target has %u bytes", n->size,
                             bytes);
}

static void on_orphan(struct fsck *f, struct slice key, struct slice value)
{
        uint64_t fileid = 0;
        struct orphan_record o;
        struct node *n;

        if (!key_parse_u64(key, 'o', &fileid) || !orphan_decode(value, &o)) {
                fsck_problem(f, "orphan", fileid, "its record is damaged");
                return;
        }
        f->report.orphans++;
        fprintf(f->out, "note: orphan %" PRIu64 ": %s\n", fileid,
                o.open ? "unlinked while open" : "objects to remove");
        n = fsck_node(f, fileid);
        if (n)
                n->marks |= ORPHAN;
        if (o.open && !n)
                fsck_problem(f, "orphan", fileid, "said to be open, but its inode is not there");
        if (!o.open && n)
                fsck_problem(f, "orphan", fileid, "its objects are to be removed, but its inode is there");
}

static void on_layout(struct fsck *f, struct slice key, struct slice value)
{
        uint64_t fileid = 0;
        uint32_t client;
        const struct node *n;

        if (!key_parse_u64_u32(key, 'l', &fileid, &client) || value.length == 0) {
                fsck_problem(f, "layout", fileid, "its record is damaged");
                return;
        }
        f->report.layouts++;
        n = fsck_node(f, fileid);
        if (!n || n->type != NF4REG)
                fsck_problem(f, "layout", fileid, "client %08x holds it, but there is no such file", client);
}

static void on_xattr(struct fsck *f, struct slice key, struct slice value)
{
        uint64_t fileid = 0, cookie = 0;
        struct xattr_record x;
        struct node *n;

        if (!key_parse_u64_u64(key, 'x', &fileid, &cookie) || !xattr_decode(value, &x)) {
                fsck_problem(f, "xattr", fileid, "its record is damaged");
                return;
        }
        f->report.xattrs++;
        if (cookie != name_cookie(x.name, f->hash_key, f->hash_mask))
                fsck_problem(f, "xattr", fileid, "it is not in the place of its name");
        n = fsck_node(f, fileid);
        if (!n || !(n->marks & HAS_XATTRS))
                fsck_problem(f, "xattr", fileid, n ? "its inode knows of none" : "its inode is not there");
        if (n)
                n->marks |= XATTRS;
}

static void on_acl(struct fsck *f, struct slice key, struct slice value)
{
        uint64_t fileid = 0;
        struct acl acl;
        struct node *n;

        if (!key_parse_u64(key, 'a', &fileid) || !acl_decode(value, &acl)) {
                fsck_problem(f, "acl", fileid, "its record is damaged");
                return;
        }
        n = fsck_node(f, fileid);
        if (!n || !(n->marks & HAS_ACL))
                fsck_problem(f, "acl", fileid, n ? "its inode knows of none" : "its inode is not there");
        if (n)
                n->marks |= ACL;
}

static bool each_record(void *arg, struct slice key, struct slice value)
{
        struct fsck *f = arg;
        uint8_t kind = key.data[0];

        switch (kind) {
        case 'i': break; /* the first pass */
        case 'd': fsck_dirent(f, key, value); break;
        case 't': on_symlink(f, key, value); break;
        case 'o': on_orphan(f, key, value); break;
        case 'l': on_layout(f, key, value); break;
        case 'a': on_acl(f, key, value); break;
        case 'x': on_xattr(f, key, value); break;
        case 'c':
        case 's':
        case 'p':
        case 'm': /* what is in them is known elsewhere */
                if (value.length == 0)
                        fsck_problem(f, "record", kind, "it is empty");
                break;
        default:
                if (!fsck_tier(f, key, value))
                        fsck_problem(f, "record", kind, "nothing of this kind is known");
        }
        return true;
}

/* --- at the end: what no other record spoke of, and the way up to the root */

static void check_names(struct fsck *f, const struct node *n)
{
        bool root = n->fileid == ROOT_FILEID, orphan = n->marks & ORPHAN;

        if (n->type == NF4DIR && n->names > !root)
                fsck_problem(f, "directory", n->fileid, "it has %u names", n->names);
        if (n->names == 0 && !root && !orphan)
                fsck_problem(f, "inode", n->fileid, "no entry leads to it");
        if (n->names > 0 && orphan)
                fsck_problem(f, "orphan", n->fileid, "it still has %u names", n->names);
        if (n->type != NF4DIR && n->nlink != n->names)
                fsck_problem(f, "inode", n->fileid, "nlink is %u, it has %u names", n->nlink, n->names);
        if (n->type == NF4DIR && !(n->marks & LISTED) && n->size != 0)
                fsck_problem(f, "directory", n->fileid, "size is %" PRIu64 ", it has no entries", n->size);
        if (n->type == NF4DIR && !(n->marks & LISTED) && n->nlink != 2)
                fsck_problem(f, "directory", n->fileid, "nlink is %u, it has no subdirectories", n->nlink);
        if (n->type == NF4LNK && !(n->marks & TARGET))
                fsck_problem(f, "symlink", n->fileid, "its target is not there");
        if ((n->marks & HAS_XATTRS) && !(n->marks & XATTRS))
                fsck_problem(f, "inode", n->fileid, "its extended attributes are not there");
        if ((n->marks & HAS_ACL) && !(n->marks & ACL))
                fsck_problem(f, "inode", n->fileid, "its access control list is not there");
        if ((n->marks & HAS_BACKING) && !(n->marks & BACKING))
                fsck_problem(f, "inode", n->fileid, "what backs it is not there");
        if ((n->marks & UNDESCRIBED) && !(n->marks & HEAD))
                fsck_problem(f, "inode", n->fileid, "nobody would ask S3 whose it is");
}

/* Up until the end is known; then the same way again to write it down, so that no inode is passed more than
 * twice. */
static void walk_up(struct fsck *f, struct node *from)
{
        struct node *n = from;
        uint16_t end;

        while (n && n->fileid != ROOT_FILEID && !(n->marks & (WALKING | REACHED | LOST))) {
                n->marks |= WALKING;
                n = fsck_node(f, n->parent);
        }
        end = n && !(n->marks & (WALKING | LOST)) ? REACHED : LOST;
        if (n && (n->marks & WALKING))
                fsck_problem(f, "directory", n->fileid, "it lies inside itself");
        for (n = from; n && (n->marks & WALKING); n = fsck_node(f, n->parent))
                n->marks = (uint16_t)((n->marks & ~WALKING) | end);
}

static int scan(struct fsck *f, struct slice prefix, store_each_fn *each)
{
        int r = f->store->ops->scan(f->store, prefix, prefix, each, f);

        return f->out_of_memory ? -ENOMEM : r;
}

static int run(struct fsck *f)
{
        int r;

        if (meta_value_bytes(f->store, "hash-key", f->hash_key, sizeof(f->hash_key)) ||
            meta_value_number(f->store, "next-fileid", &f->next_fileid))
                fsck_problem(f, "record", 'm', "the single values are damaged");
        r = scan(f, slice_str("i"), each_inode);
        if (r == 0)
                r = scan(f, slice_str(""), each_record);
        if (r)
                return r;
        fsck_end_directory(f);
        if (!fsck_node(f, ROOT_FILEID))
                fsck_problem(f, "inode", ROOT_FILEID, "the root is not there");
        for (uint64_t i = 0; i < f->count; i++) {
                check_names(f, &f->nodes[i]);
                if (f->nodes[i].type == NF4DIR)
                        walk_up(f, &f->nodes[i]);
        }
        return 0;
}

int fsck_run_masked(struct store *store, uint64_t hash_mask, FILE *out, struct fsck_report *ret)
{
        CLEANUP_FREE struct fsck *f = calloc(1, sizeof(*f));
        int r;

        if (!f)
                return -ENOMEM;
        f->store = store;
        f->out = out;
        f->hash_mask = hash_mask;
        r = run(f);
        free(f->nodes);
        if (r == 0)
                *ret = f->report;
        return r;
}

int fsck_run(struct store *store, FILE *out, struct fsck_report *ret)
{
        return fsck_run_masked(store, UINT64_MAX, out, ret);
}
