/* SPDX-License-Identifier: Apache-2.0 */
/* A check that holds costs nothing and evaluates once; one that fails says where and ends the program. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"

static void a_check_that_holds_evaluates_once(void **state)
{
        int evaluated = 0;

        (void)state;
        CHECK(++evaluated == 1);
        assert_int_equal(evaluated, 1);
}

/* In a child: fail a check with stderr going to the pipe and no core file. */
static void fail_into(int fd)
{
        struct rlimit none = { 0, 0 };

        setrlimit(RLIMIT_CORE, &none);
        signal(SIGABRT, SIG_DFL);
        dup2(fd, STDERR_FILENO);
        CHECK(1 + 1 == 3);
        _exit(0);
}

static void a_check_that_fails_says_where_and_aborts(void **state)
{
        char said[300] = { 0 };
        int fds[2], status;
        pid_t child;

        (void)state;
        assert_int_equal(pipe(fds), 0);
        child = fork();
        if (child == 0)
                fail_into(fds[1]);
        close(fds[1]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(read(fds[0], said, sizeof(said) - 1) > 0);
        close(fds[0]);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        assert_non_null(strstr(said, "test_check.c:"));
        assert_non_null(strstr(said, "1 + 1 == 3"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_check_that_holds_evaluates_once),
                cmocka_unit_test(a_check_that_fails_says_where_and_aborts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
