/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the archive: queue.c (records, who is next), archive.c (what is done about one), send.c and
 * parts.c (bytes), conflict.c, tombs.c. */
#pragma once

#include "base/hashtab.h"
#include "base/slab.h"
#include "mds/fleet/fleet.h"
#include "mds/pnfs/size.h"
#include "mds/tier/archive.h"
#include "mds/tier/describe.h"
#include "mds/tier/manifest.h"
#include "s3tier/multipart.h"

enum {
        JOBS_MAX = 16384,     /* in memory; the others are in the store, and are fetched when there is room */
        SENDS_MAX = 64,       /* at once */
        GIVE_UP_ATTEMPTS = 5, /* then it is one of the failed; it is still tried */
};

/* S3 may take a request for so long: 15 minutes, and what an attempt takes until it is signed. */
#define LATE_NS 1080000000000ll

/* What became of an attempt, and `failed` in the queue's record: an enum s3_error or one of these. */
enum archive_error {
        ARCHIVE_OK = S3_OK,
        ARCHIVE_AGAIN = 200, /* it was changed meanwhile: nobody's fault */
        ARCHIVE_NO_SERVER,   /* a data server that is needed is away */
        ARCHIVE_UNREADABLE,  /* a data server cannot read it */
        ARCHIVE_CONFLICT,    /* with `conflict: fail` */
        ARCHIVE_TOO_LONG,    /* its path is too long for a key */
        ARCHIVE_NONSENSE,    /* a data server cannot make sense of what it is told of it */
};
const char *archive_error_name(enum archive_error e);

/* What was sent to a key, by this process, and had no answer. */
struct unheard {
        bool whole;      /* nothing of what QUEUE_SENT speaks of was sent by another */
        uint64_t change; /* of the file, when the last was sent */
        int64_t again;   /* as in struct backing: that may be carried out yet, until then; 0: it may not */
        int64_t late;    /* another one may */
};

/* One that is queued. */
struct job {
        struct hnode node;
        struct list in_ready;
        struct archiver *archiver;
        struct timer due;
        struct send *send; /* while it is being sent */
        uint64_t fileid;
        int64_t since;       /* wall time: S3 does not have all of it */
        uint64_t first_ns;   /* it has been in memory since */
        uint64_t touched_ns; /* last changed or closed */
        uint8_t seen;        /* these bits of `what` are durable */
        uint8_t attempts;    /* that have failed since the last change */
        bool now;            /* without the delay */
        struct unheard unheard;
        enum { JOB_WAITS, JOB_READY, JOB_RUNS } state;
};

enum { ARCHIVE_FAILURES = S3_ERRORS + ARCHIVE_NONSENSE - ARCHIVE_AGAIN + 1 };
struct archive_failures {
        struct metric count;
        char label[48];
};

struct archiver {
        struct tier *tier;
        struct mds *mds;
        struct hashtab jobs;
        struct slab slab;
        struct list ready, sends;
        uint32_t sending;
        struct task task;
        /* what did not fit into memory */
        bool beyond;
        uint64_t scanned; /* up to this number */
        /* tombs.c */
        struct timer tomb_timer;
        int64_t tomb_next;     /* when the pass after this one is to begin, wall time, as far as is known */
        uint64_t tomb_pass_ns; /* when this one began */
        uint8_t tomb_from[KEY_MAX]; /* it halted at this key, */
        uint32_t tomb_from_length;  /* or not, for 0 */
        struct list deletions;
        uint32_t deleting;
        /* unfinished.c */
        struct timer upload_timer;
        uint64_t upload_earliest_ns; /* no pass begins before */
        struct list endings;
        uint32_t ending;
        bool stopping;
        struct archive_failures failures[ARCHIVE_FAILURES]; /* archive_metrics.c */
        struct metric sent, sent_bytes, queued, conflicts, deleted, aborted, copied_bytes;
        struct histogram lag;
};

static inline struct archiver *archiver_of(const struct mds *mds)
{
        return mds->tier ? mds->tier->archiver : NULL;
}

/* --- queue.c */

/* In T: FILEID has WHAT that S3 does not have. NAME: of QUEUE_NAME, where it shall be or was. */
void queue_note(struct archiver *a, struct txn *t, uint64_t fileid, uint8_t what, const struct slice *name);
/* The record of FILEID, which points into SPACE (RECORD_MAX). 0, -ENOENT, -EIO. */
int queue_read(struct mds *mds, uint64_t fileid, uint8_t *space, struct queue_record *ret);
void queue_put(struct txn *t, uint64_t fileid, const struct queue_record *q);
void queue_delete(struct txn *t, uint64_t fileid);
struct job *queue_find(const struct archiver *a, uint64_t fileid);
struct job *queue_get(struct archiver *a, uint64_t fileid); /* made when new; NULL: no room */
/* It was changed or closed just now: its delay begins anew, but not for ever. */
void queue_touch(struct job *job);
/* Its turn comes in NS. */
void job_wait(struct job *job, uint64_t ns);
/* Nothing is queued of it any more. */
void job_forget(struct job *job);
void queue_load(struct archiver *a); /* from the store, as many as there is room for */
/* The shortest delay of all repos that export; UINT64_MAX: none does. */
uint64_t queue_delay_ns(const struct archiver *a);

/* --- archive_metrics.c */
void archive_metrics_register(struct archiver *a);
void archive_count_failure(struct archiver *a, enum archive_error error);

/* --- archive.c */
bool archive_is_open(const struct mds *mds, uint64_t fileid); /* for writing, or delegated for it */
void job_run(struct job *job);
/* The attempt is over; SEND is freed. */
void send_ended(struct send *s, enum archive_error error, const char *message);

/* --- send.c */

/* One attempt to bring S3 what it does not have of one file, directory or symlink. Its steps:
 *
 *   send_begin()    waits until the metadata know what data servers know (sizes), then decides what is to be
 *                   done: nothing, a copy inside S3, or the content
 *   mark            what is begun becomes durable before it can arrive, so that it is never forgotten there
 *   go()            the request, or many (parts.c); a precondition that fails leads to conflict.c and back
 *   send_arrived()  waits for the sizes again: is what was sent the file? Then, in one transaction, it is
 *                   backed by the new object, and not queued any more */
struct send {
        struct list node; /* in archiver->sends */
        struct archiver *archiver;
        struct job *job;
        struct repo *repo;
        struct size_wait size;
        struct durable_wait durable;
        bool planned; /* what is below is known, and what is done is decided */
        uint64_t fileid, change, bytes;
        uint64_t file; /* whose bytes it is of: FILEID, or the file that has that for a second name (second.h)
                        */
        int64_t ctime;
        uint32_t uid, gid;
        uint16_t mode;
        uint8_t type;
        char key[BACKING_KEY_BYTES + 1];     /* where it shall be */
        char old_key[BACKING_KEY_BYTES + 1]; /* where it is, if ETAG is not empty */
        char etag[BACKING_ETAG_BYTES + 1];
        char source[BACKING_KEY_BYTES + 1]; /* what a copy is made of: OLD_KEY, or the file's object */
        char source_etag[BACKING_ETAG_BYTES + 1];
        bool renews;                           /* it brings other bytes or metadata than S3 has */
        char expected[BACKING_ETAG_BYTES + 1]; /* what must be at KEY; "": nothing */
        bool unconditional;                    /* it has been looked at, or does not matter */
        bool refused;                          /* because of what is at KEY */
        uint8_t looks;                         /* at what is in the way */
        char other[BACKING_ETAG_BYTES + 1];    /* in the way, and kept under: */
        char other_key[BACKING_KEY_BYTES + 64];
        uint64_t other_size;
        void (*go)(struct send *);
        void (*then)(struct send *); /* what CALL is for */
        struct s3_call call;
        struct s3_metadata metadata;
        char arrived[BACKING_ETAG_BYTES + 1];   /* in S3 under this ETag, */
        char arrived_version[S3_VERSION_BYTES]; /* and as this version; "": not known */
        char upload_id[S3_UPLOAD_ID_BYTES];     /* of a multipart upload under way */
        int64_t noted;       /* when that, or that it is about to be begun, was noted; 0: it was not */
        bool noted_before;   /* by an attempt before this one, whose request may have come to S3 */
        uint64_t part_bytes; /* of that one */
        bool whole;          /* nothing of it is copied from the object that is there */
        struct parts *parts;
        uint32_t under_way; /* calls to data servers */
        bool abandoned;     /* it is freed with the last of them */
        uint64_t pause_ns;  /* before it is tried again, if that is not soon */
        struct timer turn;  /* of a directory that was renamed: */
        uint64_t followed;  /* up to this entry */
        bool renamed;
        struct iovec body;
        char target[NFS4_MAXPATH]; /* of a symlink */
};
void send_begin(struct send *s, const struct queue_record *q); /* send_plan.c */
void send_free(struct send *s);
/* Is it of a second name (second.h)? */
static inline bool send_is_second(const struct send *s)
{
        return s->file != s->fileid;
}
/* S3 has it under ETAG; as VERSION, if that was told. */
void send_arrived(struct send *s, const char *etag);
void send_arrived_as(struct send *s, const char *etag, const char *version);
void send_stamp(struct send *s); /* it has had it before: only the change attribute has moved */
/* Something was not done: looks for what is in the way, or ends. */
void send_refused(struct send *s, enum archive_error error, const char *message);
/* Before a request on s->call. */
struct s3_call *send_call(struct send *s, void (*then)(struct send *));
/* A data server has answered. False: nobody waits for it any more. */
bool send_answered(struct send *s);
struct s3_put_args send_put_args(const struct send *s);
/* That it goes to s->key becomes durable; then THEN. */
void send_mark(struct send *s, void (*then)(struct send *));
/* T is committed, and when it is durable THEN runs; or S ends. */
void send_commit(struct send *s, struct txn *t, void (*then)(struct send *));

void send_content(struct send *s); /* s->go of what has new bytes */
void send_copy(struct send *s);    /* send_copy.c: s->go of what has not */

/* --- send_late.c */
/* S begins; SENT: something was sent before. */
void late_begin(struct send *s, bool sent);
/* A request that wrote to s->key is over; LATE: it may be carried out yet, or once more. */
void send_heard(struct send *s, bool late);
void send_heard_copy(struct send *s); /* that of s->call is */
/* S has arrived, and is backed by B: what else may come to its key? */
void late_note(const struct send *s, struct backing *b);
/* Until when may what was sent of the file with the backing B, and had no answer, arrive? SENT: all that was
 * sent since is unknown. */
int64_t tomb_unheard(const struct archiver *a, const struct backing *b, bool sent);

/* --- members.c */

/* The repo of INODE, if it takes WHAT to S3; B: what backs it. */
struct repo *member_exporting(struct archiver *a, const struct inode *inode, unsigned what, uint8_t *record,
                              struct backing *b);
/* The key of NAME in the directory with the key DIR, into OUT (BACKING_KEY_BYTES). False: it is too long. */
bool member_make_key(struct slice dir, struct slice name, bool is_dir, uint8_t *out, struct slice *ret);
/* The object of INODE, with the backing B, is to go; S3 may have one that we have not heard of. REPO is NULL
 * if it is not linked any more. */
void member_bury(struct archiver *a, struct txn *t, const struct inode *inode, const struct backing *b,
                 const struct repo *repo);
/* The key of INODE, with the backing B, is to be KEY. A directory has its new one at once, for what is made
 * in it from now on; what is in it follows (members_follow()). REMOVED: the name of the old key was removed,
 * so that its object goes as that of a removed file. TAKEN: what is at the old key is not ours any more. */
enum member_why { MEMBER_RENAMED, MEMBER_REMOVED, MEMBER_TAKEN };
void member_rename(struct archiver *a, struct txn *t, struct inode *inode, struct backing *b,
                   struct slice key, enum member_why why);
/* NAME in DIR is gone, one of several of INODE of which nobody has noted where they are. When its key was of
 * that it leaves the repo, or has first to be brought here. */
void member_lost_name(struct archiver *a, struct txn *t, const struct inode *dir, struct slice name,
                      struct inode *inode);
/* What is in the directory FILEID, whose key is new, gets new keys; the next few of it behind
 * the entry *AFTER. 1: there is more; 0; -errno. */
int members_follow(struct archiver *a, uint64_t fileid, uint64_t *after);

/* --- parts.c: the content as a multipart upload, a new one or one that an earlier attempt has begun
 * (unfinished.h) */
void parts_begin(struct send *s);
void parts_free(struct parts *p);
void parts_cancel(struct parts *p); /* no answer of S3 is waited for any more */
/* In T: S has arrived; BEFORE: what backed it. What its parts are is kept for the next time (digests.h). */
void parts_note(struct send *s, struct txn *t, const struct backing *before);

/* --- upload.c: calls to data servers */
struct upload {
        const struct inode *file;
        uint32_t index; /* of the data server that sends */
        uint64_t offset, length;
        const char *upload_id; /* NULL: one PUT */
        unsigned part;
        bool digest;          /* of a part: it is wanted */
        const uint8_t *known; /* a part with this one (DIGEST_BYTES) need not be sent; NULL: it must */
};
/* DONE runs later, with the answer or NULL; -ENOTCONN: it is away, -ENOMEM. */
int upload_call(struct send *s, const struct upload *u,
                void (*done)(void *arg, struct server *, void *result), void *arg);
/* What an answer says; the message into MESSAGE (256 bytes). */
enum archive_error upload_error(const ctl_upload_res *r, char *message);

/* --- conflict.c: is something else at s->key? Looks at it, and goes on with s->go, or ends. */
void conflict_look(struct send *s);

/* Has FILEID no name any more, but somebody has it open, and bytes of it are at KEY only? Then they are being
 * brought here. */
bool orphan_needs(struct archiver *a, uint64_t fileid, const char *key);
/* Is the object at KEY still that of FILEID, which was renamed? Then it is not to be written over before it
 * was copied from there; if all of it is here, it goes to its new place as a whole instead. Two files may
 * have changed their names, each with what the other needs: so what is not here is brought. */
bool send_needs_key(struct archiver *a, uint64_t fileid, const char *key);
/* Does an attempt write to KEY, or copy from there? Nobody deletes it meanwhile. */
bool send_uses_key(const struct archiver *a, const char *key);

/* --- tomb.c: the records */
/* In T, joined with what is there. */
void tomb_put(struct archiver *a, struct txn *t, uint32_t repo, struct slice key,
              const struct tomb_record *z);
/* FILEID has left KEY, where the object B is or may be (SENT), but still needs it: whoever gets the name
 * knows by this whose that is, and it is not deleted before it is ripe; REMOVED: and then when it would be if
 * its file had been removed. When somebody else's object is there
 * this is not any more, and then it cannot ripen. */
void tomb_reserve(struct archiver *a, struct txn *t, const struct backing *b, struct slice key,
                  uint64_t fileid, bool sent, bool removed);
/* When an object of REPO, or of none for NULL, goes whose file is removed now. */
int64_t tomb_due(const struct archiver *a, const struct repo *repo);
void tomb_ripen(struct archiver *a, struct txn *t, uint32_t repo, struct slice key, uint64_t fileid);
/* Is there one at KEY that speaks of FILEID? */
bool tomb_is_of(const struct archiver *a, uint32_t repo, struct slice key, uint64_t fileid);
/* Until when may an attempt for the file with the backing B arrive: one that was made since it arrived there
 * (SENT), or an earlier one? */
int64_t tomb_late(const struct archiver *a, const struct backing *b, bool sent);
/* Until when may a DELETE; 0: none. */
int64_t tomb_late_deletion(const struct tomb_record *z);
/* The one of KEY, which points into SPACE (RECORD_MAX). 0, -ENOENT, -EIO. */
int tomb_read(struct mds *mds, uint32_t repo, struct slice key, uint8_t *space, struct tomb_record *ret);
void tomb_write(struct txn *t, uint32_t repo, struct slice key, const struct tomb_record *z);

/* --- tombs.c: the objects */
/* Look at all that are due at DUE, wall time, or when it was asked for before. */
void tombs_ask_for(struct archiver *a, int64_t due);
/* Is the object KEY being looked at, to be deleted? Nobody writes there meanwhile. */
bool tomb_is_being_deleted(const struct archiver *a, uint32_t repo, const char *key);
/* Is ID, which is ours (describe.h), of a file that is gone? */
bool tomb_is_of_nobody(struct mds *mds, const struct describe_id *id);
void tombs_start(struct archiver *a);
void tombs_stop(struct archiver *a);
void tombs_quieten(struct archiver *a, const struct repo *r); /* those of R, or of all for NULL */
