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
                ctl_range_args range;
                ctl_seek_args seek;
                ctl_upload_args upload;
                ctl_release_args release;
        } args;
        struct visit visit;
        uint64_t marks[8]; /* GETSIZES: objects with writes under way, one bit each */
        struct settle settle;
        struct object *object; /* held on worker 0 */
        struct opener opener;
        struct disk_req disk;
        struct sync_wait sync;
        struct folder_wait folder; /* ALLOCATE */
        ctl_status status;
        uint32_t at, pending;
        uint64_t upto; /* ALLOCATE, DEALLOCATE: where it ends in the object */
        void *results; /* malloc'd */
        struct upload *upload;
        char path[STORE_PATH];
};

/* The program that the MDS calls. */
struct rpc_program ctl_serve_program(struct ds *ds);
/* HELLO was taken, or could not be: go on with the calls that came after it. */
void ctl_serve_go_on(struct ds *ds);
/* Answer, and free the arguments. */
void ctl_serve_answer(struct ctl_request *r, xdrproc_t proc, void *result);
void ctl_serve_status(struct ctl_request *r, ctl_status status);

static inline struct stripe ctl_object_stripe(const ctl_object *o)
{
        return (struct stripe){ o->unit, o->width, o->first };
}
static inline bool ctl_object_is_valid(const ctl_object *o)
{
        return stripe_is_valid(ctl_object_stripe(o), o->index);
}
/* A handle that says which object it is, and nothing else. */
static inline struct fh ctl_object_fh(const ctl_object *o)
{
        return (struct fh){ .kind = FH_DS,
                            .fileid = o->fileid,
                            .generation = o->generation,
                            .unit = o->unit,
                            .width = (uint16_t)o->width,
                            .first = (uint8_t)o->first };
}
/* What the MDS is told of a disk's -errno; notes the disk's health. DATA_LOST: a sync failed. */
ctl_status ctl_disk_error(struct ds *ds, int error, bool data_lost);

void ctl_serve_getsizes(struct ctl_request *r); /* ctl_getsizes.c */
void ctl_serve_truncate(struct ctl_request *r); /* ctl_truncate.c */
void ctl_serve_remove(struct ctl_request *r);   /* ctl_remove.c */
void ctl_serve_space(struct ctl_request *r);    /* ctl_space.c: ALLOCATE, DEALLOCATE */
void ctl_serve_seek(struct ctl_request *r);     /* ctl_seek.c */
void ctl_serve_upload(struct ctl_request *r);   /* ctl_upload.c */
void ctl_upload_refuse(struct ctl_request *r, ctl_status status);
void ctl_serve_release(struct ctl_request *r); /* ctl_release.c */
