/* SPDX-License-Identifier: Apache-2.0 */
/* A call of the MDS being answered: what the files ctl_*.c share. */
#pragma once

#include <ctl.h>

#include "ds/visit.h"
#include "include/stripe.h"

struct ctl_request {
        struct call call; /* first */
        struct ds *ds;
        struct list node; /* in ds->ctl_waiting */
        uint32_t proc;
        xdrproc_t args_xdr;
        union {
                ctl_fence_args fence;
                ctl_getsizes_args getsizes;
                ctl_truncate_args truncate;
                ctl_remove_args remove;
        } args;
        struct visit visit;
        uint64_t marks[8]; /* GETSIZES: objects with writes under way, one bit each */
        struct settle settle;
        struct object *object; /* GETSIZES, TRUNCATE: held on worker 0 */
        struct opener opener;
        struct disk_req disk;
        ctl_status status;
        uint32_t at, pending;
        void *results; /* malloc'd */
};

/* The program that the MDS calls. */
struct rpc_program ctl_serve_program(struct ds *ds);
/* HELLO was taken, or could not be: go on with the calls that came after it. */
void ctl_serve_go_on(struct ds *ds);
/* Answer, and free the arguments. */
void ctl_serve_answer(struct ctl_request *r, xdrproc_t proc, void *result);
void ctl_serve_status(struct ctl_request *r, ctl_status status);

static inline bool ctl_object_is_valid(const ctl_object *o)
{
        return stripe_is_valid((struct stripe){ o->unit, o->width, o->first }, o->index);
}

void ctl_serve_getsizes(struct ctl_request *r); /* ctl_getsizes.c */
void ctl_serve_truncate(struct ctl_request *r); /* ctl_truncate.c */
void ctl_serve_remove(struct ctl_request *r);   /* ctl_remove.c */
