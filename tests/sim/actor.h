/* SPDX-License-Identifier: Apache-2.0 */
/* A scripted client: a machine with an NFSv4.1 client on it that does what Linux does with one file at a
 * time: open, layout, striped reads and writes to the data servers by several workers at once, through the
 * MDS when a data server fails, COMMIT with verifiers and writing again, reclaim after a restart of the MDS,
 * layouts and delegations given back when they are asked for, or not (back.h).
 * Everything it is told is shown to the model. */
#pragma once

#include "include/fh.h"
#include "include/stateid.h"
#include "include/stripe.h"
#include "tests/sim/back.h"
#include "tests/sim/cluster.h"
#include "tests/sim/model.h"
#include "tests/sim/mount.h"
#include "tests/sim/names.h"

enum {
        ACTOR_WORKERS = 3,
        ACTOR_KEEPER_SLOT = 1,
        ACTOR_MAIN_SLOT = 2,
        ACTOR_WORKER_SLOT = 3,
        ACTOR_RETURNER_SLOT = ACTOR_WORKER_SLOT + ACTOR_WORKERS,
        ACTOR_IO = 2 * STRIPE_UNIT, /* the longest READ or WRITE */
        ACTOR_PIECES = 32,
        ACTOR_UNSTABLE = 256,
        XATTRS = 2,
        FILE_NAME = 8,
};

struct sim;
struct actor;

struct fhandle {
        uint8_t bytes[FH_BYTES];
};

/* What a compound came to: an enum nfsstat4, or one of these. */
enum { NFS_LOST = -1, NFS_UNREACHABLE = -2 };

/* A coroutine of a client, with a slot of its own in each session. */
struct hand {
        struct actor *actor;
        struct co co;
        uint32_t slot;
        struct ask ask;
        uint8_t data[ACTOR_IO];
};

struct layout {
        bool held, recalled; /* recalled: held, but not for new I/O */
        struct stateid stateid;
        struct fhandle fh;
        bool writes;
        uint64_t granted_ns;
        uint32_t unit, first, width;
        int ds[CLUSTER_DS]; /* by device index: which data server */
};

/* A READ or WRITE inside one stripe unit, or anywhere when it goes to the MDS. */
struct piece {
        uint64_t from, to;
        bool is_write;
        uint32_t stable;
};

/* What was written and answered UNSTABLE4. */
struct unstable {
        struct event *event;
        uint64_t from, to, verifier;
        int ds;
};

struct actor {
        struct sim *sim;
        struct node *node;
        uint32_t number; /* 1.. */
        char owner[16];
        struct rpc_server *rpc;
        struct bufpool *pool;
        struct rpc_program programs[2];
        struct mount mds, ds[CLUSTER_DS];
        struct back back;
        struct hand main, keeper, returner, workers[ACTOR_WORKERS];
        uint64_t random;
        bool running, stopping, finished;
        uint32_t lives, rounds;
        struct fhandle root, shared;
        /* the open file */
        bool open, closing, lost; /* lost: the server has forgotten it */
        uint32_t access, deny;    /* OPEN4_SHARE_* */
        uint64_t granted;         /* since when */
        uint32_t name;
        uint64_t opened; /* not before */
        struct fhandle fh;
        struct stateid stateid;
        struct model_file *file;
        struct layout layout;
        struct {
                bool busy;
                struct fhandle fh;
                struct layout layout;
        } returning;
        struct {
                bool held;
                struct stateid stateid;
                uint64_t from, to;
        } lock;
        /* one, of this file or another */
        struct {
                bool held, writes;
                bool asked;   /* it is to be returned */
                bool is_open; /* the open file is open by it alone */
                struct fhandle fh;
                struct stateid stateid;
                struct model_file *file;
                uint64_t since; /* it was given no earlier */
        } delegation;
        struct unstable unstable[ACTOR_UNSTABLE];
        uint32_t unstable_count;
        /* what the workers are to do */
        struct piece pieces[ACTOR_PIECES];
        uint32_t piece_count, next_piece, busy;
};

void actor_start(struct actor *c, struct sim *sim, struct node *node, uint32_t number);
/* It is gone, with everything that it did not commit. */
void actor_crash(struct actor *c);
void actor_restart(struct actor *c);
/* It ends what it does, and then is `finished`. */
void actor_stop(struct actor *c);
void actor_free(struct actor *c);
uint64_t actor_random(struct actor *c, uint64_t below);

/* --- file_name.c: for the main coroutine. */
void file_name(uint32_t which, char ret[FILE_NAME]);
/* Open a file in the shared folder, made when it is not there. False: try later. */
bool file_open(struct actor *c, uint32_t which, bool create);
void file_close(struct actor *c);
/* More access, or less again. */
void file_upgrade(struct actor *c);
void file_downgrade(struct actor *c);
/* Its lease cannot have run out, and nothing was taken from it: what it believes to have of FILE it has. */
bool file_is_sure(const struct actor *c, const struct model_file *file);
bool file_may_write(const struct actor *c);
/* Whoever has it open keeps it. */
void file_remove(struct actor *c, uint32_t which);

/* --- file.c: work on the open file, for the main coroutine. */
/* A layout, when there is one to be had. */
void file_layout(struct actor *c, bool writes);
void file_return_layout(struct actor *c);
/* COUNT random pieces below LIMIT, by all workers together. */
void file_io(struct actor *c, bool is_write, uint32_t count, uint64_t limit);
/* Everything that was written is durable when it returns (or is written by nobody any more: the file is
 * lost).
 */
void file_flush(struct actor *c);
/* Lock a range of it, when nobody else has; no two clients ever have. Unlock it. */
void file_lock(struct actor *c, uint64_t limit);
void file_unlock(struct actor *c);
void file_truncate(struct actor *c, uint64_t size);
/* Take access away from everybody but root, who they all are, or give it. */
void file_chmod(struct actor *c, uint32_t mode);
void file_look(struct actor *c);
/* Read all of it. */
void file_verify(struct actor *c);
/* Anything but OK: fails unless it may be answered at any time, or disks have been in trouble SINCE. */
void file_check_refusal(struct actor *c, const char *what, int status, uint64_t since);
uint64_t file_random_offset(struct actor *c, uint64_t limit);

/* --- file_space.c: NFSv4.2, below LIMIT. */
void file_allocate(struct actor *c, uint64_t limit);
void file_punch(struct actor *c, uint64_t limit);
void file_seek(struct actor *c, uint64_t limit);
/* From another file in the shared folder, or the open one, to the open one. */
void file_copy(struct actor *c, uint64_t limit);
/* Set, remove or get one. */
void file_xattr(struct actor *c);

/* --- file_tier.c: names in the shared folder, when it is linked to a bucket, for the main coroutine. A verb
 * of the tier; a new name; WHICH becomes a name of FROM, too. */
void file_verb(struct actor *c, uint32_t which);
void file_rename(struct actor *c, uint32_t from, uint32_t to);
void file_link(struct actor *c, uint32_t from, uint32_t which);

/* --- delegation.c. What an OPEN wishes for; what came with it, when it was sent SINCE then, perhaps instead
 * of OPEN; the main coroutine has the file opened that it stands for; it is to be given back, and that by the
 * hand W; it has it for certain; who has removed a file that is another's fails. */
uint32_t delegation_want(struct actor *c);
void delegation_given(struct actor *c, const struct fhandle *fh, const struct stateid *s, uint32_t type,
                      uint64_t since, struct stateid *open);
void delegation_claim(struct actor *c);
bool delegation_is_wanted(const struct actor *c);
void delegation_return(struct hand *w);
bool delegation_is_sure(const struct actor *c, const struct model_file *file);
void delegation_check_removed(struct actor *c, const struct model_file *file);

/* A worker's coroutine. */
void file_worker(void *hand);

/* --- script.c: what a client does all day. */
void script_run(void *actor);
