/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata server: what its parts share. One loop owns all of it; there are no locks. */
#pragma once

#include "base/admin.h"
#include "base/loop.h"
#include "mds/conf.h"
#include "mds/ns/export.h"
#include "mds/store/txn.h"
#include "nfs4/server.h"

struct fleet;       /* fleet/fleet.h: data servers, pools, fences */
struct opens;       /* state/open.h */
struct locks;       /* state/lock.h */
struct layouts;     /* state/layout.h */
struct returned;    /* state/returned.h */
struct delegations; /* state/delegation.h */
struct offloads;    /* state/offload.h */
struct recovery;    /* state/recovery.h */
struct courtesy;    /* state/courtesy.h */
struct revocations; /* state/revoked.h */
struct recalls;     /* pnfs/recall.h */
struct devices;     /* pnfs/devices.h */
struct reports;     /* pnfs/reports.h */
struct sizes;       /* pnfs/size.h */
struct proxy;       /* pnfs/proxy.h */
struct reaper;      /* fleet/reaper.h */
struct tier;        /* tier/tier.h */
struct ctl_server;

struct mds {
        struct nfs4_server nfs; /* nfs.role is this struct */
        struct env *env;
        struct loop *loop; /* NULL in the simulator */
        const struct mds_conf *conf;
        struct exports *exports;    /* swapped whole on reload */
        uint32_t exports_loaded;    /* how often: the change attribute of the pseudo file system */
        struct export_names *names; /* behind clients' addresses, for rules with host names; may be NULL */
        bool stopping;              /* clients go because we do */
        struct store *store;
        struct meta *meta;
        struct fleet *fleet;
        struct opens *opens;
        struct locks *locks;
        struct layouts *layouts;
        struct returned *returned;
        struct delegations *delegations;
        struct offloads *offloads;
        struct recovery *recovery;
        struct courtesy *courtesy;
        struct revocations *revocations;
        struct recalls *recalls;
        struct devices *devices;
        struct reports *reports;
        struct sizes *sizes;
        struct proxy *proxy;
        struct reaper *reaper;
        struct tier *tier;
        struct ctl_server *ctl;
        struct rpc_server *rpc; /* NFS */
        struct bufpool *pool;
        struct metrics metrics;
        struct metric layouts_granted;
        struct admin *admin;
        struct list committing;    /* compounds that wait for the store, by commit_seq */
        struct list durable_waits; /* struct durable_wait, by seq */
        struct task durable_task;
        struct list emptying; /* DEALLOCATEs that data servers are asked for: mds/pnfs/space.c */
        uint8_t cluster_key[32];
        uint64_t started_ns;
};

static inline struct mds *mds_of(const struct compound *c)
{
        return c->server->role;
}

/* Stateids (include/stateid.h): make `other` for a new state (seqid 0); is S one that this start of the MDS
 * made, of KIND; or this or an earlier one? */
void stateid_make(const struct mds *mds, enum stateid_kind kind, uint32_t index, struct stateid *ret);
bool stateid_parse(const struct mds *mds, const struct stateid *s, enum stateid_kind kind,
                   uint32_t *ret_index);
bool stateid_was_made(const struct mds *mds, const struct stateid *s, enum stateid_kind kind);
/* §8.2.2. Is GIVEN, from a client, good for the state whose stateid is NOW? OK, OLD_STATEID, BAD_STATEID. */
enum nfsstat4 stateid_check(const struct stateid *given, const struct stateid *now);
void stateid_bump(struct stateid *s); /* the next seqid: 2^32-1 is followed by 1 */

/* Run DONE when everything up to SEQ is durable (at once from the next turn if it already is). */
struct durable_wait {
        struct list node;
        uint64_t seq;
        void (*done)(struct durable_wait *);
};
void mds_when_durable(struct mds *mds, struct durable_wait *w);

/* Start everything in order / stop it in the opposite one, in ENV (LOOP: its loop; NULL in the simulator,
 * where nobody administers) on STORE, which it takes; NULL: RocksDB in conf->store. NULL, with the reason
 * logged. */
struct mds *mds_start(const struct mds_conf *conf, struct env *env, struct loop *loop, struct store *store);
void mds_stop(struct mds *mds);
/* Read the exports file again; the old policy stays when it is not right: -1 with a message. */
int mds_reload_exports(struct mds *mds, char *error, size_t error_bytes);
/* mds/admin.c: the admin commands. */
void mds_admin_register(struct mds *mds);

/* The hooks table and the table of operations: mds/ops.c, mds/hooks.c. */
extern const struct nfs4_op *const mds_ops[NFS4_OP_LIMIT];
extern const struct nfs4_hooks mds_hooks;

/* The export rule that holds for the caller on the current (or given) handle, by handle, peer address and
 * flavour; NULL: no access (the operation answers NFS4ERR_ACCESS, or WRONGSEC when only the flavour is
 * wrong). ns/access.c */
const struct export_rule *caller_rule(const struct compound *c, const struct fh *fh);

/* Who the caller is after squashing. */
struct caller {
        struct meta *meta; /* where access control lists are */
        uint32_t uid, gid, gid_count;
        uint32_t gids[RPC_MAX_GIDS];
        const struct export_rule *rule;
};
enum nfsstat4 caller_of(const struct compound *c, const struct fh *fh, struct caller *ret);
/* Permission check, by the access control list if there is one, else by the mode: WANT = bits R 4, W 2, X 1.
 * uid 0 passes (X on files needs one x bit). */
bool perm_ok(const struct caller *who, const struct inode *inode, unsigned want);
bool perm_owner(const struct caller *who, const struct inode *inode); /* owner or root */
