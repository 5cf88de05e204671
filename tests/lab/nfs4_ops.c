/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of the lab's server: see nfs4_lab.h. */
#include "nfs4/attrs.h"
#include "tests/lab/nfs4_lab.h"

static struct nfs4_lab *lab_of(const struct compound *c)
{
        return c->server->role;
}

struct waiting {
        uint32_t left, times;
        bool early;
        struct list held;
        struct compound *compound;
};

static void wait_decode(struct compound *c, struct xdr_in *x)
{
        struct waiting *w = OP_WAIT(c, struct waiting);

        w->left = xdr_get_u32(x);
        w->early = xdr_get_bool(x);
        w->times = 0;
}

static enum nfsstat4 wait_execute(struct compound *c)
{
        struct waiting *w = OP_WAIT(c, struct waiting);

        if (w->times == w->left)
                return NFS4_OK;
        w->times++;
        w->compound = c;
        list_init(&w->held);
        if (w->early)
                compound_wake(c);
        else
                list_push(&lab_of(c)->held, &w->held);
        return NFS4_WAIT;
}

static void wait_encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        (void)status;
        xdr_put_u32(x, OP_WAIT(c, struct waiting)->times);
}

static const struct nfs4_op op_wait = { .name = "WAIT",
                                        .reply_max = 12,
                                        .decode = wait_decode,
                                        .execute = wait_execute,
                                        .resume = wait_execute,
                                        .encode = wait_encode };

static enum nfsstat4 count_execute(struct compound *c)
{
        lab_of(c)->count++;
        return NFS4_OK;
}

static void count_encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        (void)status;
        xdr_put_u32(x, lab_of(c)->count);
}

static const struct nfs4_op op_count = { .name = "COUNT",
                                         .flags = OP_MUTATES,
                                         .reply_max = 12,
                                         .execute = count_execute,
                                         .encode = count_encode };

static void blob_decode(struct compound *c, struct xdr_in *x)
{
        *OP_ARGS(c, uint32_t) = xdr_get_u32(x);
}

static enum nfsstat4 blob_execute(struct compound *c)
{
        return *OP_ARGS(c, uint32_t) <= BUF_LARGE ? NFS4_OK : NFS4ERR_INVAL;
}

static void blob_encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        uint32_t n = *OP_ARGS(c, uint32_t);
        struct buf *buf = buf_get(lab_of(c)->pool, n);

        (void)status;
        CHECK(buf != NULL);
        memset(buf->data, 'b', n);
        xdr_put_u32(x, n);
        xdr_put_ref(x, buf, buf->data, n);
}

static const struct nfs4_op op_blob = {
        .name = "BLOB", .reply_max = 16, .decode = blob_decode, .execute = blob_execute, .encode = blob_encode
};

static void stateid_decode(struct compound *c, struct xdr_in *x)
{
        get_stateid(x, OP_ARGS(c, struct stateid));
}

static enum nfsstat4 stateid_execute(struct compound *c)
{
        struct stateid *s = OP_ARGS(c, struct stateid);
        enum nfsstat4 status = NFS4_OK;

        if (stateid_is_anonymous(s)) {
                *s = (struct stateid){ .seqid = 7 };
                memset(s->other, 1, sizeof(s->other));
                compound_set_stateid(c, s);
        } else {
                status = compound_stateid(c, s);
        }
        return status;
}

static void stateid_encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        (void)status;
        put_stateid(x, OP_ARGS(c, struct stateid));
}

static const struct nfs4_op op_stateid = { .name = "STATEID",
                                           .flags = OP_NEEDS_FH,
                                           .reply_max = 24,
                                           .decode = stateid_decode,
                                           .execute = stateid_execute,
                                           .encode = stateid_encode };

static enum nfsstat4 fail_execute(struct compound *c)
{
        return (enum nfsstat4) * OP_ARGS(c, uint32_t);
}

static const struct nfs4_op op_fail = {
        .name = "FAIL", .reply_max = 8, .decode = blob_decode, .execute = fail_execute
};

/* lease_time is all there is. */
static void getattr_decode(struct compound *c, struct xdr_in *x)
{
        get_bitmap(x, OP_ARGS(c, struct bitmap4));
}

static enum nfsstat4 getattr_execute(struct compound *c)
{
        (void)c;
        return NFS4_OK;
}

static void getattr_encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        static const struct bitmap4 supported = { .word = { 1u << FATTR4_LEASE_TIME } };
        const struct attr_values v = { .lease_seconds = c->server->lease_seconds, .supported = &supported };

        (void)status;
        attrs_encode(x, OP_ARGS(c, struct bitmap4), &v);
}

static const struct nfs4_op op_getattr = { .name = "GETATTR",
                                           .flags = OP_NEEDS_FH,
                                           .reply_max = 32,
                                           .decode = getattr_decode,
                                           .execute = getattr_execute,
                                           .encode = getattr_encode };

void nfs4_lab_ops(const struct nfs4_op *ops[NFS4_OP_LIMIT])
{
        ops[OP_EXCHANGE_ID] = &op_exchange_id;
        ops[OP_CREATE_SESSION] = &op_create_session;
        ops[OP_BIND_CONN_TO_SESSION] = &op_bind_conn_to_session;
        ops[OP_BACKCHANNEL_CTL] = &op_backchannel_ctl;
        ops[OP_DESTROY_SESSION] = &op_destroy_session;
        ops[OP_DESTROY_CLIENTID] = &op_destroy_clientid;
        ops[OP_SEQUENCE] = &op_sequence;
        ops[OP_RECLAIM_COMPLETE] = &op_reclaim_complete;
        ops[OP_SECINFO_NO_NAME] = &op_secinfo_no_name;
        ops[OP_PUTFH] = &op_putfh;
        ops[OP_PUTROOTFH] = &op_putrootfh;
        ops[OP_PUTPUBFH] = &op_putpubfh;
        ops[OP_GETFH] = &op_getfh;
        ops[OP_GETATTR] = &op_getattr;
        ops[OP_SAVEFH] = &op_savefh;
        ops[OP_RESTOREFH] = &op_restorefh;
        ops[OP_TEST_STATEID] = &op_test_stateid;
        ops[OP_FREE_STATEID] = &op_free_stateid;
        ops[LAB_OP_WAIT] = &op_wait;
        ops[LAB_OP_COUNT] = &op_count;
        ops[LAB_OP_BLOB] = &op_blob;
        ops[LAB_OP_STATEID] = &op_stateid;
        ops[LAB_OP_FAIL] = &op_fail;
}

bool nfs4_lab_release(struct nfs4_lab *lab)
{
        struct list *node = list_pop(&lab->held);

        if (!node)
                return false;
        compound_wake(CONTAINER(node, struct waiting, held)->compound);
        return true;
}
