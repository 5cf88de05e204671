/* SPDX-License-Identifier: Apache-2.0 */
/* A data server with a fake MDS and scripted clients, all on one real loop (the data server's further workers
 * on theirs), over TCP on the loopback address and a directory of its own; or, with one worker, all on a
 * virtual clock, with streams and files in memory. Calls look synchronous: they run the loop, or the clock,
 * until done.
 */
#pragma once

#include "ds/ds.h"
#include "nfs4/peer.h"
#include "tests/lab/fake_mds.h"
#include "tests/lab/fault_disk.h"
#include "tests/lab/loop_wait.h"
#include "tests/lab/memory_disk.h"
#include "tests/lab/s3_model.h"
#include "tests/lab/virtual_env.h"

enum { LAB_UNIT = 65536, LAB_FILE = 77, LAB_GENERATION = 3 };

struct ds_lab_conf {
        uint32_t workers;  /* 0 = 1 */
        bool threads;      /* the disk on threads, not io_uring */
        uint32_t fd_cache; /* 0 = 64 */
        uint32_t width;    /* of the pool, with the server at position 0; 0 = 1 */
        bool no_mds;       /* it is started by the test */
        bool two_doors;    /* listen on ::1 too: clients there may meet another worker */
        bool fault;        /* the disk is lab->fault */
        bool virtual_time; /* one worker, and lab->v */
};

struct ds_lab {
        struct ds_lab_conf how;
        struct loop *loop; /* NULL with virtual time */
        struct env *env;
        struct virtual_env v;
        struct memory_files files;
        struct netaddr mds_addr, ds_addr, ds_addr6;
        bool use_second_door; /* of clients that are started from now on */
        char dir[64];
        char *store;
        struct ds_conf conf;
        uint8_t handle_key[16]; /* the clients' handles are signed with it */
        struct fake_mds mds;
        struct ds *ds;
        struct s3_model s3;       /* the data server's */
        struct fault_disk *fault; /* the data server's, when asked for */
        bool ds_ended;
        char problem[256];
        struct bufpool *pool; /* the clients' */
        struct rpc_program no_programs[1];
        struct rpc_server *rpc;
        struct loop_wait wait;
};

/* Starts the MDS (unless no_mds) and the data server and waits until it has joined. Aborts when something
 * fails. */
void ds_lab_start(struct ds_lab *lab, const struct ds_lab_conf *how);
void ds_lab_stop(struct ds_lab *lab);
/* The data server alone: stop it (as SIGTERM does) and start it again on the same directory. */
void ds_lab_stop_ds(struct ds_lab *lab);
void ds_lab_start_ds(struct ds_lab *lab);
/* Run until CONDITION; false when it does not come in MS. */
bool ds_lab_wait(struct ds_lab *lab, bool (*condition)(void *arg), void *arg, uint32_t ms);
void ds_lab_run(struct ds_lab *lab, uint32_t ms);
/* Wait until the disk holds COUNT requests back; abort when it does not come to that. */
void ds_lab_wait_held(struct ds_lab *lab, uint32_t count);
/* Is ::1 there, and not served by the worker of 127.0.0.1? */
bool ds_lab_has_two_doors(struct ds_lab *lab);
bool ds_lab_joined(void *arg); /* the lab: a condition */

/* A client. */
struct lab_client {
        struct ds_lab *lab;
        struct peer *peer;
        uint32_t tag;
        bool up;
};
void lab_client_start(struct lab_client *c, struct ds_lab *lab, const char *owner);
/* The same but does not wait for its session. */
void lab_client_begin(struct lab_client *c, struct ds_lab *lab, const char *owner);
void lab_client_stop(struct lab_client *c);
bool lab_client_wait_up(struct lab_client *c, uint32_t ms);

/* A handle for writing LAB_FILE at epoch 5, of the lab's geometry. */
struct fh lab_fh(const struct lab_client *c);

/* One operation under a handle. Fill in what it needs; status and results are there when done. */
struct lab_io {
        struct peer_call call;
        struct ds_lab *lab;
        uint32_t opnum; /* OP_READ, OP_WRITE, OP_COMMIT, OP_GETATTR */
        uint8_t fh[FH_BYTES];
        struct stateid stateid; /* all zeros: some open's, unless SPECIAL */
        bool special;
        uint64_t offset;
        uint32_t count, stable;
        uint8_t *data; /* to write, or where READ's data goes */
        bool done;
        enum rpc_result result;
        enum nfsstat4 status; /* of the compound */
        uint32_t got, committed;
        bool eof;
        uint64_t verifier;
        uint32_t attrs; /* of GETATTR: the first bitmap word */
};
void lab_io_start(struct lab_client *c, struct lab_io *io, const struct fh *fh);
bool lab_io_wait(struct lab_io *io, uint32_t ms); /* false: not done in time */

/* Whole operations. Reads and writes of COUNT bytes at OFFSET; DATA NULL writes a pattern of the offset. */
enum nfsstat4 lab_write(struct lab_client *c, const struct fh *fh, uint64_t offset, const void *data,
                        uint32_t count, uint32_t stable, uint32_t *ret_committed);
enum nfsstat4 lab_read(struct lab_client *c, const struct fh *fh, uint64_t offset, void *data, uint32_t count,
                       uint32_t *ret_got, bool *ret_eof);
enum nfsstat4 lab_commit(struct lab_client *c, const struct fh *fh, uint64_t *ret_verifier);

/* Calls of the MDS. */
ctl_status lab_fence(struct ds_lab *lab, uint64_t fileid, uint32_t client, uint32_t below, bool final);
ctl_size lab_getsize(struct ds_lab *lab, const struct fh *fh);
ctl_status lab_truncate(struct ds_lab *lab, const struct fh *fh, uint64_t size);
/* *RET_FREED (may be NULL) when OK. */
ctl_status lab_tier_release(struct ds_lab *lab, const struct fh *fh, uint32_t epoch, uint64_t *ret_freed);
ctl_status lab_remove(struct ds_lab *lab, const struct fh *fh);
/* PROC: CTL_ALLOCATE or CTL_DEALLOCATE. */
ctl_status lab_space(struct ds_lab *lab, const struct fh *fh, uint32_t proc, uint64_t offset,
                     uint64_t length);
bool lab_fake_call_wait(struct ds_lab *lab, struct fake_call *call, uint32_t ms);
