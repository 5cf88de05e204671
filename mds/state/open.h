/* SPDX-License-Identifier: Apache-2.0 */
/* Opens: owners, stateids, share reservations (RFC 8881 §9.7–9.9, §8.2, §18.16). In memory; one open state
 * per (client, open-owner, file). */
#pragma once

#include "mds/mds.h"

struct open_owner;
struct open_state {
        struct hnode by_index; /* by the index in its stateid */
        struct list in_file, in_owner, in_client;
        struct list locks;   /* lock_state.in_open */
        struct list waiters; /* for locks: lock_waiter.in_open */
        struct open_owner *owner;
        struct client *client;
        uint64_t fileid;
        uint16_t export_id;
        struct stateid stateid;
        uint8_t access, deny; /* OPEN4_SHARE_* now in force */
        uint8_t access_seen,
                deny_seen; /* bit n: the combination n was given by an OPEN (for OPEN_DOWNGRADE, §18.18) */
};

struct opens *opens_new(struct mds *mds);
void opens_free(struct opens *o);

/* OPEN: add ACCESS and DENY to the state of (CLIENT, OWNER, FILEID), made when new; seqid rises by one.
 * NFS4_OK, SHARE_DENIED, DELAY at the limits. */
enum nfsstat4 open_add(struct opens *o, struct client *client, struct slice owner, uint64_t fileid,
                       uint16_t export_id, uint8_t access, uint8_t deny, struct open_state **ret);
/* The state of (CLIENT, OWNER, FILEID); NULL. */
struct open_state *open_of(struct opens *o, const struct client *client, struct slice owner, uint64_t fileid);
/* Would open_add() with ACCESS/DENY be refused by others' opens? For anonymous I/O too (EXCEPT may be NULL).
 */
bool open_conflicts(struct opens *o, uint64_t fileid, const struct open_state *except, uint8_t access,
                    uint8_t deny);
/* The next open state after PREVIOUS (NULL: the first) that would refuse ACCESS/DENY; NULL: none. */
struct open_state *open_conflicting(struct opens *o, uint64_t fileid, const struct open_state *except,
                                    uint8_t access, uint8_t deny, const struct open_state *previous);
/* The state that S names, by §8.2.2 and §8.2.4: OK, BAD_STATEID, OLD_STATEID, or why it was revoked; S must
 * belong to CLIENT. */
enum nfsstat4 open_find(struct opens *o, const struct client *client, const struct stateid *s,
                        struct open_state **ret);
/* OK and a higher seqid, or INVAL: not a union of what OPENs gave. */
enum nfsstat4 open_downgrade(struct opens *o, struct open_state *state, uint8_t access, uint8_t deny);
/* CLOSE: the state goes, and what is locked under it; true: it was the file's last, and orphan_closed()
 * (ns/orphan.h) is the caller's. */
bool open_close(struct opens *o, struct open_state *state);
/* All states of CLIENT go (lease expired, client replaced); orphans of them too. */
void opens_drop_client(struct opens *o, struct client *client);
/* What CLIENT has open of FILEID is taken away; WHY as in revoked.h. */
void opens_revoke(struct opens *o, struct client *client, uint64_t fileid, enum nfsstat4 why);
bool opens_file_is_open(struct opens *o, uint64_t fileid);
/* Has CLIENT the file open, with any owner? */
bool opens_has_open(const struct opens *o, const struct client *client, uint64_t fileid);
/* All of FILEID's; EACH must not change anything. */
void opens_each_of_file(const struct opens *o, uint64_t fileid,
                        void (*each)(void *arg, const struct open_state *), void *arg);
uint32_t opens_count(const struct opens *o);
