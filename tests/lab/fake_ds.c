/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/fake_ds.h"

#include <stdio.h>
#include <string.h>

#include "base/sha256.h"

enum { POOL_BYTES = 64 * 1024 * 1024, FIRST_PORT = 2051 };

static const uint64_t CALL_NS = 30000000000;

struct held_call {
        struct call call; /* first */
        struct list node;
};

static const struct rpc_limits limits = { .max_connections = 4,
                                          .max_calls = 4096,
                                          .max_calls_per_conn = 4096,
                                          .max_record = RPC_RECORD_MAX,
                                          .stall_ms = 30000,
                                          .max_reply_bytes = POOL_BYTES };

static void answer_getsizes(struct call *call)
{
        ctl_getsizes_args args = { 0 };
        ctl_size sizes[CTL_MAX_FILES];
        ctl_getsizes_res res = { .sizes.sizes_val = sizes };

        ctl_lab_args(call, (xdrproc_t)xdr_ctl_getsizes_args, &args);
        res.sizes.sizes_len = args.objects.objects_len;
        for (u_int i = 0; i < res.sizes.sizes_len; i++)
                sizes[i] = (ctl_size){ .status = CTL_NOENT, .settled = true };
        xdr_free((xdrproc_t)xdr_ctl_getsizes_args, (char *)&args);
        ctl_lab_answer(call, (xdrproc_t)xdr_ctl_getsizes_res, &res);
}

static void answer_remove(struct call *call)
{
        ctl_remove_args args = { 0 };
        ctl_status statuses[CTL_MAX_FILES] = { CTL_OK };
        ctl_statuses res = { .statuses.statuses_val = statuses };

        ctl_lab_args(call, (xdrproc_t)xdr_ctl_remove_args, &args);
        res.statuses.statuses_len = args.objects.objects_len;
        xdr_free((xdrproc_t)xdr_ctl_remove_args, (char *)&args);
        ctl_lab_answer(call, (xdrproc_t)xdr_ctl_statuses, &res);
}

static void dispatch(void *service, struct call *call)
{
        struct fake_ds *d = service;
        ctl_result ok = { .status = CTL_OK };

        d->calls++;
        if (d->intercept && d->intercept(d->intercept_arg, call))
                return;
        if (d->hold) {
                list_push(&d->held, &CONTAINER(call, struct held_call, call)->node);
                return;
        }
        switch (call->header.proc) {
        case CTL_GETSIZES: answer_getsizes(call); break;
        case CTL_REMOVE: answer_remove(call); break;
        default: ctl_lab_answer(call, (xdrproc_t)xdr_ctl_result, &ok);
        }
}

static void closed(void *arg, struct conn *conn)
{
        struct fake_ds *d = arg;

        if (d->conn != conn)
                return;
        d->conn = NULL;
        d->losses++;
}

void fake_ds_dial(struct fake_ds *d)
{
        struct stream *stream;

        fake_ds_hang_up(d);
        CHECK(d->env->ops->connect(d->env, &d->mds, &stream) == 0);
        stream = tls_stream_new(d->tls, stream, false);
        d->conn = stream ? rpc_server_adopt(d->rpc, stream) : NULL;
        CHECK(d->conn != NULL);
        conn_on_close(d->conn, closed, d);
}

void fake_ds_hang_up(struct fake_ds *d)
{
        if (d->conn)
                conn_close(d->conn);
}

void fake_ds_call(struct fake_ds *d, struct fake_call *call, uint32_t proc, xdrproc_t args_xdr, void *args,
                  xdrproc_t result_xdr, void *result)
{
        CHECK(d->conn != NULL);
        ctl_lab_call(d->conn, call, NACRE_CTL_MDS, proc, args_xdr, args, result_xdr, result);
}

static bool is_done(void *arg)
{
        return ((struct fake_call *)arg)->done;
}

void fake_ds_ask(struct fake_ds *d, struct virtual_env *v, uint32_t proc, xdrproc_t args_xdr, void *args,
                 xdrproc_t result_xdr, void *result)
{
        struct fake_call k;

        fake_ds_call(d, &k, proc, args_xdr, args, result_xdr, result);
        CHECK(virtual_env_run_until(v, CALL_NS, is_done, &k) && k.ok);
}

ctl_status fake_ds_hello(struct fake_ds *d, struct virtual_env *v, ctl_hello_ok *ret)
{
        ctl_hello_res res = { .status = CTL_OK };
        ctl_status status;

        fake_ds_ask(d, v, CTL_HELLO, (xdrproc_t)xdr_ctl_hello_args, &d->hello, (xdrproc_t)xdr_ctl_hello_res,
                    &res);
        status = res.status;
        if (ret && status == CTL_OK)
                *ret = res.ctl_hello_res_u.ok;
        xdr_free((xdrproc_t)xdr_ctl_hello_res, (char *)&res);
        return status;
}

static void introduce(struct fake_ds *d, uint8_t number)
{
        static char netid[] = "tcp";
        const struct netaddr addr = { .family = 4,
                                      .port = (uint16_t)(FIRST_PORT + number),
                                      .bytes = { 192, 0, 2, 20 } };

        snprintf(d->name, sizeof(d->name), "fake%u", number);
        netaddr_universal(&addr, d->uaddr);
        d->addr = (ctl_addr){ .netid = netid, .uaddr = d->uaddr };
        d->hello = (ctl_hello_args){ .protocol = CTL_VERSION_NUMBER,
                                     .name = d->name,
                                     .uuid = { 2, (char)number },
                                     .addrs = { .addrs_len = 1, .addrs_val = &d->addr },
                                     .space = { .total = 1000000, .free = 600000 } };
}

void fake_ds_start(struct fake_ds *d, struct env *env, const struct netaddr *mds,
                   const uint8_t cluster_key[32], uint8_t number)
{
        uint8_t key[32];

        *d = (struct fake_ds){ .env = env, .mds = *mds };
        list_init(&d->held);
        introduce(d, number);
        key_derive(cluster_key, "ctl", key, sizeof(key));
        d->tls = tls_context_new(env, key);
        d->pool = bufpool_new(POOL_BYTES);
        d->programs[0] = (struct rpc_program){ .prog = NACRE_CTL_DS,
                                               .vers = NACRE_CTL_DS_V1,
                                               .call_bytes = sizeof(struct held_call),
                                               .dispatch = dispatch,
                                               .service = d };
        d->rpc = rpc_server_new(env, d->pool, d->programs, &limits);
        CHECK(d->tls && d->pool && d->rpc);
}

void fake_ds_stop(struct fake_ds *d)
{
        fake_ds_hang_up(d);
        for (struct list *node; (node = list_pop(&d->held));)
                call_reply(&CONTAINER(node, struct held_call, node)->call);
        rpc_server_free(d->rpc);
        tls_context_free(d->tls);
        CHECK(bufpool_in_use_bytes(d->pool) == 0);
        bufpool_free(d->pool);
}
