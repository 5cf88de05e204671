/* SPDX-License-Identifier: Apache-2.0 */
/* The data servers: who is a member (durable), who is here, how full they are, and the pools and devices made
 * of them.
 *
 * A pool is an ordered list of members with an immutable number (its generation); a device is WIDTH
 * consecutive members of a pool from START on. When the set of data servers that can take new files changes,
 * the pool of exactly those is found or made; files keep the pool they were made in. */
#pragma once

#include "include/stripe.h"
#include "mds/fleet/ctl_call.h"
#include "mds/mds.h"

enum { FLEET_MAX = CTL_MAX_SERVERS, FLEET_MAX_ADDRS = 8, FLEET_NAME = 64, POOLS_MAX = CTL_MAX_POOLS };
enum { DEVICE_WIDTH_MAX = 64 /* what fits the layout that Linux takes */ };

struct server {      /* one data server */
        uint32_t id; /* 1.., for ever */
        char name[FLEET_NAME + 1];
        uint8_t uuid[16], boot[8];
        struct netaddr addrs[FLEET_MAX_ADDRS];
        uint32_t addr_count;
        struct conn *conn; /* control connection; NULL: away */
        bool up, full, failing, leaving;
        uint64_t
                trusted_until_ns; /* it serves nothing by old fences after this if it does not hear from us */
        uint64_t last_heard_ns;   /* 0: never since we started */
        uint64_t space_total, space_free, used, objects;
        struct ctl_queue queue;          /* calls to it */
        struct fence_message *gathering; /* fences of this turn, not sent yet (fences.c); NULL: none */
        const char *nonsense;            /* what server_makes_no_sense() logged last */
};

struct pool {
        uint16_t generation;
        uint16_t count;
        uint32_t members[FLEET_MAX]; /* server ids */
};

struct fleet {
        struct mds *mds;
        struct server *servers[FLEET_MAX];
        uint32_t count;
        struct pool *pools[POOLS_MAX];
        uint32_t pool_count;
        uint16_t current; /* generation new files are placed in; 0: none */
        struct fences *fences;
        struct metric fence_count, joined;
        char refused[FLEET_NAME + 64]; /* who was refused last, and why: for the log */
};

struct fleet *fleet_new(struct mds *mds); /* members and pools from the store; NULL with a log line */
void fleet_free(struct fleet *f);
struct server *fleet_by_id(const struct fleet *f, uint32_t id);
struct server *fleet_by_uuid(const struct fleet *f, const uint8_t uuid[16]);
/* Make a new member durable; NULL: no room or the store failed. */
struct server *fleet_add(struct fleet *f, const char *name, const uint8_t uuid[16]);
/* Addresses, state or fullness of a member changed: store it, choose the pool for new files again. */
void fleet_changed(struct fleet *f, struct server *changed);
const struct pool *fleet_pool(const struct fleet *f, uint32_t generation);
/* The position of SERVER in POOL, or -1. */
int pool_position(const struct pool *pool, uint32_t server_id);
/* The data server with device index INDEX of the device (POOL, START, WIDTH); NULL: no such pool. */
struct server *fleet_device_server(const struct fleet *f, uint16_t pool, uint8_t start, uint16_t width,
                                   uint32_t index);
/* The same for a file; and are all of its data servers here? */
static inline struct server *fleet_file_server(const struct fleet *f, const struct inode *file,
                                               uint32_t index)
{
        return fleet_device_server(f, file->pool, file->start, file->width, index);
}
bool fleet_file_is_up(const struct fleet *f, const struct inode *file);
/* Would all of its data servers be given new files too? */
bool fleet_file_takes_new(const struct fleet *f, const struct inode *file);
/* Is a part of FILE on SERVER_ID? */
bool fleet_file_is_on(const struct fleet *f, const struct inode *file, uint32_t server_id);
static inline struct stripe inode_stripe(const struct inode *file)
{
        return (struct stripe){ file->unit, file->width, file->first };
}
/* S said WHAT (a literal), which cannot be: one log line until it says something else that cannot be, or
 * HELLO. */
void server_makes_no_sense(struct server *s, const char *what);
/* Sums over members: for statfs. */
void fleet_space(const struct fleet *f, uint64_t *ret_total, uint64_t *ret_free);
/* Stripe geometry for a new file in a directory with POLICY (unit and width, 0 = configured): fills the
 * inode's unit, width, pool, start, first. NFS4ERR_DELAY: no data server can take new files now, but one is
 * away that has been here within two leases; NFS4ERR_NOSPC: none can, and none is expected. */
enum nfsstat4 fleet_place(struct fleet *f, const struct inode *policy, struct inode *file);
/* up, full, failing, silent, down: as `nacre ds list` shows it. */
const char *server_state(const struct server *s, uint64_t now_ns);
