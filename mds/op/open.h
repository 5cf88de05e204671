/* SPDX-License-Identifier: Apache-2.0 */
/* OPEN is three files: open.c (the operation), open_args.c (its arguments), open_file.c (making and opening
 * the file). */
#pragma once

#include "mds/op/change.h"
#include "mds/pnfs/size.h"
#include "mds/fleet/fences.h"
#include "mds/state/delegation.h"

struct open_args {
        uint32_t access, deny, want; /* share_access without and only the delegation wishes */
        struct slice owner;
        bool create;
        uint32_t how; /* UNCHECKED4 … EXCLUSIVE4_1 */
        uint8_t verifier[NFS4_VERIFIER_SIZE];
        struct attr_set attrs;
        uint32_t claim;
        struct slice name;         /* CLAIM_NULL, CLAIM_DELEGATE_CUR */
        uint32_t delegate_type;    /* CLAIM_PREVIOUS: OPEN_DELEGATE_* that it had */
        struct stateid delegation; /* CLAIM_DELEGATE_CUR, CLAIM_DELEG_CUR_FH */
};

struct open_res {
        struct stateid stateid; /* the anonymous one when only_delegated */
        bool only_delegated;    /* what was wanted is a delegation or an open, and it is the former */
        struct change_info cinfo;
        struct bitmap4 attrset;
        struct open_delegation delegation;
        struct fh fh; /* of the file */
};

/* What is opened. */
struct open_target {
        struct subject dir;  /* of a claim by name */
        struct subject file; /* inode NULL: not there */
};

/* What it waits for: others' delegations, then the fence of others' layouts, then the cut. Below what
 * size_truncate() keeps there. */
struct open_wait {
        struct delegation_wait delegation;
        struct fence_wait fence;
        struct compound *compound;
        uint32_t epoch; /* handles below it are fenced */
        enum { OPEN_RECALLING, OPEN_FENCING, OPEN_CUTTING } step;
};
_Static_assert(sizeof(struct open_wait) <= SIZE_WAIT_AT, "both fit the wait area");

/* open_args.c. Decode; values that make no sense: INVAL and what the RFC has for claims. */
void open_decode(struct compound *c, struct xdr_in *x);
enum nfsstat4 open_check_args(struct compound *c, struct open_args *a);
static inline bool open_is_exclusive(const struct open_args *a)
{
        return a->create && (a->how == EXCLUSIVE4 || a->how == EXCLUSIVE4_1);
}

/* RFC 9754: it is content with a delegation, or with an open; of a reclaim it gets what it had. */
static inline bool open_is_either(const struct open_args *a)
{
        return a->want & OPEN4_SHARE_ACCESS_WANT_OPEN_XOR_DELEGATION &&
               (a->claim == CLAIM_NULL || a->claim == CLAIM_FH);
}

/* Under a delegation that the client has. */
static inline bool open_is_delegated(const struct open_args *a)
{
        return a->claim == CLAIM_DELEGATE_CUR || a->claim == CLAIM_DELEG_CUR_FH;
}
static inline bool open_is_by_name(const struct open_args *a)
{
        return a->claim == CLAIM_NULL || a->claim == CLAIM_DELEGATE_CUR;
}

/* open_file.c. Each ends with the open state made and the file current, or has changed nothing.
 * open_existing() may say NFS4_WAIT: with step OPEN_RECALLING nothing has been done, and all of it is to be
 * done again; else open_resume(). */
enum nfsstat4 open_new(struct compound *c, const struct open_target *target);
enum nfsstat4 open_existing(struct compound *c, struct open_target *target);
enum nfsstat4 open_resume(struct compound *c);
