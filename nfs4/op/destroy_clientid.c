/* SPDX-License-Identifier: Apache-2.0 */
/* DESTROY_CLIENTID, RFC 8881 §18.50: forgets a client that has neither sessions nor state; else
 * CLIENTID_BUSY. */
#include "nfs4/ops.h"
#include "nfs4/server.h"

struct destroy_clientid_args {
        uint64_t clientid;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        OP_ARGS(c, struct destroy_clientid_args)->clientid = xdr_get_u64(x);
}

static enum nfsstat4 execute(struct compound *c)
{
        struct client *client = client_by_id(c->server, OP_ARGS(c, struct destroy_clientid_args)->clientid);
        const struct nfs4_hooks *hooks = c->server->hooks;

        if (!client)
                return NFS4ERR_STALE_CLIENTID;
        if (client == c->client || !list_empty(&client->sessions) || client->references > 0)
                return NFS4ERR_CLIENTID_BUSY;
        if (hooks->client_has_state && hooks->client_has_state(c->server, client))
                return NFS4ERR_CLIENTID_BUSY;
        client_destroy(c->server, client);
        return NFS4_OK;
}

const struct nfs4_op op_destroy_clientid = {
        .name = "DESTROY_CLIENTID",
        .flags = OP_NO_SEQUENCE | OP_SOLE | OP_MUTATES,
        .reply_max = 8,
        .decode = decode,
        .execute = execute,
};
