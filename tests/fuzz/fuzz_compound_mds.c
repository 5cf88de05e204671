/* SPDX-License-Identifier: Apache-2.0 */
/* Any compounds at the metadata server: nothing crashes, leaks or loops, and the store is whole afterwards
 * (fsck, when the lab stops). Input: a byte of choices, then compounds: the number of operations (one byte),
 * the length (two), and the operations as they stand behind SEQUENCE. There are a directory d, a file f and a
 * symlink l. */
#include "tests/lab/mds_lab.h"

enum { COMPOUNDS = 16, RUN_MS = 2000 };
enum choice { MINOR_2 = 1, CACHE = 2, BARE = 4 /* without SEQUENCE */, NOBODY = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mds_lab lab;
static struct user user;

static void populate(void)
{
        struct user_fh root = user_root(&user), made;

        CHECK(user_mkdir(&user, &root, "d", 0755, &made) == NFS4_OK);
        CHECK(user_touch(&user, &root, "f", 0644, &made) == NFS4_OK);
        CHECK(user_symlink(&user, &root, "l", "d/f") == NFS4_OK);
}

/* A refused SEQUENCE leaves its slot as it was. */
static void note_slot(void)
{
        if (user_result(&user, OP_SEQUENCE) != NFS4_OK)
                user.seqid--;
}

/* False: it did not end, and its slot is taken. */
static bool run(uint8_t ops, struct slice bytes, bool bare)
{
        user_begin(&user);
        if (bare) {
                xdr_truncate(user.x, user.count_at + 4);
                user.ops = 0;
                user.seqid--;
        }
        if (bytes.length % 4 != 0 || bytes.length + 1024 > xdr_room(user.x))
                bytes.length = 0;
        memcpy(xdr_reserve(user.x, bytes.length), bytes.data, bytes.length);
        user.ops += ops;
        user_send(&user);
        for (int i = 0; i < RUN_MS / 10 && !user.ended; i++)
                mds_lab_run_ms(&lab, 10);
        if (!user.ended)
                rpc_req_cancel(&user.req);
        else if (!bare && user.result == RPC_DONE && user.status != NFS4ERR_MINOR_VERS_MISMATCH)
                note_slot();
        return user.ended && user.result == RPC_DONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct slice left = slice_of(data, (uint32_t)size);
        uint8_t choice = size > 0 ? data[0] : 0;

        mds_lab_start(&lab, NULL);
        user_start(&user, &lab, "fuzzer", 1, 0, 0);
        populate();
        user.minor = choice & MINOR_2 ? 2 : 1;
        user.cache_this = choice & CACHE;
        user.cred.uid = choice & NOBODY ? 1000 : 0;
        left = slice_of(data + 1, left.length > 0 ? left.length - 1 : 0);
        for (int i = 0; i < COMPOUNDS && left.length >= 3; i++) {
                uint32_t length = (uint32_t)left.data[1] << 8 | left.data[2];
                uint8_t ops = left.data[0];

                left = slice_of(left.data + 3, left.length - 3);
                length = length < left.length ? length : left.length;
                if (!run(ops, slice_of(left.data, length), choice & BARE))
                        break;
                left = slice_of(left.data + length, left.length - length);
        }
        mds_lab_stop(&lab);
        return 0;
}
