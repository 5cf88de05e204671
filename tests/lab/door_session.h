/* SPDX-License-Identifier: Apache-2.0 */
/* Compounds put together by hand, in sessions that are made by hand, at the door of either server. One
 * compound at a time: door_bare() or door_in_session(), door_op() with its arguments into door_x,
 * door_call(); the results are in door_in. */
#pragma once

#include "tests/lab/door_lab.h"

struct door_session {
        struct raw_peer *conn;
        struct rpc_cred cred;
        uint64_t clientid;
        uint8_t id[NFS4_SESSIONID_SIZE];
        uint32_t seqid; /* of slot 0 */
        uint32_t slots; /* as the last SEQUENCE that was answered said */
};

extern struct xdr_out door_x;
extern struct xdr_in door_in; /* behind the status and count of the compound */

bool door_is_mds(void);
struct nfs4_server *door_nfs(void);

/* A compound without SEQUENCE; the tag stands in the record before the operations. */
void door_bare(const struct rpc_cred *cred);
void door_op(uint32_t opnum);
/* Send it over P: its status. */
enum nfsstat4 door_call(struct raw_peer *p);
/* The same with ZEROS bytes behind it. */
enum nfsstat4 door_call_with(struct raw_peer *p, uint32_t zeros);
/* The next result is OPNUM's: its status. */
enum nfsstat4 door_result(uint32_t opnum);
/* SEQUENCE's arguments, whatever they are. */
void door_put_sequence(const uint8_t id[NFS4_SESSIONID_SIZE], uint32_t seqid, uint32_t slot, uint32_t highest,
                       bool cache_this);

/* EXCHANGE_ID alone: its status, and the client id. */
enum nfsstat4 door_say_who(struct raw_peer *p, const struct rpc_cred *cred, const char *owner,
                           uint64_t verifier, uint64_t *ret_clientid);
/* Client OWNER with a session of 64 slots and compounds of MAX_OPS, on a connection of its own. */
void door_session_start(struct door_session *s, const char *owner, uint32_t uid, uint32_t max_ops);
void door_session_stop(struct door_session *s);
/* A compound that begins with SEQUENCE in slot 0; run it: its status, and door_in stands behind SEQUENCE's.
 */
void door_in_session(struct door_session *s);
enum nfsstat4 door_run(struct door_session *s);
