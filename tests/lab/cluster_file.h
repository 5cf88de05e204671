/* SPDX-License-Identifier: Apache-2.0 */
/* A file of the cluster lab that a client has open, and what it does to it through the MDS. */
#pragma once

#include "tests/lab/cluster_lab.h"

enum { CLUSTER_UNIT = 1 << 20 /* bytes: the stripe unit, and of the payload */ };

struct cluster_file {
        struct cluster_lab *lab;
        struct peer *mds;
        struct cluster_call k; /* of the last call */
        uint8_t handle[NFS4_FHSIZE];
        struct slice fh;
        struct stateid stateid;
        struct buf *payload; /* what is written: byte i is i / 1000 */
};

/* Opens NAME in the root for reading and writing, making it. MDS is the client's session. */
void cluster_file_open(struct cluster_file *f, struct cluster_lab *lab, struct peer *mds, const char *name);
void cluster_file_close(struct cluster_file *f); /* here only: the server is not told */
/* f->k begins with PUTFH; then cluster_op() …, and cluster_file_run(): the compound's status, with f->k.in
 * behind PUTFH's result when it is OK. */
void cluster_file_begin(struct cluster_file *f);
enum nfsstat4 cluster_file_run(struct cluster_file *f);

struct written {
        uint32_t count, committed;
        uint64_t verifier;
};
enum nfsstat4 cluster_file_write(struct cluster_file *f, uint64_t offset, uint32_t count, uint32_t stable,
                                 struct written *ret);
/* *RET is good until the next call; at most CLUSTER_REPLY bytes of it are there. */
enum nfsstat4 cluster_file_read(struct cluster_file *f, uint64_t offset, uint32_t count, struct slice *ret,
                                bool *ret_eof);
struct cluster_attrs {
        uint64_t change, size, used, atime, mtime; /* times in ns */
};
struct cluster_attrs cluster_file_attrs(struct cluster_file *f);
