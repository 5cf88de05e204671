/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts: one layout state per (client, file), its stateid and what it covers (RFC 8881 §12.5). All layouts
 * are whole-file, so what is out is an iomode. A write layout has a durable record ('l' in
 * mds/store/record.h). */
#pragma once

#include "mds/mds.h"
#include "nfs4/callback.h"

struct recall; /* pnfs/recall.h */

struct layout_state {
        struct hnode by_index;
        struct hnode by_file; /* all holders of a file */
        struct list in_client;
        struct client *client;
        uint64_t fileid;
        uint32_t generation;
        uint16_t export_id;
        struct stateid stateid;
        uint8_t iomodes; /* bit LAYOUTIOMODE4_READ, bit LAYOUTIOMODE4_RW held */
        uint8_t handles; /* the same of the handles that may be good: also of what was returned */
        uint32_t given_seqid[LAYOUTIOMODE4_RW + 1]; /* of the stateid when that iomode was given last */
        uint32_t epoch;                             /* of the newest handle given */
        bool return_on_close;                       /* told so: it goes with the client's last CLOSE */
        bool recorded;                              /* the write layout has its record */
        struct referring given;                     /* the request that gave it last */
        struct recall *recall;                      /* being taken back; NULL: it is not */
};

struct layouts *layouts_new(struct mds *mds);
void layouts_free(struct layouts *l);
/* Grant IOMODE of FILE to the client of C, under the current handle: state made when new, seqid bumped,
 * current epoch noted. OK, or LAYOUTUNAVAILABLE at a limit. */
enum nfsstat4 layout_grant(struct layouts *l, const struct compound *c, const struct inode *file,
                           uint8_t iomode, struct layout_state **ret);
/* BAD_STATEID for one that is unknown, of the future or with seqid 0; OLD_STATEID for one that is further
 * back than requests can have overtaken each other (§12.5.5.2.1.4); else what is older is good. */
enum nfsstat4 layout_find(struct layouts *l, const struct client *client, const struct stateid *s,
                          struct layout_state **ret);
struct layout_state *layout_of(struct layouts *l, const struct client *client, uint64_t fileid);
/* Could anybody but EXCEPT (may be NULL) write by a layout: held, or returned and not fenced? */
bool layout_has_writer(struct layouts *l, uint64_t fileid, const struct client *except);
/* §12.5.3: the next sequence id, for a recall. */
void layout_bump(struct layout_state *state);
/* Give back IOMODE (READ, RW, ANY), but not what was given later than SEQID (0: all there is): *ret_gone when
 * nothing is left of the state. The handles in it are remembered (returned.h). The record of a write layout
 * goes with it when the data servers have nothing to add (*seq is raised to wait for); else it is kept, so
 * that they are asked after a crash of ours. */
enum nfsstat4 layout_return(struct layouts *l, struct layout_state *state, uint8_t iomode, uint32_t seqid,
                            uint64_t *seq, bool *ret_gone);
/* STATE goes. What was not fenced before is to be noted in returned.h. */
void layout_drop(struct layouts *l, struct layout_state *state);
void layouts_drop_client(struct layouts *l, struct client *client);
void layouts_file_gone(struct layouts *l, uint64_t fileid); /* deleted, with its records */
/* The durable records of write layouts. A record outlives its state when the client goes or returns the
 * layout while data servers know more than we do; such leftovers are counted, so that finding them needs no
 * scan of what has none. */
void layout_record(struct txn *t, const struct layout_state *state, uint32_t epoch); /* write it */
void layout_records_delete(struct layouts *l, struct txn *t, uint64_t fileid);       /* all of the file's */
/* The data servers have nothing to add about FILEID: records that nobody holds may go. */
void layout_records_settle(struct layouts *l, uint64_t fileid);
void layout_leftover(struct layouts *l, uint64_t fileid); /* one was found at start */
/* Somebody is gone who had the file for writing, and what is on the data servers is not known yet. */
bool layout_has_leftover(const struct layouts *l, uint64_t fileid);

/* All holders of FILEID, or of any file: EACH may drop what it is given. */
void layouts_each_holder(struct layouts *l, uint64_t fileid, void (*each)(void *arg, struct layout_state *),
                         void *arg);
void layouts_each_of_all(struct layouts *l, void (*each)(void *arg, struct layout_state *), void *arg);
/* Everything CLIENT holds; EACH must not drop anything; false ends it. */
void layouts_each(struct layouts *l, const struct client *client,
                  bool (*each)(void *arg, struct layout_state *), void *arg);
uint32_t layouts_count(const struct layouts *l);
