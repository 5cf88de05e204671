/* SPDX-License-Identifier: Apache-2.0 */
/* nacre dev: up, down, restart. Process descriptors are kept in one order: the MDS, then each data server. */
#include <string.h>
#include <unistd.h>

#include "cli/dev.h"

enum { SERVERS = CLI_MAX_DS + 1 };

static const char *name_at(const struct dev_cluster *c, unsigned i)
{
        return i == 0 ? "mds" : c->ds[i - 1].name;
}

static void close_all(const int *pidfds, unsigned count)
{
        for (unsigned i = 0; i < count; i++)
                if (pidfds[i] >= 0)
                        close(pidfds[i]);
}

/* Descriptors of what runs, -1 for what does not; how many run. */
static unsigned find_all(const struct dev_cluster *c, int *ret_pidfds)
{
        unsigned running = 0;
        pid_t pid;

        for (unsigned i = 0; i <= c->ds_count; i++) {
                ret_pidfds[i] = dev_find(c, name_at(c, i), &pid);
                running += ret_pidfds[i] >= 0;
        }
        return running;
}

static void stop_all(const struct dev_cluster *c, const int *pidfds)
{
        dev_stop(pidfds, c->ds_count + 1);
        for (unsigned i = 0; i <= c->ds_count; i++)
                dev_forget(c, name_at(c, i));
        close_all(pidfds, c->ds_count + 1);
}

/* --- up */

static int refuse_running(const struct dev_cluster *c)
{
        for (unsigned i = 0; i <= c->ds_count; i++) {
                pid_t pid;
                int fd = dev_find(c, name_at(c, i), &pid);

                if (fd >= 0) {
                        close(fd);
                        cli_error("%s runs already (%s, pid %d); nacre dev down --dir %s stops it", c->dir,
                                  name_at(c, i), pid, c->dir);
                        return -1;
                }
        }
        return 0;
}

static int start_all(const struct dev_cluster *c)
{
        int pidfds[SERVERS];

        memset(pidfds, -1, sizeof pidfds);
        for (unsigned i = 0; i <= c->ds_count; i++) {
                pidfds[i] = dev_start(c, name_at(c, i));
                if (pidfds[i] < 0) {
                        stop_all(c, pidfds);
                        return -1;
                }
        }
        if (dev_wait_until_ready(c, pidfds) < 0) {
                stop_all(c, pidfds);
                return -1;
        }
        close_all(pidfds, c->ds_count + 1);
        return 0;
}

static void print_cluster(const struct dev_cluster *c)
{
        char nfs[NETADDR_TEXT], metrics[NETADDR_TEXT];

        for (unsigned i = 0; i <= c->ds_count; i++) {
                const struct dev_server *s = i == 0 ? &c->mds : &c->ds[i - 1];

                printf("%-5s %-24s metrics http://%s/metrics\n", s->name, netaddr_format(&s->nfs, nfs),
                       netaddr_format(&s->metrics, metrics));
        }
        netaddr_format(&c->mds.nfs, nfs);
        *strrchr(nfs, ':') = '\0';
        if (c->open_exports)
                puts("exported: /, writable and without root squash, to whoever can reach these addresses (no --exports given)");
        printf("mount -t nfs4 -o vers=4.2,port=%u %s:/ /mnt\n", c->mds.nfs.port, nfs);
        printf("nacre status --dir %s\n", c->dir);
}

static int up(struct dev_cluster *c, const struct cli_args *args)
{
        if (dev_read_plan(c) < 0 || refuse_running(c) < 0)
                return CLI_FAILED;
        if (dev_plan(c, args) < 0 || dev_check(c) < 0)
                return CLI_USAGE;
        if (dev_choose_ports(c) < 0 || dev_write_files(c) < 0 || start_all(c) < 0)
                return CLI_FAILED;
        print_cluster(c);
        return CLI_OK;
}

static void dev_close(struct dev_cluster *c)
{
        if (c->lock_fd >= 0)
                close(c->lock_fd);
}

int cmd_dev_up(const struct cli_args *args)
{
        struct dev_cluster c;
        int status = CLI_FAILED;

        if (dev_open(args->dir, true, &c) == 0)
                status = up(&c, args);
        dev_close(&c);
        return status;
}

/* --- down, restart */

/* Open DIR and read its plan, which must be there. */
static int open_existing(const char *dir, struct dev_cluster *c)
{
        int status;

        if (dev_open(dir, false, c) < 0)
                return -1;
        status = dev_read_plan(c);
        if (status == 1)
                cli_error("%s has never been up; nacre dev up starts it", c->dir);
        return status == 0 ? 0 : -1;
}

int cmd_dev_down(const struct cli_args *args)
{
        struct dev_cluster c;
        int pidfds[SERVERS], status = CLI_FAILED;
        unsigned running;

        if (open_existing(args->dir, &c) == 0) {
                running = find_all(&c, pidfds);
                stop_all(&c, pidfds);
                printf("%u of %u servers stopped, data kept in %s\n", running, c.ds_count + 1, c.dir);
                status = CLI_OK;
        }
        dev_close(&c);
        return status;
}

static int find_server(const struct dev_cluster *c, const char *name)
{
        for (unsigned i = 0; i <= c->ds_count; i++)
                if (strcmp(name_at(c, i), name) == 0)
                        return (int)i;
        if (c->ds_count == 1)
                return -cli_usage_error("no server '%s'; allowed: mds, ds0", name);
        return -cli_usage_error("no server '%s'; allowed: mds, ds0 to ds%u", name, c->ds_count - 1);
}

static int restart(const struct dev_cluster *c, const char *name)
{
        int i = find_server(c, name), pidfds[SERVERS], status = -1;

        if (i < 0)
                return -i;
        find_all(c, pidfds);
        dev_stop(&pidfds[i], 1);
        if (pidfds[i] >= 0)
                close(pidfds[i]);
        pidfds[i] = dev_start(c, name);
        if (pidfds[i] >= 0)
                status = dev_wait_until_ready(c, pidfds);
        close_all(pidfds, c->ds_count + 1);
        if (status == 0)
                printf("%s restarted\n", name);
        return status == 0 ? CLI_OK : CLI_FAILED;
}

int cmd_dev_restart(const struct cli_args *args)
{
        struct dev_cluster c;
        int status = CLI_FAILED;

        if (open_existing(args->dir, &c) == 0)
                status = restart(&c, args->operand);
        dev_close(&c);
        return status;
}
