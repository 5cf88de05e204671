/* SPDX-License-Identifier: Apache-2.0 */
/* TLS with the cluster key: who has it talks, who has not does not; over torn streams and straight ones. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "rpc/tls_private.h"
#include "tests/lab/rpc_lab.h"

static const uint8_t key_a[32] = { 1, 2, 3 }, key_b[32] = { 1, 2, 4 };
static struct rpc_lab lab;
static struct tls_context *server_side, *client_side, *stranger;

static int setup(void **state)
{
        (void)state;
        rpc_lab_start(&lab, 1, &lab_limits, 64 << 20);
        server_side = tls_context_new(&lab.v.env, key_a);
        client_side = tls_context_new(&lab.v.env, key_a);
        stranger = tls_context_new(&lab.v.env, key_b);
        assert_true(server_side && client_side && stranger);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        rpc_lab_stop(&lab);
        tls_context_free(server_side);
        tls_context_free(client_side);
        tls_context_free(stranger);
        return 0;
}

static void connect_ends(struct tls_context *client, uint64_t seed, struct raw_peer *ret[2])
{
        struct stream_pair_conf conf = { .seed = seed,
                                         .split = seed != 0,
                                         .max_delay_ns = seed * 1000,
                                         .buffer_bytes = seed ? 20000 : 0 };
        struct stream *ends[2];

        stream_pair_new(&lab.v.env, &conf, ends);
        ret[0] = raw_peer_new(client ? tls_stream_new(client, ends[0], false) : ends[0]);
        ret[1] = raw_peer_new(tls_stream_new(server_side, ends[1], true));
}

static void free_ends(struct raw_peer *p[2])
{
        raw_peer_free(p[0]);
        raw_peer_free(p[1]);
}

static void bytes_go_both_ways(void **state)
{
        enum { BYTES = 3000000 };
        uint8_t *data = malloc(BYTES);

        (void)state;
        for (uint32_t i = 0; i < BYTES; i++)
                data[i] = (uint8_t)(i * 13 + i / 1000);
        for (uint64_t seed = 0; seed < 4; seed++) {
                struct raw_peer *p[2];

                connect_ends(client_side, seed, p);
                raw_send(p[0], data, BYTES);
                raw_send(p[1], data, BYTES / 2);
                rpc_lab_run_ms(&lab, 5000);
                assert_int_equal(p[1]->in_length, BYTES);
                assert_memory_equal(p[1]->in, data, BYTES);
                assert_int_equal(p[0]->in_length, BYTES / 2);
                assert_memory_equal(p[0]->in, data, BYTES / 2);
                free_ends(p);
        }
        free(data);
}

static void calls_go_through(void **state)
{
        struct stream_pair_conf conf = {
                .seed = 5, .split = true, .max_delay_ns = 1000, .buffer_bytes = 30000
        };
        struct stream *ends[2];
        struct raw_peer *p;
        struct xdr_in x;
        uint32_t n = htobe32(1000000);

        (void)state;
        stream_pair_new(&lab.v.env, &conf, ends);
        rpc_server_accept(lab.server, tls_stream_new(server_side, ends[1], true));
        p = raw_peer_new(tls_stream_new(client_side, ends[0], false));
        for (uint32_t xid = 0; xid < 100; xid++)
                raw_call(p, xid, LAB_ECHO, "abcd", 4);
        raw_call(p, 100, LAB_BLOB, &n, 4);
        rpc_lab_run_ms(&lab, 3000);
        for (uint32_t xid = 0; xid < 101; xid++)
                x = raw_expect(p, xid, RPC_SUCCESS);
        assert_int_equal(xdr_left(&x), 1000004);
        raw_peer_free(p);
}

/* To OpenSSL a key is a session, and sessions end; servers run for years. */
static void a_key_does_not_grow_old(void **state)
{
        enum { TEN_YEARS = 10 * 365 * 86400 };
        struct raw_peer *p[2];

        (void)state;
        SSL_SESSION_set_time(server_side->psk, time(NULL) - TEN_YEARS);
        SSL_SESSION_set_time(client_side->psk, time(NULL) - TEN_YEARS);
        connect_ends(client_side, 0, p);
        raw_send(p[0], "still", 5);
        rpc_lab_run_ms(&lab, 100);
        assert_int_equal(p[1]->in_length, 5);
        free_ends(p);
}

static void another_key_is_refused(void **state)
{
        (void)state;
        for (uint64_t seed = 0; seed < 4; seed++) {
                struct raw_peer *p[2];

                connect_ends(stranger, seed, p);
                raw_send(p[0], "secret", 6);
                rpc_lab_run_ms(&lab, 100);
                assert_int_equal(p[1]->error, -EACCES);
                assert_int_equal(p[1]->in_length, 0);
                /* The alert is sent once; a torn stream may lose a part of it when the server closes. */
                assert_true(p[0]->error == -EACCES || (seed != 0 && p[0]->error == -ECONNRESET));
                free_ends(p);
        }
}

static void plain_bytes_are_refused(void **state)
{
        struct raw_peer *p[2];

        (void)state;
        connect_ends(NULL, 0, p);
        raw_call(p[0], 1, LAB_NULL, "", 0);
        rpc_lab_run_ms(&lab, 100);
        assert_int_equal(p[1]->error, -EACCES);
        assert_true(p[0]->ended);
        free_ends(p);
}

static void who_says_nothing_is_dropped(void **state)
{
        struct raw_peer *p[2];

        (void)state;
        connect_ends(NULL, 0, p);
        rpc_lab_run_ms(&lab, 9900);
        assert_false(p[1]->ended);
        rpc_lab_run_ms(&lab, 200);
        assert_int_equal(p[1]->error, -ETIMEDOUT);
        free_ends(p);
}

/* --- somebody between, who has no key but a certificate */

static SSL *with_certificate(SSL_CTX **ret_ctx)
{
        SSL_CTX *ctx = SSL_CTX_new(TLS_method());
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509 *cert = X509_new();
        SSL *ssl;

        ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
        X509_gmtime_adj(X509_getm_notBefore(cert), -1000);
        X509_gmtime_adj(X509_getm_notAfter(cert), 100000);
        X509_set_pubkey(cert, key);
        assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
        assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
        X509_free(cert);
        EVP_PKEY_free(key);
        ssl = SSL_new(ctx);
        SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_accept_state(ssl);
        *ret_ctx = ctx;
        return ssl;
}

static void a_certificate_is_no_key(void **state)
{
        struct stream_pair_conf conf = { .seed = 1 };
        struct stream *ends[2];
        struct raw_peer *client, *impostor;
        SSL_CTX *ctx;
        SSL *ssl = with_certificate(&ctx);

        (void)state;
        stream_pair_new(&lab.v.env, &conf, ends);
        client = raw_peer_new(tls_stream_new(client_side, ends[0], false));
        impostor = raw_peer_new(ends[1]);
        raw_send(client, "secret", 6);
        for (int round = 0; round < 5; round++) {
                char bytes[16384];
                int n;

                rpc_lab_run_ms(&lab, 1);
                BIO_write(SSL_get_rbio(ssl), impostor->in + impostor->taken,
                          (int)(impostor->in_length - impostor->taken));
                impostor->taken = impostor->in_length;
                SSL_do_handshake(ssl);
                while ((n = BIO_read(SSL_get_wbio(ssl), bytes, sizeof(bytes))) > 0 && impostor->stream)
                        raw_send(impostor, bytes, (size_t)n);
        }
        assert_int_equal(client->error, -EACCES);
        assert_int_not_equal(SSL_is_init_finished(ssl), 1);
        raw_peer_free(client);
        raw_peer_free(impostor);
        SSL_free(ssl);
        SSL_CTX_free(ctx);
        ERR_clear_error();
}

/* --- somebody between, who changes or cuts */

struct wire {
        struct raw_peer *client, *server;       /* with TLS */
        struct raw_peer *to_client, *to_server; /* the plain ends between them */
};

static void wire_new(struct wire *w)
{
        struct stream_pair_conf conf = { .seed = 1 };
        struct stream *left[2], *right[2];

        stream_pair_new(&lab.v.env, &conf, left);
        stream_pair_new(&lab.v.env, &conf, right);
        w->client = raw_peer_new(tls_stream_new(client_side, left[0], false));
        w->to_client = raw_peer_new(left[1]);
        w->to_server = raw_peer_new(right[0]);
        w->server = raw_peer_new(tls_stream_new(server_side, right[1], true));
}

static void wire_free(struct wire *w)
{
        raw_peer_free(w->client);
        raw_peer_free(w->to_client);
        raw_peer_free(w->to_server);
        raw_peer_free(w->server);
}

static void forward(struct raw_peer *from, struct raw_peer *to, bool flip)
{
        size_t n = from->in_length - from->taken;

        if (n == 0)
                return;
        if (flip)
                from->in[from->in_length - 1] ^= 1;
        raw_send(to, from->in + from->taken, n);
        from->taken = from->in_length;
}

static void wire_run(struct wire *w, bool flip)
{
        for (int i = 0; i < 10; i++) {
                rpc_lab_run_ms(&lab, 1);
                forward(w->to_client, w->to_server, flip);
                forward(w->to_server, w->to_client, false);
        }
}

static void a_changed_bit_is_noticed(void **state)
{
        struct wire w;

        (void)state;
        wire_new(&w);
        raw_send(w.client, "first", 5);
        wire_run(&w, false);
        assert_int_equal(w.server->in_length, 5);
        raw_send(w.client, "second", 6);
        wire_run(&w, true);
        assert_int_equal(w.server->error, -EBADMSG);
        assert_int_equal(w.server->in_length, 5);
        wire_free(&w);
}

static void an_end_without_goodbye_is_an_error(void **state)
{
        struct wire w;

        (void)state;
        wire_new(&w);
        raw_send(w.client, "first", 5);
        wire_run(&w, false);
        w.to_server->stream->ops->close(w.to_server->stream);
        w.to_server->stream = NULL;
        rpc_lab_run_ms(&lab, 1);
        assert_int_equal(w.server->error, -ECONNRESET);
        wire_free(&w);
}

static void goodbye_is_the_end_of_file(void **state)
{
        struct raw_peer *p[2];

        (void)state;
        connect_ends(client_side, 0, p);
        raw_send(p[0], "bye", 3);
        rpc_lab_run_ms(&lab, 10);
        p[0]->stream->ops->close(p[0]->stream);
        p[0]->stream = NULL;
        rpc_lab_run_ms(&lab, 10);
        assert_true(p[1]->ended);
        assert_int_equal(p[1]->error, 0);
        assert_int_equal(p[1]->in_length, 3);
        free_ends(p);
}

static void a_broken_handshake_is_an_error(void **state)
{
        struct raw_peer *p[2];

        (void)state;
        connect_ends(NULL, 0, p);
        p[0]->stream->ops->close(p[0]->stream);
        p[0]->stream = NULL;
        rpc_lab_run_ms(&lab, 10);
        assert_int_equal(p[1]->error, -ECONNRESET);
        free_ends(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(bytes_go_both_ways),          TEST(calls_go_through),
                TEST(another_key_is_refused),      TEST(plain_bytes_are_refused),
                TEST(who_says_nothing_is_dropped), TEST(a_certificate_is_no_key),
                TEST(a_changed_bit_is_noticed),    TEST(an_end_without_goodbye_is_an_error),
                TEST(goodbye_is_the_end_of_file),  TEST(a_broken_handshake_is_an_error),
                TEST(a_key_does_not_grow_old),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
