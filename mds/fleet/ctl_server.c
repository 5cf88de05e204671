/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/fleet/ctl_server.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/sha256.h"
#include "mds/fleet/fences.h"
#include "mds/pnfs/size.h"
#include "rpc/tls.h"

struct ctl_server {
        struct mds *mds;
        struct rpc_program programs[2];
        struct bufpool *pool;
        struct rpc_server *rpc;
        struct tls_context *tls;
        struct timer silence;
};

/* One call being answered. */
struct ctl_request {
        struct call call; /* first */
        struct ctl_server *server;
        union {
                ctl_hello_args hello;
                ctl_heartbeat_args heartbeat;
                ctl_push_args push;
                ctl_eof_args eof;
        } args;
        struct durable_wait durable;
        struct size_wait size;
        ctl_status statuses[CTL_MAX_FILES];
};

static bool get_args(struct ctl_request *r, xdrproc_t proc)
{
        const struct xdr_in *x = &r->call.args;
        XDR xdr;

        memset(&r->args, 0, sizeof(r->args));
        xdrmem_create(&xdr, (char *)(uintptr_t)x->p, xdr_left(x), XDR_DECODE);
        if (proc(&xdr, &r->args))
                return true;
        xdr_free(proc, (char *)&r->args);
        return false;
}

static void answer(struct ctl_request *r, xdrproc_t proc, void *result)
{
        struct xdr_out *x = &r->call.out;
        XDR xdr;

        call_need_head(&r->call, (uint32_t)xdr_sizeof(proc, result));
        xdrmem_create(&xdr, (char *)x->p, xdr_room(x), XDR_ENCODE);
        CHECK(proc(&xdr, result));
        x->p += xdr_getpos(&xdr);
        call_reply(&r->call);
}

static void answer_status(struct ctl_request *r, ctl_status status)
{
        ctl_result result = { .status = status };

        answer(r, (xdrproc_t)xdr_ctl_result, &result);
}

static struct server *server_of(const struct ctl_request *r)
{
        return conn_data(r->call.conn);
}

static void heard(struct ctl_request *r, struct server *s, const ctl_space *space)
{
        uint64_t now = env_now(r->server->mds->env);

        s->last_heard_ns = now;
        s->trusted_until_ns = now + TRUST_MS * 1000000ull;
        s->space_total = space->total;
        s->space_free = space->free;
        s->used = space->used;
        s->objects = space->objects;
}

/* --- HELLO */

static uint32_t take_addrs(const ctl_hello_args *a, struct netaddr out[FLEET_MAX_ADDRS])
{
        uint32_t n = 0;

        for (uint32_t i = 0; i < a->addrs.addrs_len && n < FLEET_MAX_ADDRS; i++)
                if (netaddr_from_universal(a->addrs.addrs_val[i].netid, a->addrs.addrs_val[i].uaddr,
                                           &out[n]) == 0)
                        n++;
        return n;
}

static void hello_ok(struct ctl_request *r, struct server *s)
{
        struct mds *mds = r->server->mds;
        ctl_pool *pools = calloc(CTL_MAX_POOLS, sizeof(*pools));
        ctl_fence *fences = calloc(CTL_MAX_FENCES, sizeof(*fences));
        ctl_hello_res res = { .status = CTL_OK };
        ctl_hello_ok *ok = &res.ctl_hello_res_u.ok;

        CHECK(pools && fences);
        ok->server_id = s->id;
        memcpy(ok->fsid, meta_fsid(mds->meta), 16);
        ok->mds_boot = meta_boot(mds->meta);
        ok->lease_seconds = (unsigned)mds->conf->lease_seconds;
        ok->trust_ms = TRUST_MS;
        ok->heartbeat_ms = HEARTBEAT_MS;
        ok->floor = fences_floor(mds->fleet->fences);
        ok->pools.pools_val = pools;
        ok->pools.pools_len = fences_pools_of(mds->fleet, s, pools);
        ok->fences.fences_val = fences;
        ok->fences.fences_len = fences_list(mds->fleet->fences, fences);
        answer(r, (xdrproc_t)xdr_ctl_hello_res, &res);
        free(pools);
        free(fences);
}

/* The member that says HELLO: by its store's uuid, a new one otherwise. */
static struct server *find_or_add(struct ctl_request *r, const ctl_hello_args *a)
{
        struct fleet *f = r->server->mds->fleet;
        struct server *s = fleet_by_uuid(f, (const uint8_t *)a->uuid);

        return s ? s : fleet_add(f, a->name, (const uint8_t *)a->uuid);
}

static void hello(struct ctl_request *r)
{
        const ctl_hello_args *a = &r->args.hello;
        ctl_hello_res res = { .status = CTL_REFUSED };
        struct server *s;

        if (a->protocol != CTL_VERSION_NUMBER)
                res.status = CTL_VERSION;
        s = a->protocol == CTL_VERSION_NUMBER ? find_or_add(r, a) : NULL;
        if (s && s->conn && s->conn != r->call.conn)
                conn_close(s->conn); /* the old connection of a data server that came back */
        if (!s) {
                log_warn("ds-refused", "name=%s protocol=%u", a->name, a->protocol);
                answer(r, (xdrproc_t)xdr_ctl_hello_res, &res);
                return;
        }
        snprintf(s->name, sizeof(s->name), "%s", a->name);
        memcpy(s->boot, a->boot, sizeof(s->boot));
        s->addr_count = take_addrs(a, s->addrs);
        s->conn = r->call.conn;
        conn_set_data(r->call.conn, s);
        s->up = s->addr_count > 0;
        s->full = s->failing = s->leaving = false;
        heard(r, s, &a->space);
        fleet_changed(r->server->mds->fleet, s);
        log_info("ds-joined", "name=%s id=%u addrs=%u", s->name, s->id, s->addr_count);
        hello_ok(r, s);
}

static void heartbeat(struct ctl_request *r)
{
        const ctl_heartbeat_args *a = &r->args.heartbeat;
        struct server *s = server_of(r);
        bool full = (a->flags & CTL_HB_FULL) != 0, failing = (a->flags & CTL_HB_FAILING) != 0;
        bool leaving = (a->flags & CTL_HB_LEAVING) != 0, changed;

        if (!s) {
                answer_status(r, CTL_UNKNOWN);
                return;
        }
        heard(r, s, &a->space);
        changed = full != s->full || failing != s->failing || leaving != s->leaving || !s->up;
        s->full = full;
        s->failing = failing;
        s->leaving = leaving;
        s->up = true;
        if (changed)
                fleet_changed(r->server->mds->fleet, s);
        answer_status(r, CTL_OK);
}

/* --- PUSH: sizes become durable, then the answer */

static void pushed(struct durable_wait *w)
{
        struct ctl_request *r = CONTAINER(w, struct ctl_request, durable);
        ctl_push_res res = { .statuses.statuses_len = r->args.push.files.files_len,
                             .statuses.statuses_val = r->statuses };

        answer(r, (xdrproc_t)xdr_ctl_push_res, &res);
}

static void push(struct ctl_request *r)
{
        struct mds *mds = r->server->mds;
        const struct server *s = server_of(r);
        ctl_push_args *a = &r->args.push;

        r->durable.seq = 0;
        r->durable.done = pushed;
        for (u_int i = 0; i < a->files.files_len; i++) {
                const ctl_push *f = &a->files.files_val[i];
                uint64_t seq = 0;

                r->statuses[i] = CTL_OK;
                if (f->size > 0 && size_extend(mds->sizes, f->fileid, f->generation, f->size, &seq) < 0)
                        r->statuses[i] = CTL_NOENT;
                if (s)
                        size_mark(mds->sizes, f->fileid, s->id, f->dirty);
                if (seq > r->durable.seq)
                        r->durable.seq = seq;
        }
        free(a->files.files_val);
        a->files.files_val = NULL;
        mds_when_durable(mds, &r->durable);
}

/* --- EOF: the exact size, for a READ at the end of an object */

static void eof_known(struct size_wait *w, enum nfsstat4 status)
{
        struct ctl_request *r = CONTAINER(w, struct ctl_request, size);
        const struct inode *inode;
        ctl_eof_res res = { .status = CTL_IO };

        if (status == NFS4_OK && meta_inode(r->server->mds->meta, r->args.eof.fileid, &inode) == 0) {
                res.status = inode->generation == r->args.eof.generation ? CTL_OK : CTL_NOENT;
                res.size = inode->size;
        } else if (status == NFS4ERR_STALE || status == NFS4_OK) {
                res.status = CTL_NOENT;
        }
        answer(r, (xdrproc_t)xdr_ctl_eof_res, &res);
}

static void dispatch(void *service, struct call *call)
{
        struct ctl_request *r = CONTAINER(call, struct ctl_request, call);
        static const xdrproc_t procs[] = { NULL, (xdrproc_t)xdr_ctl_hello_args,
                                           (xdrproc_t)xdr_ctl_heartbeat_args, (xdrproc_t)xdr_ctl_push_args,
                                           (xdrproc_t)xdr_ctl_eof_args };
        uint32_t proc = call->header.proc;

        r->server = service;
        list_init(&r->durable.node);
        if (proc == 0) {
                call_reply(call);
                return;
        }
        if (proc >= sizeof(procs) / sizeof(procs[0])) {
                call_reply_error(call, RPC_PROC_UNAVAIL);
                return;
        }
        if (!get_args(r, procs[proc])) {
                call_reply_error(call, RPC_GARBAGE_ARGS);
                return;
        }
        if (proc == CTL_HELLO) {
                ctl_hello_args a = r->args.hello;

                hello(r);
                xdr_free((xdrproc_t)xdr_ctl_hello_args, (char *)&a);
        } else if (proc == CTL_HEARTBEAT) {
                heartbeat(r);
        } else if (proc == CTL_PUSH) {
                push(r);
        } else {
                r->size.done = eof_known;
                size_wait(r->server->mds->sizes, r->args.eof.fileid, &r->size);
        }
}

static void conn_closed(void *service, struct conn *conn)
{
        struct server *s = conn_data(conn);
        struct ctl_server *c = service;

        if (!s || s->conn != conn)
                return;
        s->conn = NULL;
        s->up = false;
        log_warn("ds-gone", "name=%s id=%u", s->name, s->id);
        fleet_changed(c->mds->fleet, s);
}

/* A data server that has been silent for as long as its trust lasts gets no new files. */
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
                                           .max_calls_per_conn = 1024,
                                           .max_record = RPC_RECORD_MAX,
                                           .stall_ms = 30000,
                                           .max_reply_bytes = 64 * BUF_LARGE };
        uint8_t key[32];
        int r;

        key_derive(mds->cluster_key, "ctl", key, sizeof(key));
        c->tls = tls_context_new(mds->env, key);
        c->pool = bufpool_new(256ul * BUF_LARGE);
        if (!c->tls || !c->pool)
                return false;
        c->programs[0] = (struct rpc_program){ .prog = NACRE_CTL_MDS,
                                               .vers = NACRE_CTL_MDS_V1,
                                               .call_bytes = sizeof(struct ctl_request),
                                               .dispatch = dispatch,
                                               .conn_closed = conn_closed,
                                               .service = c };
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
