/* SPDX-License-Identifier: Apache-2.0 */
/* TEST_STATEID (RFC 8881 §18.48) and FREE_STATEID (§18.38): how a client finds out after a restart or a
 * revocation which of its state is left, and lets go of the rest. The answers are the role's: hooks. */
#include "nfs4/codec.h"
#include "nfs4/ops.h"
#include "nfs4/server.h"

enum { TEST_MAX = 64 }; /* what fits the argument area; Linux asks one at a time */

struct test_args {
        uint32_t count;
        struct stateid ids[TEST_MAX];
};
struct test_res {
        enum nfsstat4 statuses[TEST_MAX];
};

static void test_decode(struct compound *c, struct xdr_in *x)
{
        struct test_args *a = OP_ARGS(c, struct test_args);

        a->count = xdr_get_count(x, UINT32_MAX, 16);
        if (a->count > TEST_MAX) {
                c->decode_status = NFS4ERR_REQ_TOO_BIG;
                xdr_get_bytes(x, a->count * 16);
                return;
        }
        for (uint32_t i = 0; i < a->count; i++)
                get_stateid(x, &a->ids[i]);
}

static enum nfsstat4 test_execute(struct compound *c)
{
        const struct test_args *a = OP_ARGS(c, struct test_args);
        struct test_res *r = OP_RES(c, struct test_res);

        for (uint32_t i = 0; i < a->count; i++)
                r->statuses[i] = c->server->hooks->test_stateid
                                         ? c->server->hooks->test_stateid(c, &a->ids[i])
                                         : NFS4ERR_BAD_STATEID;
        return NFS4_OK;
}

static void test_encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct test_args *a = OP_ARGS(c, struct test_args);

        (void)status;
        xdr_put_u32(x, a->count);
        for (uint32_t i = 0; i < a->count; i++)
                xdr_put_u32(x, OP_RES(c, struct test_res)->statuses[i]);
}

const struct nfs4_op op_test_stateid = {
        .name = "TEST_STATEID",
        .reply_max = 12 + 4 * TEST_MAX,
        .decode = test_decode,
        .execute = test_execute,
        .encode = test_encode,
};

struct free_args {
        struct stateid id;
};

static void free_decode(struct compound *c, struct xdr_in *x)
{
        get_stateid(x, &OP_ARGS(c, struct free_args)->id);
}

static enum nfsstat4 free_execute(struct compound *c)
{
        struct free_args *a = OP_ARGS(c, struct free_args);
        enum nfsstat4 status = compound_stateid(c, &a->id);

        if (status != NFS4_OK)
                return status;
        if (stateid_is_special(&a->id) || !c->server->hooks->free_stateid)
                return NFS4ERR_BAD_STATEID;
        return c->server->hooks->free_stateid(c, &a->id);
}

const struct nfs4_op op_free_stateid = {
        .name = "FREE_STATEID",
        .flags = OP_MUTATES,
        .reply_max = 8,
        .decode = free_decode,
        .execute = free_execute,
};
