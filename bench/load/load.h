/* SPDX-License-Identifier: Apache-2.0 */
/* The load generator: what its parts share. Clients are peers (nfs4/peer.h) with a connection and a session
 * each; a client has as many workers as slots, and a worker has one operation under way. One loop, one
 * thread. */
#pragma once

#include "base/loop.h"
#include "include/stripe.h"
#include "nfs4/peer.h"

enum {
        LOAD_MAX_DIRECTORIES = 100,
        LOAD_MAX_CLIENTS = 4096,
        LOAD_MAX_FILES = 10000000,
        LOAD_MAX_DATA_FILES = 4096,
        LOAD_MAX_SERVERS = 256, /* in a device */
        LOAD_MAX_DEVICES = 256,
        LOAD_MAX_BLOCK = 1024 * 1024,
};

enum load_op {
        LOAD_CREATE,
        LOAD_STAT,
        LOAD_OPEN_CLOSE,
        LOAD_LOCK, /* LOCK and LOCKU of a range of its own, by a lock owner of its own for each slot */
        LOAD_WRITE,
        LOAD_READ,
        LOAD_UNLINK,
        LOAD_HOLD, /* nothing: every client has a file open, with a layout, and keeps its lease */
};
extern const char *const load_op_names[]; /* by op, NULL at the end */

struct load_options {
        struct netaddr server;
        const char *path; /* of the directory, from the server's root */
        int op;           /* enum load_op; -1: one after the other */
        uint32_t clients, slots, files, data_files, block, seconds, minor;
        uint32_t directories; /* the files lie in these, one after the other */
        uint64_t size;        /* of a data file */
        bool random, pnfs, csv;
        bool once, first; /* every block has one turn; it is the first of its file */
};

struct load_fh {
        uint32_t length;
        uint8_t bytes[NFS4_FHSIZE];
};

/* A device: its data servers by index. */
struct load_device {
        uint8_t id[NFS4_DEVICEID_SIZE];
        uint32_t width;
        uint32_t servers[LOAD_MAX_SERVERS]; /* index into load->addrs */
};

struct load_file {
        bool open;
        struct load_fh fh;
        struct stateid stateid;
        /* with a layout */
        bool has_layout, return_on_close;
        struct stateid layout;
        const struct load_device *device;
        struct stripe stripe;
        struct load_fh ds_fh;
        bool written;
};

struct load;
struct load_client {
        struct load *load;
        struct peer *mds;
        struct peer *ds[LOAD_MAX_SERVERS]; /* by index into load->addrs; NULL: not used yet */
        char owner[64];
        const char *state; /* of the peer to the MDS */
        uint64_t next_block;
};

/* Latencies in ns: 16 steps to each power of two, so that a percentile is right within 6 %. */
enum { LOAD_STEPS = 16, LOAD_BUCKETS = 48 * LOAD_STEPS };
struct load_result {
        uint64_t ops, bytes, errors, elapsed_ns;
        uint64_t buckets[LOAD_BUCKETS];
};

struct load {
        struct load_options o;
        struct loop *loop;
        struct env *env;
        struct bufpool *pool;
        struct rpc_program nothing;
        struct rpc_server *rpc;
        uint8_t verifier[NFS4_VERIFIER_SIZE];
        struct load_client *clients;
        struct load_fh directory[LOAD_MAX_DIRECTORIES], data_directory;
        struct load_file *data; /* data_files; file i is client i % clients' */
        struct load_device *devices;
        uint32_t device_count;
        struct netaddr addrs[LOAD_MAX_SERVERS];
        uint32_t addr_count;
        struct buf *payload; /* of WRITE */
        char problem[128];   /* the first error, for people */
        uint32_t leaving;    /* farewells under way */
};

/* --- wire.c: operations put into a compound, one after the other */
struct load_ops {
        struct xdr_out *x;
        uint32_t count;
};
void put_op(struct load_ops *o, uint32_t opnum);
void put_root(struct load_ops *o);
void put_fh(struct load_ops *o, const struct load_fh *fh);
void put_lookup(struct load_ops *o, const char *name);
void put_getattr(struct load_ops *o);  /* what Linux asks after OPEN and LOOKUP */
void put_get_size(struct load_ops *o); /* size alone */
void put_mkdir(struct load_ops *o, const char *name);
void put_open(struct load_ops *o, const char *owner, const char *name, uint32_t access, bool create);
void put_close(struct load_ops *o, const struct stateid *s);
/* Whose lock: a new owner under an open, or (OPEN NULL) the one of the lock stateid S. */
struct load_lock {
        const struct stateid *open, *s;
        uint64_t clientid;
        const char *owner;
        uint64_t offset, length;
};
void put_lock(struct load_ops *o, const struct load_lock *lock); /* for writing, without waiting */
void put_unlock(struct load_ops *o, const struct load_lock *lock);
void put_layoutget(struct load_ops *o, uint32_t iomode, const struct stateid *s); /* of the whole file */
bool get_fh(struct xdr_in *x, struct load_fh *ret);
bool get_open(struct xdr_in *x, struct stateid *ret);
bool get_lock(struct xdr_in *x, uint32_t opnum, struct stateid *ret); /* LOCK's or LOCKU's result */

/* --- setup.c: what is done before and after a phase, one call at a time; false: load->problem says why */
bool load_connect(struct load *l);
void load_disconnect(struct load *l);
bool load_prepare(struct load *l); /* directories */
/* Open all data files (made when missing) for reading and writing, with layouts if they are to be had. */
bool load_open_data(struct load *l);
/* Make what was written durable and known, and close them. */
bool load_close_data(struct load *l);
bool load_data_is_there(struct load *l); /* every data file has its size */
bool load_files_are_there(struct load *l);
bool load_remove_data(struct load *l);
/* Client C's peer to data server SERVER; NULL: it cannot be reached. Waits for its session. */
struct peer *load_ds_peer(struct load_client *c, uint32_t server);
void load_file_name(uint32_t i, char out[32]);

/* A compound that is waited for. */
struct load_call {
        struct peer_call call;
        struct load *load;
        struct load_ops ops;
        struct xdr_out x;
        uint8_t args[4096];
        bool done;
        enum rpc_result result;
        enum nfsstat4 status;
        struct xdr_in in;
        uint8_t reply[16384];
};
struct load_ops *load_begin(struct load_call *k, struct load *l);
enum nfsstat4 load_run(struct load_call *k, struct peer *peer); /* SERVERFAULT: no answer */

/* --- pnfs.c */
/* LAYOUTGET's result into F; false: it is not one that we can use. */
bool load_take_layout(struct load *l, struct xdr_in *x, struct load_file *f);

/* --- phase.c: run OP for at most SECONDS (0: until all files had their turn) */
bool load_phase(struct load *l, enum load_op op, uint32_t seconds, struct load_result *ret);
bool load_needs_data(enum load_op op); /* the data files are to be open */

/* --- setup.c: sit still for SECONDS; RET counts the clients that have their session still. */
bool load_hold(struct load *l, uint32_t seconds, struct load_result *ret);

/* --- result.c */
void result_add(struct load_result *r, uint64_t ns, uint64_t bytes);
uint64_t result_percentile(const struct load_result *r, double percent); /* ns */
void result_print_head(const struct load_options *o);
void result_print(const struct load_options *o, const char *name, const struct load_result *r);
