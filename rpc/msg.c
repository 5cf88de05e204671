/* SPDX-License-Identifier: Apache-2.0 */
/* RPC message headers and credentials (RFC 5531 §8, §9, appendix A). */
#include "rpc/msg.h"

#include <errno.h>

enum { NOBODY = 65534, MAX_MACHINE_NAME = 255 };

/* Appendix A: stamp, machinename<255>, uid, gid, gids<16>, and nothing behind. */
static enum rpc_auth_stat get_auth_sys(struct xdr_in x, struct rpc_cred *ret)
{
        xdr_get_u32(&x); /* the stamp means nothing to us */
        xdr_get_opaque(&x, MAX_MACHINE_NAME);
        ret->uid = xdr_get_u32(&x);
        ret->gid = xdr_get_u32(&x);
        ret->gid_count = xdr_get_count(&x, RPC_MAX_GIDS, 4);
        for (uint32_t i = 0; i < ret->gid_count; i++)
                ret->gids[i] = xdr_get_u32(&x);
        return x.bad || xdr_left(&x) > 0 ? RPC_AUTH_BADCRED : RPC_AUTH_OK;
}

/* §8.2: what cannot be parsed is BADCRED; a flavour that we do not serve is REJECTEDCRED, which also makes a
 * client with an AUTH_SHORT handle send its full credential (appendix A). AUTH_DH rests on DES: TOOWEAK. */
static enum rpc_auth_stat get_cred(uint32_t flavor, struct slice body, struct rpc_cred *ret)
{
        enum { AUTH_DH = 3 };

        *ret = (struct rpc_cred){ .flavor = flavor, .uid = NOBODY, .gid = NOBODY };
        switch (flavor) {
        case RPC_AUTH_NONE: return body.length == 0 ? RPC_AUTH_OK : RPC_AUTH_BADCRED;
        case RPC_AUTH_SYS: return get_auth_sys(xdr_in_of(body), ret);
        case AUTH_DH: return RPC_AUTH_TOOWEAK;
        default: return RPC_AUTH_REJECTEDCRED;
        }
}

/* The credential, then the verifier, which both flavours that we serve leave empty (§8.2, appendix A). */
static void get_auth(struct xdr_in *x, struct rpc_header *h)
{
        uint32_t flavor = xdr_get_u32(x), length = xdr_get_u32(x);
        const uint8_t *body;

        h->auth = RPC_AUTH_BADCRED;
        h->cred = (struct rpc_cred){ .flavor = flavor, .uid = NOBODY, .gid = NOBODY };
        if (length > RPC_MAX_AUTH_BYTES)
                return;
        body = xdr_get_bytes(x, length);
        if (!body)
                return;
        h->auth = get_cred(flavor, slice_of(body, length), &h->cred);
        if (h->auth != RPC_AUTH_OK)
                return;
        flavor = xdr_get_u32(x);
        length = xdr_get_u32(x);
        if (flavor != RPC_AUTH_NONE || length != 0)
                h->auth = RPC_AUTH_BADVERF;
}

bool rpc_get_call(struct xdr_in *x, struct rpc_header *ret)
{
        ret->xid = xdr_get_u32(x);
        ret->kind = xdr_get_u32(x);
        ret->rpcvers = xdr_get_u32(x);
        ret->prog = xdr_get_u32(x);
        ret->vers = xdr_get_u32(x);
        ret->proc = xdr_get_u32(x);
        if (x->bad || ret->kind != RPC_CALL)
                return false;
        if (ret->rpcvers != RPC_VERS) {
                ret->cred = (struct rpc_cred){ .uid = NOBODY, .gid = NOBODY };
                ret->auth = RPC_AUTH_BADCRED;
                return true; /* what follows is of a version that we cannot read */
        }
        get_auth(x, ret);
        return !x->bad;
}

static void put_reply(struct xdr_out *x, uint32_t xid, uint32_t reply_stat)
{
        xdr_put_u32(x, xid);
        xdr_put_u32(x, RPC_REPLY);
        xdr_put_u32(x, reply_stat);
}

void rpc_put_accepted(struct xdr_out *x, uint32_t xid, enum rpc_accept stat)
{
        put_reply(x, xid, RPC_MSG_ACCEPTED);
        xdr_put_u32(x, RPC_AUTH_NONE); /* a constant verifier lets Linux place READ data without a copy */
        xdr_put_u32(x, 0);
        xdr_put_u32(x, stat);
}

void rpc_put_mismatch(struct xdr_out *x, uint32_t xid, uint32_t low, uint32_t high)
{
        rpc_put_accepted(x, xid, RPC_PROG_MISMATCH);
        xdr_put_u32(x, low);
        xdr_put_u32(x, high);
}

void rpc_put_denied(struct xdr_out *x, uint32_t xid, enum rpc_auth_stat stat)
{
        put_reply(x, xid, RPC_MSG_DENIED);
        if (stat == RPC_AUTH_OK) {
                xdr_put_u32(x, RPC_MISMATCH);
                xdr_put_u32(x, RPC_VERS);
                xdr_put_u32(x, RPC_VERS);
        } else {
                xdr_put_u32(x, RPC_AUTH_ERROR);
                xdr_put_u32(x, stat);
        }
}

static void put_auth_sys(struct xdr_out *x, const struct rpc_cred *cred, const char *machine)
{
        uint32_t name = (uint32_t)strnlen(machine, MAX_MACHINE_NAME);

        CHECK(cred->gid_count <= RPC_MAX_GIDS);
        xdr_put_u32(x, RPC_AUTH_SYS);
        xdr_put_u32(x, 4 + 4 + ((name + 3) & ~3u) + 4 + 4 + 4 + 4 * cred->gid_count);
        xdr_put_u32(x, 0); /* stamp */
        xdr_put_opaque(x, machine, name);
        xdr_put_u32(x, cred->uid);
        xdr_put_u32(x, cred->gid);
        xdr_put_u32(x, cred->gid_count);
        for (uint32_t i = 0; i < cred->gid_count; i++)
                xdr_put_u32(x, cred->gids[i]);
}

void rpc_put_call(struct xdr_out *x, uint32_t xid, uint32_t prog, uint32_t vers, uint32_t proc,
                  const struct rpc_cred *cred, const char *machine)
{
        xdr_put_u32(x, xid);
        xdr_put_u32(x, RPC_CALL);
        xdr_put_u32(x, RPC_VERS);
        xdr_put_u32(x, prog);
        xdr_put_u32(x, vers);
        xdr_put_u32(x, proc);
        if (cred && cred->flavor == RPC_AUTH_SYS) {
                put_auth_sys(x, cred, machine);
        } else {
                xdr_put_u32(x, RPC_AUTH_NONE);
                xdr_put_u32(x, 0);
        }
        xdr_put_u32(x, RPC_AUTH_NONE);
        xdr_put_u32(x, 0);
}

static int accepted_result(uint32_t stat)
{
        switch (stat) {
        case RPC_SUCCESS: return 0;
        case RPC_PROG_UNAVAIL:
        case RPC_PROG_MISMATCH:
        case RPC_PROC_UNAVAIL: return -ENOSYS;
        case RPC_GARBAGE_ARGS: return -EINVAL;
        case RPC_SYSTEM_ERR: return -EIO;
        default: return -EPROTO;
        }
}

int rpc_get_reply(struct xdr_in *x)
{
        uint32_t reply_stat = xdr_get_u32(x), stat;

        if (reply_stat == RPC_MSG_ACCEPTED) {
                xdr_get_u32(x); /* the verifier's flavour: AUTH_NONE and AUTH_SYS verify nothing */
                xdr_get_opaque(x, RPC_MAX_AUTH_BYTES);
                stat = xdr_get_u32(x);
                return x->bad ? -EPROTO : accepted_result(stat);
        }
        stat = xdr_get_u32(x);
        return !x->bad && reply_stat == RPC_MSG_DENIED && stat == RPC_AUTH_ERROR ? -EACCES : -EPROTO;
}
