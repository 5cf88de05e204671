/* SPDX-License-Identifier: Apache-2.0 */
/* The whole metadata server in one process: virtual clock, store in memory, data servers that say yes, and
 * clients whose compounds are put together by hand. Streams run in memory. Calls look synchronous: they run
 * the clock until the reply. */
#pragma once

#include "mds/fleet/fleet.h"
#include "nfs4/attrs.h"
#include "nfs4/callback.h"
#include "rpc/client.h"
#include "tests/lab/virtual_env.h"

enum { LAB_DATA_SERVERS = 4, LAB_OBJECTS = 64, LAB_LEASE_SECONDS = 90 };

/* What a data server has; as include/ctl.x asks for it. */
struct lab_object {
        uint64_t fileid, size, mtime_ns, used;
        bool settled, there;
};
struct lab_ds {
        struct mds_lab *lab;
        struct server *server;
        struct rpc_program programs[2];
        struct rpc_server *rpc;
        struct lab_object objects[LAB_OBJECTS];
        uint32_t getsizes, truncates, removes, fence_messages; /* calls seen */
        uint32_t fences;                                       /* in these messages */
        uint64_t truncated_to;
        uint32_t releases, release_epoch; /* CTL_RELEASE seen; of the last */
        ctl_status release_status;        /* what it answers */
        ctl_fence last_fence;             /* the last of the last FENCE that had any */
        uint32_t last_fence_count;
        bool broken; /* answers CTL_IO */
        /* CTL_UPLOAD: the answer; false: none. NULL: it is not there */
        bool (*upload)(void *arg, const ctl_upload_args *args, ctl_upload_res *res);
        void *upload_arg;
        uint32_t deaf; /* does not answer this procedure; 0: answers all */
        struct call *unanswered[64];
        uint32_t unanswered_count;
};

struct mds_lab {
        struct virtual_env v;
        struct mds_conf conf;
        struct mds mds;
        struct store *store;
        struct bufpool *pool;
        struct rpc_program programs[2], cb_programs[2];
        struct rpc_server *server, *dialler;
        struct lab_ds ds[LAB_DATA_SERVERS];
        const char *exports;
        void (*with_tier)(struct mds_lab *); /* after each start of the MDS: link repos */
        bool back_channels;                  /* sessions made from now on have one */
};

/* EXPORTS: YAML; NULL: "/" read-write for all, root not squashed. */
void mds_lab_start(struct mds_lab *lab, const char *exports);
/* The control server too, on lab->conf.control: for data servers beside the lab's own, which need none. */
void mds_lab_listen(struct mds_lab *lab);
/* Also runs fsck: a problem fails the test. */
void mds_lab_stop(struct mds_lab *lab);
/* The MDS stops and starts again on the same store; with CRASH, what was not durable is lost. Users must
 * start again. */
void mds_lab_restart(struct mds_lab *lab, bool crash);
/* Another export policy, as a RELOAD takes one. */
void mds_lab_export(struct mds_lab *lab, const char *exports);
void mds_lab_run_ms(struct mds_lab *lab, uint64_t ms);
void lab_ds_connect(struct lab_ds *ds); /* when its connection, ds->server->conn, was closed */
struct lab_object *lab_ds_object(struct lab_ds *ds, uint64_t fileid); /* made when new */

/* --- a client with a session */
enum { USER_REPLY = 256 * 1024, USER_FH = FH_BYTES };
struct user_fh {
        uint8_t bytes[USER_FH];
};

/* A client's end of the back channel (mds_back.c): what it was asked last, and what it answers. */
struct user_back {
        enum nfsstat4 sequence, answer;     /* of CB_SEQUENCE, of the operation; RETRY_UNCACHED_REP … */
        uint32_t times;                     /* so often, then NFS4_OK; 0: always */
        bool mute, garbage;                 /* says nothing, nonsense */
        uint32_t calls, opnum, seqid;       /* calls but those that only ask whether it is there */
        uint32_t probes, ops;               /* ops: of the last call */
        struct referring refers;            /* seqid 0: no referring call */
        struct user_fh fh;                  /* CB_LAYOUTRECALL, CB_RECALL, CB_GETATTR, CB_NOTIFY_LOCK */
        uint32_t keep;                      /* CB_RECALL_ANY */
        uint8_t device[NFS4_DEVICEID_SIZE]; /* CB_NOTIFY_DEVICEID, that it is gone */
        uint64_t change, size;              /* it answers CB_GETATTR with */
        bool asked_times;                   /* by the last one (RFC 9754) */
        int64_t atime, mtime;               /* and then with these too */
        struct stateid stateid;
        uint32_t iomode;
        bool changed;
        uint64_t clientid; /* CB_NOTIFY_LOCK */
        char lock_owner[16];
        struct call *held[64]; /* not answered */
        uint32_t held_count;
};

struct user {
        struct mds_lab *lab;
        struct conn *conn;
        struct rpc_cred cred;
        const char *owner;
        uint64_t verifier, clientid;
        uint8_t session[NFS4_SESSIONID_SIZE];
        uint32_t seqid; /* of slot 0 */
        uint32_t minor;
        uint32_t status_flags; /* of the last SEQUENCE */
        bool cache_this;
        bool return_on_close; /* said the last LAYOUTGET */
        struct user_back back;
        /* the compound in hand */
        struct rpc_req req;
        struct xdr_out *x; /* arguments */
        uint32_t count_at, ops;
        bool ended;
        enum rpc_result result;
        enum nfsstat4 status; /* of the compound */
        struct xdr_in in;     /* results */
        uint8_t reply[USER_REPLY];
        uint32_t reply_length;
};

/* A client OWNER with a session and RECLAIM_COMPLETE done, from 192.0.2.HOST, as UID and GID. */
void user_start(struct user *u, struct mds_lab *lab, const char *owner, uint8_t host, uint32_t uid,
                uint32_t gid);
/* The same in steps: as an instance VERIFIER of the client, without RECLAIM_COMPLETE. Status of
 * CREATE_SESSION. */
enum nfsstat4 user_connect(struct user *u, struct mds_lab *lab, const char *owner, uint8_t host, uint32_t uid,
                           uint64_t verifier);
/* A new connection, from host 3, and a second session of OLD's client: CREATE_SESSION's status. */
enum nfsstat4 user_session_again(struct user *u, const struct user *old);
enum nfsstat4 user_reclaim_complete(struct user *u);
/* The lab with delegations, and two clients with back channels: "client" from host 1, "other" from host 2. */
void mds_lab_start_delegating(struct mds_lab *lab, struct user *u, struct user *other);
enum nfsstat4 user_renew(struct user *u); /* a compound of SEQUENCE alone */
/* SECONDS go by, and U and OTHER (may be NULL) keep their leases. */
void user_renew_for(uint32_t seconds, struct user *u, struct user *other);
/* Start a compound with SEQUENCE; add operations; run it: its status. */
void user_begin(struct user *u);
struct xdr_out *user_op(struct user *u, uint32_t opnum);
void user_send(struct user *u);
bool user_ended(struct user *u);
enum nfsstat4 user_wait(struct user *u); /* after user_send(), until it has ended */
enum nfsstat4 user_call(struct user *u);
/* The next result is OPNUM's: its status. */
enum nfsstat4 user_result(struct user *u, uint32_t opnum);
void user_putfh(struct user *u, const struct user_fh *fh);
/* rpc_program.dispatch for callbacks. A test that made a client mute answers what it holds before the end. */
void user_serve_callback(void *service, struct call *call);
void user_answer_held(struct user *u);

/* --- whole operations: status of the compound */
struct user_fh user_root(struct user *u);
enum nfsstat4 user_lookup(struct user *u, const struct user_fh *dir, const char *name, struct user_fh *ret);
enum nfsstat4 user_mkdir(struct user *u, const struct user_fh *dir, const char *name, uint32_t mode,
                         struct user_fh *ret);
enum nfsstat4 user_symlink(struct user *u, const struct user_fh *dir, const char *name, const char *target);
/* The target, in the reply; of no bytes: see u->status. */
struct slice user_readlink(struct user *u, const struct user_fh *fh);
enum nfsstat4 user_remove(struct user *u, const struct user_fh *dir, const char *name);
enum nfsstat4 user_rename(struct user *u, const struct user_fh *from, const char *name,
                          const struct user_fh *to, const char *new_name);
enum nfsstat4 user_link(struct user *u, const struct user_fh *file, const struct user_fh *dir,
                        const char *name);

struct user_open {
        uint32_t access, deny; /* access 0 = READ | WRITE */
        const char *owner;     /* NULL: "owner" */
        bool create;
        uint32_t how;         /* UNCHECKED4 … */
        const char *verifier; /* exclusive: 8 bytes */
        int32_t mode;         /* -1: none given */
        int64_t size;         /* -1: none given */
        uint32_t claim;       /* CLAIM_NULL, CLAIM_FH … but the PREV ones of delegations */
        uint32_t want;        /* OPEN4_SHARE_ACCESS_WANT_* */
        uint32_t had;         /* CLAIM_PREVIOUS: OPEN_DELEGATE_* */
        struct stateid by;    /* CLAIM_DELEGATE_CUR, CLAIM_DELEG_CUR_FH: the delegation */
        /* out */
        struct stateid stateid;
        struct user_fh fh;
        struct bitmap4 attrset;
        bool atomic;
        uint64_t before, after;
        uint32_t rflags, delegation, why; /* OPEN_DELEGATE_*, WND4_* */
        struct stateid delegated;
        bool recall;
};
#define USER_CREATE(...) \
        (struct user_open) \
        { \
                .create = true, .mode = 0644, .size = -1, __VA_ARGS__ \
        }
#define USER_OPEN(...) \
        (struct user_open) \
        { \
                .mode = -1, .size = -1, __VA_ARGS__ \
        }
/* NAME in DIR; with claims that have no name, DIR is the file. In halves, for one that waits: the second when
 * it has ended well. */
void user_open_begin(struct user *u, const struct user_fh *dir, const char *name, const struct user_open *o);
void user_open_end(struct user *u, struct user_open *o);
enum nfsstat4 user_open(struct user *u, const struct user_fh *dir, const char *name, struct user_open *o);
enum nfsstat4 user_delegreturn(struct user *u, const struct user_fh *fh, const struct stateid *s);
enum nfsstat4 user_close(struct user *u, const struct user_fh *fh, const struct stateid *s);
/* OPEN creating, CLOSE; the handle. */
enum nfsstat4 user_touch(struct user *u, const struct user_fh *dir, const char *name, uint32_t mode,
                         struct user_fh *ret);

struct user_attrs {
        uint32_t type, mode, links, uid, gid;
        uint64_t change, size, fsid_major, fsid_minor, fileid, mounted_on;
        int64_t atime, mtime, ctime;
};
enum nfsstat4 user_getattr(struct user *u, const struct user_fh *fh, struct user_attrs *ret);
/* SETATTR; STATEID NULL: the anonymous one. SET: what is in its mask. */
enum nfsstat4 user_setattr(struct user *u, const struct user_fh *fh, const struct stateid *s,
                           const struct attr_set *set);
void user_put_attrs(struct xdr_out *x, const struct attr_set *set);
uint32_t user_access(struct user *u, const struct user_fh *fh);
/* LAYOUTGET with IOMODE, or for writing; LAYOUTRETURN of all of the file's. Status of the compound. */
enum nfsstat4 user_layoutget_of(struct user *u, const struct user_fh *fh, const struct stateid *s,
                                uint32_t iomode, struct stateid *ret);
enum nfsstat4 user_layoutget(struct user *u, const struct user_fh *fh, const struct stateid *s,
                             struct stateid *ret);
enum nfsstat4 user_layoutreturn(struct user *u, const struct user_fh *fh, const struct stateid *s,
                                bool *ret_present);
enum nfsstat4 user_layoutcommit(struct user *u, const struct user_fh *fh, const struct stateid *s);
