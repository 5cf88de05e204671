/* SPDX-License-Identifier: Apache-2.0 */
/* BACKCHANNEL_CTL, RFC 8881 §18.33: changes the callback program and security of the session's back channel.
 */
#include "nfs4/ops.h"
#include "nfs4/op/callback_security.h"
#include "nfs4/server.h"

struct backchannel_args {
        uint32_t program, flavor, uid, gid;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct backchannel_args *a = OP_ARGS(c, struct backchannel_args);

        a->program = xdr_get_u32(x);
        get_callback_security(x, &a->flavor, &a->uid, &a->gid);
}

static enum nfsstat4 execute(struct compound *c)
{
        const struct backchannel_args *a = OP_ARGS(c, struct backchannel_args);
        struct session *session = c->session;

        if (a->flavor == UINT32_MAX)
                return NFS4ERR_NOENT; /* no flavour that we can speak (§18.33.4) */
        session->cb_program = a->program;
        session->cb_flavor = a->flavor;
        session->cb_uid = a->uid;
        session->cb_gid = a->gid;
        return NFS4_OK;
}

const struct nfs4_op op_backchannel_ctl = {
        .name = "BACKCHANNEL_CTL",
        .flags = OP_MUTATES,
        .reply_max = 8,
        .decode = decode,
        .execute = execute,
};
