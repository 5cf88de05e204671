/* SPDX-License-Identifier: Apache-2.0 */
/* Digests over bytes in pieces, as S3 wants them of a request's body. */
#pragma once

#include <stdint.h>
#include <sys/uio.h>

#include "base/sha256.h"

enum { MD5_BYTES = 16 };

/* RFC 1321: not for secrets, only for what S3 defines with it (Content-MD5, ETags). */
void md5_iov(const struct iovec *pieces, int count, uint8_t out[MD5_BYTES]);
void sha256_iov(const struct iovec *pieces, int count, uint8_t out[SHA256_BYTES]);

/* CRC-32C (Castagnoli; RFC 3720 §12.1): of DATA behind what gave SO_FAR, 0 for nothing yet. */
uint32_t crc32c(uint32_t so_far, const void *data, size_t length);
uint32_t crc32c_iov(const struct iovec *pieces, int count);
/* Likewise CRC-64/NVME, S3's own. */
uint64_t crc64nvme(uint64_t so_far, const void *data, size_t length);
uint64_t crc64nvme_iov(const struct iovec *pieces, int count);

/* As text; both end with a NUL: lower-case hex in 2 n + 1 bytes, base64 (RFC 4648 §4) in 4 ceil(n/3) + 1. */
char *hex_of(const uint8_t *data, size_t length, char *out);
char *base64_of(const uint8_t *data, size_t length, char *out);
