/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/cluster_lab.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "mds/fleet/fleet.h"
#include "tests/lab/own_address.h"

enum { WAIT_MS = 20000, CALL_SECONDS = 30 };

static const char exports[] = "exports:\n  - path: /\n    rules:\n      - clients: '*'\n        access: rw\n"
                              "        squash: none\n";

/* --- the loop */

bool cluster_lab_wait(struct cluster_lab *lab, bool (*condition)(void *arg), void *arg, uint32_t ms)
{
        return loop_wait_for(&lab->wait, condition, arg, ms);
}

/* --- servers */

static void start_mds(struct cluster_lab *lab)
{
        char text[1024], error[256], nfs[NETADDR_TEXT], control[NETADDR_TEXT], path[128];
        FILE *f;

        snprintf(path, sizeof(path), "%s/exports.yaml", lab->dir);
        f = fopen(path, "w");
        CHECK(f && fputs(exports, f) >= 0 && fclose(f) == 0);
        snprintf(text, sizeof(text),
                 "listen: %s\ncontrol: %s\nadmin_socket: %s/mds.sock\nstore: %s/mds\ncluster_key: none\n"
                 "exports: %s\nstripe_unit: 1M\nlimits:\n  memory: 128M\n",
                 netaddr_format(&lab->mds_addr, nfs), netaddr_format(&lab->control_addr, control), lab->dir,
                 lab->dir, path);
        if (mds_conf_load_text("mds", text, strlen(text), &lab->mds_conf, error, sizeof(error)) < 0) {
                fprintf(stderr, "%s\n", error);
                abort();
        }
        memset(lab->mds_conf.cluster_key, 0x5a, sizeof(lab->mds_conf.cluster_key));
        lab->mds = mds_start(&lab->mds_conf, lab->env, lab->loop, NULL);
        CHECK(lab->mds != NULL);
}

static void ds_ended(void *arg, const char *problem)
{
        struct cluster_lab *lab = arg;

        if (problem)
                fprintf(stderr, "data server: %s\n", problem);
        lab->ds_ended++;
}

static void start_ds(struct cluster_lab *lab, uint32_t i)
{
        char text[1024], error[256], nfs[NETADDR_TEXT], control[NETADDR_TEXT];

        snprintf(
                text, sizeof(text),
                "listen: %s\nmds: %s\nname: ds%u\nstore: %s/ds%u\ncluster_key: none\nreserve_bytes: 0\nloops: 1\n"
                "limits:\n  memory: 128M\n",
                netaddr_format(&lab->ds_addr[i], nfs), netaddr_format(&lab->control_addr, control), i,
                lab->dir, i);
        if (ds_conf_load_text("ds", text, strlen(text), &lab->ds_conf[i], error, sizeof(error)) < 0) {
                fprintf(stderr, "%s\n", error);
                abort();
        }
        memset(lab->ds_conf[i].cluster_key, 0x5a, sizeof(lab->ds_conf[i].cluster_key));
        lab->ds[i] = ds_new(&lab->ds_conf[i], lab->env, lab->loop, NULL, ds_ended, lab);
        CHECK(lab->ds[i] != NULL);
}

/* They serve, and the MDS places files on all of them. */
static bool all_joined(void *arg)
{
        const struct cluster_lab *lab = arg;
        const struct pool *pool = fleet_pool(lab->mds->fleet, lab->mds->fleet->current);

        for (uint32_t i = 0; i < lab->ds_count; i++)
                if (lab->ds[i]->trust.state != TRUST_HELD)
                        return false;
        return pool && pool->count == lab->ds_count;
}

void cluster_lab_start(struct cluster_lab *lab, uint32_t ds_count)
{
        const struct rpc_limits limits = { .max_connections = 64,
                                           .max_calls = 64,
                                           .max_calls_per_conn = 64,
                                           .max_record = RPC_RECORD_MAX,
                                           .stall_ms = 30000,
                                           .max_reply_bytes = 1 << 24 };

        CHECK(ds_count <= CLUSTER_MAX_DS);
        *lab = (struct cluster_lab){ .callbacks = { lab->callbacks[0] } };
        log_open("lab", getenv("LAB_LOG") ? LOG_DEBUG : LOG_ERROR);
        lab->loop = loop_new();
        lab->env = loop_env(lab->loop);
        loop_wait_init(&lab->wait, lab->loop);
        strcpy(lab->dir, "/tmp/cluster_lab.XXXXXX");
        CHECK(mkdtemp(lab->dir) != NULL);
        lab->mds_addr = own_address();
        lab->control_addr = own_address();
        start_mds(lab);
        lab->ds_count = ds_count;
        for (uint32_t i = 0; i < ds_count; i++) {
                lab->ds_addr[i] = own_address();
                start_ds(lab, i);
        }
        CHECK(cluster_lab_wait(lab, all_joined, lab, WAIT_MS));
        lab->pool = bufpool_new(512ul * BUF_LARGE);
        lab->rpc = rpc_server_new(lab->env, lab->pool, lab->callbacks, &limits);
        CHECK(lab->pool && lab->rpc);
}

static bool never(void *arg)
{
        (void)arg;
        return false;
}

static bool all_ended(void *arg)
{
        const struct cluster_lab *lab = arg;

        return lab->ds_ended == lab->ds_count;
}

void cluster_lab_stop(struct cluster_lab *lab)
{
        char command[128];

        rpc_server_free(lab->rpc);
        bufpool_free(lab->pool);
        for (uint32_t i = 0; i < lab->ds_count; i++)
                ds_stop(lab->ds[i]);
        CHECK(cluster_lab_wait(lab, all_ended, lab, WAIT_MS));
        for (uint32_t i = 0; i < lab->ds_count; i++) {
                ds_free(lab->ds[i]);
                ds_conf_free(&lab->ds_conf[i]);
        }
        mds_stop(lab->mds);
        cluster_lab_wait(lab, never, NULL, 1); /* the last word of the store's thread */
        mds_conf_free(&lab->mds_conf);
        loop_wait_end(&lab->wait);
        loop_free(lab->loop);
        snprintf(command, sizeof(command), "rm -rf %s", lab->dir);
        CHECK(system(command) == 0);
}

/* --- the client */

static bool is_ready(void *arg)
{
        return peer_ready(arg);
}

struct peer *cluster_lab_connect(struct cluster_lab *lab, const char *owner, int ds)
{
        struct peer_conf conf = { .addr = ds < 0 ? lab->mds_addr : lab->ds_addr[ds],
                                  .owner = slice_str(owner),
                                  .verifier = "verify",
                                  .minor = 2,
                                  .exchange_flags =
                                          ds < 0 ? EXCHGID4_FLAG_USE_PNFS_MDS : EXCHGID4_FLAG_USE_PNFS_DS,
                                  .slots = 64,
                                  .back_channel = lab->callbacks[0].dispatch != NULL,
                                  .timeout_ns = CALL_SECONDS * 1000000000ull,
                                  .cred = { .flavor = RPC_AUTH_SYS } };
        struct peer *peer = peer_new(lab->rpc, lab->env, &conf, NULL, NULL);

        CHECK(peer && cluster_lab_wait(lab, is_ready, peer, WAIT_MS));
        return peer;
}

static void encode(struct peer_call *call, struct xdr_out *x)
{
        struct cluster_call *k = CONTAINER(call, struct cluster_call, call);

        call->ops = k->ops;
        xdr_put_fixed(x, k->args, xdr_head_length(&k->x));
        if (k->data_buf) {
                xdr_put_u32(x, k->data.length);
                xdr_put_ref(x, buf_ref(k->data_buf), k->data.data, k->data.length);
        }
}

static void on_done(struct peer_call *call, enum rpc_result result, enum nfsstat4 status, struct xdr_in *x)
{
        struct cluster_call *k = CONTAINER(call, struct cluster_call, call);
        uint32_t n;

        CHECK(result == RPC_DONE);
        n = xdr_left(x) < sizeof(k->reply) ? xdr_left(x) : sizeof(k->reply);
        memcpy(k->reply, x->p, n);
        k->in = xdr_in_of(slice_of(k->reply, n));
        k->status = status;
        k->done = true;
}

void cluster_begin(struct cluster_call *k, struct cluster_lab *lab)
{
        memset(k, 0, offsetof(struct cluster_call, args));
        k->lab = lab;
        k->call.done = on_done;
        k->call.encode = encode;
        xdr_out_init(&k->x, k->args, sizeof(k->args));
}

struct xdr_out *cluster_op(struct cluster_call *k, uint32_t opnum)
{
        k->ops++;
        xdr_put_u32(&k->x, opnum);
        return &k->x;
}

static bool is_done(void *arg)
{
        return ((struct cluster_call *)arg)->done;
}

enum nfsstat4 cluster_run(struct cluster_call *k, struct peer *peer)
{
        CHECK(!k->x.full);
        k->done = false;
        CHECK(peer_run(peer, &k->call, false) == 0);
        CHECK(cluster_lab_wait(k->lab, is_done, k, WAIT_MS));
        return k->status;
}
