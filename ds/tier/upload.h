/* SPDX-License-Identifier: Apache-2.0 */
/* One range of a file goes to S3: it is gathered (gather.h), then PUT as an object, if the MDS says that the
 * file is still what it was, or as a part of an upload that the MDS has begun; a part that has
 * the digest that the MDS knows is in S3 already, and is not sent. A PUT whose condition fails
 * because the same bytes are there already is a success, so whoever lost an answer may ask again. Keys that
 * are refused are asked for anew once, as for fetches. */
#pragma once

#include "base/sha256.h"
#include "ds/tier/ask.h"
#include "ds/tier/bucket.h"
#include "ds/tier/gather.h"

enum { UPLOAD_SECONDS = 60 /* for S3 to take it, and */, UPLOAD_SLOWEST = 256 * 1024 /* bytes a second */ };

struct ctl_request;
struct upload { /* one a CTL_UPLOAD; zero it */
        /* set by the caller */
        const ctl_upload_args *args;   /* what makes sense; lives until done() */
        struct fh fh;                  /* that args->handle is */
        struct ctl_request *request;   /* the caller's */
        void (*done)(struct upload *); /* once, on worker 0, perhaps from inside upload_start() */
        /* the answer, as CTL_UPLOAD's */
        ctl_status status;
        char etag[S3_ETAG_BYTES], version[S3_VERSION_BYTES], message[256];
        const char *error;
        bool late, same;
        uint8_t digest[SHA256_BYTES]; /* of a part */
        /* private */
        struct message msg;
        struct list node; /* in tier_worker.uploading */
        struct worker *worker;
        enum { UPLOAD_GATHERS, UPLOAD_DIGESTS, UPLOAD_WITH_MDS, UPLOAD_WITH_BUCKET, UPLOAD_WITH_S3 } step;
        bool tried_other_keys;
        uint64_t since_ns;
        uint8_t *bytes;
        struct iovec body;
        struct gather gather;
        struct sha256_pieces *pieces; /* while it is made, some in each turn of the loop: */
        struct timer turn;
        uint64_t digested; /* bytes */
        struct tier_ask ask;
        struct link *link;
        struct link_wait link_wait;
        struct s3_call call;
};
/* On worker 0: have W do it. */
void upload_start(struct worker *w, struct upload *u);
/* On TW's thread, and nobody waits for the answers: end those that are under way, as CTL_UNKNOWN. */
void uploads_give_up(struct tier_worker *tw);

void upload_metrics_register(struct tier_metrics *c, struct metrics *m);
