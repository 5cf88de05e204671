/* SPDX-License-Identifier: Apache-2.0 */
/* A whole cluster in one process and on one real loop: the metadata server with its store, data servers, and
 * a client (nfs4/peer.h), over TCP on the loopback address, in a directory of its own. Calls look
 * synchronous: they run the loop until done. */
#pragma once

#include "ds/ds.h"
#include "mds/mds.h"
#include "nfs4/peer.h"
#include "tests/lab/loop_wait.h"

enum { CLUSTER_MAX_DS = 4, CLUSTER_OPS = 4096, CLUSTER_REPLY = 4096 };

struct cluster_lab {
        struct loop *loop;
        struct env *env;
        char dir[64];
        struct netaddr mds_addr, control_addr, ds_addr[CLUSTER_MAX_DS];
        struct mds_conf mds_conf;
        struct ds_conf ds_conf[CLUSTER_MAX_DS];
        struct mds *mds;
        struct ds *ds[CLUSTER_MAX_DS];
        uint32_t ds_count, ds_ended;
        struct bufpool *pool;            /* the client's */
        struct rpc_program callbacks[2]; /* none, unless the test sets the first before the start */
        struct rpc_server *rpc;
        struct loop_wait wait;
};

/* With DS_COUNT data servers, all of them joined. Aborts when something fails. */
void cluster_lab_start(struct cluster_lab *lab, uint32_t ds_count);
void cluster_lab_stop(struct cluster_lab *lab);
/* Run until CONDITION; false when it does not come in MS. */
bool cluster_lab_wait(struct cluster_lab *lab, bool (*condition)(void *arg), void *arg, uint32_t ms);
/* A session of the client OWNER (one for all servers) with the MDS, or with data server DS >= 0. It has a
 * back channel when there are lab->callbacks. */
struct peer *cluster_lab_connect(struct cluster_lab *lab, const char *owner, int ds);

/* One compound: cluster_begin(), put the operations into it, cluster_run(): its status. May be run again as
 * it is. */
struct cluster_call {
        struct peer_call call;
        struct cluster_lab *lab;
        struct xdr_out x;
        uint32_t ops;
        struct slice data; /* linked in at the end (WRITE's) */
        struct buf *data_buf;
        bool done;
        enum nfsstat4 status;
        struct xdr_in in; /* behind SEQUENCE's result; at most the first CLUSTER_REPLY bytes */
        uint8_t args[CLUSTER_OPS], reply[CLUSTER_REPLY];
};
void cluster_begin(struct cluster_call *k, struct cluster_lab *lab);
struct xdr_out *cluster_op(struct cluster_call *k, uint32_t opnum);
enum nfsstat4 cluster_run(struct cluster_call *k, struct peer *peer);
