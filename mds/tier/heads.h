/* SPDX-License-Identifier: Apache-2.0 */
/* Whose is it? A listing says size, ETag and time; owner, mode, the other times, symlinks and extended
 * attributes are in an object's metadata (describe.h), and only HEAD tells those. So a name that a listing
 * has brought is *undescribed* at first (struct inode), with an 'h' record, until S3 was asked:
 *
 *   in the background   in the order in which the names came, BACKGROUND at a time, behind all other requests
 *                       of the repo's budget; from where somebody waits on, since others will be asked for
 *                       that are near. The records are the queue, so that memory does not grow with the
 *                       bucket, and a restart goes on
 *   at once             when an operation acts on it (admit.h), which waits meanwhile. So nobody acts on an
 *                       owner or a mode that is a guess, and nobody is told one: READDIR leaves the
 * attributes out, and the client asks for them with LOOKUP
 *
 * The answer moves neither change nor ctime: what S3 says is what the file has always been. An object that is
 * a symlink becomes another inode under the name. 404 is an answer: of a directory there may be no object.
 * Whatever else goes wrong is tried ROUNDS times (each with the retries of s3tier/), then the repo's defaults
 * stand, until a sweep has S3 asked once more; the reason is logged and counted.
 *
 * A repo that is paused has nothing asked in the background; of one that is not linked any more the defaults
 * stand for as long. */
#pragma once

#include "mds/tier/keys.h"

enum {
        HEADS_BACKGROUND = 12,
        HEADS_MAX = 44 /* at once, with those that are waited for */,
        HEADS_ROUNDS = 3
};

struct heads;
struct heads *heads_new(struct tier *t); /* NULL: out of memory */
void heads_stop(struct heads *h);        /* nothing begins any more, who waits is told; NULL is fine */
void heads_free(struct heads *h);        /* NULL is fine */
/* Nobody has a call of R's under way any more, nor waits for one. */
void heads_quieten(struct heads *h, const struct repo *r);

/* In T: INODE, which is new and backed, has the NAME in DIRECTORY, and S3 is to be asked. */
void heads_note(struct txn *t, struct inode *inode, uint64_t directory, struct slice name);
/* S3 has refused to tell of FILE, which is called NAME in DIRECTORY (BACKING_UNTOLD): it is asked again. 0 or
 * -errno. */
int heads_again(struct tier *t, const struct inode *file, uint64_t directory, struct slice name);
/* What is known of a name that is undescribed: S3's answer, or a manifest's (manifest.h). */
struct told {
        const struct s3_metadata *metadata;    /* NULL: there is no object, or S3 has refused */
        const struct description *description; /* what they say */
        bool refused;
        bool believed;        /* of a directory: nobody has seen its object, see manifest.h */
        bool is_symlink;      /* to TARGET */
        uint64_t modified_ns; /* of a directory: its object was; 0: there is none */
        struct slice target;
        const char *etag, *version; /* of the object, as HEAD saw it; NULL: nobody did */
};
/* FILEID is so, and described. 1; 0: it is gone, or was described before; -errno: the store does not take it.
 */
int heads_told(struct tier *t, uint64_t fileid, const struct told *told);
/* There may be something to ask. */
void heads_go(struct heads *h);

/* Is INODE undescribed, and will S3 be asked? */
bool heads_is_due(struct tier *t, const struct inode *inode);
/* Somebody waits: a member of his. */
struct head_wait {
        struct list node; /* may be removed: then nobody waits */
        uint64_t fileid;
        void (*done)(struct head_wait *, enum nfsstat4); /* OK: it is described, or gone; DELAY: again */
};
/* Ask about FILEID, which is due, before all others; W->done runs later, or from inside when there is no
 * memory. */
void heads_want(struct heads *h, uint64_t fileid, struct head_wait *w);
/* The same for who does not wait. */
void heads_hurry(struct heads *h, uint64_t fileid);
