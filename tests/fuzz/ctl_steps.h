/* SPDX-License-Identifier: Apache-2.0 */
/* What fuzz_ctl_mds.c and fuzz_ctl_ds.c share: an input is steps, each a kind (one byte), a length (two) and
 * so many bytes; and answers that were given beforehand, for the calls that the server under test will make.
 */
#pragma once

#include "rpc/client.h"

enum { STEPS_MAX = 48, ANSWERS_MAX = 16, CALLS_MAX = 16 };

struct step {
        uint8_t kind;
        struct slice bytes; /* not empty */
};

static inline bool next_step(struct slice *left, struct step *ret)
{
        uint32_t length;

        if (left->length < 4)
                return false;
        length = (uint32_t)left->data[1] << 8 | left->data[2];
        ret->kind = left->data[0];
        *left = slice_of(left->data + 3, left->length - 3);
        length = length == 0 ? 1 : length < left->length ? length : left->length;
        ret->bytes = slice_of(left->data, length);
        *left = slice_of(left->data + length, left->length - length);
        return true;
}

/* The bytes behind the first, which is a procedure or a choice; whole words. */
static inline struct slice rest_of(const struct step *s)
{
        return slice_of(s->bytes.data + 1, (s->bytes.length - 1) & ~3u);
}

/* --- answers */

struct answers {
        struct step first[ANSWERS_MAX]; /* kind: the procedure, bytes: its results */
        uint32_t count;
};

static inline void answers_add(struct answers *a, const struct step *s)
{
        if (a->count < ANSWERS_MAX)
                a->first[a->count++] = (struct step){ s->bytes.data[0] % 16, rest_of(s) };
}

/* Answer CALL with the oldest answer for its procedure; false: there is none. */
static inline bool answers_give(struct answers *a, struct call *call)
{
        for (uint32_t i = 0; i < a->count; i++) {
                struct slice bytes = a->first[i].bytes;

                if (a->first[i].kind != call->header.proc)
                        continue;
                memmove(&a->first[i], &a->first[i + 1], (--a->count - i) * sizeof(a->first[0]));
                if (bytes.length > xdr_room(&call->out)) {
                        call_reply_error(call, RPC_SYSTEM_ERR);
                        return true;
                }
                memcpy(xdr_reserve(&call->out, bytes.length), bytes.data, bytes.length);
                call_reply(call);
                return true;
        }
        return false;
}

/* --- calls whose results are not looked at */

struct blind_call {
        struct rpc_req rpc;
        bool under_way;
};

static inline void blind_done(struct rpc_req *rpc, enum rpc_result result, struct xdr_in *results)
{
        (void)result, (void)results;
        CONTAINER(rpc, struct blind_call, rpc)->under_way = false;
}

/* The first byte of S is the procedure, then its arguments. Nothing when all CALLS are under way. */
static inline void blind_call(struct blind_call calls[CALLS_MAX], struct conn *conn, uint32_t prog,
                              const struct step *s)
{
        struct slice args = rest_of(s);
        struct blind_call *k = NULL;

        for (int i = 0; i < CALLS_MAX && !k; i++)
                k = calls[i].under_way ? NULL : &calls[i];
        if (!k || !conn)
                return;
        *k = (struct blind_call){ .rpc.done = blind_done, .under_way = true };
        CHECK(rpc_req_begin(&k->rpc, conn, prog, 1, s->bytes.data[0] % 10, NULL, true) == 0);
        memcpy(xdr_reserve(&k->rpc.out, args.length), args.data, args.length);
        rpc_req_send(&k->rpc, 20000000000);
}
