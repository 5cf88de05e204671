/* SPDX-License-Identifier: Apache-2.0 */
/* The NFS door of either server, whole and with the limits that it has in production, on a virtual clock; and
 * peers that speak bytes to it. One at a time. */
#pragma once

#include "mds/mds.h"
#include "tests/lab/ds_lab.h"
#include "tests/lab/rpc_lab.h"

enum {
        DOOR_CONNECTIONS = 80,
        DOOR_MEMORY = 64 << 20,   /* for buffers: less than that many large records */
        DOOR_PATIENCE_MS = 61000, /* more than anybody's stall_ms */
};

extern struct door {
        struct virtual_env *v;
        struct netaddr addr;
        struct rpc_server *rpc;
        struct bufpool *pool;
        struct ds_lab ds;    /* the data server, with a fake MDS */
        struct mds *mds;     /* or the metadata server */
        struct store *store; /* its own, in memory */
        struct mds_conf conf;
        struct virtual_env mds_v;
} door;

/* Setups and teardowns of cmocka; all buffers must have been given back. */
int door_of_ds(void **state);
int door_of_ds_stop(void **state);
int door_of_mds(void **state);
int door_of_mds_stop(void **state);
#define DOOR_DS(name) \
        { \
                "ds " #name, name, door_of_ds, door_of_ds_stop, NULL \
        }
#define DOOR_MDS(name) \
        { \
                "mds " #name, name, door_of_mds, door_of_mds_stop, NULL \
        }
#define DOOR_BOTH(name) DOOR_DS(name), DOOR_MDS(name)

void door_run_ms(uint64_t ms);
struct raw_peer *door_dial(void);

extern const struct rpc_cred door_nobody; /* AUTH_NONE */
/* The head of a call in door_record: append arguments, then raw_send_record(). */
enum { DOOR_RECORD = 8192 };
extern uint8_t door_record[DOOR_RECORD];
struct xdr_out door_begin(uint32_t xid, uint32_t prog, uint32_t vers, uint32_t proc,
                          const struct rpc_cred *cred);
/* Whole calls, in fragments of FRAGMENT bytes (0: one): NULL; a compound of EXCHANGE_ID alone. */
void door_null(struct raw_peer *p, uint32_t xid, uint32_t fragment);
void door_exchange_id(struct raw_peer *p, uint32_t xid, const struct rpc_cred *cred, uint32_t minor,
                      uint32_t fragment);
/* NULL is answered at once, or it aborts. */
void door_is_served(struct raw_peer *p);
