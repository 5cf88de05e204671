/* SPDX-License-Identifier: Apache-2.0 */
/* What runs as process 1 of a test client, or, with --host IN OUT FOLDER, as the root of a client made of
 * namespaces of the machine's own kernel. It sets the client up, then takes orders, one a line, and tells
 * what became of them:
 *
 *     order   NAME        run /mnt/out/NAME.sh; its output goes to /mnt/out/NAME.out and NAME.err
 *     order   -NAME       kill that step and what it started
 *     order   !           stop
 *     answer  R           ready
 *     answer  X NAME N    step ended; N as in $? (128 + signal when killed)
 *
 * A guest's orders come through /dev/tty1, which UML ties to two pipes; steps may write lines `E TEXT` there
 * ($EVENTS names it). Parameters stand in /proc/cmdline: nacre.host=NAME nacre.addr=ADDR nacre.out=FOLDER
 * nacre.layout=0|1. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { STEPS_MAX = 64, LINE_MAX_BYTES = 256, PARAMETERS_MAX = 16 };

struct step {
        pid_t pid; /* 0: free */
        char name[LINE_MAX_BYTES];
};

static struct step steps[STEPS_MAX];
static int orders_fd, answers_fd;
static const char *events_path = "/dev/tty1";
static bool is_guest = true;
static const char *parameters[PARAMETERS_MAX]; /* NAME=VALUE */
static unsigned parameter_count;

static void leave(void)
{
        if (is_guest)
                reboot(RB_POWER_OFF); /* no sync(): a mount whose servers are gone would hold it for ever */
        _exit(0);
}

static void fail(const char *what)
{
        fprintf(stderr, "agent: %s: %s\n", what, strerror(errno));
        leave();
}

static void answer(const char *format, const char *name, int status)
{
        char line[LINE_MAX_BYTES + 32];
        int n = snprintf(line, sizeof line, format, name, status);

        if (write(answers_fd, line, (size_t)n) != n)
                fail("answer");
}

static void set_parameters(void)
{
        static char text[4096];
        char *word, *rest = NULL;
        FILE *f = fopen("/proc/cmdline", "r");

        if (!f || !fgets(text, sizeof text, f))
                fail("/proc/cmdline");
        fclose(f);
        for (word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
                if (parameter_count < PARAMETERS_MAX && !strncmp(word, "nacre.", 6))
                        parameters[parameter_count++] = word + 6;
        }
}

/* Not in the environment: steps inherit that, and make takes its variables from there. */
static const char *parameter(const char *name)
{
        size_t n = strlen(name);

        for (unsigned i = 0; i < parameter_count; i++)
                if (!strncmp(parameters[i], name, n) && parameters[i][n] == '=')
                        return parameters[i] + n + 1;
        return "";
}

static void mount_or_fail(const char *type, const char *where, const char *data)
{
        if (mount("none", where, type, 0, data))
                fail(where);
}

static bool load(const char *folder, const char *module)
{
        char path[512];
        int fd, rc;

        snprintf(path, sizeof path, "%s/%s.ko", folder, module);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        rc = (int)syscall(SYS_finit_module, fd, "", 0);
        close(fd);
        if (rc && errno != EEXIST)
                fail(path);
        return true;
}

static void load_modules(void)
{
        static const char *const names[] = { "net/sunrpc/sunrpc",  "fs/nfs_common/grace",
                                             "fs/lockd/lockd",     "fs/netfs/netfs",
                                             "fs/fscache/fscache", "net/dns_resolver/dns_resolver",
                                             "fs/nfs/nfs",         "fs/nfs/nfsv4" };
        struct utsname u;
        char folder[256];

        uname(&u);
        snprintf(folder, sizeof folder, "/usr/lib/uml/modules/%s/kernel", u.release);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                if (!load(folder, names[i]) && !strstr(names[i], "fscache")) /* 6.12 has it inside netfs */
                        fail(names[i]);
        if (!strcmp(parameter("layout"), "1") && !load(folder, "fs/nfs/filelayout/nfs_layout_nfsv41_files"))
                fail("layout driver");
}

static void set_interface(int fd, const char *name, const char *addr)
{
        struct ifreq r = { 0 };
        struct sockaddr_in *in = (struct sockaddr_in *)&r.ifr_addr;

        snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
        in->sin_family = AF_INET;
        if (addr) {
                if (inet_pton(AF_INET, addr, &in->sin_addr) != 1 || ioctl(fd, SIOCSIFADDR, &r))
                        fail(name);
                in->sin_addr.s_addr = htonl(0xffffff00);
                if (ioctl(fd, SIOCSIFNETMASK, &r))
                        fail(name);
        }
        r.ifr_flags = IFF_UP | IFF_RUNNING;
        if (ioctl(fd, SIOCSIFFLAGS, &r))
                fail(name);
}

static void set_up_network(void)
{
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                fail("socket");
        set_interface(fd, "lo", NULL);
        set_interface(fd, "vec0", parameter("addr"));
        close(fd);
}

/* The guest's network driver takes its buffers in the softirq. When page cache has filled the memory and
 * there are none, it tries again for ever, and with one processor nothing else runs that could free some:
 * keep a reserve. */
static void keep_memory_free(void)
{
        int fd = open("/proc/sys/vm/min_free_kbytes", O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, "65536", 5) != 5)
                fail("min_free_kbytes");
        close(fd);
}

static void set_up_guest(void)
{
        struct termios t;

        mount_or_fail("proc", "/proc", NULL);
        mount_or_fail("sysfs", "/sys", NULL);
        set_parameters();
        keep_memory_free();
        mount_or_fail("tmpfs", "/tmp", NULL);
        mount_or_fail("tmpfs", "/run", NULL);
        mount_or_fail("tmpfs", "/mnt", NULL);
        mount_or_fail("tmpfs", "/var/lib/nfs", NULL);
        mkdir("/mnt/n", 0755);
        mkdir("/mnt/out", 0755);
        mount_or_fail("hostfs", "/mnt/out", parameter("out"));
        if (sethostname(parameter("host"), strlen(parameter("host"))))
                fail("host name");
        load_modules();
        set_up_network();
        setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
        setenv("HOME", "/tmp", 1);

        orders_fd = answers_fd = open(events_path, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (orders_fd < 0 || tcgetattr(orders_fd, &t))
                fail(events_path);
        cfmakeraw(&t);
        if (tcsetattr(orders_fd, TCSANOW, &t))
                fail(events_path);
}

/* IN and OUT are inherited descriptors; our mount, host name and network namespaces are our own already. */
static void set_up_on_host(char **argv)
{
        static char path[64];

        is_guest = false;
        orders_fd = atoi(argv[2]);
        answers_fd = atoi(argv[3]);
        fcntl(orders_fd, F_SETFD, FD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), answers_fd);
        events_path = path;
        mount_or_fail("tmpfs", "/mnt", NULL);
        mkdir("/mnt/n", 0755);
        mkdir("/mnt/out", 0755);
        if (mount(argv[4], "/mnt/out", NULL, MS_BIND, NULL))
                fail(argv[4]);
}

static void redirect(const char *name, const char *suffix, int fd)
{
        char path[LINE_MAX_BYTES + 64];
        int file;

        snprintf(path, sizeof path, "/mnt/out/%s.%s", name, suffix);
        file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (file < 0 || dup2(file, fd) < 0)
                _exit(126);
        close(file);
}

static void run_step(const char *name)
{
        struct step *s = steps;
        char script[LINE_MAX_BYTES + 64];
        sigset_t none;

        while (s < steps + STEPS_MAX && s->pid)
                s++;
        if (s == steps + STEPS_MAX) {
                answer("X %s %d\n", name, 125);
                return;
        }
        snprintf(s->name, sizeof s->name, "%s", name);
        s->pid = fork();
        if (s->pid < 0)
                fail("fork");
        if (s->pid)
                return;
        setsid();
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        close(0);
        open("/dev/null", O_RDONLY);
        redirect(name, "out", 1);
        redirect(name, "err", 2);
        setenv("EVENTS", events_path, 1);
        snprintf(script, sizeof script, "/mnt/out/%s.sh", name);
        if (chdir("/mnt"))
                _exit(126);
        execl("/bin/bash", "bash", script, NULL);
        _exit(127);
}

static void kill_step(const char *name)
{
        for (struct step *s = steps; s < steps + STEPS_MAX; s++)
                if (s->pid && !strcmp(s->name, name))
                        kill(-s->pid, SIGKILL);
}

static void reap(void)
{
        int status;
        pid_t pid;

        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
                for (struct step *s = steps; s < steps + STEPS_MAX; s++)
                        if (s->pid == pid) {
                                s->pid = 0;
                                answer("X %s %d\n", s->name,
                                       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
                        }
}

static void obey(const char *line)
{
        if (*line == '!')
                leave();
        else if (*line == '-')
                kill_step(line + 1);
        else if (*line)
                run_step(line);
}

static void take_orders(void)
{
        static char buffer[LINE_MAX_BYTES];
        static size_t used;
        ssize_t n = read(orders_fd, buffer + used, sizeof buffer - 1 - used);
        char *end;

        if (n <= 0 || used + (size_t)n == sizeof buffer - 1)
                leave(); /* the other end is gone, or talks nonsense */
        used += (size_t)n;
        buffer[used] = 0;
        while ((end = memchr(buffer, '\n', used))) {
                *end = 0;
                obey(buffer);
                used -= (size_t)(end + 1 - buffer);
                memmove(buffer, end + 1, used + 1);
        }
}

int main(int argc, char **argv)
{
        struct signalfd_siginfo info;
        struct pollfd p[2];
        sigset_t children;

        if (argc == 5 && !strcmp(argv[1], "--host"))
                set_up_on_host(argv);
        else
                set_up_guest();
        sigemptyset(&children);
        sigaddset(&children, SIGCHLD);
        sigprocmask(SIG_BLOCK, &children, NULL);
        p[0] = (struct pollfd){ .fd = orders_fd, .events = POLLIN };
        p[1] = (struct pollfd){ .fd = signalfd(-1, &children, SFD_CLOEXEC), .events = POLLIN };
        answer("R%s\n", "", 0);
        for (;;) {
                if (poll(p, 2, -1) < 0 && errno != EINTR)
                        fail("poll");
                if (p[1].revents && read(p[1].fd, &info, sizeof info) > 0)
                        reap();
                if (p[0].revents)
                        take_orders();
        }
}
