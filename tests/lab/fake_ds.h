/* SPDX-License-Identifier: Apache-2.0 */
/* A data server as the MDS sees it on the control connection (include/ctl.x): it dials with the cluster's
 * key, says what the test wants, and says yes to what it is asked. It has no objects. */
#pragma once

#include "rpc/tls.h"
#include "tests/lab/ctl_lab.h"
#include "tests/lab/virtual_env.h"

struct fake_ds {
        struct env *env;
        struct netaddr mds;
        struct bufpool *pool;
        struct tls_context *tls;
        struct rpc_program programs[2];
        struct rpc_server *rpc;
        struct conn *conn; /* NULL: none */
        ctl_hello_args hello;
        ctl_addr addr;
        char name[CTL_NAME_LENGTH + 1], uaddr[64];
        bool hold;        /* calls are not answered until fake_ds_stop() */
        struct list held; /* struct held_call */
        bool (*intercept)(void *arg,
                          struct call *call); /* NULL, or sees every call first; true: it answers */
        void *intercept_arg;
        uint32_t calls, losses; /* seen */
};

/* Nothing is dialled yet. NUMBER makes name, uuid and address of its own. */
void fake_ds_start(struct fake_ds *d, struct env *env, const struct netaddr *mds,
                   const uint8_t cluster_key[32], uint8_t number);
void fake_ds_stop(struct fake_ds *d);
/* Dial, also again; the handshake takes its time. Aborts when nobody listens. */
void fake_ds_dial(struct fake_ds *d);
void fake_ds_hang_up(struct fake_ds *d);
/* A call to the MDS, as ctl_lab_call(). */
void fake_ds_call(struct fake_ds *d, struct fake_call *call, uint32_t proc, xdrproc_t args_xdr, void *args,
                  xdrproc_t result_xdr, void *result);
/* The same, until it is answered. */
void fake_ds_ask(struct fake_ds *d, struct virtual_env *v, uint32_t proc, xdrproc_t args_xdr, void *args,
                 xdrproc_t result_xdr, void *result);
/* d->hello; *RET (may be NULL): of CTL_OK, without what it points to. */
ctl_status fake_ds_hello(struct fake_ds *d, struct virtual_env *v, ctl_hello_ok *ret);
