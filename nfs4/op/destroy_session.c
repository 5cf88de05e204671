/* SPDX-License-Identifier: Apache-2.0 */
/* DESTROY_SESSION, RFC 8881 §18.37: ends a session; the client's other state stays.
 *
 * The RFC: alone, or the last operation behind a SEQUENCE of the same session. We: other requests being
 * executed on it are DELAY, so that none loses its slot under it. */
#include "nfs4/ops.h"
#include "nfs4/server.h"

struct destroy_session_args {
        uint8_t session[NFS4_SESSIONID_SIZE];
};

static void decode(struct compound *c, struct xdr_in *x)
{
        xdr_get_fixed(x, OP_ARGS(c, struct destroy_session_args)->session, NFS4_SESSIONID_SIZE);
}

static enum nfsstat4 execute(struct compound *c)
{
        struct session *session = session_by_id(c->server, OP_ARGS(c, struct destroy_session_args)->session);
        uint32_t ours;

        if (!session)
                return NFS4ERR_BADSESSION;
        ours = session == c->session ? 1 : 0;
        if (ours && c->op_index + 1 != c->op_count)
                return NFS4ERR_NOT_ONLY_OP;
        if (session->executing > ours)
                return NFS4ERR_DELAY;
        session_destroy(c->server, session);
        return NFS4_OK;
}

const struct nfs4_op op_destroy_session = {
        .name = "DESTROY_SESSION",
        .flags = OP_NO_SEQUENCE | OP_SOLE | OP_MUTATES,
        .reply_max = 8,
        .decode = decode,
        .execute = execute,
};
