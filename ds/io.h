/* SPDX-License-Identifier: Apache-2.0 */
/* What READ, WRITE and COMMIT have in common: who may, whether now, and on which object. One function,
 * io_gate(), is asked again after every wait, so nothing reaches the disk on grounds that are not valid any
 * more. */
#pragma once

#include "ds/ds.h"
#include "ds/tier/keep.h"
#include "include/stripe.h"

enum { IO_MAX = 1024 * 1024 /* bytes of one READ or WRITE */, IO_STARVED_RETRY_NS = 2000000 };

struct io { /* the first member of an operation's wait context */
        struct compound *compound;
        const struct fh *fh; /* the current one; COPY makes it the saved one for its source */
        struct worker *worker;
        struct object *object; /* held, or NULL */
        struct opener opener;
        struct list node;  /* in parked, starved or held */
        struct hold *hold; /* waits for units of the S3 tier, or writes some (ds/tier/gate.h); else NULL */
        int open_error;    /* of the last attempt; 1 = none was made */
        uint32_t index;    /* ours in the file's device */
};

static inline struct stripe io_stripe(const struct fh *fh)
{
        return (struct stripe){ fh->unit, fh->width, fh->first };
}

/* Start an operation: OK, or what is wrong with the handle's kind or the stateid (RFC 8881 §13.9.1: it is the
 * MDS's open, lock or delegation stateid, which we cannot check and need not, since the handle is the
 * capability; special stateids name nobody and are refused; NULL: the operation has none). io_end() must
 * follow OK. */
enum nfsstat4 io_begin(struct compound *c, struct io *io, const struct stateid *stateid);
enum io_kind { IO_READ, IO_WRITE, IO_COMMIT };
/* May this server do I/O of KIND on [OFFSET, OFFSET + LENGTH) of the file under io->fh, now? OK:
 * io->object is held and open (its fd is -1 when it does not exist; IO_WRITE makes it). NFS4_WAIT: call
 * again from resume(). Without trust the operation is parked; a WRITE waits while its object is cut, and both
 * while units of the S3 tier are fetched. */
enum nfsstat4 io_gate(struct io *io, uint64_t offset, uint64_t length, enum io_kind kind);
/* Hold no object while something else is waited for; io_gate() comes again. */
void io_let_go(struct io *io);
/* Forget a missing object, so that the next io_gate() looks for it again. */
void io_look_again(struct io *io);
/* No buffer: NFS4_WAIT, resume() runs when there may be one. */
enum nfsstat4 io_starve(struct io *io);
/* End it: gives back the object. Returns STATUS. */
enum nfsstat4 io_end(struct io *io, enum nfsstat4 status);
/* What a client is told of a disk's -errno; notes the disk's health. DATA_LOST: a sync failed. */
enum nfsstat4 io_disk_error(struct io *io, int error, bool data_lost);

/* fdatasync of an open object, and its name made durable when it may be new. */
struct io_sync {
        struct io *io;
        struct sync_wait data;
        struct folder_wait folder;
        struct keep keep; /* which units are here */
        bool keeping;
        uint32_t pending;
        int error; /* 0 or -errno once resume() runs */
};
/* NFS4_WAIT; everything written to the object before this call is durable when resume() runs and error is 0.
 */
enum nfsstat4 io_sync(struct io *io, struct io_sync *s);

/* The file's size, as far as it follows from an object's, and now as its mtime, durable at the MDS. */
struct io_push {
        struct io *io;
        struct push push; /* its status once resume() runs */
};
/* NFS4_WAIT. The object is at least SIZE long. */
enum nfsstat4 io_push(struct io *io, struct io_push *p, uint64_t size);
/* What a client is told of what the MDS said to a push or an announcement. */
enum nfsstat4 io_told(int status);

/* Wake everybody in LIST (of io.node): their resume() runs. */
void io_wake_all(struct list *waiting);
