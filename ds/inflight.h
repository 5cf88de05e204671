/* SPDX-License-Identifier: Apache-2.0 */
/* Writes on their way to disk, in the order they began, and who waits for the older ones to land: a fence may
 * be acknowledged, and an object cut, only when no write that it should have stopped can still arrive. One a
 * worker; and one of what the disk reads, which is waited for before bytes go that are in S3 (ctl_release.c).
 */
#pragma once

#include "base/list.h"
#include "include/fh.h"

struct ticket { /* one write; a member of whoever writes (or reads) */
        struct list node;
        uint64_t number;
        const struct fh *fh; /* the writer's */
};

struct inflight {
        struct list tickets, drains;
        uint64_t next_number;
        uint32_t count;
};

struct drain { /* somebody who waits */
        struct list node;
        uint64_t upto;
        void (*done)(struct drain *);
};

void inflight_init(struct inflight *in);
void inflight_begin(struct inflight *in, struct ticket *t, const struct fh *fh);
/* Calls done() of those who waited for it. */
void inflight_end(struct inflight *in, struct ticket *t);
/* For MATCHES: is it of the file whose number (uint64_t) is at FILEID? */
bool inflight_is_of(void *fileid, const struct fh *fh);
/* Is a write for which MATCHES says yes under way? */
bool inflight_any(const struct inflight *in, bool (*matches)(void *arg, const struct fh *fh), void *arg);
/* Wait until every write that is under way now and MATCHES has landed (and what began before it): true when
 * there is none, else D->done() runs later. */
bool inflight_drain(struct inflight *in, struct drain *d, bool (*matches)(void *arg, const struct fh *fh),
                    void *arg);
