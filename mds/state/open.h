/* SPDX-License-Identifier: Apache-2.0 */
/* Opens: owners, stateids, share reservations (RFC 8881 §9.7–9.9, §8.2, §18.16). In memory; one open state per (client,
 * open-owner, file). A file with opens has one file_state, which others (layouts, locks, delegations) hang on too. */
#pragma once

#include "mds/mds.h"

struct open_owner;
struct open_state {
        struct hnode by_index;           /* by the index in its stateid */
        struct list in_file, in_owner, in_client;
        struct open_owner *owner;
        struct client *client;
        uint64_t fileid;
        uint16_t export_id;
        struct stateid stateid;
        uint8_t access, deny;            /* OPEN4_SHARE_* now in force */
        uint8_t access_seen, deny_seen;  /* bit n: the combination n was given by an OPEN (for OPEN_DOWNGRADE, §18.18) */
        uint32_t busy;                   /* operations that wait and use it */
};

struct opens *opens_new(struct mds *mds);
void opens_free(struct opens *o);

/* OPEN: add ACCESS and DENY to the state of (CLIENT, OWNER, FILEID), made when new; seqid rises by one. NFS4_OK,
 * SHARE_DENIED, RESOURCE/DELAY at the limits. */
enum nfsstat4 open_add(struct opens *o, struct client *client, struct slice owner, uint64_t fileid, uint16_t export_id, uint8_t access, uint8_t deny, struct open_state **ret);
/* Would open_add() with ACCESS/DENY be refused by others' opens? For anonymous I/O too (OWNER may be empty). */
bool open_conflicts(struct opens *o, uint64_t fileid, const struct open_state *except, uint8_t access, uint8_t deny);
/* The state that S names, by §8.2.2 and §8.2.4: OK, BAD_STATEID, OLD_STATEID, EXPIRED …; S must belong to CLIENT. */
enum nfsstat4 open_find(struct opens *o, const struct client *client, const struct stateid *s, struct open_state **ret);
enum nfsstat4 open_downgrade(struct opens *o, struct open_state *state, uint8_t access, uint8_t deny);
/* CLOSE: the state goes; when it was the file's last, open_file_closed() work (orphans) is the caller's: true. */
bool open_close(struct opens *o, struct open_state *state);
/* All states of CLIENT go (lease expired, client replaced). */
void opens_drop_client(struct opens *o, struct client *client);
bool opens_file_is_open(struct opens *o, uint64_t fileid);
bool opens_client_has_any(const struct client *client);
/* TEST_STATEID and FREE_STATEID for open stateids. */
uint32_t opens_count(const struct opens *o);

/* The last link and the last open of FILEID are gone: delete its inode and give its objects to the reaper. Called by
 * CLOSE, by client expiry, and by REMOVE/RENAME in their own transaction through orphan_unlinked(). ns/orphan.c */
void orphan_closed(struct mds *mds, uint64_t fileid);
/* Inside T: INODE has lost its last link. Deletes it (not open) or marks it an orphan (open). */
void orphan_unlinked(struct mds *mds, struct txn *t, struct inode *inode);
/* T has been committed: hand FILEID to the reaper if orphan_unlinked() made it an object-only orphan; harmless otherwise. */
void orphan_committed(struct mds *mds, uint64_t fileid);
