/* SPDX-License-Identifier: Apache-2.0 */
/* The program nacre-ds: what it prints, how it ends, what signals do. It is looked for above the test's
 * folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char program[512], directory[64];

static int find_program(void **state)
{
        ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 32);

        (void)state;
        assert_true(length > 0);
        program[length] = '\0';
        for (int i = 0; i < 2; i++)
                *strrchr(program, '/') = '\0';
        strcat(program, "/nacre-ds");
        return 0;
}

static void put_file(const char *name, const char *text)
{
        char path[128];
        FILE *f;

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        f = fopen(path, "w");
        fputs(text, f);
        fclose(f);
        chmod(path, 0600);
}

static void put_conf(const char *log_level)
{
        char text[512];

        snprintf(text, sizeof(text),
                 "listen: 127.0.0.1:0\nmds: 127.0.0.1:9\nname: test\nstore: %s/store\ncluster_key: %s/key\n"
                 "log_level: %s\n",
                 directory, directory, log_level);
        put_file("conf", text);
}

static int setup(void **state)
{
        (void)state;
        if (access(program, X_OK) < 0)
                return 0;
        strcpy(directory, "/tmp/test_main.XXXXXX");
        assert_non_null(mkdtemp(directory));
        put_conf("info");
        put_file("key", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n");
        return 0;
}

static int teardown(void **state)
{
        char command[128];

        (void)state;
        snprintf(command, sizeof(command), "rm -rf %s", directory);
        return directory[0] ? system(command) : 0;
}

/* Start with at most two arguments; what it prints goes to the file "out". */
static pid_t start(const char *first, const char *second, const char *third)
{
        char out[128];
        pid_t pid = fork();
        int fd;

        if (pid != 0)
                return pid;
        snprintf(out, sizeof(out), "%s/out", directory);
        fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        execl(program, "nacre-ds", first, second, third, (char *)NULL);
        _exit(127);
}

static int wait_for(pid_t pid)
{
        int status;

        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static const char *output(void)
{
        static char text[8192];
        char path[128];
        FILE *f;

        snprintf(path, sizeof(path), "%s/out", directory);
        f = fopen(path, "r");
        text[f ? fread(text, 1, sizeof(text) - 1, f) : 0] = '\0';
        if (f)
                fclose(f);
        return text;
}

static void expect_output(const char *part)
{
        const struct timespec pause = { .tv_nsec = 10000000 };

        for (int i = 0; i < 500 && !strstr(output(), part); i++)
                nanosleep(&pause, NULL);
        if (!strstr(output(), part))
                fail_msg("no \"%s\" in: %s", part, output());
}

static char conf_path[128];

static const char *conf(void)
{
        snprintf(conf_path, sizeof(conf_path), "%s/conf", directory);
        return conf_path;
}

static void arguments_are_checked(void **state)
{
        (void)state;
        if (!directory[0])
                skip();
        assert_int_equal(wait_for(start("--version", NULL, NULL)), 0);
        expect_output("nacre-ds ");
        assert_int_equal(wait_for(start(NULL, NULL, NULL)), 2);
        expect_output("usage: ");
        assert_int_equal(wait_for(start("--config", conf(), "extra")), 2);
        assert_int_equal(wait_for(start("--config", conf(), "--check-config")), 0);
        expect_output("/conf: fine\n");
}

static void a_bad_configuration_is_told_with_its_line(void **state)
{
        (void)state;
        if (!directory[0])
                skip();
        put_file("conf", "listen: 127.0.0.1\nnonsense: 1\n");
        assert_int_equal(wait_for(start("--config", conf(), "--check-config")), 2);
        expect_output("/conf:2: ");
        assert_int_equal(wait_for(start("--config", "/nowhere", NULL)), 2);
        expect_output("/nowhere");
}

static void signals_reload_and_end_it(void **state)
{
        pid_t pid;

        (void)state;
        if (!directory[0])
                skip();
        pid = start("--config", conf(), NULL);
        expect_output("event=started");
        put_conf("debug");
        kill(pid, SIGHUP);
        expect_output("event=reloaded log_level=debug");
        put_conf("loud");
        kill(pid, SIGHUP);
        expect_output("event=reload-failed");
        put_conf("info\nio: threads");
        kill(pid, SIGHUP);
        expect_output("level=warn program=nacre-ds event=restart-needed changed=io");
        kill(pid, SIGTERM);
        assert_int_equal(wait_for(pid), 0);
        expect_output("event=stopped status=0");
}

static void a_store_that_cannot_be_used_ends_it(void **state)
{
        (void)state;
        if (!directory[0])
                skip();
        put_file("store", "a file");
        assert_int_equal(wait_for(start("--config", conf(), NULL)), 1);
        expect_output("cannot open the store");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(arguments_are_checked),
                TEST(a_bad_configuration_is_told_with_its_line),
                TEST(signals_reload_and_end_it),
                TEST(a_store_that_cannot_be_used_ends_it),
        };

        return cmocka_run_group_tests(tests, find_program, NULL);
}
