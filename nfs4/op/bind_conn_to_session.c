/* SPDX-License-Identifier: Apache-2.0 */
/* BIND_CONN_TO_SESSION, RFC 8881 §18.34: says which channels of a session a connection carries.
 *
 * The RFC: the sole operation of its compound, without SEQUENCE. We: any direction that the session has is
 * granted; the DS has no back channel and answers FORE. RDMA mode is refused by answering false. */
#include "nfs4/callback.h"
#include "nfs4/codec.h"
#include "nfs4/ops.h"
#include "nfs4/server.h"

struct bind_args {
        uint8_t session[NFS4_SESSIONID_SIZE];
        uint32_t direction;
};
struct bind_res {
        uint32_t direction;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct bind_args *a = OP_ARGS(c, struct bind_args);

        xdr_get_fixed(x, a->session, sizeof(a->session));
        a->direction = xdr_get_u32(x);
        xdr_get_bool(x); /* RDMA */
        if (a->direction != CDFC4_FORE && a->direction != CDFC4_BACK && a->direction != CDFC4_FORE_OR_BOTH &&
            a->direction != CDFC4_BACK_OR_BOTH)
                x->bad = true;
}

static enum nfsstat4 execute(struct compound *c)
{
        const struct bind_args *a = OP_ARGS(c, struct bind_args);
        struct session *session;
        bool fore = a->direction != CDFC4_BACK, back = a->direction != CDFC4_FORE;

        if (c->op_index != 0 || c->op_count != 1)
                return NFS4ERR_NOT_ONLY_OP;
        session = session_by_id(c->server, a->session);
        if (!session)
                return NFS4ERR_BADSESSION;
        if (a->direction == CDFC4_BACK && !c->server->back_channel)
                return NFS4ERR_INVAL;
        back = back && c->server->back_channel;
        if (session_bind(session, c->call.conn, fore, back) < 0)
                return NFS4ERR_DELAY;
        if (back) {
                session->has_back_channel = true;
                session->back_fault = false;
                session->used = true;
                callbacks_path_up(c->server, session->client);
        }
        client_renew(c->server, session->client);
        OP_RES(c, struct bind_res)->direction = (fore ? CDFS4_FORE : 0) | (back ? CDFS4_BACK : 0);
        return NFS4_OK;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        (void)status;
        xdr_put_fixed(x, OP_ARGS(c, struct bind_args)->session, NFS4_SESSIONID_SIZE);
        xdr_put_u32(x, OP_RES(c, struct bind_res)->direction);
        xdr_put_bool(x, false);
}

const struct nfs4_op op_bind_conn_to_session = {
        .name = "BIND_CONN_TO_SESSION",
        .flags = OP_NO_SEQUENCE | OP_SOLE,
        .reply_max = 32,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
