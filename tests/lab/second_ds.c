/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/second_ds.h"

#include <string.h>

#include "base/check.h"

enum { WAIT_MS = 20000 };

static void write_conf(struct second_ds *s)
{
        char text[640], error[256], nfs[NETADDR_TEXT], mds[NETADDR_TEXT];

        snprintf(text, sizeof(text),
                 "listen: %s\nmds: %s\nname: second\nstore: %s-2\ncluster_key: none\nreserve_bytes: 0\n"
                 "loops: 1\nlimits:\n  memory: 64M\n",
                 netaddr_format(&s->addr, nfs), netaddr_format(&s->lab->mds_addr, mds), s->lab->store);
        CHECK(ds_conf_load_text("second", text, strlen(text), &s->conf, error, sizeof(error)) == 0);
        memcpy(s->conf.cluster_key, s->lab->conf.cluster_key, sizeof(s->conf.cluster_key));
}

static void on_end(void *arg, const char *problem)
{
        struct second_ds *s = arg;

        CHECK(!problem);
        s->ended = true;
}

static bool has_joined(void *arg)
{
        const struct second_ds *s = arg;

        return s->ds->trust.state == TRUST_HELD;
}

static bool has_ended(void *arg)
{
        return ((struct second_ds *)arg)->ended;
}

void second_ds_start(struct second_ds *s, struct ds_lab *lab)
{
        struct fake_mds *m = &lab->mds;
        struct conn *first = m->conn;

        *s = (struct second_ds){ .lab = lab, .addr = lab->ds_addr };
        s->addr.bytes[3]++;
        memory_files_init(&s->files);
        write_conf(s);
        m->other = first;
        m->hello.server_id = 2;
        m->pools[0].position = 1;
        s->ds = ds_new(&s->conf, lab->env, lab->loop, lab->loop ? NULL : memory_disk_new(lab->env, &s->files),
                       on_end, s);
        CHECK(s->ds != NULL);
        s->ds->make_http = s3_model_http;
        s->ds->make_http_arg = &lab->s3;
        CHECK(ds_lab_wait(lab, has_joined, s, WAIT_MS) && m->other == first);
        m->other = m->conn;
        m->conn = first;
        m->hello.server_id = 1;
        m->pools[0].position = 0;
}

void second_ds_stop(struct second_ds *s)
{
        if (!s->ds)
                return;
        ds_stop(s->ds);
        CHECK(ds_lab_wait(s->lab, has_ended, s, WAIT_MS));
        ds_free(s->ds);
        s->ds = NULL;
        ds_conf_free(&s->conf);
        memory_files_free(&s->files);
}

void second_ds_client(struct second_ds *s, struct lab_client *client, const char *owner)
{
        struct netaddr first = s->lab->ds_addr;

        s->lab->ds_addr = s->addr;
        lab_client_start(client, s->lab, owner);
        s->lab->ds_addr = first;
}
