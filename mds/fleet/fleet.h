/* SPDX-License-Identifier: Apache-2.0 */
/* The data servers: who is a member (durable), who is here, how full they are, the pools and devices made of them, and
 * the fences they must hold. */
#pragma once

#include "include/stripe.h"
#include "mds/mds.h"

enum { FLEET_MAX = 256, FLEET_MAX_ADDRS = 8 };

struct server {                          /* one data server */
        uint32_t id;                     /* 1.., for ever */
        char name[65];
        uint8_t uuid[16], boot[8];
        struct netaddr addrs[FLEET_MAX_ADDRS];
        uint32_t addr_count;
        struct conn *conn;               /* control connection; NULL: away */
        bool up, full, failing;
        uint64_t trusted_until_ns;       /* it serves nothing under old fences after this if it does not hear from us */
        uint64_t last_heard_ns;
        uint64_t space_total, space_free, used_by_objects, objects;
        uint32_t fence_acked;            /* epoch up to which it has acknowledged fences */
        uint64_t bytes_in, bytes_out;
};

struct fleet *fleet_new(struct mds *mds); /* members and pools from the store */
void fleet_free(struct fleet *f);
uint32_t fleet_count(const struct fleet *f);              /* members */
struct server *fleet_at(const struct fleet *f, uint32_t i);
struct server *fleet_by_id(const struct fleet *f, uint32_t id);
/* The data server with device index INDEX of the device (POOL, START, WIDTH); NULL: no such pool. */
struct server *fleet_device_server(const struct fleet *f, uint16_t pool, uint8_t start, uint16_t width, uint32_t index);
/* Sums over members: for statfs. */
void fleet_space(const struct fleet *f, uint64_t *ret_total, uint64_t *ret_free);
/* Stripe geometry for a new file in a directory with POLICY (unit and width, 0 = configured): fills the inode's unit,
 * width, pool, start, first. False: no data server can take new files now. Pure in (policy, fleet, fileid). */
bool fleet_place(struct fleet *f, const struct inode *policy, struct inode *file);

/* Raise the fence of FILEID for CLIENT_TAG (0 = all) to a new epoch and tell every data server of the file; DONE runs when
 * each has acknowledged or its trust has run out. */
struct fence_wait { struct list node; uint32_t epoch, waiting_for; void (*done)(struct fence_wait *); };
void fleet_fence(struct fleet *f, const struct inode *file, uint32_t client_tag, bool final, struct fence_wait *wait);
