/* SPDX-License-Identifier: Apache-2.0 */
/* The door for clients: listens, keeps who comes before the first HELLO waiting, and deals connections to
 * workers by the client's address, so that all connections of a client (nconnect) meet on one worker, where
 * its session is. */
#pragma once

#include "base/env.h"

enum { FRONT_LISTENERS = 8, FRONT_WAITING = 1024 };

struct ds;
struct front {
        struct ds *ds;
        struct listener *listeners[FRONT_LISTENERS];
        struct netaddr addrs[FRONT_LISTENERS]; /* where we listen, with the real port */
        unsigned count, listening;
        bool serving;
        struct stream *waiting[FRONT_WAITING];
        unsigned waiting_count;
};

/* Listen on the configured addresses; already listening is fine. 0, or -errno and *ret_bad is the address. */
int front_listen(struct front *f, struct netaddr *ret_bad);
/* Serve from now on, first those who wait. */
void front_serve(struct front *f);
/* Refuse: whoever waits is closed, newcomers see nobody listening. */
void front_close(struct front *f);
