/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/fleet/ctl_serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mds/fleet/fences.h"
#include "mds/pnfs/devices.h"
#include "mds/pnfs/proxy.h"
#include "mds/pnfs/size.h"
#include "mds/tier/answers.h"

#define SPACE_MAX (1ull << 55) /* bytes on one data server: CTL_MAX_SERVERS of them add up in 64 bits */
#define SIZE_MOST ((uint64_t)INT64_MAX) /* of a file */

/* One call being answered. */
struct ctl_request {
        struct call call; /* first */
        struct mds *mds;
        union {
                ctl_hello_args hello;
                ctl_heartbeat_args heartbeat;
                ctl_push_args push;
                ctl_eof_args eof;
                ctl_file source;
                ctl_repo_args repo;
                ctl_resident_args resident;
                ctl_same_args same;
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
        if (proc(&xdr, result))
                x->p += xdr_getpos(&xdr);
        else
                x->full = true; /* no buffer: an RPC error, and the data server tries again */
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

static bool is_sane(const ctl_space *space)
{
        return space->total <= SPACE_MAX && space->free <= space->total && space->used <= space->total;
}

static void heard(struct ctl_request *r, struct server *s, const ctl_space *space)
{
        uint64_t now = env_now(r->mds->env);

        s->last_heard_ns = now;
        s->trusted_until_ns = now + TRUST_MS * 1000000ull;
        s->space_total = space->total;
        s->space_free = space->free;
        s->used = space->used;
        s->objects = space->objects;
}

/* --- HELLO */

/* Those that a client could connect to; a few are enough. */
static uint32_t take_addrs(const ctl_hello_args *a, struct netaddr out[FLEET_MAX_ADDRS])
{
        static const uint8_t unspecified[16];
        uint32_t n = 0;

        for (uint32_t i = 0; i < a->addrs.addrs_len && n < FLEET_MAX_ADDRS; i++)
                if (netaddr_from_universal(a->addrs.addrs_val[i].netid, a->addrs.addrs_val[i].uaddr,
                                           &out[n]) == 0 &&
                    memcmp(out[n].bytes, unspecified, sizeof(unspecified)) != 0 && out[n].port != 0)
                        n++;
        return n;
}

static void hello_ok(struct ctl_request *r, struct server *s)
{
        struct mds *mds = r->mds;
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

static bool is_name_taken(const struct fleet *f, const char *name, const struct server *but)
{
        for (uint32_t i = 0; i < f->count; i++)
                if (f->servers[i] != but && f->servers[i]->conn && strcmp(f->servers[i]->name, name) == 0)
                        return true;
        return false;
}

/* CTL_OK: *ret is the member that says HELLO, by its store's uuid, made when new; else *ret_why is for
 * people. */
static ctl_status admit(struct ctl_request *r, struct server **ret, const char **ret_why)
{
        const ctl_hello_args *a = &r->args.hello;
        struct fleet *f = r->mds->fleet;
        struct server *s = fleet_by_uuid(f, (const uint8_t *)a->uuid);
        struct netaddr addrs[FLEET_MAX_ADDRS];

        *ret_why = a->protocol != CTL_VERSION_NUMBER   ? "it speaks another version"
                   : a->name[0] == '\0'                ? "it has no name"
                   : take_addrs(a, addrs) == 0         ? "it has no address for clients"
                   : !is_sane(&a->space)               ? "its space makes no sense"
                   : server_of(r) && server_of(r) != s ? "the connection is another data server's"
                                                       : NULL;
        if (*ret_why)
                return a->protocol != CTL_VERSION_NUMBER ? CTL_VERSION : CTL_INVAL;
        *ret_why = is_name_taken(f, a->name, s) ? "its name is taken" : NULL;
        if (!*ret_why && !s && !(s = fleet_add(f, a->name, (const uint8_t *)a->uuid)))
                *ret_why = "there is no room for one more";
        *ret = s;
        return *ret_why ? CTL_REFUSED : CTL_OK;
}

/* It comes again and again: one line until something else is the matter. */
static void log_refusal(struct fleet *f, const char *name, const char *why)
{
        char text[sizeof(f->refused)];

        snprintf(text, sizeof(text), "%s: %s", name, why);
        if (strcmp(text, f->refused) != 0)
                log_warn("ds-refused", "name=%s why=%s", name, why);
        memcpy(f->refused, text, sizeof(text));
}

/* The old connection of a data server that came back is none of its own any more. */
static void take_connection(struct server *s, struct conn *conn)
{
        struct conn *old = s->conn;

        s->conn = conn;
        conn_set_data(conn, s);
        if (old && old != conn)
                conn_close(old);
}

/* Its addresses are as it says now; were they others before? */
static bool take_place(struct server *s, const ctl_hello_args *a)
{
        struct netaddr before[FLEET_MAX_ADDRS];
        uint32_t count = s->addr_count;
        bool same;

        memcpy(before, s->addrs, sizeof(before));
        s->addr_count = take_addrs(a, s->addrs);
        same = s->addr_count == count;
        for (uint32_t i = 0; same && i < count; i++)
                same = netaddr_equal(&before[i], &s->addrs[i]);
        return count > 0 && !same;
}

static void join(struct ctl_request *r)
{
        const ctl_hello_args *a = &r->args.hello;
        ctl_hello_res res = { .status = CTL_OK };
        struct mds *mds = r->mds; /* R goes with its answer */
        struct server *s;
        const char *why;
        bool moved;

        res.status = admit(r, &s, &why);
        if (res.status != CTL_OK) {
                log_refusal(r->mds->fleet, a->name, why);
                answer(r, (xdrproc_t)xdr_ctl_hello_res, &res);
                return;
        }
        snprintf(s->name, sizeof(s->name), "%s", a->name);
        if (memcmp(s->boot, a->boot, sizeof(s->boot)) != 0) {
                proxy_drop_server(r->mds->proxy, s->id);
                sizes_server_restarted(mds->sizes, s);
        }
        memcpy(s->boot, a->boot, sizeof(s->boot));
        moved = take_place(s, a);
        take_connection(s, r->call.conn);
        s->up = true;
        s->full = s->failing = s->leaving = false;
        s->nonsense = NULL;
        heard(r, s, &a->space);
        fleet_changed(r->mds->fleet, s);
        if (moved)
                devices_server_moved(mds->devices, s);
        log_info("ds-joined", "name=%s id=%u addrs=%u", s->name, s->id, s->addr_count);
        hello_ok(r, s);
        sizes_recover(mds->sizes);
}

static void hello(struct ctl_request *r)
{
        ctl_hello_args a = r->args.hello; /* R goes with its answer, what its arguments point to does not */

        join(r);
        xdr_free((xdrproc_t)xdr_ctl_hello_args, (char *)&a);
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
        if (!is_sane(&a->space)) {
                server_makes_no_sense(s, "the space in a heartbeat");
                answer_status(r, CTL_INVAL);
                return;
        }
        heard(r, s, &a->space);
        changed = full != s->full || failing != s->failing || leaving != s->leaving || !s->up;
        s->full = full;
        s->failing = failing;
        s->leaving = leaving;
        s->up = true;
        if (changed)
                fleet_changed(r->mds->fleet, s);
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

/* Only of a file that is gone may a data server say so: the client would lose it. */
static ctl_status not_pushed(int error)
{
        return error == -ENOENT ? CTL_NOENT : error == -ENOSPC ? CTL_NOSPC : CTL_REFUSED;
}

/* What one file of a PUSH comes to. *seq: to wait for. */
static ctl_status take_push(struct mds *mds, struct server *s, const ctl_push *p, uint64_t *seq)
{
        const struct inode *inode;
        int r;

        if (!s)
                return CTL_UNKNOWN;
        r = meta_inode(mds->meta, p->fileid, &inode);
        if (r < 0 || inode->generation != p->generation)
                return not_pushed(r < 0 ? r : -ENOENT);
        if (!fleet_file_is_on(mds->fleet, inode, s->id)) {
                server_makes_no_sense(s, "a push of a file that it has no part of");
                return CTL_INVAL;
        }
        if (p->size > SIZE_MOST || p->used > SIZE_MOST) {
                server_makes_no_sense(s, "a push of a size beyond 2^63");
                return CTL_TOOBIG;
        }
        if (p->size > 0)
                r = size_extend(mds->sizes, p->fileid, p->generation, s->id, p->size, p->used, seq);
        if (r < 0)
                return not_pushed(r);
        return !p->dirty || size_mark(mds->sizes, p->fileid, s->id) ? CTL_OK : CTL_REFUSED;
}

static void push(struct ctl_request *r)
{
        ctl_push_args *a = &r->args.push;

        r->durable.seq = 0;
        r->durable.done = pushed;
        for (u_int i = 0; i < a->files.files_len; i++) {
                uint64_t seq = 0;

                r->statuses[i] = take_push(r->mds, server_of(r), &a->files.files_val[i], &seq);
                if (seq > r->durable.seq)
                        r->durable.seq = seq;
        }
        free(a->files.files_val);
        a->files.files_val = NULL;
        mds_when_durable(r->mds, &r->durable);
}

/* --- EOF: the exact size, for a READ at the end of an object */

static void eof_known(struct size_wait *w, enum nfsstat4 status)
{
        struct ctl_request *r = CONTAINER(w, struct ctl_request, size);
        const struct inode *inode;
        ctl_eof_res res = { .status = CTL_IO };

        if (status == NFS4_OK && meta_inode(r->mds->meta, r->args.eof.fileid, &inode) == 0) {
                res.status = inode->generation == r->args.eof.generation ? CTL_OK : CTL_NOENT;
                res.size = inode->size;
        } else if (status == NFS4ERR_STALE || status == NFS4_OK) {
                res.status = CTL_NOENT;
        }
        answer(r, (xdrproc_t)xdr_ctl_eof_res, &res);
}

static void eof(struct ctl_request *r)
{
        ctl_eof_res unknown = { .status = CTL_UNKNOWN };

        r->size.done = eof_known;
        if (server_of(r))
                size_wait(r->mds->sizes, r->args.eof.fileid, &r->size);
        else
                answer(r, (xdrproc_t)xdr_ctl_eof_res, &unknown);
}

/* --- SOURCE, REPO, RESIDENT: cold files */

static void source(struct ctl_request *r)
{
        struct source_text text;
        ctl_source_res res = { .status = CTL_UNKNOWN };

        if (server_of(r))
                res.status = tier_source(r->mds, &r->args.source, &text, &res.ctl_source_res_u.source);
        answer(r, (xdrproc_t)xdr_ctl_source_res, &res);
}

static void repo(struct ctl_request *r)
{
        ctl_repo_res res = { .status = CTL_UNKNOWN };

        if (server_of(r))
                res.status = tier_repo(r->mds, r->args.repo.repo, &res.ctl_repo_res_u.repo);
        answer(r, (xdrproc_t)xdr_ctl_repo_res, &res);
}

static void resident_noted(struct durable_wait *w)
{
        struct ctl_request *r = CONTAINER(w, struct ctl_request, durable);

        answer_status(r, r->statuses[0]);
}

static void resident(struct ctl_request *r)
{
        r->durable.seq = 0;
        r->durable.done = resident_noted;
        r->statuses[0] = server_of(r)
                                 ? tier_resident(r->mds, server_of(r), &r->args.resident, &r->durable.seq)
                                 : CTL_UNKNOWN;
        xdr_free((xdrproc_t)xdr_ctl_resident_args, (char *)&r->args.resident);
        mds_when_durable(r->mds, &r->durable);
}

/* --- SAME: what goes to S3 */

static void same_known(struct size_wait *w, enum nfsstat4 status)
{
        struct ctl_request *r = CONTAINER(w, struct ctl_request, size);
        ctl_result res = { .status = CTL_UNKNOWN };

        if (status == NFS4_OK || status == NFS4ERR_STALE)
                res.status = tier_same(r->mds, &r->args.same);
        xdr_free((xdrproc_t)xdr_ctl_same_args, (char *)&r->args.same);
        answer(r, (xdrproc_t)xdr_ctl_result, &res);
}

static void same(struct ctl_request *r)
{
        r->size.done = same_known;
        if (server_of(r))
                size_wait(r->mds->sizes, r->args.same.file.fileid, &r->size);
        else
                same_known(&r->size, NFS4ERR_DELAY);
}

static const struct {
        xdrproc_t args;
        void (*serve)(
                struct ctl_request *); /* answers; frees what ARGS allocated, before R goes with its answer */
} procedures[] = {
        [CTL_HELLO] = { (xdrproc_t)xdr_ctl_hello_args, hello },
        [CTL_HEARTBEAT] = { (xdrproc_t)xdr_ctl_heartbeat_args, heartbeat },
        [CTL_PUSH] = { (xdrproc_t)xdr_ctl_push_args, push },
        [CTL_EOF] = { (xdrproc_t)xdr_ctl_eof_args, eof },
        [CTL_SOURCE] = { (xdrproc_t)xdr_ctl_file, source },
        [CTL_REPO] = { (xdrproc_t)xdr_ctl_repo_args, repo },
        [CTL_RESIDENT] = { (xdrproc_t)xdr_ctl_resident_args, resident },
        [CTL_SAME] = { (xdrproc_t)xdr_ctl_same_args, same },
};

static void dispatch(void *service, struct call *call)
{
        struct ctl_request *r = CONTAINER(call, struct ctl_request, call);
        uint32_t proc = call->header.proc;

        r->mds = service;
        list_init(&r->durable.node);
        if (proc == 0) {
                call_reply(call);
        } else if (proc >= sizeof(procedures) / sizeof(procedures[0])) {
                call_reply_error(call, RPC_PROC_UNAVAIL);
        } else if (!get_args(r, procedures[proc].args)) {
                call_reply_error(call, RPC_GARBAGE_ARGS);
        } else {
                procedures[proc].serve(r);
        }
}

static void conn_closed(void *service, struct conn *conn)
{
        struct server *s = conn_data(conn);
        struct mds *mds = service;

        if (!s || s->conn != conn)
                return;
        s->conn = NULL;
        s->up = false;
        if (mds->stopping)
                return;
        log_warn("ds-gone", "name=%s id=%u", s->name, s->id);
        fleet_changed(mds->fleet, s);
}

struct rpc_program mds_ctl_program(struct mds *mds)
{
        return (struct rpc_program){ .prog = NACRE_CTL_MDS,
                                     .vers = NACRE_CTL_MDS_V1,
                                     .call_bytes = sizeof(struct ctl_request),
                                     .dispatch = dispatch,
                                     .conn_closed = conn_closed,
                                     .service = mds };
}
