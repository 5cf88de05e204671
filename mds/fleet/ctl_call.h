/* SPDX-License-Identifier: Apache-2.0 */
/* Calls from the MDS to a data server over its control connection (include/ctl.x, program NACRE_CTL_DS). */
#pragma once

#include <ctl.h>

#include "rpc/client.h"

struct server;

/* One call; malloc'd by ctl_call(), freed after done(). */
struct ctl_call {
        struct rpc_req rpc;
        struct list node; /* in server->queue */
        struct server *server;
        void *arg;
        xdrproc_t result_xdr;
        void *result; /* result_bytes, decoded; freed with xdr_free after done() */
        /* RESULT NULL: no answer (the connection broke, or it took too long). */
        void (*done)(void *arg, struct server *server, void *result);
};
struct ctl_queue {
        struct list calls;
};

/* 0; -ENOTCONN: it is away; -ENOMEM. DONE runs later, exactly once. */
int ctl_call(struct server *server, uint32_t proc, xdrproc_t args_xdr, void *args, xdrproc_t result_xdr,
             size_t result_bytes, void (*done)(void *arg, struct server *server, void *result), void *arg);
