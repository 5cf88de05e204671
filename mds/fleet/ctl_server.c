/* SPDX-License-Identifier: Apache-2.0 */
/* The door of the control protocol: listening, TLS with the cluster's key, limits; and who has fallen silent.
 */
#include "mds/fleet/ctl_server.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/sha256.h"
#include "mds/fleet/ctl_serve.h"
#include "rpc/tls.h"

enum { GONE_MS = 4 * TRUST_MS };

struct ctl_server {
        struct mds *mds;
        struct rpc_program programs[2];
        struct bufpool *pool;
        struct rpc_server *rpc;
        struct tls_context *tls;
        struct timer silence;
};

/* A data server that has been silent for as long as its trust lasts gets no new files; when it stays so,
 * nobody waits for its answers any more. */
static void check_silence(struct timer *t)
{
        struct ctl_server *c = CONTAINER(t, struct ctl_server, silence);
        struct fleet *f = c->mds->fleet;
        uint64_t now = env_now(c->mds->env);

        for (uint32_t i = 0; i < f->count; i++) {
                struct server *s = f->servers[i];

                if (s->up && now > s->trusted_until_ns) {
                        log_warn("ds-silent", "name=%s id=%u", s->name, s->id);
                        s->up = false;
                        fleet_changed(f, s);
                }
                if (!s->up && s->conn && now > s->last_heard_ns + GONE_MS * 1000000ull)
                        conn_close(s->conn);
        }
        timer_start(c->mds->env, t, HEARTBEAT_MS * 1000000ull);
}

static struct stream *wrap(void *arg, struct stream *stream)
{
        struct ctl_server *c = arg;

        return tls_stream_new(c->tls, stream, true);
}

static bool start(struct ctl_server *c)
{
        struct mds *mds = c->mds;
        const struct rpc_limits limits = { .max_connections = 2 * FLEET_MAX,
                                           .max_calls = 8192,
                                           .max_calls_per_conn = 512,
                                           .max_record = CTL_RECORD_MAX,
                                           .stall_ms = 30000,
                                           .max_reply_bytes = 8 * CTL_RECORD_MAX };
        uint8_t key[32];
        int r;

        key_derive(mds->cluster_key, "ctl", key, sizeof(key));
        c->tls = tls_context_new(mds->env, key);
        c->pool = bufpool_new(256ul * BUF_LARGE);
        if (!c->tls || !c->pool)
                return false;
        c->programs[0] = mds_ctl_program(mds);
        c->rpc = rpc_server_new(mds->env, c->pool, c->programs, &limits);
        if (!c->rpc)
                return false;
        rpc_server_wrap(c->rpc, wrap, c);
        r = rpc_server_listen(c->rpc, &mds->conf->control);
        if (r < 0) {
                char text[NETADDR_TEXT];

                log_error("control-listen-failed", "addr=%s error=%s",
                          netaddr_format(&mds->conf->control, text), strerror(-r));
                return false;
        }
        return true;
}

struct ctl_server *ctl_server_new(struct mds *mds)
{
        struct ctl_server *c = calloc(1, sizeof(*c));

        if (!c)
                return NULL;
        c->mds = mds;
        c->silence.fire = check_silence;
        if (!start(c)) {
                ctl_server_free(c);
                return NULL;
        }
        timer_start(mds->env, &c->silence, HEARTBEAT_MS * 1000000ull);
        return c;
}

static void close_conn(void *arg, struct conn *conn)
{
        (void)arg;
        conn_close(conn);
}

void ctl_server_close(struct ctl_server *c)
{
        timer_stop(&c->silence);
        rpc_server_stop_listening(c->rpc);
        rpc_server_each_conn(c->rpc, close_conn, NULL);
}

void ctl_server_free(struct ctl_server *c)
{
        if (!c)
                return;
        timer_stop(&c->silence);
        if (c->rpc)
                rpc_server_free(c->rpc);
        if (c->tls)
                tls_context_free(c->tls);
        if (c->pool)
                bufpool_free(c->pool);
        free(c);
}
