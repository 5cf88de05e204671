/* SPDX-License-Identifier: Apache-2.0 */
/* What the MDS and a DS have in common as NFSv4.1 servers, and the hooks in which they differ. One loop owns
 * one nfs4_server: no locks. */
#pragma once

#include "base/hashtab.h"
#include "base/metrics.h"
#include "nfs4/client.h"
#include "nfs4/compound.h"

/* Hooks; optional ones may be NULL. All run on the loop. */
struct nfs4_hooks {
        /* PUTFH: bytes of a handle -> *ret. NFS4_OK, BADHANDLE, STALE … */
        enum nfsstat4 (*resolve_fh)(struct compound *c, struct slice bytes, struct fh *ret);
        /* PUTROOTFH and PUTPUBFH; NULL: not supported. */
        enum nfsstat4 (*root_fh)(struct compound *c, struct fh *ret);
        /* Before execute(): NFS4_WAIT parks the operation until compound_wake(), then it is asked again
         * (c->waits counts). Has the wait area for itself until it says OK. */
        enum nfsstat4 (*admit)(struct compound *c);
        /* Around each operation's execute/resume (MDS: reset what the reply depends on). */
        void (*op_begin)(struct compound *c);
        void (*op_end)(struct compound *c, enum nfsstat4 status);
        /* All operations done: true when the reply may leave now, false: compound_committed() will be called.
         */
        bool (*commit)(struct compound *c);
        /* CREATE_SESSION is about to confirm CLIENT: make its record durable (raise c->commit_seq). OLD: the
         * confirmed client of the same owner whose state goes with it, or NULL. */
        enum nfsstat4 (*client_confirm)(struct compound *c, struct client *client, struct client *old);
        /* CLIENT's memory goes (expired, replaced, destroyed): drop all its state. */
        void (*client_gone)(struct nfs4_server *s, struct client *client);
        /* DESTROY_CLIENTID: does it hold state? */
        bool (*client_has_state)(struct nfs4_server *s, const struct client *client);
        enum nfsstat4 (*reclaim_complete)(struct compound *c, struct client *client);
        enum nfsstat4 (*test_stateid)(struct compound *c, const struct stateid *s);
        enum nfsstat4 (*free_stateid)(struct compound *c, const struct stateid *s);
        /* sr_status_flags beyond what sessions know by themselves. */
        uint32_t (*status_flags)(struct nfs4_server *s, const struct client *client);
        /* SECINFO_NO_NAME / SECINFO: flavours allowed here, into FLAVORS[8]; count. */
        uint32_t (*flavors)(struct compound *c, uint32_t flavors[8]);
        /* The lease ran out without renewal: true = keep it as a courtesy, false = client_gone() and forget
         * it now. */
        bool (*client_expired)(struct nfs4_server *s, struct client *client);
};

struct nfs4_op_metrics {
        struct metric calls, errors;
        struct histogram latency;
};

struct nfs4_limits {
        uint32_t clients, sessions, sessions_per_client, slots_per_session;
};

struct nfs4_server {
        struct env *env;
        struct bufpool *pool;
        const struct nfs4_hooks *hooks;
        const struct nfs4_op *const *ops; /* [NFS4_OP_LIMIT], NULL = NOTSUPP */
        void *role;                       /* struct mds or struct ds */
        uint32_t role_flags;              /* EXCHGID4_FLAG_USE_PNFS_MDS or _DS */
        bool back_channel;                /* grant CONN_BACK_CHAN */
        bool probe_back_channel;          /* find out whether a client answers before it is needed */
        char owner_major[64];             /* so_major_id: unique per server instance; minor is 0 */
        char scope[64];                   /* one per cluster */
        uint32_t server_number;           /* high bits of client ids: 0 = MDS, else the DS's server id */
        uint32_t boot;                    /* start number: in client ids and stateids */
        uint32_t lease_seconds;
        uint8_t key[16]; /* SipHash key: handles, client tags */
        uint8_t write_verifier[NFS4_VERIFIER_SIZE];
        struct nfs4_limits limits;
        struct clients clients;             /* nfs4/client.h */
        struct nfs4_op_metrics *op_metrics; /* [NFS4_OP_LIMIT] */
        struct metric bytes_in, bytes_out, replays, clients_refused, sessions_refused;
};

/* Fills in defaults and starts the lease timer; the fields above `clients` must be set. 0 or -ENOMEM. */
int nfs4_server_init(struct nfs4_server *s, struct metrics *metrics);
void nfs4_server_destroy(struct nfs4_server *s);
/* The row for the rpc layer. CALL_BYTES is sizeof(struct compound). */
struct rpc_program nfs4_rpc_program(struct nfs4_server *s);
const char *nfs4_status_name(enum nfsstat4 status); /* "NFS4ERR_BAD_STATEID" */
const char *nfs4_op_name(uint32_t opnum);           /* "LAYOUTGET" */
/* -errno of the lower floors -> status, for the codes that have one meaning; others are SERVERFAULT. */
enum nfsstat4 nfs4_status_from_errno(int error);
