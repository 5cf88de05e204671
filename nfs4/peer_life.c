/* SPDX-License-Identifier: Apache-2.0 */
/* The peer's life: its states, its beginning and its end. See peer.h. */
#include <stdlib.h>

#include "base/check.h"
#include "nfs4/peer_private.h"
#include "nfs4/server.h"

enum { RETRY_MOST_MS = 3000 };

bool peer_ready(const struct peer *p)
{
        return p->phase == PEER_UP;
}

uint64_t peer_clientid(const struct peer *p)
{
        return p->clientid;
}

uint32_t peer_slots(const struct peer *p)
{
        return p->slots;
}

void peer_tell(struct peer *p, const char *state)
{
        bool same = state && p->told ? strcmp(state, p->told) == 0 : state == p->told;

        p->told = state;
        if (!same && p->on_state)
                p->on_state(p->arg, p, state);
}

void peer_fail(struct peer *p, const char *why)
{
        peer_drop_conn(p);
        peer_kick(p);
        timer_stop(&p->pause);
        if (p->phase == PEER_LEAVING) {
                p->farewell_begun = false; /* it ends now */
                return;
        }
        if (p->own_used && !p->own.peer) { /* waiting for a slot */
                list_remove(&p->own.node);
                p->own_used = false;
        }
        p->phase = PEER_DOWN;
        peer_pause(p, p->retry_ms, peer_start);
        p->retry_ms = p->retry_ms * 2 < RETRY_MOST_MS ? p->retry_ms * 2 : RETRY_MOST_MS;
        peer_tell(p, why);
}

/* --- the end */

static void farewell(struct peer *p)
{
        peer_drop_conn(p);
        p->farewell(p->farewell_arg);
}

static void client_destroyed(struct rpc_req *req, enum rpc_result result, struct xdr_in *x)
{
        (void)result, (void)x; /* CLIENTID_BUSY: somebody else uses our owner */
        farewell(CONTAINER(req, struct peer, setup));
}

static void session_destroyed(struct rpc_req *req, enum rpc_result result, struct xdr_in *x)
{
        struct peer *p = CONTAINER(req, struct peer, setup);
        enum nfsstat4 status = peer_step_status(result, x, OP_DESTROY_SESSION);

        if (status == NFS4ERR_DELAY && env_now(p->env) < p->farewell_until_ns) {
                peer_pause(p, PEER_BUSY_MS, peer_leave);
                return;
        }
        if (result != RPC_DONE || !peer_begin_step(p, client_destroyed, OP_DESTROY_CLIENTID)) {
                farewell(p);
                return;
        }
        xdr_put_u64(&p->setup.out, p->clientid);
        rpc_req_send(&p->setup, p->conf.timeout_ns);
}

void peer_leave(struct peer *p)
{
        p->farewell_begun = true;
        if (!p->conn || !p->has_session || !peer_begin_step(p, session_destroyed, OP_DESTROY_SESSION)) {
                farewell(p);
                return;
        }
        xdr_put_fixed(&p->setup.out, p->session, NFS4_SESSIONID_SIZE);
        rpc_req_send(&p->setup, p->conf.timeout_ns);
}

void peer_shutdown(struct peer *p, void (*done)(void *arg), void *arg)
{
        CHECK(p->phase <= PEER_UP);
        p->farewell = done;
        p->farewell_arg = arg;
        p->farewell_until_ns = env_now(p->env) + p->conf.timeout_ns;
        if (p->phase == PEER_DOWN)
                peer_drop_conn(p);
        p->phase = PEER_LEAVING;
        timer_stop(&p->pause);
        timer_stop(&p->lease);
        peer_kick(p);
}

void peer_free(struct peer *p)
{
        if (!p)
                return;
        p->phase = PEER_FREED;
        peer_drop_conn(p);
        timer_stop(&p->pause);
        timer_stop(&p->lease);
        peer_calls_end(p);
        free((void *)(uintptr_t)p->conf.owner.data);
        free(p);
}

/* --- the beginning */

struct peer *peer_new(struct rpc_server *rpc, struct env *env, const struct peer_conf *conf,
                      peer_state_fn *on_state, void *arg)
{
        struct peer *p = calloc(1, sizeof(*p));
        uint8_t *owner = malloc(conf->owner.length + 1);

        if (!p || !owner) {
                free(p);
                free(owner);
                return NULL;
        }
        CHECK(conf->slots > 0 && conf->slots <= SESSION_MAX_SLOTS);
        memcpy(owner, conf->owner.data, conf->owner.length);
        p->rpc = rpc;
        p->env = env;
        p->conf = *conf;
        p->conf.owner.data = owner;
        p->on_state = on_state;
        p->arg = arg;
        p->told = "new";
        p->retry_ms = PEER_RETRY_FIRST_MS;
        peer_calls_init(p);
        peer_pause(p, 0, peer_start);
        return p;
}
