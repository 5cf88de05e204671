/* SPDX-License-Identifier: Apache-2.0 */
/* GETXATTR, RFC 8276 §8.4.1, and LISTXATTRS, §8.4.3.
 *
 * The RFC: NOXATTR when there is none of that name; a list goes on behind a cookie, TOOSMALL when not one
 * name fits lxa_maxcount. We: cookies are the places of names in the store, good for ever. Nodes of the
 * pseudo file system have no attributes. */
#include "mds/op/xattr_hsm.h"
#include "mds/op/xattr_layout.h"
#include "mds/ops.h"

struct getxattr_args {
        struct slice name;
};
struct getxattr_res {
        struct buf *buf;
        struct slice value; /* in buf */
};

enum { COPY_MAX = 2048 /* shorter values and lists are copied into the head */ };

static void decode_get(struct compound *c, struct xdr_in *x)
{
        OP_ARGS(c, struct getxattr_args)->name = get_xattr_name(c, x);
}

static enum nfsstat4 get(struct compound *c, const struct subject *s, struct slice name,
                         struct getxattr_res *r)
{
        if (xattr_is_state(name))
                return xattr_state_get(c, s, (char *)r->buf->data, &r->value);
        if (xattr_is_ours(name))
                return xattr_layout_get(s, name, (char *)r->buf->data, &r->value);
        return xattr_status(meta_xattr(mds_of(c)->meta, s->inode, name, r->buf->data, &r->value));
}

static enum nfsstat4 execute_get(struct compound *c)
{
        struct getxattr_res *r = OP_RES(c, struct getxattr_res);
        enum nfsstat4 status;
        struct subject s;

        status = xattr_subject(c, PERM_R, &s);
        if (status != NFS4_OK)
                return status;
        if (s.pseudo)
                return NFS4ERR_NOXATTR;
        r->buf = buf_get(c->server->pool, XATTR_RECORD_BYTES);
        if (!r->buf)
                return NFS4ERR_DELAY;
        status = get(c, &s, OP_ARGS(c, struct getxattr_args)->name, r);
        if (status != NFS4_OK)
                buf_unref(r->buf);
        return status;
}

static void encode_get(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct getxattr_res *r = OP_RES(c, struct getxattr_res);

        (void)status;
        if (r->value.length <= COPY_MAX) {
                xdr_put_slice(x, r->value);
                buf_unref(r->buf);
                return;
        }
        xdr_put_u32(x, r->value.length);
        xdr_put_ref(x, r->buf, r->value.data, r->value.length);
}

const struct nfs4_op op_getxattr = {
        .name = "GETXATTR",
        .flags = OP_NEEDS_FH | OP_PSEUDO,
        .reply_max = 8 + 4 + COPY_MAX,
        .decode = decode_get,
        .execute = execute_get,
        .resume = execute_get,
        .encode = encode_get,
};

/* --- LISTXATTRS */

struct listxattrs_args {
        uint64_t cookie;
        uint32_t maxcount;
};
struct listxattrs_res {
        struct buf *buf; /* the names; NULL: none */
        uint64_t cookie; /* of the last */
        uint32_t length, count;
        bool eof;
};

enum { LIST_FIXED = 8 + 4 + 4 /* cookie, number of names, eof */ };
_Static_assert(XATTRS_MAX *(4 + XATTR_NAME_BYTES + 1) <= BUF_SMALL, "all names fit");

static void decode_list(struct compound *c, struct xdr_in *x)
{
        struct listxattrs_args *a = OP_ARGS(c, struct listxattrs_args);

        a->cookie = xdr_get_u64(x);
        a->maxcount = xdr_get_u32(x);
        if (a->maxcount < LIST_FIXED)
                c->decode_status = NFS4ERR_TOOSMALL;
}

struct listing {
        struct xdr_out x;
        struct listxattrs_res *res;
};

static bool each_name(void *arg, uint64_t cookie, struct slice name)
{
        struct listing *l = arg;
        uint32_t at = xdr_head_length(&l->x);

        xdr_put_slice(&l->x, name);
        if (l->x.full) {
                xdr_truncate(&l->x, at);
                l->res->eof = false;
                return false;
        }
        l->res->count++;
        l->res->cookie = cookie;
        return true;
}

/* How many bytes the names may have. */
static uint32_t names_room(const struct compound *c, uint32_t maxcount)
{
        uint32_t room = maxcount - LIST_FIXED, reply = compound_reply_room(c), overhead = 8 + LIST_FIXED;

        if (room > BUF_SMALL)
                room = BUF_SMALL;
        if (reply < overhead)
                return 0;
        return (room < reply - overhead ? room : reply - overhead) & ~3u;
}

static enum nfsstat4 execute_list(struct compound *c)
{
        const struct listxattrs_args *a = OP_ARGS(c, struct listxattrs_args);
        struct listxattrs_res *r = OP_RES(c, struct listxattrs_res);
        struct listing l = { .res = r };
        enum nfsstat4 status;
        struct subject s;

        *r = (struct listxattrs_res){ .cookie = a->cookie, .eof = true };
        status = xattr_subject(c, PERM_R, &s);
        if (status != NFS4_OK || s.pseudo || !(s.inode->flags & INODE_XATTRS))
                return status;
        r->buf = buf_get(c->server->pool, BUF_SMALL);
        if (!r->buf)
                return NFS4ERR_DELAY;
        xdr_out_init(&l.x, r->buf->data, names_room(c, a->maxcount));
        status = xattr_status(meta_xattrs(mds_of(c)->meta, s.inode, a->cookie, each_name, &l));
        if (status == NFS4_OK && !r->eof && r->count == 0)
                status = NFS4ERR_TOOSMALL;
        if (status != NFS4_OK)
                buf_unref(r->buf);
        r->length = xdr_head_length(&l.x);
        return status;
}

static void encode_list(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct listxattrs_res *r = OP_RES(c, struct listxattrs_res);

        (void)status;
        xdr_put_u64(x, r->cookie);
        xdr_put_u32(x, r->count);
        if (r->buf && r->length <= COPY_MAX) {
                xdr_put_fixed(x, r->buf->data, r->length);
                buf_unref(r->buf);
        } else if (r->buf) {
                xdr_put_ref(x, r->buf, r->buf->data, r->length);
        }
        xdr_put_bool(x, r->eof);
}

const struct nfs4_op op_listxattrs = {
        .name = "LISTXATTRS",
        .flags = OP_NEEDS_FH | OP_PSEUDO,
        .reply_max = 8 + LIST_FIXED + COPY_MAX,
        .decode = decode_list,
        .execute = execute_list,
        .encode = encode_list,
};
