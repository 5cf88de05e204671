/* SPDX-License-Identifier: Apache-2.0 */
/* READDIR, RFC 8881 §18.23.
 *
 * The RFC: entries behind a cookie, with attributes; never more than maxcount bytes of result, about dircount
 * bytes of names and cookies; TOOSMALL when not one entry fits; what is wrong with one entry is its
 * rdattr_error when that is asked, else the whole operation's error. We: cookies are the places of names in
 * the store, good for ever, so the verifier is 0 and any other is NOT_SAME; a reply has at most 64 KiB, so
 * that a large directory does not hold up the loop.
 *
 * Sizes and times are those that the MDS knows now: asking data servers for every file that is being written
 * would make listing a directory wait for all of them. Linux revalidates with GETATTR when a file is opened
 * or its cache times out; until then `ls -l` beside a writer may show the size of a moment ago. A file whose
 * size only data servers know since our last stop (mds/pnfs/size_recover.c), and what S3 has still to be
 * asked about (mds/tier/heads.h), has the error DELAY instead of attributes; Linux then asks for that alone.
 */
#include <errno.h>

#include "mds/ns/inode.h"
#include "mds/ops.h"
#include "mds/pnfs/size.h"
#include "mds/tier/heads.h"

struct readdir_args {
        uint64_t cookie;
        uint8_t verifier[NFS4_VERIFIER_SIZE];
        uint32_t dircount, maxcount;
        struct bitmap4 asked;
};
struct readdir_res {
        struct buf *buf;
        uint32_t length;
        bool eof;
};

enum {
        RESULT_FIXED = NFS4_VERIFIER_SIZE + 4 + 4, /* verifier, end of the list, eof */
        COPY_MAX = 2048,                           /* shorter lists are copied into the head */
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct readdir_args *a = OP_ARGS(c, struct readdir_args);

        a->cookie = xdr_get_u64(x);
        xdr_get_fixed(x, a->verifier, sizeof(a->verifier));
        a->dircount = xdr_get_u32(x);
        a->maxcount = xdr_get_u32(x);
        get_bitmap(x, &a->asked);
        if (attrs_ask_write_only(&a->asked))
                c->decode_status = NFS4ERR_INVAL;
}

/* A list in the making. */
struct listing {
        struct compound *c;
        const struct readdir_args *args;
        const struct subject *dir;
        struct xdr_out x;
        uint32_t entries, names; /* bytes counted for dircount */
        bool needs_inodes;       /* else the directory entry knows all that is asked */
        bool needs_sizes;
        bool may_search;
        bool full;
        enum nfsstat4 error;
        struct attr_values values;
        struct acl acl;
};

/* What is left of ASKED for an entry whose attributes cannot be had: §5.8.1.12, and its numbers. */
static struct bitmap4 asked_in_error(const struct bitmap4 *asked)
{
        static const unsigned kept[] = { FATTR4_RDATTR_ERROR, FATTR4_FILEID, FATTR4_MOUNTED_ON_FILEID };
        struct bitmap4 rest = { 0 };

        for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
                if (bitmap_has(asked, kept[i]))
                        bitmap_set(&rest, kept[i]);
        return rest;
}

/* Append an entry; false: it does not fit, and nothing was appended. */
static bool put_entry(struct listing *l, uint64_t cookie, struct slice name, const struct bitmap4 *asked)
{
        uint32_t at = xdr_head_length(&l->x), counted = 8 + 4 + ((name.length + 3) & ~3u);

        if (l->entries > 0 && l->args->dircount > 0 && l->names + counted > l->args->dircount)
                return false;
        xdr_put_bool(&l->x, true);
        xdr_put_u64(&l->x, cookie);
        xdr_put_slice(&l->x, name);
        attrs_encode(&l->x, asked, &l->values);
        if (l->x.full) {
                xdr_truncate(&l->x, at);
                return false;
        }
        l->entries++;
        l->names += counted;
        return true;
}

/* STATUS of an entry: into it, or (when nobody asked for that) it ends the operation. */
static bool put_failed(struct listing *l, uint64_t cookie, struct slice name, uint64_t fileid,
                       enum nfsstat4 status)
{
        struct bitmap4 asked = asked_in_error(&l->args->asked);

        if (!bitmap_has(&l->args->asked, FATTR4_RDATTR_ERROR)) {
                l->error = status;
                return false;
        }
        l->values.rdattr_error = status;
        l->values.fileid = l->values.mounted_on_fileid = fileid;
        l->full = !put_entry(l, cookie, name, &asked);
        return !l->full;
}

static bool each_entry(void *arg, uint64_t cookie, const struct dirent_record *d)
{
        struct listing *l = arg;
        struct slice name = slice_of(d->name, d->name_length);
        struct inode known = { .fileid = d->fileid, .type = d->type };
        struct subject child = { .inode = &known, .who.rule = l->dir->who.rule };
        int r = 0;

        if (l->needs_inodes && !l->may_search)
                return put_failed(l, cookie, name, d->fileid, NFS4ERR_ACCESS);
        if (l->needs_inodes)
                r = meta_inode(mds_of(l->c)->meta, d->fileid, &child.inode);
        if (r < 0)
                return put_failed(l, cookie, name, d->fileid,
                                  nfs4_status_from_errno(r == -ENOENT ? -EIO : r));
        if (l->needs_sizes && size_is_unknown(mds_of(l->c)->sizes, d->fileid))
                return put_failed(l, cookie, name, d->fileid, NFS4ERR_DELAY);
        if (heads_is_due(mds_of(l->c)->tier, child.inode))
                return put_failed(l, cookie, name, d->fileid, NFS4ERR_DELAY);
        child.fh = inode_fh(l->dir->fh.export_id, child.inode);
        subject_values(l->c, &child, &l->args->asked, &l->values);
        l->full = !put_entry(l, cookie, name, &l->args->asked);
        return !l->full;
}

/* One node below a node: an entry of its own, or the root of an export seen from above. */
static bool each_node(struct listing *l, const struct pseudo_node *node)
{
        struct slice name = slice_str(node->name);
        struct subject child;
        struct fh fh;
        enum nfsstat4 status = pseudo_enter(l->c, node, &fh);

        if (status == NFS4_OK)
                status = subject_of(l->c, &fh, &child);
        if (status != NFS4_OK)
                return put_failed(l, node->id, name, node->id, status);
        subject_values(l->c, &child, &l->args->asked, &l->values);
        l->values.mounted_on_fileid = node->id;
        l->full = !put_entry(l, node->id, name, &l->args->asked);
        return !l->full;
}

static void list_nodes(struct listing *l)
{
        const struct pseudo_node *node = pseudo_next(l->dir->pseudo, l->args->cookie);

        for (; node; node = pseudo_next(l->dir->pseudo, node->id))
                if (pseudo_visible(l->c, node) && !each_node(l, node))
                        return;
}

/* All that stands in the directory entry itself. Of what S3 has still to be asked about that is a guess. */
static bool needs_inodes(const struct bitmap4 *asked, const struct subject *dir)
{
        static const unsigned there[] = { FATTR4_TYPE, FATTR4_RDATTR_ERROR, FATTR4_FILEID };
        struct bitmap4 rest = *asked;

        if (dir->inode && dir->inode->flags & INODE_BACKED && bitmap_has(asked, FATTR4_TYPE))
                return true;
        for (unsigned i = 0; i < sizeof(there) / sizeof(there[0]); i++)
                bitmap_clear(&rest, there[i]);
        /* Of a directory that is an export's root this would be wrong, but those are not in any export. */
        bitmap_clear(&rest, FATTR4_MOUNTED_ON_FILEID);
        return (rest.word[0] | rest.word[1] | rest.word[2]) != 0;
}

static enum nfsstat4 check(const struct readdir_args *a)
{
        static const uint8_t zero[NFS4_VERIFIER_SIZE];
        bool verifier_ok = memcmp(a->verifier, zero, sizeof(zero)) == 0;

        if (a->cookie == 1 || a->cookie == 2 || (a->cookie == 0 && !verifier_ok))
                return NFS4ERR_BAD_COOKIE;
        if (!verifier_ok)
                return NFS4ERR_NOT_SAME;
        return a->maxcount < RESULT_FIXED ? NFS4ERR_TOOSMALL : NFS4_OK;
}

/* How many bytes the list of entries may have. */
static uint32_t list_room(const struct compound *c, const struct readdir_args *a)
{
        uint32_t room = a->maxcount - RESULT_FIXED, reply = compound_reply_room(c),
                 overhead = 8 + RESULT_FIXED;

        if (room > BUF_SMALL)
                room = BUF_SMALL;
        if (reply < overhead)
                return 0;
        return room < reply - overhead ? room & ~3u : (reply - overhead) & ~3u;
}

static enum nfsstat4 list(struct listing *l)
{
        int r = 0;

        if (l->dir->pseudo)
                list_nodes(l);
        else
                r = meta_readdir(mds_of(l->c)->meta, l->dir->inode->fileid, l->args->cookie, each_entry, l);
        if (l->error != NFS4_OK)
                return l->error;
        if (r < 0)
                return nfs4_status_from_errno(r);
        return l->full && l->entries == 0 ? NFS4ERR_TOOSMALL : NFS4_OK;
}

static enum nfsstat4 execute(struct compound *c)
{
        const struct readdir_args *a = OP_ARGS(c, struct readdir_args);
        struct readdir_res *r = OP_RES(c, struct readdir_res);
        struct listing l = { .c = c, .args = a, .values.supported = &attrs_supported };
        struct subject dir;
        enum nfsstat4 status = subject_dir(c, &c->fh, PERM_R, &dir);

        if (status == NFS4_OK)
                status = check(a);
        if (status != NFS4_OK)
                return status == NFS4ERR_SYMLINK ? NFS4ERR_NOTDIR : status;
        r->buf = buf_get(c->server->pool, BUF_SMALL);
        if (!r->buf)
                return NFS4ERR_DELAY;
        l.dir = &dir;
        l.values.acl = &l.acl;
        l.may_search = dir.pseudo || perm_ok(&dir.who, dir.inode, PERM_X);
        l.needs_inodes = needs_inodes(&a->asked, &dir);
        l.needs_sizes = attrs_need_size(&a->asked);
        xdr_out_init(&l.x, r->buf->data, list_room(c, a));
        status = list(&l);
        if (status != NFS4_OK) {
                buf_unref(r->buf);
                return status;
        }
        r->length = xdr_head_length(&l.x);
        r->eof = !l.full;
        return NFS4_OK;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        static const uint8_t verifier[NFS4_VERIFIER_SIZE];
        const struct readdir_res *r = OP_RES(c, struct readdir_res);

        (void)status;
        xdr_put_fixed(x, verifier, sizeof(verifier));
        if (r->length <= COPY_MAX) {
                xdr_put_fixed(x, r->buf->data, r->length);
                buf_unref(r->buf);
        } else {
                xdr_put_ref(x, r->buf, r->buf->data, r->length);
        }
        xdr_put_bool(x, false); /* no further entry */
        xdr_put_bool(x, r->eof);
}

const struct nfs4_op op_readdir = {
        .name = "READDIR",
        .flags = OP_NEEDS_FH | OP_PSEUDO | OP_NAMES,
        .reply_max = 8 + RESULT_FIXED + COPY_MAX,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
