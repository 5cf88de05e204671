/* SPDX-License-Identifier: Apache-2.0 */
/* Keys from each source; services are a listener of this process. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/loop.h"
#include "s3tier/creds.h"

static struct loop *loop;
static struct creds creds;
static const char *why;
static bool got, good;

static void test_ini(void **state)
{
        static const char text[] =
                "# a comment\n[other]\naws_access_key_id = no\n[profile train]\r\n"
                "aws_access_key_id=AKIA\r\n aws_x = y\naws_secret_access_key  =  s/e+c=ret \n"
                "aws_session_token = t\n[default]\naws_access_key_id = D\naws_secret_access_key = S";

        (void)state;
        assert_int_equal(creds_parse_ini(text, "train", &creds, &why), 0);
        assert_string_equal(creds.access_key, "AKIA");
        assert_string_equal(creds.secret, "s/e+c=ret");
        assert_string_equal(creds.token, "t");
        assert_int_equal(creds_parse_ini(text, "default", &creds, &why), 0);
        assert_string_equal(creds.access_key, "D");
        assert_string_equal(creds.token, "");
        assert_true(creds_parse_ini(text, "none", &creds, &why) < 0);
        assert_string_equal(why, "no such section");
        assert_true(creds_parse_ini(text, "other", &creds, &why) < 0);
        assert_non_null(strstr(why, "aws_secret_access_key"));
        assert_string_equal(creds.access_key, "D"); /* untouched */
}

static void test_json(void **state)
{
        (void)state;
        assert_int_equal(
                creds_parse_json(
                        "{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\\/x\",\"SessionToken\":\"T\","
                        "\"Expiration\":\"2026-11-21T19:12:40Z\"}",
                        &creds, &why),
                0);
        assert_string_equal(creds.secret, "S/x");
        assert_string_equal(creds.token, "T");
        assert_int_equal(creds.expires_wall_ns, UINT64_C(1795288360) * 1000000000);
        assert_int_equal(creds_parse_json("{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Token\":\"U\"}",
                                          &creds, &why),
                         0);
        assert_string_equal(creds.token, "U");
        assert_int_equal(creds.expires_wall_ns, 0);
        assert_true(creds_parse_json("{\"AccessKeyId\":\"A\"}", &creds, &why) < 0);
        assert_true(creds_parse_json("<html>", &creds, &why) < 0);
        assert_true(creds_parse_json("", &creds, &why) < 0);
        assert_true(
                creds_parse_json("{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Expiration\":\"soon\"}",
                                 &creds, &why) < 0);
}

static int setup(void **state)
{
        (void)state;
        loop = loop_new();
        got = good = false;
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        loop_free(loop);
        return 0;
}

static void on_ready(struct creds_wait *wait, const struct creds *c)
{
        (void)wait;
        got = true;
        good = c != NULL;
        if (c)
                creds = *c;
        loop_stop(loop);
}

/* Ask and wait; the access key, or NULL. */
static const char *ask(struct creds_provider *p)
{
        struct creds_wait wait = { .ready = on_ready };

        list_init(&wait.node);
        got = false;
        creds_ask(p, &wait);
        assert_false(got);
        loop_run(loop);
        return good ? creds.access_key : NULL;
}

static void test_files_are_read_again_when_refused(void **state)
{
        char path[] = "/tmp/test_creds.XXXXXX";
        FILE *file = fdopen(mkstemp(path), "w");
        const struct creds_conf conf = { .source = CREDS_FILE, .file = path };
        struct creds_provider *p = creds_new(loop, &conf);

        (void)state;
        assert_null(creds_now(p)); /* it is empty */
        assert_non_null(strstr(creds_error(p), path));
        fprintf(file, "[default]\naws_access_key_id = one\naws_secret_access_key = s\n");
        fflush(file);
        assert_string_equal(creds_now(p)->access_key, "one");
        rewind(file);
        fprintf(file, "[default]\naws_access_key_id = two\naws_secret_access_key = s\n");
        fclose(file);
        assert_string_equal(creds_now(p)->access_key, "one");
        assert_true(creds_refused(p));
        assert_string_equal(creds_now(p)->access_key, "two");
        assert_false(creds_refused(p)); /* just now */
        unlink(path);
        creds_free(p);
}

static void test_given_and_environment(void **state)
{
        const struct creds_conf environment = { .source = CREDS_ENVIRONMENT };
        struct creds_provider *p = creds_given("a", "b");

        (void)state;
        assert_string_equal(creds_now(p)->secret, "b");
        assert_false(creds_refused(p));
        creds_free(p);
        setenv("AWS_ACCESS_KEY_ID", "from the environment", 1);
        setenv("AWS_SECRET_ACCESS_KEY", "x", 1);
        setenv("AWS_SESSION_TOKEN", "y", 1);
        p = creds_new(loop, &environment);
        assert_string_equal(ask(p), "from the environment");
        assert_string_equal(creds.token, "y");
        creds_free(p);
        unsetenv("AWS_ACCESS_KEY_ID");
        p = creds_new(loop, &environment);
        assert_null(ask(p));
        creds_free(p);
}

static void test_a_program(void **state)
{
        static const struct {
                const char *command, *key, *error;
        } programs[] = {
                { "echo '{\"AccessKeyId\":\"P\",\"SecretAccessKey\":\"S\"}'", "P", "no access keys" },
                { "echo oops; exit 3", NULL, "exit status 3" },
                { "true", NULL, "not JSON" },
                { "/nonexistent/program", NULL, "exit status 127" },
                { "head -c 100000 /dev/zero", NULL, "" },
        };

        (void)state;
        for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
                const struct creds_conf conf = { .source = CREDS_PROCESS, .command = programs[i].command };
                struct creds_provider *p = creds_new(loop, &conf);

                assert_null(creds_now(p));
                if (programs[i].key)
                        assert_string_equal(ask(p), programs[i].key);
                else
                        assert_null(ask(p));
                assert_non_null(strstr(creds_error(p), programs[i].error));
                creds_free(p);
        }
}

/* A fetch that is under way when nobody wants it any more. */
static void test_the_end_of_a_provider_ends_its_program(void **state)
{
        const struct creds_conf conf = { .source = CREDS_PROCESS, .command = "exec sleep 100" };
        struct creds_provider *p = creds_new(loop, &conf);
        struct creds_wait wait = { .ready = on_ready };

        (void)state;
        list_init(&wait.node);
        creds_ask(p, &wait);
        creds_cancel(&wait);
        creds_free(p);
        assert_false(got);
}

/* --- a service: one request a connection */

static struct {
        struct listener *listener;
        char asked[4096];
        const char *paths[4], *answers[4];
} service;

static void on_request(struct stream *s, unsigned events)
{
        char bytes[2048], answer[2048];
        struct iovec in = { bytes, sizeof bytes - 1 }, out = { answer, 0 };
        int64_t n = s->ops->readv(s, &in, 1);
        const char *body = "";

        (void)events;
        if (n == -EAGAIN)
                return;
        if (n > 0) {
                bytes[n] = '\0';
                strncat(service.asked, bytes, sizeof service.asked - strlen(service.asked) - 1);
                for (int i = 0; i < 4 && service.paths[i]; i++)
                        if (strncmp(strchr(bytes, ' ') + 1, service.paths[i], strlen(service.paths[i])) ==
                                    0 &&
                            strchr(bytes, ' ')[1 + strlen(service.paths[i])] == ' ')
                                body = service.answers[i];
                out.iov_len =
                        (size_t)snprintf(answer, sizeof answer,
                                         "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                                         *body ? "200 OK" : "404 Not Found", strlen(body), body);
                assert_int_equal(s->ops->writev(s, &out, 1), out.iov_len);
        }
        s->ops->close(s);
}

static void on_accept(void *arg, struct stream *s)
{
        (void)arg;
        s->ready = on_request;
        s->ops->want(s, STREAM_READ);
}

/* Its URL. */
static const char *serve(void)
{
        static char url[64];
        struct netaddr any;

        service.asked[0] = '\0';
        assert_int_equal(netaddr_parse("127.0.0.1", 0, &any), 0);
        assert_int_equal(
                loop_env(loop)->ops->listen(loop_env(loop), &any, on_accept, NULL, &service.listener), 0);
        snprintf(url, sizeof url, "http://127.0.0.1:%u", loop_listener_address(service.listener).port);
        return url;
}

static void test_an_instance(void **state)
{
        struct creds_conf conf = { .source = CREDS_INSTANCE, .url = serve() };
        struct creds_provider *p = creds_new(loop, &conf);

        (void)state;
        service.paths[0] = "/latest/api/token", service.answers[0] = "the-token";
        service.paths[1] = "/latest/meta-data/iam/security-credentials/", service.answers[1] = "role\n";
        service.paths[2] = "/latest/meta-data/iam/security-credentials/role",
        service.answers[2] =
                "{\"AccessKeyId\":\"I\",\"SecretAccessKey\":\"S\",\"Token\":\"T\",\"Expiration\":\"2100-01-01T00:00:00Z\"}";
        assert_string_equal(ask(p), "I");
        assert_non_null(strstr(service.asked, "PUT /latest/api/token"));
        assert_non_null(strstr(service.asked, "X-aws-ec2-metadata-token-ttl-seconds: 21600"));
        assert_non_null(strstr(service.asked, "X-aws-ec2-metadata-token: the-token"));
        assert_non_null(creds_now(p));
        service.answers[2] =
                "{\"AccessKeyId\":\"J\",\"SecretAccessKey\":\"S\",\"Expiration\":\"2001-01-01T00:00:00Z\"}";
        assert_true(creds_refused(p));
        assert_null(ask(p)); /* what it gives has expired */
        creds_free(p);
        loop_env(loop)->ops->unlisten(loop_env(loop), service.listener);
}

static void test_a_container(void **state)
{
        char path[] = "/tmp/test_creds.XXXXXX", url[128];
        FILE *file = fdopen(mkstemp(path), "w");
        struct creds_conf conf = { .source = CREDS_CONTAINER, .token_file = path };
        struct creds_provider *p;

        (void)state;
        snprintf(url, sizeof url, "%s/keys", serve());
        conf.url = url;
        fprintf(file, "agent token\n");
        fclose(file);
        service.paths[0] = "/keys", service.answers[0] = "{\"AccessKeyId\":\"C\",\"SecretAccessKey\":\"S\"}";
        service.paths[1] = NULL;
        p = creds_new(loop, &conf);
        assert_string_equal(ask(p), "C");
        assert_non_null(strstr(service.asked, "Authorization: agent token\r\n"));
        creds_free(p);
        service.paths[0] = NULL;
        p = creds_new(loop, &conf);
        assert_null(ask(p));
        assert_non_null(strstr(creds_error(p), "HTTP status 404"));
        creds_free(p);
        unlink(path);
        p = creds_new(loop, &conf);
        assert_null(ask(p));
        assert_non_null(strstr(creds_error(p), path));
        creds_free(p);
        loop_env(loop)->ops->unlisten(loop_env(loop), service.listener);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ini),
                cmocka_unit_test(test_json),
                TEST(test_files_are_read_again_when_refused),
                TEST(test_given_and_environment),
                TEST(test_a_program),
                TEST(test_the_end_of_a_provider_ends_its_program),
                TEST(test_an_instance),
                TEST(test_a_container),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
