/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of the files layout type, RFC 8881 §13.3: layout bodies and device addresses. Pure in what is
 * given. */
#pragma once

#include "mds/fleet/fleet.h"

/* Device id: fsid (8) ‖ pool (2) ‖ start (1) ‖ 0 ‖ width (2) ‖ hash of the members' addresses (2). The hash
 * makes a data server that moved a new device, because the content of an id never changes (§12.2.10). */
void device_id(const struct fleet *f, uint16_t pool, uint8_t start, uint16_t width,
               uint8_t out[NFS4_DEVICEID_SIZE]);
/* What ID names now: false: nothing (any more). */
bool device_parse(const struct fleet *f, const uint8_t id[NFS4_DEVICEID_SIZE], uint16_t *ret_pool,
                  uint8_t *ret_start, uint16_t *ret_width);

/* nfsv4_1_file_layout_ds_addr4: stripe indices 0..width-1 and one multipath list a data server, as
 * long as all fit. WIDTH <= DEVICE_WIDTH_MAX. Bytes; 0: does not fit. */
uint32_t device_addr(const struct fleet *f, uint16_t pool, uint8_t start, uint16_t width, uint8_t *out,
                     uint32_t capacity);

/* nfsv4_1_file_layout4 for FILE: sparse, the same handle repeated once per data server (LINUX: one handle for
 * many, or dense packing, corrupts data on stock kernels). Bytes of the body; at most 36 + 8 + 44 * width. */
uint32_t files_layout(const struct fleet *f, const struct inode *file, const struct fh *handle,
                      const uint8_t key[16], uint8_t *out, uint32_t capacity);
