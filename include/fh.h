/* SPDX-License-Identifier: Apache-2.0 */
/* The NFS file handle: 40 bytes, the same shape for both servers, signed with the cluster key.
 *
 * kind FH_MDS: what clients get from GETFH. Names (export, fileid, generation); geometry, client and epoch
 * are 0. kind FH_DS:  what LAYOUTGET puts in a layout. A capability (DESIGN: trust between MDS and DS): it
 * names the object, the stripe geometry, the one client that may use it, whether for writing, and the layout
 * epoch. A data server believes it because of the MAC.
 *
 * byte  0     kind               12..15 generation        26     width (data servers in the device) - 1
 *       1     flags              16..19 epoch             27     first stripe index
 *       2..3  export id          20..23 client            28..29 pool generation
 *       4..11 fileid             24..25 unit / 4096       30     start (pool position of device index 0)
 *                                                         31     0
 *      32..39 SipHash-2-4 of bytes 0..31 under the cluster key.   All integers big-endian.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { FH_BYTES = 40, FH_MDS = 1, FH_DS = 2 };
enum {
        FH_WRITE = 1 /* DS: layout iomode RW */,
        FH_TIERED = 2 /* DS: backed by an S3 object */,
        FH_PSEUDO = 4 /* MDS: a node of the pseudo file system */,
        FH_PROXY = 8 /* DS: the MDS's own */
};
enum { FH_UNIT_GRAIN = 4096 };

struct fh {
        uint8_t kind, flags;
        uint16_t export_id;
        uint64_t fileid;
        uint32_t generation;
        uint32_t epoch;
        uint32_t client; /* client_tag() of the co_ownerid and verifier */
        uint32_t unit;   /* stripe unit in bytes, a multiple of 4096 up to 65535 * 4096; 0 in FH_MDS */
        uint16_t width;  /* 1..256; 0 in FH_MDS */
        uint8_t first;   /* first stripe index, < width */
        uint16_t pool;   /* pool generation the device belongs to */
        uint8_t start;   /* pool position of device index 0 */
};

/* Write FH into OUT, signed. Every field must be in range, and zero or unset what its kind does not have
 * (asserted). */
void fh_encode(const struct fh *fh, const uint8_t key[16], uint8_t out[FH_BYTES]);

/* Read a handle: false unless LENGTH is FH_BYTES, the MAC is right and every field is in range; *ret
 * untouched then. */
bool fh_decode(const void *bytes, uint32_t length, const uint8_t key[16], struct fh *ret);

/* The 32-bit name of a client instance that both servers compute alike: SipHash of co_ownerid ‖ co_verifier,
 * never 0. */
uint32_t client_tag(const void *owner, uint32_t length, const uint8_t verifier[8], const uint8_t key[16]);
