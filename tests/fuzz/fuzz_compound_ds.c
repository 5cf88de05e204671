/* SPDX-License-Identifier: Apache-2.0 */
/* Any compounds at a data server, one after the other in one session: nothing crashes, leaks or hangs. Input:
 * compounds; each is the number of operations (one byte), the length (two), and the operations as they stand
 * behind SEQUENCE. The corpus has handles that are right: the lab's key and client are always the same. One
 * server lives as long as the process. */
#include <stdlib.h>

#include "tests/lab/ds_lab.h"

enum { COMPOUNDS = 16, WAIT_MS = 50000 /* of who gets what guests leave */ };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ds_lab lab;
static struct lab_client client;

struct fuzzed {
        struct peer_call call;
        uint32_t ops;
        struct slice bytes;
        bool done;
};

static void encode(struct peer_call *call, struct xdr_out *x)
{
        const struct fuzzed *f = CONTAINER(call, struct fuzzed, call);

        call->ops = f->ops;
        memcpy(xdr_reserve(x, f->bytes.length), f->bytes.data, f->bytes.length);
}

static void on_done(struct peer_call *call, enum rpc_result result, enum nfsstat4 status, struct xdr_in *x)
{
        struct fuzzed *f = CONTAINER(call, struct fuzzed, call);

        CHECK(result == RPC_DONE && x != NULL);
        CHECK(nfs4_status_name(status)[0] == 'N'); /* one that the RFC knows */
        f->done = true;
}

static bool is_done(void *arg)
{
        return ((struct fuzzed *)arg)->done;
}

static void stop(void)
{
        lab_client_stop(&client);
        ds_lab_stop(&lab);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
        const struct ds_lab_conf how = { .threads = true }; /* sanitizers see what they do */

        (void)argc, (void)argv;
        ds_lab_start(&lab, &how);
        lab.mds.quiet = true;
        lab_client_start(&client, &lab, "fuzzer");
        atexit(stop);
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct slice left = slice_of(data, (uint32_t)size);

        for (int i = 0; i < COMPOUNDS && left.length >= 3; i++) {
                struct fuzzed f = { .call = { .done = on_done, .encode = encode }, .ops = left.data[0] };
                uint32_t length = (uint32_t)left.data[1] << 8 | left.data[2];

                left = slice_of(left.data + 3, left.length - 3);
                length = length < left.length ? length : left.length;
                f.bytes = slice_of(left.data, length & ~3u);
                CHECK(f.bytes.length < BUF_SMALL - 1024);
                CHECK(peer_run(client.peer, &f.call, false) == 0);
                CHECK(ds_lab_wait(&lab, is_done, &f, WAIT_MS));
                left = slice_of(left.data + length, left.length - length);
        }
        return 0;
}
