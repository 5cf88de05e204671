/* SPDX-License-Identifier: Apache-2.0 */
/* RECLAIM_COMPLETE, RFC 8881 §18.51: the client has reclaimed all that it wants of its state before our
 * restart.
 *
 * The RFC: a second one is COMPLETE_ALREADY. We: rca_one_fs (it is about migrated file systems) is accepted
 * and does not count. Linux sends one to every server, data servers too, right behind CREATE_SESSION. */
#include "nfs4/ops.h"
#include "nfs4/server.h"

struct reclaim_complete_args {
        bool one_fs;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        OP_ARGS(c, struct reclaim_complete_args)->one_fs = xdr_get_bool(x);
}

static enum nfsstat4 execute(struct compound *c)
{
        const struct nfs4_hooks *hooks = c->server->hooks;
        struct client *client = c->client;
        enum nfsstat4 status;

        if (OP_ARGS(c, struct reclaim_complete_args)->one_fs)
                return c->has_fh ? NFS4_OK : NFS4ERR_NOFILEHANDLE;
        if (client->reclaim_complete)
                return NFS4ERR_COMPLETE_ALREADY;
        status = hooks->reclaim_complete ? hooks->reclaim_complete(c, client) : NFS4_OK;
        client->reclaim_complete = status == NFS4_OK;
        return status;
}

const struct nfs4_op op_reclaim_complete = {
        .name = "RECLAIM_COMPLETE",
        .flags = OP_MUTATES,
        .reply_max = 8,
        .decode = decode,
        .execute = execute,
};
