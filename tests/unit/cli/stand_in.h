/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in for the daemons: reads their configuration, answers on the admin socket, ends on SIGTERM. */
#pragma once

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/admin.h"
#include "ds/conf.h"
#include "mds/conf.h"
#include "mds/ns/export.h"

static struct mds_conf mds;
static struct ds_conf ds;
static char error[1024];

static void on_term(void *arg, int signum)
{
        (void)signum;
        loop_stop(arg);
}

/* A data server is up when its socket is there. */
static int answer_status(void *arg, const char *body, FILE *out)
{
        const char *before = "";
        char path[200];

        (void)arg, (void)body;
        fprintf(out,
                "{\"version\":\"9\",\"fsid\":\"ab\",\"uptime_seconds\":5,\"clients\":2,\"opens\":3,\"locks\":7,\"layouts\":4,\"lease_seconds\":45,"
                "\"fenced_epoch\":6,\"grace\":true,\"grace_waits_for\":2,\"grace_left_seconds\":44,\"grace_took_ms\":0,\"data_servers\":[");
        for (unsigned i = 0; i < 64; i++) {
                snprintf(path, sizeof path, "%.*s/ds%u.sock",
                         (int)(strrchr(mds.admin_socket, '/') - mds.admin_socket), mds.admin_socket, i);
                if (access(path, F_OK) < 0)
                        continue;
                fprintf(out,
                        "%s{\"name\":\"ds%u\",\"id\":%u,\"state\":\"up\",\"addrs\":[\"127.0.0.1:%u\"],\"total\":13207024435,\"free\":1610612736,"
                        "\"used\":999,\"objects\":7,\"last_heard_ms\":%d}",
                        before, i, i + 1, 2049 + i, i == 0 ? 1250 : -1);
                before = ",";
        }
        fputs("]}", out);
        return 200;
}

static int answer_reload(void *arg, const char *body, FILE *out)
{
        struct exports *set;

        (void)arg, (void)body;
        if (exports_load(mds.exports_file.text, &set, error, sizeof error) < 0) {
                fputs("{\"error\":", out);
                json_string(out, error);
                fputs("}", out);
                return 422;
        }
        exports_free(set);
        fputs("{\"ok\":true}", out);
        return 200;
}

static int serve(const char *socket_path)
{
        struct metrics metrics = { 0 };
        struct loop *loop = loop_new();
        struct admin *admin = admin_new(loop, &metrics);

        admin_command(admin, "status", answer_status, NULL);
        admin_command(admin, "export-reload", answer_reload, NULL);
        if (admin_listen_unix(admin, socket_path) < 0)
                return 3;
        loop_signal(loop, SIGTERM, on_term, loop);
        loop_run(loop);
        admin_free(admin);
        loop_free(loop);
        return 0;
}

static int stand_in(const char *kind, const char *config)
{
        const char *broken = getenv("BROKEN");

        if (strcmp(kind, "mds") == 0) {
                if (mds_conf_load(config, &mds, error, sizeof error) < 0)
                        return fprintf(stderr, "%s\n", error), 2;
                return serve(mds.admin_socket);
        }
        if (ds_conf_load(config, &ds, error, sizeof error) < 0)
                return fprintf(stderr, "%s\n", error), 2;
        if (broken && strcmp(broken, ds.name) == 0)
                return fprintf(stderr, "the disk of %s is gone\n", ds.name), 1;
        return serve(ds.admin_socket);
}
