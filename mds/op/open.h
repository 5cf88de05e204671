/* SPDX-License-Identifier: Apache-2.0 */
/* OPEN is three files: open.c (the operation), open_args.c (its arguments), open_file.c (making and opening
 * the file). */
#pragma once

#include "mds/op/change.h"

struct open_args {
        uint32_t access, deny, want; /* share_access without and only the delegation wishes */
        struct slice owner;
        bool create;
        uint32_t how; /* UNCHECKED4 … EXCLUSIVE4_1 */
        uint8_t verifier[NFS4_VERIFIER_SIZE];
        struct attr_set attrs;
        uint32_t claim;
        struct slice name; /* CLAIM_NULL */
};

struct open_res {
        struct stateid stateid;
        struct change_info cinfo;
        struct bitmap4 attrset;
        struct fh fh; /* of the file */
};

/* What is opened. */
struct open_target {
        struct subject dir;  /* CLAIM_NULL */
        struct subject file; /* inode NULL: not there */
};

/* open_args.c. Decode; values that make no sense: INVAL and what the RFC has for claims. */
void open_decode(struct compound *c, struct xdr_in *x);
enum nfsstat4 open_check_args(struct compound *c, const struct open_args *a);
static inline bool open_is_exclusive(const struct open_args *a)
{
        return a->create && (a->how == EXCLUSIVE4 || a->how == EXCLUSIVE4_1);
}

/* open_file.c. Each ends with the open state made and the file current, or has changed nothing.
 * open_existing() may say NFS4_WAIT (the file is cut): then open_resume(). */
enum nfsstat4 open_new(struct compound *c, const struct open_target *target);
enum nfsstat4 open_existing(struct compound *c, struct open_target *target);
enum nfsstat4 open_resume(struct compound *c);
