/* SPDX-License-Identifier: Apache-2.0 */
/* TLS 1.3 with an external pre-shared key over any stream (RFC 8446 §4.2.11, RFC 9257): both ends prove that
 * they hold the cluster key, everything is encrypted. Used by the control protocol. The front door of
 * OpenSSL's SSL half. */
#pragma once

#include "base/env.h"

struct tls_context;
/* KEY: 32 bytes derived from the cluster key for this use. NULL: out of memory or OpenSSL refuses. */
struct tls_context *tls_context_new(struct env *env, const uint8_t key[32]);
void tls_context_free(struct tls_context *t);
/* A stream over LOWER (taken over, also on failure): handshakes by itself; readv/writev say -EAGAIN until it
 * is done and -EACCES when the other end does not have the key. */
struct stream *tls_stream_new(struct tls_context *t, struct stream *lower, bool is_server);
