/* SPDX-License-Identifier: Apache-2.0 */
/* What tls.c and tls_context.c share; nobody else includes this. */
#pragma once

#include <openssl/ssl.h>

#include "rpc/tls.h"

enum { TLS_SCRATCH = 64 * 1024 };

struct tls_context {
        struct env *env;
        SSL_CTX *ssl;
        SSL_SESSION *psk;
        uint8_t scratch[TLS_SCRATCH]; /* ciphertext on its way from here to there: one thread */
};

/* A connection's SSL between two memory BIOs that it owns; NULL: out of memory. */
SSL *tls_open(struct tls_context *t, bool is_server, BIO **ret_in, BIO **ret_out);
