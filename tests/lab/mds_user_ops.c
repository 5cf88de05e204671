/* SPDX-License-Identifier: Apache-2.0 */
/* Whole operations of a client: see mds_lab.h. */
#include <stdio.h>

#include "tests/lab/mds_lab.h"

static void get_fh(struct user *u, struct user_fh *ret)
{
        struct slice bytes;

        CHECK(user_result(u, OP_GETFH) == NFS4_OK);
        bytes = xdr_get_opaque(&u->in, NFS4_FHSIZE);
        CHECK(bytes.length == USER_FH);
        memcpy(ret->bytes, bytes.data, USER_FH);
}

struct user_fh user_root(struct user *u)
{
        struct user_fh fh;

        user_begin(u);
        user_op(u, OP_PUTROOTFH);
        user_op(u, OP_GETFH);
        CHECK(user_call(u) == NFS4_OK);
        user_result(u, OP_PUTROOTFH);
        get_fh(u, &fh);
        return fh;
}

/* The compound in hand ends with OPNUM, whose results are skipped, and GETFH. */
static enum nfsstat4 call_for_fh(struct user *u, uint32_t opnum, struct user_fh *ret)
{
        enum nfsstat4 status;

        user_op(u, OP_GETFH);
        status = user_call(u);
        if (status != NFS4_OK || !ret)
                return status;
        user_result(u, OP_PUTFH);
        user_result(u, opnum);
        if (opnum == OP_CREATE) {
                struct bitmap4 set;

                xdr_get_bytes(&u->in, 20);
                get_bitmap(&u->in, &set);
        }
        get_fh(u, ret);
        return status;
}

enum nfsstat4 user_lookup(struct user *u, const struct user_fh *dir, const char *name, struct user_fh *ret)
{
        user_begin(u);
        user_putfh(u, dir);
        xdr_put_string(user_op(u, OP_LOOKUP), name);
        return call_for_fh(u, OP_LOOKUP, ret);
}

void user_put_attrs(struct xdr_out *x, const struct attr_set *set)
{
        uint32_t at;

        put_bitmap(x, &set->mask);
        at = xdr_head_length(x);
        xdr_put_u32(x, 0);
        if (bitmap_has(&set->mask, FATTR4_SIZE))
                xdr_put_u64(x, set->size);
        if (bitmap_has(&set->mask, FATTR4_ACL))
                xdr_put_fixed(x, set->acl.data, set->acl.length);
        if (bitmap_has(&set->mask, FATTR4_MODE))
                xdr_put_u32(x, set->mode);
        for (int i = 0; i < 2; i++)
                if (bitmap_has(&set->mask, FATTR4_OWNER + (unsigned)i)) {
                        char text[16];

                        snprintf(text, sizeof(text), "%u", i == 0 ? set->uid : set->gid);
                        xdr_put_string(x, text);
                }
        for (int i = 0; i < 2; i++)
                if (bitmap_has(&set->mask, i == 0 ? FATTR4_TIME_ACCESS_SET : FATTR4_TIME_MODIFY_SET)) {
                        bool now = i == 0 ? set->atime_now : set->mtime_now;

                        xdr_put_u32(x, now ? SET_TO_SERVER_TIME4 : SET_TO_CLIENT_TIME4);
                        if (!now)
                                put_time(x, i == 0 ? set->time_access : set->time_modify);
                }
        if (bitmap_has(&set->mask, FATTR4_MODE_UMASK)) {
                xdr_put_u32(x, set->mode_unmasked);
                xdr_put_u32(x, set->mode_unmasked & ~set->mode);
        }
        if (bitmap_has(&set->mask, FATTR4_TIME_DELEG_ACCESS))
                put_time(x, set->time_deleg_access);
        if (bitmap_has(&set->mask, FATTR4_TIME_DELEG_MODIFY))
                put_time(x, set->time_deleg_modify);
        xdr_patch_u32(x, at, xdr_head_length(x) - at - 4);
}

static void put_mode(struct xdr_out *x, uint32_t mode)
{
        struct attr_set set = { .mode = mode };

        bitmap_set(&set.mask, FATTR4_MODE);
        user_put_attrs(x, &set);
}

enum nfsstat4 user_mkdir(struct user *u, const struct user_fh *dir, const char *name, uint32_t mode,
                         struct user_fh *ret)
{
        user_begin(u);
        user_putfh(u, dir);
        xdr_put_u32(user_op(u, OP_CREATE), NF4DIR);
        xdr_put_string(u->x, name);
        put_mode(u->x, mode);
        return call_for_fh(u, OP_CREATE, ret);
}

enum nfsstat4 user_symlink(struct user *u, const struct user_fh *dir, const char *name, const char *target)
{
        user_begin(u);
        user_putfh(u, dir);
        xdr_put_u32(user_op(u, OP_CREATE), NF4LNK);
        xdr_put_string(u->x, target);
        xdr_put_string(u->x, name);
        put_mode(u->x, 0777);
        return call_for_fh(u, OP_CREATE, NULL);
}

struct slice user_readlink(struct user *u, const struct user_fh *fh)
{
        user_begin(u);
        user_putfh(u, fh);
        user_op(u, OP_READLINK);
        if (user_call(u) != NFS4_OK)
                return (struct slice){ 0 };
        user_result(u, OP_PUTFH);
        user_result(u, OP_READLINK);
        return xdr_get_opaque(&u->in, NFS4_MAXPATH);
}

enum nfsstat4 user_remove(struct user *u, const struct user_fh *dir, const char *name)
{
        user_begin(u);
        user_putfh(u, dir);
        xdr_put_string(user_op(u, OP_REMOVE), name);
        return user_call(u);
}

enum nfsstat4 user_rename(struct user *u, const struct user_fh *from, const char *name,
                          const struct user_fh *to, const char *new_name)
{
        user_begin(u);
        user_putfh(u, from);
        user_op(u, OP_SAVEFH);
        user_putfh(u, to);
        xdr_put_string(user_op(u, OP_RENAME), name);
        xdr_put_string(u->x, new_name);
        return user_call(u);
}

enum nfsstat4 user_link(struct user *u, const struct user_fh *file, const struct user_fh *dir,
                        const char *name)
{
        user_begin(u);
        user_putfh(u, file);
        user_op(u, OP_SAVEFH);
        user_putfh(u, dir);
        xdr_put_string(user_op(u, OP_LINK), name);
        return user_call(u);
}

/* --- opens */

static void put_how(struct xdr_out *x, const struct user_open *o)
{
        struct attr_set set = { .mode = (uint32_t)o->mode, .size = (uint64_t)o->size };

        if (o->mode >= 0)
                bitmap_set(&set.mask, FATTR4_MODE);
        if (o->size >= 0)
                bitmap_set(&set.mask, FATTR4_SIZE);
        xdr_put_u32(x, o->create ? OPEN4_CREATE : OPEN4_NOCREATE);
        if (!o->create)
                return;
        xdr_put_u32(x, o->how);
        if (o->how == EXCLUSIVE4 || o->how == EXCLUSIVE4_1)
                xdr_put_fixed(x, o->verifier, NFS4_VERIFIER_SIZE);
        if (o->how != EXCLUSIVE4)
                user_put_attrs(x, &set);
}

static void get_delegation(struct user *u, struct user_open *o)
{
        if (o->delegation == OPEN_DELEGATE_NONE_EXT) {
                o->why = xdr_get_u32(&u->in);
                if (o->why == WND4_RESOURCE || o->why == WND4_CONTENTION)
                        xdr_get_bool(&u->in);
        }
        if (o->delegation != OPEN_DELEGATE_NONE && o->delegation != OPEN_DELEGATE_NONE_EXT) {
                get_stateid(&u->in, &o->delegated);
                o->recall = xdr_get_bool(&u->in);
                if (o->delegation != OPEN_DELEGATE_READ)
                        CHECK(xdr_get_u32(&u->in) == NFS_LIMIT_SIZE && xdr_get_u64(&u->in) == 0);
                xdr_get_bytes(&u->in, 12);
                xdr_get_opaque(&u->in, 100);
        }
}

void user_open_end(struct user *u, struct user_open *o)
{
        user_result(u, OP_PUTFH);
        user_result(u, OP_OPEN);
        get_stateid(&u->in, &o->stateid);
        o->atomic = xdr_get_bool(&u->in);
        o->before = xdr_get_u64(&u->in);
        o->after = xdr_get_u64(&u->in);
        o->rflags = xdr_get_u32(&u->in);
        get_bitmap(&u->in, &o->attrset);
        o->delegation = xdr_get_u32(&u->in);
        get_delegation(u, o);
        get_fh(u, &o->fh);
}

void user_open_begin(struct user *u, const struct user_fh *dir, const char *name, const struct user_open *o)
{
        user_begin(u);
        user_putfh(u, dir);
        xdr_put_u32(user_op(u, OP_OPEN), 0);
        xdr_put_u32(u->x, o->want | (o->access ? o->access : OPEN4_SHARE_ACCESS_BOTH));
        xdr_put_u32(u->x, o->deny);
        xdr_put_u64(u->x, u->clientid);
        xdr_put_string(u->x, o->owner ? o->owner : "owner");
        put_how(u->x, o);
        xdr_put_u32(u->x, o->claim);
        if (o->claim == CLAIM_DELEGATE_CUR || o->claim == CLAIM_DELEG_CUR_FH)
                put_stateid(u->x, &o->by);
        if (o->claim == CLAIM_NULL || o->claim == CLAIM_DELEGATE_CUR)
                xdr_put_string(u->x, name);
        if (o->claim == CLAIM_PREVIOUS)
                xdr_put_u32(u->x, o->had);
        user_op(u, OP_GETFH);
}

enum nfsstat4 user_open(struct user *u, const struct user_fh *dir, const char *name, struct user_open *o)
{
        enum nfsstat4 status;

        user_open_begin(u, dir, name, o);
        status = user_call(u);
        if (status == NFS4_OK)
                user_open_end(u, o);
        return status;
}

enum nfsstat4 user_delegreturn(struct user *u, const struct user_fh *fh, const struct stateid *s)
{
        user_begin(u);
        user_putfh(u, fh);
        put_stateid(user_op(u, OP_DELEGRETURN), s);
        return user_call(u);
}

enum nfsstat4 user_close(struct user *u, const struct user_fh *fh, const struct stateid *s)
{
        user_begin(u);
        user_putfh(u, fh);
        xdr_put_u32(user_op(u, OP_CLOSE), 0);
        put_stateid(u->x, s);
        return user_call(u);
}

enum nfsstat4 user_touch(struct user *u, const struct user_fh *dir, const char *name, uint32_t mode,
                         struct user_fh *ret)
{
        struct user_open o = USER_CREATE(.how = GUARDED4);
        enum nfsstat4 status;

        o.mode = (int32_t)mode;
        status = user_open(u, dir, name, &o);
        if (status != NFS4_OK)
                return status;
        if (ret)
                *ret = o.fh;
        return user_close(u, &o.fh, &o.stateid);
}

/* --- attributes */

static uint32_t get_number(struct xdr_in *x)
{
        struct slice text = xdr_get_opaque(x, 16);
        uint32_t n = 0;

        for (uint32_t i = 0; i < text.length; i++)
                n = n * 10 + (uint32_t)(text.data[i] - '0');
        return n;
}

static int64_t get_time(struct xdr_in *x)
{
        int64_t seconds = (int64_t)xdr_get_u64(x);

        return seconds * 1000000000 + xdr_get_u32(x);
}

enum nfsstat4 user_getattr(struct user *u, const struct user_fh *fh, struct user_attrs *ret)
{
        static const unsigned asked[] = { FATTR4_TYPE,
                                          FATTR4_CHANGE,
                                          FATTR4_SIZE,
                                          FATTR4_FSID,
                                          FATTR4_FILEID,
                                          FATTR4_MODE,
                                          FATTR4_NUMLINKS,
                                          FATTR4_OWNER,
                                          FATTR4_OWNER_GROUP,
                                          FATTR4_TIME_ACCESS,
                                          FATTR4_TIME_METADATA,
                                          FATTR4_TIME_MODIFY,
                                          FATTR4_MOUNTED_ON_FILEID };
        struct bitmap4 mask = { 0 }, got;
        enum nfsstat4 status;

        for (unsigned i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
                bitmap_set(&mask, asked[i]);
        user_begin(u);
        user_putfh(u, fh);
        user_op(u, OP_GETATTR);
        put_bitmap(u->x, &mask);
        status = user_call(u);
        if (status != NFS4_OK)
                return status;
        user_result(u, OP_PUTFH);
        user_result(u, OP_GETATTR);
        get_bitmap(&u->in, &got);
        CHECK(memcmp(got.word, mask.word, sizeof(got.word)) == 0);
        xdr_get_u32(&u->in);
        ret->type = xdr_get_u32(&u->in);
        ret->change = xdr_get_u64(&u->in);
        ret->size = xdr_get_u64(&u->in);
        ret->fsid_major = xdr_get_u64(&u->in);
        ret->fsid_minor = xdr_get_u64(&u->in);
        ret->fileid = xdr_get_u64(&u->in);
        ret->mode = xdr_get_u32(&u->in);
        ret->links = xdr_get_u32(&u->in);
        ret->uid = get_number(&u->in);
        ret->gid = get_number(&u->in);
        ret->atime = get_time(&u->in);
        ret->ctime = get_time(&u->in);
        ret->mtime = get_time(&u->in);
        ret->mounted_on = xdr_get_u64(&u->in);
        CHECK(!u->in.bad);
        return status;
}

enum nfsstat4 user_setattr(struct user *u, const struct user_fh *fh, const struct stateid *s,
                           const struct attr_set *set)
{
        static const struct stateid anonymous = { 0 };

        user_begin(u);
        user_putfh(u, fh);
        user_op(u, OP_SETATTR);
        put_stateid(u->x, s ? s : &anonymous);
        user_put_attrs(u->x, set);
        return user_call(u);
}

uint32_t user_access(struct user *u, const struct user_fh *fh)
{
        user_begin(u);
        user_putfh(u, fh);
        xdr_put_u32(user_op(u, OP_ACCESS), 0x3f);
        CHECK(user_call(u) == NFS4_OK);
        user_result(u, OP_PUTFH);
        user_result(u, OP_ACCESS);
        xdr_get_u32(&u->in);
        return xdr_get_u32(&u->in);
}

enum nfsstat4 user_layoutget_of(struct user *u, const struct user_fh *fh, const struct stateid *s,
                                uint32_t iomode, struct stateid *ret)
{
        enum nfsstat4 status;

        user_begin(u);
        user_putfh(u, fh);
        xdr_put_bool(user_op(u, OP_LAYOUTGET), false);
        xdr_put_u32(u->x, LAYOUT4_NFSV4_1_FILES);
        xdr_put_u32(u->x, iomode);
        xdr_put_u64(u->x, 0);
        xdr_put_u64(u->x, NFS4_UINT64_MAX);
        xdr_put_u64(u->x, 4096);
        put_stateid(u->x, s);
        xdr_put_u32(u->x, 4096);
        status = user_call(u);
        if (status != NFS4_OK)
                return status;
        user_result(u, OP_PUTFH);
        user_result(u, OP_LAYOUTGET);
        u->return_on_close = xdr_get_bool(&u->in);
        get_stateid(&u->in, ret);
        return status;
}

enum nfsstat4 user_layoutget(struct user *u, const struct user_fh *fh, const struct stateid *s,
                             struct stateid *ret)
{
        return user_layoutget_of(u, fh, s, LAYOUTIOMODE4_RW, ret);
}

enum nfsstat4 user_layoutcommit(struct user *u, const struct user_fh *fh, const struct stateid *s)
{
        user_begin(u);
        user_putfh(u, fh);
        xdr_put_u64(user_op(u, OP_LAYOUTCOMMIT), 0);
        xdr_put_u64(u->x, NFS4_UINT64_MAX);
        xdr_put_bool(u->x, false);
        put_stateid(u->x, s);
        xdr_put_bool(u->x, false);
        xdr_put_bool(u->x, false);
        xdr_put_u32(u->x, LAYOUT4_NFSV4_1_FILES);
        xdr_put_u32(u->x, 0);
        return user_call(u);
}

enum nfsstat4 user_layoutreturn(struct user *u, const struct user_fh *fh, const struct stateid *s,
                                bool *ret_present)
{
        enum nfsstat4 status;

        user_begin(u);
        user_putfh(u, fh);
        xdr_put_bool(user_op(u, OP_LAYOUTRETURN), false);
        xdr_put_u32(u->x, LAYOUT4_NFSV4_1_FILES);
        xdr_put_u32(u->x, LAYOUTIOMODE4_ANY);
        xdr_put_u32(u->x, LAYOUTRETURN4_FILE);
        xdr_put_u64(u->x, 0);
        xdr_put_u64(u->x, NFS4_UINT64_MAX);
        put_stateid(u->x, s);
        xdr_put_u32(u->x, 0);
        status = user_call(u);
        if (status != NFS4_OK)
                return status;
        user_result(u, OP_PUTFH);
        user_result(u, OP_LAYOUTRETURN);
        *ret_present = xdr_get_bool(&u->in);
        return status;
}
