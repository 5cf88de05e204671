/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of OPEN, RFC 8881 §18.16.1. */
#include "mds/op/open.h"

#include "mds/state/recovery.h"

/* What may stand in share_access beside the access. Nobody is told when a delegation can be had, and none is
 * pushed: never promised, so no harm in asking. */
enum {
        WANTS_MINOR1 = OPEN4_SHARE_ACCESS_WANT_DELEG_MASK |
                       OPEN4_SHARE_ACCESS_WANT_SIGNAL_DELEG_WHEN_RESRC_AVAIL |
                       OPEN4_SHARE_ACCESS_WANT_PUSH_DELEG_WHEN_UNCONTENDED,
        WANTS_MINOR2 = WANTS_MINOR1 | OPEN4_SHARE_ACCESS_WANT_DELEG_TIMESTAMPS |
                       OPEN4_SHARE_ACCESS_WANT_OPEN_XOR_DELEGATION,
};

static void get_how(struct open_args *a, struct xdr_in *x, enum nfsstat4 *ret_status)
{
        a->how = xdr_get_u32(x);
        if (a->how > EXCLUSIVE4_1)
                x->bad = true;
        if (a->how == EXCLUSIVE4 || a->how == EXCLUSIVE4_1)
                xdr_get_fixed(x, a->verifier, sizeof(a->verifier));
        if (a->how == EXCLUSIVE4)
                a->attrs = (struct attr_set){ 0 };
        else
                attrs_decode(x, &a->attrs, ret_status);
}

static void get_name(struct open_args *a, struct xdr_in *x, enum nfsstat4 *status)
{
        a->name = xdr_get_opaque(x, UINT32_MAX);
        if (*status == NFS4_OK)
                *status = check_name(a->name);
}

static void get_claim(struct open_args *a, struct xdr_in *x, enum nfsstat4 *status)
{
        a->claim = xdr_get_u32(x);
        switch (a->claim) {
        case CLAIM_NULL: get_name(a, x, status); return;
        case CLAIM_PREVIOUS: a->delegate_type = xdr_get_u32(x); return;
        case CLAIM_DELEGATE_CUR:
                get_stateid(x, &a->delegation);
                get_name(a, x, status);
                return;
        case CLAIM_DELEGATE_PREV: xdr_get_opaque(x, UINT32_MAX); return;
        case CLAIM_DELEG_CUR_FH: get_stateid(x, &a->delegation); return;
        case CLAIM_FH:
        case CLAIM_DELEG_PREV_FH: return;
        default: x->bad = true;
        }
}

void open_decode(struct compound *c, struct xdr_in *x)
{
        struct open_args *a = OP_ARGS(c, struct open_args);
        uint32_t share;

        xdr_get_u32(x); /* seqid: means nothing with sessions */
        share = xdr_get_u32(x);
        a->want = share & (c->minor == 1 ? WANTS_MINOR1 : WANTS_MINOR2);
        a->access = share & ~a->want;
        a->deny = xdr_get_u32(x);
        xdr_get_u64(x); /* the owner's client id: the session's counts (§18.16.3) */
        a->owner = xdr_get_opaque(x, NFS4_OPAQUE_LIMIT);
        a->create = xdr_get_bool(x);
        a->how = UNCHECKED4;
        if (a->create)
                get_how(a, x, &c->decode_status);
        else
                a->attrs = (struct attr_set){ 0 };
        get_claim(a, x, &c->decode_status);
}

static enum nfsstat4 check_delegation(struct compound *c, struct open_args *a)
{
        struct delegation *one;
        enum nfsstat4 status = compound_stateid(c, &a->delegation);

        return status == NFS4_OK ? delegation_find(mds_of(c)->delegations, c->client, &a->delegation, &one)
                                 : status;
}

static bool is_delegation_type(const struct compound *c, uint32_t type)
{
        return type <= OPEN_DELEGATE_WRITE || (c->minor > 1 && (type == OPEN_DELEGATE_READ_ATTRS_DELEG ||
                                                                type == OPEN_DELEGATE_WRITE_ATTRS_DELEG));
}

/* What has been delegated needs no admission: nobody can be in its way. There are no delegations that outlive
 * their client (§10.2.1: the PREV claims are for those). */
static enum nfsstat4 check_claim(struct compound *c, struct open_args *a)
{
        if (a->create && !open_is_by_name(a))
                return NFS4ERR_INVAL;
        if (a->claim == CLAIM_PREVIOUS && !is_delegation_type(c, a->delegate_type))
                return NFS4ERR_INVAL;
        switch (a->claim) {
        case CLAIM_NULL:
        case CLAIM_FH: return recovery_admit(c);
        case CLAIM_PREVIOUS: return recovery_reclaim(c);
        case CLAIM_DELEGATE_CUR:
        case CLAIM_DELEG_CUR_FH: return check_delegation(c, a);
        default: return NFS4ERR_NOTSUPP;
        }
}

enum nfsstat4 open_check_args(struct compound *c, struct open_args *a)
{
        if (a->access < OPEN4_SHARE_ACCESS_READ || a->access > OPEN4_SHARE_ACCESS_BOTH ||
            a->deny > OPEN4_SHARE_DENY_BOTH)
                return NFS4ERR_INVAL;
        if ((a->want & OPEN4_SHARE_ACCESS_WANT_DELEG_MASK) > OPEN4_SHARE_ACCESS_WANT_CANCEL)
                return NFS4ERR_INVAL;
        if (a->create && a->how != EXCLUSIVE4 && change_check_new(&a->attrs, NF4REG) != NFS4_OK)
                return NFS4ERR_INVAL;
        return check_claim(c, a);
}
