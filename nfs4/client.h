/* SPDX-License-Identifier: Apache-2.0 */
/* Clients, sessions, slots and leases: RFC 8881 §2.4, §2.10, §18.35 (nine cases), §18.36, §18.46. One loop,
 * no locks. */
#pragma once

#include "base/env.h"
#include "base/hashtab.h"
#include "base/list.h"
#include "include/nfs4.h"
#include "rpc/client.h"

struct nfs4_server;
struct compound;

enum {
        SESSION_MAX_SLOTS = 256, /* fore channel */
        SESSION_FIRST_SLOTS = 64,
        SESSION_BACK_SLOTS = 16,
        SESSIONS_PER_CLIENT = 32,  /* Linux has one */
        SESSION_MAX_CACHED = 8192, /* bytes of a cached reply */
};

/* A fore channel slot: the replay cache of one request at a time (§2.10.6.1). */
struct slot {
        uint32_t seqid;        /* of the last request begun */
        bool busy;             /* it is being executed */
        bool cached;           /* reply holds its bytes; else a retry is RETRY_UNCACHED_REP */
        bool used;             /* seqid counts */
        uint32_t request_hash; /* of the request, for SEQ_FALSE_RETRY */
        uint8_t *reply;        /* COMPOUND4res, malloc'd, kept and reused */
        uint32_t reply_length, reply_capacity;
};

struct channel_attrs {
        uint32_t headerpad, max_request, max_response, max_response_cached, max_ops, max_requests;
};

struct cb_slot {
        uint32_t seqid;
        bool busy;
};

struct session {
        struct hnode by_id;
        struct list in_client;
        struct client *client;
        uint8_t id[NFS4_SESSIONID_SIZE];
        struct channel_attrs fore, back;
        uint32_t slot_count; /* allocated = the most the client may use */
        uint32_t target_slots, highest_used;
        struct slot *slots;
        /* back channel */
        struct list conns; /* struct session_conn */
        uint32_t cb_program, cb_flavor, cb_uid, cb_gid;
        struct cb_slot cb_slots[SESSION_BACK_SLOTS];
        struct list callbacks; /* struct callback: those that own a slot */
        bool has_back_channel; /* asked for and granted */
        bool used;             /* by a SEQUENCE: the client knows it */
        bool back_fault;
        uint32_t executing; /* compounds inside: the session is freed when it is 0 */
        uint32_t held; /* of them, those that wait for something slow: the role's to count and to bound */
        bool destroyed;
};

/* A connection that serves a session: one node a (connection, session) pair. */
struct session_conn {
        struct list in_session;
        struct session_conn *next_in_conn; /* head: conn_data() */
        struct session *session;
        struct conn *conn;
        bool fore, back;
};

struct client {
        struct hnode by_id, by_owner;
        struct list in_lru; /* clients.lru or clients.courtesy */
        uint64_t clientid;
        uint8_t verifier[NFS4_VERIFIER_SIZE];
        uint8_t *owner; /* co_ownerid, malloc'd */
        uint32_t owner_length;
        uint32_t flavor, uid; /* principal of EXCHANGE_ID */
        uint32_t minor;       /* version that made its first session */
        uint32_t tag;         /* client_tag(): what layouts' handles carry */
        bool confirmed, expired /* in clients.courtesy */, reclaim_complete;
        bool gone;                /* destroyed, freed when references is 0 */
        uint32_t create_seqid;    /* csa_sequence expected next, §18.36 */
        bool create_replay_valid; /* the last CREATE_SESSION's result, for its retry */
        uint8_t create_reply[128];
        uint32_t create_reply_length;
        uint64_t create_commit_seq; /* when it is durable: a retry waits for that as well */
        uint64_t renewed_ns;
        struct netaddr address; /* of the connection that made it, for people */
        struct list sessions;
        struct list callbacks; /* struct callback: those that wait for a slot */
        struct task callbacks_task;
        bool callbacks_answered; /* the last try was: callback_proven() */
        bool probing;            /* a call is under way to find out */
        uint32_t session_count;
        uint32_t references; /* its sessions, and compounds running */
        void *role;          /* MDS: its open, lock and layout state */
};

struct clients {
        struct hashtab by_id, by_owner, sessions;
        struct list lru;      /* oldest renewal first */
        struct list courtesy; /* kept beyond their lease because nobody minds; oldest first */
        uint32_t count, courtesy_count, session_count, next_number;
        struct timer lease_timer;
};

int clients_init(struct nfs4_server *s); /* 0 or -ENOMEM; starts the lease timer */
void clients_destroy(struct nfs4_server *s);
/* A new unconfirmed client; at the limit in place of one that is kept as a courtesy, or of the oldest that
 * was never confirmed. NULL: there is none, or out of memory. */
struct client *client_new(struct nfs4_server *s, struct slice owner,
                          const uint8_t verifier[NFS4_VERIFIER_SIZE], const struct compound *from);
/* A compound holds its client and session from SEQUENCE to its reply. */
void client_hold(struct client *c);
void client_release(struct nfs4_server *s, struct client *c);
/* Compounds are running for it. */
static inline bool client_busy(const struct client *c)
{
        return c->references > c->session_count;
}
struct client *client_by_id(struct nfs4_server *s, uint64_t clientid);
/* Confirmed (or not) client of OWNER; NULL. */
struct client *client_by_owner(struct nfs4_server *s, struct slice owner, bool confirmed);
void client_renew(struct nfs4_server *s, struct client *c);
/* Its lease has run out: what it holds may be taken away (§8.3). It may come back any time. */
bool client_lapsed(const struct nfs4_server *s, const struct client *c);
/* Drop the client that has been kept as a courtesy for the longest; false: there is none. */
bool clients_make_room(struct nfs4_server *s);
/* Drop CLIENT with its sessions and (hook) its state. */
void client_destroy(struct nfs4_server *s, struct client *c);
/* A session with these (already negotiated) attributes; NULL: out of memory or at the limit. */
struct session *session_new(struct nfs4_server *s, struct client *client, const struct channel_attrs *fore,
                            const struct channel_attrs *back);
void session_release(struct nfs4_server *s, struct session *session); /* after executing-- */
struct session *session_by_id(struct nfs4_server *s, const uint8_t id[NFS4_SESSIONID_SIZE]);
void session_destroy(struct nfs4_server *s, struct session *session);
/* A connection closed: rpc_program.conn_closed. */
void sessions_conn_closed(void *service, struct conn *conn);
/* Associate CONN with SESSION (again); 0 or -ENOMEM. */
int session_bind(struct session *session, struct conn *conn, bool fore, bool back);
void session_unbind(struct session *session, struct conn *conn);
/* The back channel connection to use; NULL: path down. */
struct conn *session_back_conn(const struct session *session);
/* CONN is no good for callbacks on SESSION, until the client binds it again. */
void session_back_down(struct session *session, struct conn *conn);
