/* SPDX-License-Identifier: Apache-2.0 */
/* One line an event; no value can pass for another key or another line. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

static FILE *capture;
static int real_stderr;
static char line[8192];

static int setup(void **state)
{
        (void)state;
        capture = tmpfile();
        real_stderr = dup(STDERR_FILENO);
        dup2(fileno(capture), STDERR_FILENO);
        unsetenv("JOURNAL_STREAM");
        log_open("test", LOG_INFO);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        dup2(real_stderr, STDERR_FILENO);
        close(real_stderr);
        fclose(capture);
        return 0;
}

/* What has been logged since the last call. */
static const char *logged(void)
{
        ssize_t length = pread(fileno(capture), line, sizeof line - 1, 0);

        assert_true(length >= 0);
        line[length] = '\0';
        assert_int_equal(ftruncate(fileno(capture), 0), 0);
        lseek(fileno(capture), 0, SEEK_SET);
        return line;
}

/* The part behind the time, which changes. */
static const char *logged_event(void)
{
        const char *level = strstr(logged(), " level=");

        assert_non_null(level);
        return level + 1;
}

static void test_form(void **state)
{
        (void)state;
        log_info("ds-joined", "name=%s addr=%s:%u", "ds1", "192.0.2.11", 2049u);
        logged();
        assert_memory_equal(line, "time=20", 7);
        assert_int_equal(line[strlen("time=2026-01-02T03:04:05.678")], 'Z');
        assert_string_equal(line + strlen("time=2026-01-02T03:04:05.678Z "),
                            "level=info program=test event=ds-joined name=ds1 addr=192.0.2.11:2049\n");
}

static void test_threshold(void **state)
{
        (void)state;
        log_debug("quiet", "a=%d", 1);
        assert_string_equal(logged(), "");
        log_open("test", LOG_DEBUG);
        log_debug("loud", "a=%d", 1);
        assert_string_equal(logged_event(), "level=debug program=test event=loud a=1\n");
        log_open("test", LOG_ERROR);
        log_warn("quiet", "a=%d", 1);
        assert_string_equal(logged(), "");
        log_error("loud", "a=%d", 1);
        assert_string_equal(logged_event(), "level=error program=test event=loud a=1\n");
}

static void test_conversions(void **state)
{
        (void)state;
        log_info("e", "a=%d b=%5u c=%-3x d=%#o e=%%", -1, 2u, 3u, 8u);
        assert_string_equal(logged_event(),
                            "level=info program=test event=e a=-1 b=\"    2\" c=\"3  \" d=010 e=%\n");
        log_info("e", "a=%" PRIu64 " b=%" PRId64 " c=%zu d=%zd e=%jd f=%td g=%lld", UINT64_MAX, INT64_MIN,
                 (size_t)1, (ssize_t)-1, (intmax_t)-2, (ptrdiff_t)3, -4LL);
        assert_string_equal(logged_event(),
                            "level=info program=test event=e a=18446744073709551615 b=-9223372036854775808 "
                            "c=1 d=-1 e=-2 f=3 g=-4\n");
        log_info("e", "a=%hhu b=%hd c=%lu d=%c e=%.2f", (unsigned char)200, (short)-7, 5ul, 'x', 1.5);
        assert_string_equal(logged_event(), "level=info program=test event=e a=200 b=-7 c=5 d=x e=1.50\n");
        log_info("e", "a=%.*s b=%*d c=%02x%02x", 3, "abcdef", 3, 7, 0xabu, 1u);
        assert_string_equal(logged_event(), "level=info program=test event=e a=abc b=\"  7\" c=ab01\n");
        errno = ENOENT;
        log_info("e", "why=%m then=%d", 1);
        assert_string_equal(logged_event(),
                            "level=info program=test event=e why=\"No such file or directory\" then=1\n");
        assert_int_equal(errno, ENOENT);
}

static void test_quoting(void **state)
{
        (void)state;
        log_info("e", "name=%s next=%d", "two words", 1);
        assert_string_equal(logged_event(), "level=info program=test event=e name=\"two words\" next=1\n");
        log_info("e", "name=%s next=%d", "x event=forged", 1);
        assert_string_equal(logged_event(),
                            "level=info program=test event=e name=\"x event=forged\" next=1\n");
        log_info("e", "name=%s", "a\nb\"c\\d\x7f=");
        assert_string_equal(logged_event(),
                            "level=info program=test event=e name=\"a\\x0ab\\\"c\\\\d\\x7f=\"\n");
        log_info("e", "name=%s", "");
        assert_string_equal(logged_event(), "level=info program=test event=e name=\"\"\n");
        log_info("e", "name=%s", "gr\xc3\xbc\xc3\x9f%s%n");
        assert_string_equal(logged_event(), "level=info program=test event=e name=gr\xc3\xbc\xc3\x9f%s%n\n");
}

static void test_long_values_are_cut(void **state)
{
        char big[5000];

        (void)state;
        memset(big, 'x', sizeof big - 1);
        big[sizeof big - 1] = '\0';
        log_info("e", "a=%s b=%s c=%s", big, big, big);
        logged();
        assert_int_equal(strlen(line), 2048);
        assert_int_equal(line[2047], '\n');
        assert_ptr_equal(strchr(line, '\n'), line + 2047);
}

static void test_journal_prefix(void **state)
{
        char stream[64];
        struct stat st;

        (void)state;
        assert_int_equal(fstat(STDERR_FILENO, &st), 0);
        snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
        setenv("JOURNAL_STREAM", stream, 1);
        log_open("test", LOG_INFO);
        log_error("e", "a=%d", 1);
        assert_memory_equal(logged(), "<3>time=", 8);
        log_warn("e", "a=%d", 1);
        assert_memory_equal(logged(), "<4>time=", 8);
        setenv("JOURNAL_STREAM", "1:2", 1);
        log_open("test", LOG_INFO);
        log_warn("e", "a=%d", 1);
        assert_memory_equal(logged(), "time=", 5);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_form, setup, teardown),
                cmocka_unit_test_setup_teardown(test_threshold, setup, teardown),
                cmocka_unit_test_setup_teardown(test_conversions, setup, teardown),
                cmocka_unit_test_setup_teardown(test_quoting, setup, teardown),
                cmocka_unit_test_setup_teardown(test_long_values_are_cut, setup, teardown),
                cmocka_unit_test_setup_teardown(test_journal_prefix, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
