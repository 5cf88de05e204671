/* SPDX-License-Identifier: Apache-2.0 */
/* Delegations (RFC 8881 §10.2, §10.4, §18.16, §20.1, §20.2): who holds one opens the file, reads it from its
 * cache and answers for its attributes without asking, until we want it back. A file may have one for reading
 * of each client, and while it has, nobody but its holders changes it; or a single one for writing, and while
 * it has, nobody but its holder opens it. In memory, and limited (delegation_limit.c); one counts as an open
 * of its file, which therefore outlives its names.
 *
 * When one is given. Every delegation that is not used costs the client a DELEGRETURN, and one that somebody
 * else is about to write costs him a recall. So an OPEN gets one only when
 *   - it denies nothing, and the file was there and stays as it is: never at a create or a cut, so a storm of
 *     creates does not come here at all;
 *   - the client wishes for one, or the file has been opened for reading (for writing: by this client, and by
 *     no other since) in the minute before: what is read once (tar, cp -r, rm -r after it) gets none, what is
 *     read again and again does;
 *   - for reading: nobody has the file open for writing; for writing: no other client has it open;
 *   - no other client holds a layout for writing, and the data servers have nothing to add to its size and
 *     times. Clients keep layouts beyond CLOSE: one that keeps a file from being delegated is called back,
 *     unless the file was written in the minute before;
 *   - none of it was called back in the minute before;
 *   - the client's back channel has answered (nfs4/callback.h): a delegation is only as good as its recall;
 *   - and delegations are switched on. Switched off, they are still there for clients that reclaim them, and
 *     are called back at once.
 *
 * What conflicts, when another client does it: OPEN for writing, with a deny of reading, or with a cut; WRITE
 * and a cut with a special stateid; SETATTR of anything; LINK, REMOVE, and RENAME of the file or over it;
 * LOCKT of what the holder may have locked by itself. With one for writing also any OPEN, and READ with a
 * special stateid. The holder is asked (CB_RECALL), and the operation that conflicts waits for WAIT_MS since
 * it arrived: a healthy client has given it back in a few milliseconds, while NFS4ERR_DELAY makes Linux sleep
 * for 100 ms and then ever longer. After that it is DELAY, and the client comes again. Nothing has been done
 * when an operation waits, so it begins again from the start. In the grace period what goes by names and
 * attributes of a regular file is NFS4ERR_GRACE for as long as another client that had delegations (its
 * record tells) may reclaim: this file's may be one of them.
 *
 * What others ask about a file under one for writing (GETATTR, VERIFY) its holder is asked, and keeps it:
 * delegation_ask.c. Data go to the data servers as ever, under the holder's layout.
 *
 * RFC 9754. A client that wants a delegation instead of an open has no open stateid beside it: what has been
 * said of opens that a holder does not tell us of holds for that first one too. A client that wants to keep
 * the file's times answers for them while it has one for writing, and tells them before it gives it back
 * (mds/op/setattr.c); with one for reading there is nothing to keep, as reading does not move atime here.
 *
 * Who does not give it back within a lease, or does not get on with writing what it has in its cache
 * (delegation_recall.c), loses it (§10.4.6): first its layout at the data servers, if it is
 * for writing; its record (it may not reclaim it after a restart of ours); its stateid is
 * NFS4ERR_DELEG_REVOKED until it lets go of it by FREE_STATEID, and SEQUENCE says RECALLABLE_STATE_REVOKED.
 * Who does not know the delegation has nothing to lose: it goes quietly. With one for reading layouts are not
 * touched: what its holder reads from a data server is what is there. */
#pragma once

#include "mds/mds.h"
#include "mds/pnfs/size.h"
#include "nfs4/callback.h"

struct delegation {
        struct hnode by_index; /* by the index in its stateid */
        struct hnode by_file;
        struct list in_client; /* mds_client.delegations */
        struct delegations *all;
        struct client *client;
        uint64_t fileid;
        uint32_t generation;
        uint16_t export_id;
        uint32_t type;          /* OPEN_DELEGATE_READ, _WRITE */
        struct stateid stateid; /* its seqid stays 1 */
        struct referring given; /* the OPEN that gave it */
        /* while it is being called back (delegation_recall.c) */
        bool recalled;
        struct callback *call;
        struct timer timer;
        uint64_t recalled_ns;
        uint64_t unknown_ns;   /* since when its holder says that it has none; 0: it does not */
        bool promised;         /* it has said that it will return it */
        struct size_wait look; /* at what it writes meanwhile */
        uint64_t change_seen;  /* the file's at the last look */
        bool taking;           /* its handles are being fenced, */
        bool fenced;           /* and then it goes */
        /* for writing: what its holder says of the file (delegation_ask.c) */
        bool timestamps;           /* it answers for the times too (RFC 9754) */
        uint64_t change;           /* the file's when it was given; 0: not known */
        uint64_t size;             /* as it said last; 0: nothing, or the file was cut since */
        bool said_times;           /* it has said them: */
        int64_t time_access;       /* as it said last */
        int64_t time_modify;       /* likewise; before, the file's when it was given */
        struct callback *question; /* under way */
        uint64_t asked_ns;         /* the last one */
        uint64_t heard_ns;         /* the last one that was answered; when it was asked */
};

struct delegations *delegations_new(struct mds *mds); /* NULL: out of memory */
void delegations_free(struct delegations *d);         /* after the clients are gone */

/* --- at OPEN */

/* open_delegation4, in short. */
struct open_delegation {
        uint32_t type; /* OPEN_DELEGATE_*; never _READ_ATTRS_DELEG */
        uint32_t why;  /* NONE_EXT: WND4_* */
        bool recall;   /* it is to be given back at once (a reclaim that we cannot keep) */
        struct stateid stateid;
};
static inline bool is_delegated(const struct open_delegation *d)
{
        return d->type != OPEN_DELEGATE_NONE && d->type != OPEN_DELEGATE_NONE_EXT;
}
/* The client of C has opened what FH names, with ACCESS and DENY; WANT: its wishes
 * (OPEN4_SHARE_ACCESS_WANT_*). */
void delegation_offer(struct compound *c, const struct fh *fh, uint32_t access, uint32_t deny, uint32_t want,
                      struct open_delegation *ret);
/* For an OPEN that never gets one: a create, a cut, a claim of what is held already. */
void delegation_refuse(uint32_t want, struct open_delegation *ret);
/* CLAIM_PREVIOUS with TYPE (OPEN_DELEGATE_*, not a NONE), after the open was reclaimed: it has it again. */
void delegation_reclaim(struct compound *c, const struct fh *fh, uint32_t type, uint32_t want,
                        struct open_delegation *ret);

/* --- stateids */

/* The delegation that S names: OK, BAD_STATEID, OLD_STATEID, or why it was revoked; S must belong to CLIENT.
 */
enum nfsstat4 delegation_find(struct delegations *d, const struct client *client, const struct stateid *s,
                              struct delegation **ret);
/* The same, of FILEID, for ACCESS (OPEN4_SHARE_ACCESS_*): OPENMODE when it is for reading only; DELAY while
 * it is being taken. */
enum nfsstat4 delegation_check(struct delegations *d, const struct client *client, const struct stateid *s,
                               uint64_t fileid, uint32_t access);
/* What CLIENT holds of FILEID; NULL. */
struct delegation *delegation_of(const struct delegations *d, const struct client *client, uint64_t fileid);
bool delegations_has_file(const struct delegations *d, uint64_t fileid);

/* --- conflicts (delegation_recall.c) */

/* In an operation's wait area. */
struct delegation_wait {
        struct list node;
        struct timer timer;
        struct compound *compound;
        uint64_t fileid;
};
/* C is about to do to FILEID what conflicts with delegations of other clients. OK: there are none. WAIT: they
 * are called back; resume, which does all again from the start. DELAY: likewise, and it has waited long
 * enough. W NULL: DELAY instead of WAIT. */
enum nfsstat4 delegation_conflict(struct compound *c, uint64_t fileid, struct delegation_wait *w);
/* The same for what only reads: with delegations for writing. */
enum nfsstat4 delegation_conflict_by_reading(struct compound *c, uint64_t fileid, struct delegation_wait *w);
/* The same for what goes by names and attributes: GRACE while it may be about to be reclaimed. */
enum nfsstat4 delegation_conflict_by_change(struct compound *c, uint64_t fileid, struct delegation_wait *w);
/* C is about to tell the attributes of FILEID. OK: no other client may have changed them in its cache, or it
 * has said what it has since C arrived. WAIT, DELAY: as above. (delegation_ask.c) */
enum nfsstat4 delegation_ask(struct compound *c, uint64_t fileid, struct delegation_wait *w);
/* The one for writing of another client than EXCEPT, which answers for the attributes of FILEID: what it said
 * last counts. NULL: there is none, or its holder's lease ran out. */
const struct delegation *delegation_answering(const struct delegations *d, const struct client *except,
                                              uint64_t fileid);
/* RFC 9754: what counts of a time that a holder says, at NOW (both ns since 1970): its clock may be ahead of
 * ours, and then it is now. One from before the delegation counts as well, though the RFC has it ignored:
 * Linux keeps to itself what a program sets there by utimes(2), and tells it only so. */
static inline int64_t delegated_time(int64_t said, int64_t now)
{
        return said < now ? said : now;
}
/* FILEID was cut or extended: what was said of its size before means nothing. */
void delegation_resized(struct delegations *d, uint64_t fileid);
/* ONE is called back, if it is not already. */
void delegation_recall(struct delegation *one);
/* The MDS stops: who waits, waits no more. */
void delegations_give_up(struct delegations *d);

/* --- ends */

/* ONE is no more: it was returned, or its client has forgotten it. Who waited for that goes on from the next
 * turn; a file that was kept for it goes. BY: as in orphan_closed(). */
void delegation_end(struct delegation *one, const struct client *by);
/* What CLIENT holds of FILEID is taken away; WHY as in revoked.h. */
void delegation_revoke(struct delegations *d, struct client *client, uint64_t fileid, enum nfsstat4 why);
/* The export policy has changed: who has lost access to a file gives its delegation back. */
void delegations_unexported(struct delegations *d);
void delegations_drop_client(struct delegations *d, struct client *client);

uint32_t delegations_count(const struct delegations *d);
