/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4 (Aumasson and Bernstein 2012): a 64-bit keyed hash, used as MAC of handles and as hash of
 * names. */
#pragma once

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(const void *data, size_t length, const uint8_t key[16]);
