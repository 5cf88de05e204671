/* SPDX-License-Identifier: Apache-2.0 */
/* What it costs to wake somebody: two processes hand each other a byte in turns, on one processor and on two.
 * On hardware the second costs a little more than the first. In a virtual machine whose host has to deliver
 * the interrupt it can be ten times as much, and then it, not the server, is what a small operation costs
 * there. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

enum { TURNS = 20000 };

static void stay_on(int processor)
{
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(processor, &set);
        CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
}

static double used_us(void)
{
        struct rusage u;

        CHECK(getrusage(RUSAGE_SELF, &u) == 0);
        return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
               (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void hand_over(int fd)
{
        char byte = 0;

        CHECK(write(fd, &byte, 1) == 1);
}

static void take(int fd)
{
        char byte;

        CHECK(read(fd, &byte, 1) == 1);
}

static _Noreturn void ask(int fd)
{
        for (int i = 0; i < TURNS; i++) {
                hand_over(fd);
                take(fd);
        }
        _exit(0);
}

/* As a server does: sleep in epoll_wait(), read, answer. */
static void answer(int fd)
{
        struct epoll_event event = { .events = EPOLLIN };
        int ep = epoll_create1(0);

        CHECK(ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event) == 0);
        for (int i = 0; i < TURNS; i++) {
                CHECK(epoll_wait(ep, &event, 1, -1) == 1);
                take(fd);
                hand_over(fd);
        }
        close(ep);
}

/* Processor time of who answers, in us an exchange. */
static double exchange(int asker, int answerer)
{
        int fds[2], status;
        double before;
        pid_t child;

        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
        child = fork();
        CHECK(child >= 0);
        stay_on(child == 0 ? asker : answerer);
        if (child == 0)
                ask(fds[1]);
        before = used_us();
        answer(fds[0]);
        before = used_us() - before;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
        close(fds[0]);
        close(fds[1]);
        return before / TURNS;
}

int main(void)
{
        cpu_set_t set;
        int first = 0, second;

        CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
        while (!CPU_ISSET(first, &set))
                first++;
        printf("an exchange with somebody on the same processor: %.1f us", exchange(first, first));
        for (second = first + 1; second < CPU_SETSIZE && !CPU_ISSET(second, &set);)
                second++;
        if (second < CPU_SETSIZE)
                printf("; on another one: %.1f us", exchange(second, first));
        printf("\n");
        return 0;
}
