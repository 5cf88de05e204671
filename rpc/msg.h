/* SPDX-License-Identifier: Apache-2.0 */
/* RPC message headers and credentials (RFC 5531 §9, §8, appendix A). */
#pragma once

#include "rpc/xdr.h"

enum { RPC_CALL = 0, RPC_REPLY = 1, RPC_VERS = 2 };
enum { RPC_AUTH_NONE = 0, RPC_AUTH_SYS = 1, RPC_AUTH_GSS = 6, RPC_AUTH_TLS = 7 };
enum { RPC_MSG_ACCEPTED = 0, RPC_MSG_DENIED = 1 };
enum rpc_accept {
        RPC_SUCCESS = 0,
        RPC_PROG_UNAVAIL = 1,
        RPC_PROG_MISMATCH = 2,
        RPC_PROC_UNAVAIL = 3,
        RPC_GARBAGE_ARGS = 4,
        RPC_SYSTEM_ERR = 5,
};
enum { RPC_MISMATCH = 0, RPC_AUTH_ERROR = 1 };
enum rpc_auth_stat {
        RPC_AUTH_OK = 0,
        RPC_AUTH_BADCRED = 1,
        RPC_AUTH_REJECTEDCRED = 2,
        RPC_AUTH_BADVERF = 3,
        RPC_AUTH_REJECTEDVERF = 4,
        RPC_AUTH_TOOWEAK = 5,
};
enum { RPC_MAX_GIDS = 16, RPC_MAX_AUTH_BYTES = 400 };

/* Who calls. AUTH_NONE is uid and gid 65534 (nobody). */
struct rpc_cred {
        uint32_t flavor;
        uint32_t uid, gid;
        uint32_t gid_count;
        uint32_t gids[RPC_MAX_GIDS];
};

struct rpc_header {
        uint32_t xid, kind; /* kind RPC_CALL: */
        uint32_t rpcvers, prog, vers, proc;
        struct rpc_cred cred;
        enum rpc_auth_stat auth; /* not OK: cred is unusable, deny the call */
};

/* Reads a call from its xid up to its arguments. False: not even a header of a call; close the connection.
 * With rpcvers other than 2 nothing behind the four numbers is read, and auth is not OK. */
bool rpc_get_call(struct xdr_in *x, struct rpc_header *ret);
/* An accepted reply's header up to the results. */
void rpc_put_accepted(struct xdr_out *x, uint32_t xid, enum rpc_accept stat);
void rpc_put_mismatch(struct xdr_out *x, uint32_t xid, uint32_t low, uint32_t high); /* PROG_MISMATCH */
/* RPC_AUTH_OK: RPC_MISMATCH (version 2 only). */
void rpc_put_denied(struct xdr_out *x, uint32_t xid, enum rpc_auth_stat stat);
/* A call's header up to its arguments; CRED NULL = AUTH_NONE. MACHINE is AUTH_SYS's machine name. */
void rpc_put_call(struct xdr_out *x, uint32_t xid, uint32_t prog, uint32_t vers, uint32_t proc,
                  const struct rpc_cred *cred, const char *machine);
/* A reply's header behind xid and kind; 0 when accepted with SUCCESS; -EACCES: AUTH_ERROR; -ENOSYS: no such
 * program, version or procedure; -EINVAL: GARBAGE_ARGS; -EIO: SYSTEM_ERR; -EPROTO: not a reply, or
 * RPC_MISMATCH. */
int rpc_get_reply(struct xdr_in *x);
