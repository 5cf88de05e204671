/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes, in any pieces, on a connection with calls of ours under way: nothing crashes, leaks or grows.
 * Input: one byte of choices, then the stream. */
#include "base/log.h"
#include "tests/lab/rpc_lab.h"

enum { POOL_BYTES = 4 << 20 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_done(struct rpc_req *req, enum rpc_result result, struct xdr_in *results)
{
        (void)req;
        CHECK((results != NULL) == (result == RPC_DONE));
        while (results && !results->bad)
                xdr_get_opaque(results, 1 << 20);
}

static void call_back(void *arg, struct conn *c)
{
        struct rpc_req *req = arg;

        req->done = on_done;
        CHECK(rpc_req_begin(req, c, LAB_PROGRAM, LAB_VERSION, LAB_NULL, NULL, false) == 0);
        req->xid = 1; /* what a corpus can know */
        xdr_patch_u32(&req->out, 0, 1);
        rpc_req_send(req, 1000000000);
}

static bool is_over(void *arg)
{
        return ((struct raw_peer *)arg)->ended;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
        (void)argc, (void)argv;
        log_open("fuzz_rpc", LOG_ERROR); /* not a line for every closed connection */
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        uint8_t choice = size > 0 ? data[0] : 0;
        struct stream_pair_conf conf = { .seed = choice,
                                         .split = choice & 1,
                                         .buffer_bytes = choice & 2 ? 700 : 0 };
        struct rpc_limits limits = lab_limits;
        struct raw_peer *peer;
        struct rpc_req req = { 0 };
        struct rpc_lab lab;

        limits.max_calls_per_conn = 4;
        rpc_lab_start(&lab, choice, &limits, POOL_BYTES);
        peer = rpc_lab_peer(&lab, &conf);
        if (choice & 4)
                rpc_server_each_conn(lab.server, call_back, &req);
        if (size > 1)
                raw_send(peer, data + 1, size - 1);
        for (int i = 0; i < 8; i++) {
                virtual_env_run_until(&lab.v, 1000000, is_over, peer);
                lab_release_all(&lab.service);
        }
        CHECK(bufpool_in_use_bytes(lab.pool) <= POOL_BYTES);
        if (choice & 8)
                rpc_lab_run_ms(&lab, 3 * limits.stall_ms);
        rpc_lab_stop(&lab);
        raw_peer_free(peer);
        return 0;
}
