/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 and what is made of it: the front door to openssl's hashes. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32 };

void sha256(const void *data, size_t length, uint8_t out[SHA256_BYTES]);
/* The same in pieces: end() gives it, drop() does not; both free it. */
struct sha256_pieces;
struct sha256_pieces *sha256_begin(void);
void sha256_add(struct sha256_pieces *p, const void *data, size_t length);
void sha256_end(struct sha256_pieces *p, uint8_t out[SHA256_BYTES]);
void sha256_drop(struct sha256_pieces *p);
/* RFC 2104. */
void hmac_sha256(const void *key, size_t key_length, const void *data, size_t length,
                 uint8_t out[SHA256_BYTES]);
/* A key of BYTES <= 32 for one purpose: the start of HMAC-SHA256 of LABEL under the cluster's key. */
void key_derive(const uint8_t cluster_key[32], const char *label, void *out, size_t bytes);
