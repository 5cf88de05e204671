/* SPDX-License-Identifier: Apache-2.0 */
/* Connections, and calls that are waited for: what comes before and after a phase. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/load/load.h"
#include "nfs4/server.h"

enum { CALL_SECONDS = 60, CONNECT_SECONDS = 10, POOL_BYTES = 512 << 20, SLOT_BYTES = 2 * BUF_SMALL };

static const struct rpc_limits limits = {
        .max_connections = 65536,
        .max_calls = 64,
        .max_calls_per_conn = 64,
        .max_record = RPC_RECORD_MAX,
        .stall_ms = 60000,
        .max_reply_bytes = 1 << 20,
};

/* --- calls that are waited for */

static void encode(struct peer_call *call, struct xdr_out *x)
{
        const struct load_call *k = CONTAINER(call, struct load_call, call);

        call->ops = k->ops.count;
        xdr_put_fixed(x, k->args, xdr_head_length(&k->x));
}

static void on_done(struct peer_call *call, enum rpc_result result, enum nfsstat4 status, struct xdr_in *x)
{
        struct load_call *k = CONTAINER(call, struct load_call, call);

        k->done = true;
        k->result = result;
        k->status = result == RPC_DONE ? status : NFS4ERR_SERVERFAULT;
        if (x) {
                uint32_t n = xdr_left(x) < sizeof(k->reply) ? xdr_left(x) : sizeof(k->reply);

                memcpy(k->reply, x->p, n);
                k->in = xdr_in_of(slice_of(k->reply, n));
        }
        loop_stop(k->load->loop);
}

struct load_ops *load_begin(struct load_call *k, struct load *l)
{
        memset(k, 0, offsetof(struct load_call, args));
        k->load = l;
        k->done = false;
        k->call.done = on_done;
        k->call.encode = encode;
        xdr_out_init(&k->x, k->args, sizeof(k->args));
        k->ops.x = &k->x;
        return &k->ops;
}

enum nfsstat4 load_run(struct load_call *k, struct peer *peer)
{
        struct load *l = k->load;

        CHECK(!k->x.full);
        if (peer_run(peer, &k->call, false) < 0)
                return NFS4ERR_SERVERFAULT;
        while (!k->done)
                loop_run(l->loop);
        return k->status;
}

/* --- connections */

struct waiting {
        struct timer timer;
        struct load *load;
        bool over;
};

static void on_timer(struct timer *t)
{
        struct waiting *w = CONTAINER(t, struct waiting, timer);

        w->over = true;
        loop_stop(w->load->loop);
}

static void on_state(void *arg, struct peer *p, const char *state)
{
        struct load_client *c = arg;

        if (p == c->mds || !c->mds)
                c->state = state;
        loop_stop(c->load->loop);
}

/* A data server holds what waits for S3 in at most half of a session's slots, and all of ours may. */
static uint32_t slots_for(const struct load *l, uint32_t flags)
{
        uint32_t slots = flags & EXCHGID4_FLAG_USE_PNFS_DS ? 2 * l->o.slots : l->o.slots;

        return slots < SESSION_MAX_SLOTS ? slots : SESSION_MAX_SLOTS;
}

static struct peer *connect_to(struct load_client *c, const struct netaddr *addr, uint32_t flags)
{
        struct load *l = c->load;
        struct peer_conf conf = { .addr = *addr,
                                  .owner = slice_str(c->owner),
                                  .minor = l->o.minor,
                                  .exchange_flags = flags,
                                  .slots = slots_for(l, flags),
                                  .timeout_ns = CALL_SECONDS * 1000000000ull,
                                  .cred = { .flavor = RPC_AUTH_SYS, .uid = getuid(), .gid = getgid() } };

        memcpy(conf.verifier, l->verifier, NFS4_VERIFIER_SIZE);
        return peer_new(l->rpc, l->env, &conf, on_state, c);
}

static bool wait_ready(struct load *l, const struct peer *peer)
{
        struct waiting w = { .timer.fire = on_timer, .load = l };

        timer_start(l->env, &w.timer, CONNECT_SECONDS * 1000000000ull);
        while (!peer_ready(peer) && !w.over)
                loop_run(l->loop);
        timer_stop(&w.timer);
        return peer_ready(peer);
}

struct peer *load_ds_peer(struct load_client *c, uint32_t server)
{
        if (!c->ds[server])
                c->ds[server] = connect_to(c, &c->load->addrs[server], EXCHGID4_FLAG_USE_PNFS_DS);
        return c->ds[server] && wait_ready(c->load, c->ds[server]) ? c->ds[server] : NULL;
}

static bool fail(struct load *l, const char *what, const char *why)
{
        snprintf(l->problem, sizeof(l->problem), "%s: %s", what, why);
        return false;
}

bool load_connect(struct load *l)
{
        char host[NETADDR_TEXT];

        l->pool = bufpool_new(POOL_BYTES + (size_t)l->o.clients * l->o.slots * SLOT_BYTES);
        l->rpc = l->pool ? rpc_server_new(l->env, l->pool, &l->nothing, &limits) : NULL;
        l->clients = calloc(l->o.clients, sizeof(*l->clients));
        l->data = calloc(l->o.data_files, sizeof(*l->data));
        l->devices = calloc(LOAD_MAX_DEVICES, sizeof(*l->devices));
        l->payload = l->pool ? buf_get(l->pool, LOAD_MAX_BLOCK) : NULL;
        if (!l->rpc || !l->clients || !l->data || !l->devices || !l->payload)
                return fail(l, "setup", "out of memory");
        env_random(l->env, l->verifier, sizeof(l->verifier));
        env_random(l->env, l->payload->data, LOAD_MAX_BLOCK);
        for (uint32_t i = 0; i < l->o.clients; i++) {
                struct load_client *c = &l->clients[i];

                c->load = l;
                snprintf(c->owner, sizeof(c->owner), "nfsload-%u-%016llx", i,
                         (unsigned long long)env_random_u64(l->env));
                c->mds = connect_to(c, &l->o.server, EXCHGID4_FLAG_USE_PNFS_MDS);
                if (!c->mds || !wait_ready(l, c->mds))
                        return fail(l, netaddr_format(&l->o.server, host), c->state ? c->state : "no answer");
        }
        return true;
}

bool load_hold(struct load *l, uint32_t seconds, struct load_result *ret)
{
        struct waiting w = { .timer.fire = on_timer, .load = l };
        uint64_t began = env_now(l->env);

        timer_start(l->env, &w.timer, seconds * 1000000000ull);
        while (!w.over)
                loop_run(l->loop);
        *ret = (struct load_result){ .elapsed_ns = env_now(l->env) - began };
        for (uint32_t i = 0; i < l->o.clients; i++)
                ret->ops += peer_ready(l->clients[i].mds);
        ret->errors = l->o.clients - ret->ops;
        return ret->errors == 0 ||
               fail(l, "a client lost its session", l->clients[0].state ? l->clients[0].state : "");
}

static void on_left(void *arg)
{
        struct load *l = arg;

        l->leaving--;
        loop_stop(l->loop);
}

static void say_farewell(struct load *l, struct peer *peer)
{
        if (!peer)
                return;
        l->leaving = 1;
        peer_shutdown(peer, on_left, l);
        while (l->leaving > 0)
                loop_run(l->loop);
        peer_free(peer);
}

void load_disconnect(struct load *l)
{
        for (uint32_t i = 0; l->clients && i < l->o.clients; i++) {
                for (uint32_t j = 0; j < LOAD_MAX_SERVERS; j++)
                        say_farewell(l, l->clients[i].ds[j]);
                say_farewell(l, l->clients[i].mds);
        }
        buf_unref(l->payload);
        rpc_server_free(l->rpc);
        if (l->pool)
                bufpool_free(l->pool);
        free(l->clients);
        free(l->data);
        free(l->devices);
}

/* --- directories */

static enum nfsstat4 look_up(struct load *l, const struct load_fh *dir, const char *name, struct load_fh *ret)
{
        struct load_call k;
        struct load_ops *o = load_begin(&k, l);
        enum nfsstat4 status;

        if (dir)
                put_fh(o, dir);
        else
                put_root(o);
        if (name)
                put_lookup(o, name);
        put_op(o, OP_GETFH);
        status = load_run(&k, l->clients[0].mds);
        if (status != NFS4_OK)
                return status;
        peer_result(&k.in, dir ? OP_PUTFH : OP_PUTROOTFH);
        if (name)
                peer_result(&k.in, OP_LOOKUP);
        return get_fh(&k.in, ret) ? NFS4_OK : NFS4ERR_BADXDR;
}

static enum nfsstat4 find_or_make(struct load *l, const struct load_fh *dir, const char *name,
                                  struct load_fh *ret)
{
        struct load_call k;
        struct load_ops *o;
        enum nfsstat4 status = look_up(l, dir, name, ret);

        if (status != NFS4ERR_NOENT)
                return status;
        o = load_begin(&k, l);
        put_fh(o, dir);
        put_mkdir(o, name);
        status = load_run(&k, l->clients[0].mds);
        return status == NFS4_OK ? look_up(l, dir, name, ret) : status;
}

bool load_prepare(struct load *l)
{
        struct load_fh dir, next;
        char name[256], path[4096], *rest = path, *part;
        enum nfsstat4 status = look_up(l, NULL, NULL, &dir);

        snprintf(path, sizeof(path), "%s", l->o.path);
        while (status == NFS4_OK && (part = strsep(&rest, "/"))) {
                if (!*part)
                        continue;
                status = find_or_make(l, &dir, part, &next);
                dir = next;
        }
        for (uint32_t i = 0; status == NFS4_OK && i < l->o.directories; i++) {
                snprintf(name, sizeof(name), "d%02u", i);
                status = find_or_make(l, &dir, name, &l->directory[i]);
        }
        if (status == NFS4_OK)
                status = find_or_make(l, &dir, "data", &l->data_directory);
        return status == NFS4_OK || fail(l, l->o.path, nfs4_status_name(status));
}

void load_file_name(uint32_t i, char out[32])
{
        snprintf(out, 32, "f%07u", i);
}

bool load_files_are_there(struct load *l)
{
        struct load_fh fh;
        char first[32], last[32];

        load_file_name(0, first);
        load_file_name(l->o.files - 1, last);
        return look_up(l, &l->directory[0], first, &fh) == NFS4_OK &&
               look_up(l, &l->directory[(l->o.files - 1) % l->o.directories], last, &fh) == NFS4_OK;
}
