/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's connections to the S3 endpoints of repos. What a repo is, and the keys to it, are asked from the
 * MDS once (CTL_REPO); again before they expire, when the endpoint refuses them or cannot be reached, for a
 * repo that was not to be had, after a while, and when the MDS speaks of a newer revision of the repo than it
 * told then: what is read and sent from then on goes where the repo is now. The repo's limits are of the data
 * server: each worker has its share. */
#pragma once

#include "ds/tier/tier.h"
#include "s3tier/s3.h"

struct link { /* one set of keys */
        struct bucket *bucket;
        uint32_t users; /* calls; the bucket's present link is kept without */
        struct http *http;
        struct creds_provider *creds;
        struct s3 *s3;
        uint64_t revision; /* the repo's */
        uint64_t made_ns, expires_wall_ns;
        bool old; /* another one has taken its place */
};

struct link_wait { /* a member of whoever waits */
        struct list node;
        uint64_t revision; /* at least that one */
        bool asked_again;
        /* LINK is used until link_release(); NULL: not now, WHY */
        void (*ready)(struct link_wait *, struct link *link, enum tier_outcome why);
};
/* The link to REPO, of its REVISION or a later one, used until link_release(); NULL: W->ready() runs later.
 */
struct link *link_get(struct tier_worker *tw, uint32_t repo, uint64_t revision, struct link_wait *w);
void link_release(struct link *l);
/* The endpoint refuses L's keys, or is not there: true when others will be asked for, so that it can be tried
 * again. */
bool link_refused(struct link *l);
/* Nobody waits or uses a link. */
void buckets_free(struct tier_worker *tw);
/* Stop waiting; not waiting is fine. */
void link_cancel(struct link_wait *w);
