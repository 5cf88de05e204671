/* SPDX-License-Identifier: Apache-2.0 */
/* A dev cluster: one MDS and some data servers as processes of this machine, all under one directory.
 *   VERSION  cluster.yaml  cluster.key  exports.yaml  mds.yaml  ds0.yaml …
 *   mds/ ds0/ …  data      run/  lock, NAME.pid, NAME.sock      log/NAME.log */
#pragma once

#include <sys/types.h>

#include "base/env.h"
#include "cli/cli.h"

enum { DEV_PATH = 4096, DEV_NAME = 16 };

struct dev_server {
        char name[DEV_NAME]; /* "mds", "ds0", … */
        struct netaddr nfs, metrics;
};

struct dev_cluster {
        char dir[DEV_PATH - 64]; /* absolute; leaves room for the names below it */
        struct dev_server mds, ds[CLI_MAX_DS];
        unsigned ds_count;
        struct netaddr control;
        char exports[DEV_PATH];
        bool open_exports; /* ours: / for everybody */
        char stripe_unit[16], stripe_count[16], log_level[16];
        int lock_fd;
};

/* All functions below print what went wrong and return 0 or -1, unless they say otherwise. */

/* dev_dir.c. Make DIR if it is not there, see that it is ours (VERSION), lock it against other `nacre dev`;
 * fills dir and lock_fd. */
int dev_open(const char *dir, bool make, struct dev_cluster *ret);
/* DIR FOLDER/NAME SUFFIX: (c, "/run", "mds", ".pid") is DIR/run/mds.pid. */
char *dev_path(const struct dev_cluster *c, const char *folder, const char *name, const char *suffix,
               char out[DEV_PATH]);
int dev_make_directory(const char *path); /* one that exists is fine */
int dev_write_text(const char *path, const char *text, mode_t mode);
int dev_file_error(const char *path); /* prints errno; -1 */

/* dev_files.c. Read cluster.yaml. 1: there is none yet. */
int dev_read_plan(struct dev_cluster *c);
/* What came from the command line goes through the servers' own rules. */
int dev_check(const struct dev_cluster *c);
/* Write directories, key (once), exports, configurations and cluster.yaml. */
int dev_write_files(const struct dev_cluster *c);

/* dev_plan.c: from the options, and what was there before, to addresses and ports. */
int dev_plan(struct dev_cluster *c, const struct cli_args *args);
/* See that each address is of this machine and its port free, and choose the metrics ports. */
int dev_choose_ports(struct dev_cluster *c);

/* dev_process.c: the daemons. PIDFD is a descriptor of the process (pidfd_open(2)): it cannot come to mean
 * another one. */
/* A pidfd, or -1 when NAME does not run. Silent. */
int dev_find(const struct dev_cluster *c, const char *name, pid_t *ret_pid);
/* Start the program of server NAME; a pidfd or -1. */
int dev_start(const struct dev_cluster *c, const char *name);
/* SIGTERM to each of PIDFDS, wait until all have ended, kill what has not after half a minute. */
void dev_stop(const int *pidfds, unsigned count);
void dev_forget(const struct dev_cluster *c, const char *name); /* remove the pid file */
void dev_print_log_tail(const struct dev_cluster *c, const char *name);

/* dev_wait.c: wait until the MDS answers and says that all data servers that run are up. PIDFDS[0] is the
 * MDS's, then each data server's in order, -1 for one that does not run; if one of them ends the wait is
 * over. */
int dev_wait_until_ready(const struct dev_cluster *c, const int *pidfds);
