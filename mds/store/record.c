/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/store/record.h"

#include "base/check.h"
#include "mds/store/record_bytes.h"

enum {
        INODE_VERSION = 2, /* 1 knew of nothing undescribed */
        DIRENT_VERSION = 1,
        ORPHAN_VERSION = 1,
        CLIENT_VERSION = 3,
        XATTR_VERSION = 1,
        ACL_VERSION = 1
};
enum { MODE_BITS = 07777 };

/* --- keys */

static struct slice key_u64(uint8_t *out, char kind, uint64_t first)
{
        out[0] = (uint8_t)kind;
        return written(out, put(out + 1, first, 8));
}

static struct slice key_u64_more(uint8_t *out, char kind, uint64_t first, uint64_t second, unsigned bytes)
{
        out[0] = (uint8_t)kind;
        return written(out, put(put(out + 1, first, 8), second, bytes));
}

static struct slice key_u32(uint8_t *out, char kind, uint32_t first)
{
        out[0] = (uint8_t)kind;
        return written(out, put(out + 1, first, 4));
}

struct slice key_inode(uint8_t *out, uint64_t fileid)
{
        return key_u64(out, 'i', fileid);
}
struct slice key_symlink(uint8_t *out, uint64_t fileid)
{
        return key_u64(out, 't', fileid);
}
struct slice key_dirents(uint8_t *out, uint64_t parent)
{
        return key_u64(out, 'd', parent);
}
struct slice key_acl(uint8_t *out, uint64_t fileid)
{
        return key_u64(out, 'a', fileid);
}
struct slice key_backing(uint8_t *out, uint64_t fileid)
{
        return key_u64(out, 'b', fileid);
}
struct slice key_repo(uint8_t *out, uint32_t number)
{
        return key_u32(out, 'r', number);
}
struct slice key_queue(uint8_t *out, uint64_t fileid)
{
        return key_u64(out, 'q', fileid);
}
struct slice key_uploads(uint8_t *out, uint64_t fileid)
{
        return key_u64(out, 'u', fileid);
}
struct slice key_head(uint8_t *out, uint64_t fileid)
{
        return key_u64(out, 'h', fileid);
}
struct slice key_names(uint8_t *out, uint64_t fileid)
{
        return key_u64(out, 'n', fileid);
}
struct slice key_job(uint8_t *out, uint64_t number)
{
        return key_u64(out, 'j', number);
}
struct slice key_failures(uint8_t *out, uint64_t number)
{
        return key_u64(out, 'f', number);
}
struct slice key_xattrs(uint8_t *out, uint64_t fileid)
{
        return key_u64(out, 'x', fileid);
}
struct slice key_layouts(uint8_t *out, uint64_t fileid)
{
        return key_u64(out, 'l', fileid);
}
struct slice key_orphan(uint8_t *out, uint64_t fileid)
{
        return key_u64(out, 'o', fileid);
}
struct slice key_server(uint8_t *out, uint32_t server_id)
{
        return key_u32(out, 's', server_id);
}
struct slice key_pool(uint8_t *out, uint32_t generation)
{
        return key_u32(out, 'p', generation);
}

struct slice key_dirent(uint8_t *out, uint64_t parent, uint64_t cookie)
{
        return key_u64_more(out, 'd', parent, cookie, 8);
}

struct slice key_xattr(uint8_t *out, uint64_t fileid, uint64_t cookie)
{
        return key_u64_more(out, 'x', fileid, cookie, 8);
}

struct slice key_upload(uint8_t *out, uint64_t fileid, int64_t noted)
{
        return key_u64_more(out, 'u', fileid, (uint64_t)noted, 8);
}

struct slice key_name(uint8_t *out, uint64_t fileid, uint64_t number)
{
        return key_u64_more(out, 'n', fileid, number, 8);
}

struct slice key_failure(uint8_t *out, uint64_t number, uint64_t fileid)
{
        return key_u64_more(out, 'f', number, fileid, 8);
}

struct slice key_layout(uint8_t *out, uint64_t fileid, uint32_t client_tag)
{
        return key_u64_more(out, 'l', fileid, client_tag, 4);
}

struct slice key_object(uint8_t *out, char kind, uint32_t repo, struct slice key)
{
        CHECK(key.length <= BACKING_KEY_BYTES);
        out[0] = (uint8_t)kind;
        return written(out, put_bytes(put(out + 1, repo, 4), key.data, key.length));
}

struct slice key_tomb(uint8_t *out, uint32_t repo, struct slice key)
{
        return key_object(out, 'z', repo, key);
}

struct slice key_away(uint8_t *out, uint32_t repo, struct slice key)
{
        return key_object(out, 'w', repo, key);
}

struct slice key_client(uint8_t *out, struct slice owner)
{
        CHECK(owner.length <= NFS4_OPAQUE_LIMIT);
        out[0] = 'c';
        return written(out, put_bytes(out + 1, owner.data, owner.length));
}

struct slice key_meta(uint8_t *out, const char *name)
{
        out[0] = 'm';
        return written(out, put_bytes(out + 1, name, (uint32_t)strlen(name)));
}

struct slice key_kind(uint8_t *out, char kind)
{
        out[0] = (uint8_t)kind;
        return slice_of(out, 1);
}

static struct reader read_key(struct slice key, char kind)
{
        struct reader r = { key.data, key.data + key.length, false };

        if (take(&r, 1) != (uint8_t)kind)
                r.failed = true;
        return r;
}

bool key_parse_u32(struct slice key, char kind, uint32_t *ret_first)
{
        struct reader r = read_key(key, kind);
        uint32_t first = (uint32_t)take(&r, 4);

        if (!whole(&r))
                return false;
        *ret_first = first;
        return true;
}

bool key_parse_u64(struct slice key, char kind, uint64_t *ret_first)
{
        struct reader r = read_key(key, kind);
        uint64_t first = take(&r, 8);

        if (!whole(&r))
                return false;
        *ret_first = first;
        return true;
}

bool key_parse_u64_u64(struct slice key, char kind, uint64_t *ret_first, uint64_t *ret_second)
{
        struct reader r = read_key(key, kind);
        uint64_t first = take(&r, 8), second = take(&r, 8);

        if (!whole(&r))
                return false;
        *ret_first = first;
        *ret_second = second;
        return true;
}

bool key_parse_u64_u32(struct slice key, char kind, uint64_t *ret_first, uint32_t *ret_second)
{
        struct reader r = read_key(key, kind);
        uint64_t first = take(&r, 8), second = take(&r, 4);

        if (!whole(&r))
                return false;
        *ret_first = first;
        *ret_second = (uint32_t)second;
        return true;
}

bool key_parse_object(struct slice key, char kind, uint32_t *ret_repo, struct slice *ret_key)
{
        struct reader r = read_key(key, kind);
        uint32_t repo = (uint32_t)take(&r, 4);

        if (r.failed || r.end - r.at > BACKING_KEY_BYTES)
                return false;
        *ret_repo = repo;
        *ret_key = slice_of(r.at, (uint32_t)(r.end - r.at));
        return true;
}

bool key_parse_tomb(struct slice key, uint32_t *ret_repo, struct slice *ret_key)
{
        return key_parse_object(key, 'z', ret_repo, ret_key);
}

bool key_parse_away(struct slice key, uint32_t *ret_repo, struct slice *ret_key)
{
        return key_parse_object(key, 'w', ret_repo, ret_key);
}

/* --- inode: what every type has, then what this type has */

static bool has_stripes(uint8_t type)
{
        return type == NF4REG || type == NF4DIR;
}
static bool has_parent(uint8_t type)
{
        return type == NF4DIR || type == INODE_NAME;
}
static bool has_rdev(uint8_t type)
{
        return type == NF4BLK || type == NF4CHR;
}

struct slice inode_encode(uint8_t *out, const struct inode *inode)
{
        uint8_t *at = out;

        at = put(at, INODE_VERSION, 1);
        at = put(at, inode->fileid, 8);
        at = put(at, inode->generation, 4);
        at = put(at, inode->type, 1);
        at = put(at, inode->flags, 1);
        at = put(at, inode->undescribed, 1);
        at = put(at, inode->mode, 2);
        at = put(at, inode->uid, 4);
        at = put(at, inode->gid, 4);
        at = put(at, inode->nlink, 4);
        at = put(at, inode->size, 8);
        at = put(at, inode->used, 8);
        at = put(at, inode->change, 8);
        at = put(at, (uint64_t)inode->atime, 8);
        at = put(at, (uint64_t)inode->mtime, 8);
        at = put(at, (uint64_t)inode->ctime, 8);
        at = put(at, (uint64_t)inode->btime, 8);
        if (has_parent(inode->type))
                at = put(at, inode->parent, 8);
        if (has_stripes(inode->type)) {
                at = put(at, inode->unit, 4);
                at = put(at, inode->width, 2);
                at = put(at, inode->pool, 2);
                at = put(at, inode->first, 1);
                at = put(at, inode->start, 1);
        }
        if (has_rdev(inode->type)) {
                at = put(at, inode->rdev_major, 4);
                at = put(at, inode->rdev_minor, 4);
        }
        if (inode->flags & INODE_EXCLUSIVE)
                at = put_bytes(at, inode->verifier, NFS4_VERIFIER_SIZE);
        return written(out, at);
}

static bool inode_sane(const struct inode *i)
{
        bool is_name = i->type == INODE_NAME && i->flags == INODE_BACKED && i->parent != 0;

        return i->fileid != 0 && (is_name || (i->type >= NF4REG && i->type <= NF4FIFO)) &&
               (i->mode & ~MODE_BITS) == 0 && (i->type == NF4REG || !(i->flags & INODE_USED_OLD)) &&
               (!i->undescribed || (i->flags & INODE_BACKED && (i->type == NF4REG || i->type == NF4DIR)));
}

bool inode_decode(struct slice value, struct inode *ret)
{
        struct reader r = read_value(value, INODE_VERSION);
        struct inode i = { 0 };
        uint8_t undescribed;

        i.fileid = take(&r, 8);
        i.generation = (uint32_t)take(&r, 4);
        i.type = (uint8_t)take(&r, 1);
        i.flags = (uint8_t)take(&r, 1);
        undescribed = (uint8_t)take(&r, 1);
        i.undescribed = undescribed == 1;
        i.mode = (uint16_t)take(&r, 2);
        i.uid = (uint32_t)take(&r, 4);
        i.gid = (uint32_t)take(&r, 4);
        i.nlink = (uint32_t)take(&r, 4);
        i.size = take(&r, 8);
        i.used = take(&r, 8);
        i.change = take(&r, 8);
        i.atime = (int64_t)take(&r, 8);
        i.mtime = (int64_t)take(&r, 8);
        i.ctime = (int64_t)take(&r, 8);
        i.btime = (int64_t)take(&r, 8);
        if (has_parent(i.type))
                i.parent = take(&r, 8);
        if (has_stripes(i.type)) {
                i.unit = (uint32_t)take(&r, 4);
                i.width = (uint16_t)take(&r, 2);
                i.pool = (uint16_t)take(&r, 2);
                i.first = (uint8_t)take(&r, 1);
                i.start = (uint8_t)take(&r, 1);
        }
        if (has_rdev(i.type)) {
                i.rdev_major = (uint32_t)take(&r, 4);
                i.rdev_minor = (uint32_t)take(&r, 4);
        }
        if (i.flags & INODE_EXCLUSIVE)
                take_bytes(&r, i.verifier, NFS4_VERIFIER_SIZE);
        if (!whole(&r) || undescribed > 1 || !inode_sane(&i))
                return false;
        *ret = i;
        return true;
}

/* --- directory entry: the name is the rest of the value */

struct slice dirent_encode(uint8_t *out, const struct dirent_record *d)
{
        uint8_t *at = put(put(put(out, DIRENT_VERSION, 1), d->type, 1), d->fileid, 8);

        return written(out, put_bytes(at, d->name, d->name_length));
}

bool dirent_decode(struct slice value, struct dirent_record *ret)
{
        struct reader r = read_value(value, DIRENT_VERSION);
        uint8_t type = (uint8_t)take(&r, 1);
        uint64_t fileid = take(&r, 8);
        size_t name_length = (size_t)(r.end - r.at);

        if (r.failed || type > NF4FIFO || name_length > NFS4_MAXNAME)
                return false;
        if ((type == 0) != (name_length == 0) || (type == 0) != (fileid == 0))
                return false;
        ret->fileid = fileid;
        ret->type = type;
        ret->name_length = (uint8_t)name_length;
        memcpy(ret->name, r.at, name_length);
        return true;
}

/* --- access control list */

struct slice acl_encode(uint8_t *out, const struct acl *acl)
{
        uint8_t *at = put(out, ACL_VERSION, 1);

        CHECK(acl->count <= ACL_ACES);
        for (uint32_t i = 0; i < acl->count; i++) {
                const struct ace *a = &acl->aces[i];

                at = put(put(put(at, a->type, 1), a->flags, 1), a->who, 1);
                at = put(put(at, a->mask, 4), a->id, 4);
        }
        return written(out, at);
}

bool acl_decode(struct slice value, struct acl *ret)
{
        struct reader r = read_value(value, ACL_VERSION);

        for (ret->count = 0; !r.failed && r.at < r.end; ret->count++) {
                struct ace *a = &ret->aces[ret->count];

                if (ret->count == ACL_ACES)
                        return false;
                a->type = (uint8_t)take(&r, 1);
                a->flags = (uint8_t)take(&r, 1);
                a->who = (uint8_t)take(&r, 1);
                a->mask = (uint32_t)take(&r, 4);
                a->id = (uint32_t)take(&r, 4);
                if (a->type > ACE4_ACCESS_DENIED_ACE_TYPE || a->flags & ~ACE_FLAGS || a->who > ACE_ID)
                        return false;
        }
        return !r.failed;
}

/* --- extended attribute */

struct slice xattr_encode(uint8_t *out, const struct xattr_record *x)
{
        uint8_t *at = put(put(out, XATTR_VERSION, 1), x->name.length, 1);

        return written(out, put_bytes(put_bytes(at, x->name.data, x->name.length), x->value.data,
                                      x->value.length));
}

bool xattr_decode(struct slice value, struct xattr_record *ret)
{
        struct reader r = read_value(value, XATTR_VERSION);
        uint32_t name_length = (uint32_t)take(&r, 1), left = (uint32_t)(r.end - r.at);

        if (r.failed || name_length == 0 || name_length > left || left - name_length > XATTR_VALUE_BYTES)
                return false;
        ret->name = slice_of(r.at, name_length);
        ret->value = slice_of(r.at + name_length, left - name_length);
        return true;
}

/* --- orphan */

struct slice orphan_encode(uint8_t *out, const struct orphan_record *o)
{
        uint8_t *at = put(put(out, ORPHAN_VERSION, 1), o->open, 1);

        at = put(put(at, o->generation, 4), o->unit, 4);
        at = put(put(at, o->width, 2), o->pool, 2);
        return written(out, put(put(at, o->first, 1), o->start, 1));
}

bool orphan_decode(struct slice value, struct orphan_record *ret)
{
        struct reader r = read_value(value, ORPHAN_VERSION);
        uint64_t open = take(&r, 1);
        struct orphan_record o = { .open = open == 1 };

        o.generation = (uint32_t)take(&r, 4);
        o.unit = (uint32_t)take(&r, 4);
        o.width = (uint16_t)take(&r, 2);
        o.pool = (uint16_t)take(&r, 2);
        o.first = (uint8_t)take(&r, 1);
        o.start = (uint8_t)take(&r, 1);
        if (!whole(&r) || open > 1)
                return false;
        *ret = o;
        return true;
}

/* --- client */

struct slice client_encode(uint8_t *out, const struct client_record *c)
{
        uint8_t *at = put_bytes(put(out, CLIENT_VERSION, 1), c->verifier, NFS4_VERIFIER_SIZE);

        at = put(put(put(at, c->flavor, 4), c->uid, 4), c->lease_seconds, 4);
        return written(out, put(at, c->delegated, 1));
}

bool client_decode(struct slice value, struct client_record *ret)
{
        struct reader r = read_value(value, CLIENT_VERSION);
        struct client_record c = { 0 };
        uint64_t delegated;

        take_bytes(&r, c.verifier, NFS4_VERIFIER_SIZE);
        c.flavor = (uint32_t)take(&r, 4);
        c.uid = (uint32_t)take(&r, 4);
        c.lease_seconds = (uint32_t)take(&r, 4);
        delegated = take(&r, 1);
        if (!whole(&r) || delegated > 1)
                return false;
        c.delegated = delegated != 0;
        *ret = c;
        return true;
}
