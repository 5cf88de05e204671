/* SPDX-License-Identifier: Apache-2.0 */
/* Device ids that clients know, and CB_NOTIFY_DEVICEID (RFC 8881 §12.2.10, §18.40, §20.12).
 *
 * What an id names never changes: a data server that says HELLO from other addresses has other devices from
 * then on, and the old ids name nothing. The layouts that refer to them are taken back (recall.h); when a
 * client has none of these any more, and it asked for that with GETDEVICEINFO, it can be told that the id is
 * gone. Only if the configuration says so: Linux (6.1, 6.12) destroys its session with the old address in the
 * thread that answers callbacks, waits for who is not there any more, and answers no recall meanwhile, so
 * that a lease later its layouts are revoked. A client that is not told learns it by NOENT. Nothing
 * survives our restart, as layouts do not. */
#pragma once

#include "mds/fleet/fleet.h"
#include "mds/state/layout.h"

enum { DEVICES_MAX = 1 << 16 /* beyond it the oldest are forgotten */, DEVICES_OF_CLIENT = 1024 };

struct devices *devices_new(struct mds *mds); /* NULL: out of memory */
void devices_free(struct devices *d);         /* after all clients are gone */

/* GETDEVICEINFO told the client of C what ID names. NOTIFY: it wants to hear when it does not any more; what
 * it said last about an id counts. */
void devices_told(struct devices *d, const struct compound *c, const uint8_t id[NFS4_DEVICEID_SIZE],
                  bool notify);
/* S has other addresses than before. */
void devices_server_moved(struct devices *d, const struct server *s);
/* A layout of CLIENT is not being taken back any more, because it has ended or was given anew. */
void devices_recall_ended(struct devices *d, const struct client *client);
void devices_client_gone(const struct client *client);
uint32_t devices_count(const struct devices *d);
