/* SPDX-License-Identifier: Apache-2.0 */
/* The key: what all TLS streams of one environment share. */
#include <stdlib.h>
#include <string.h>

#include "rpc/tls_private.h"

static const char identity[] = "nacre"; /* one key, one identity: RFC 9257 §5.2 has nothing to tell apart */

/* An external PSK is a session that never was (RFC 8446 §2.2): the key as its secret, and a cipher suite for
 * the hash it is used with. OpenSSL gives a session five minutes; a key has no end. */
static SSL_SESSION *make_psk(SSL_CTX *ctx, const uint8_t key[32])
{
        static const unsigned char aes_128_gcm_sha256[2] = { 0x13, 0x01 };
        SSL *ssl = SSL_new(ctx);
        SSL_SESSION *session = SSL_SESSION_new();
        const SSL_CIPHER *cipher = ssl ? SSL_CIPHER_find(ssl, aes_128_gcm_sha256) : NULL;

        if (!session || !cipher || !SSL_SESSION_set1_master_key(session, key, 32) ||
            !SSL_SESSION_set_cipher(session, cipher) ||
            !SSL_SESSION_set1_id_context(session, (const unsigned char *)identity, sizeof(identity)) ||
            !SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) ||
            !SSL_SESSION_set_timeout(session, INT32_MAX)) {
                SSL_SESSION_free(session);
                session = NULL;
        }
        SSL_free(ssl);
        return session;
}

static struct tls_context *context_of(SSL *ssl)
{
        return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static int client_psk(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *id_length,
                      SSL_SESSION **session)
{
        struct tls_context *t = context_of(ssl);

        (void)md; /* every suite that is enabled uses SHA-256 */
        SSL_SESSION_up_ref(t->psk);
        *id = (const unsigned char *)identity;
        *id_length = strlen(identity);
        *session = t->psk;
        return 1;
}

static int server_psk(SSL *ssl, const unsigned char *id, size_t id_length, SSL_SESSION **session)
{
        struct tls_context *t = context_of(ssl);

        *session = NULL;
        if (id_length == strlen(identity) && memcmp(id, identity, id_length) == 0) {
                SSL_SESSION_up_ref(t->psk);
                *session = t->psk;
        }
        return 1;
}

static bool configure(SSL_CTX *ctx)
{
        if (!SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) ||
            !SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) ||
            !SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") || !SSL_CTX_set_num_tickets(ctx, 0) ||
            !SSL_CTX_set_session_id_context(ctx, (const unsigned char *)identity, sizeof(identity)))
                return false;
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        /* With no authority to trust: a certificate in place of the key is refused. */
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_psk_use_session_callback(ctx, client_psk);
        SSL_CTX_set_psk_find_session_callback(ctx, server_psk);
        return true;
}

struct tls_context *tls_context_new(struct env *env, const uint8_t key[32])
{
        struct tls_context *t = calloc(1, sizeof(*t));

        if (!t)
                return NULL;
        t->env = env;
        t->ssl = SSL_CTX_new(TLS_method());
        if (t->ssl && configure(t->ssl) && SSL_CTX_set_app_data(t->ssl, t))
                t->psk = make_psk(t->ssl, key);
        if (!t->psk) {
                tls_context_free(t);
                return NULL;
        }
        return t;
}

void tls_context_free(struct tls_context *t)
{
        if (!t)
                return;
        SSL_SESSION_free(t->psk);
        SSL_CTX_free(t->ssl);
        free(t);
}

SSL *tls_open(struct tls_context *t, bool is_server, BIO **ret_in, BIO **ret_out)
{
        SSL *ssl = SSL_new(t->ssl);
        BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

        if (!ssl || !in || !out) {
                SSL_free(ssl);
                BIO_free(in);
                BIO_free(out);
                return NULL;
        }
        SSL_set_bio(ssl, in, out);
        if (is_server)
                SSL_set_accept_state(ssl);
        else
                SSL_set_connect_state(ssl);
        *ret_in = in;
        *ret_out = out;
        return ssl;
}
