/* SPDX-License-Identifier: Apache-2.0 */
/* The clients of ds_lab.h, what they do, and what the fake MDS calls. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/lab/ds_lab.h"

enum { WAIT_MS = 20000, CALL_SECONDS = 60 };

/* --- clients */

static void on_state(void *arg, struct peer *p, const char *state)
{
        struct lab_client *c = arg;

        (void)p;
        c->up = state == NULL;
}

void lab_client_begin(struct lab_client *c, struct ds_lab *lab, const char *owner)
{
        struct peer_conf conf = { .addr = lab->use_second_door ? lab->ds_addr6 : lab->ds_addr,
                                  .owner = slice_str(owner),
                                  .verifier = "verify",
                                  .minor = 2,
                                  .exchange_flags = EXCHGID4_FLAG_USE_PNFS_DS,
                                  .slots = 64,
                                  .timeout_ns = CALL_SECONDS * 1000000000ull,
                                  .cred = { .flavor = RPC_AUTH_SYS } };

        *c = (struct lab_client){ .lab = lab };
        c->tag = client_tag(owner, (uint32_t)strlen(owner), conf.verifier, lab->handle_key);
        c->peer = peer_new(lab->rpc, lab->env, &conf, on_state, c);
        CHECK(c->peer != NULL);
}

static bool is_up(void *arg)
{
        const struct lab_client *c = arg;

        return c->up;
}

bool lab_client_wait_up(struct lab_client *c, uint32_t ms)
{
        return ds_lab_wait(c->lab, is_up, c, ms);
}

void lab_client_start(struct lab_client *c, struct ds_lab *lab, const char *owner)
{
        lab_client_begin(c, lab, owner);
        CHECK(lab_client_wait_up(c, WAIT_MS));
}

void lab_client_stop(struct lab_client *c)
{
        peer_free(c->peer);
        c->peer = NULL;
}

struct fh lab_fh(const struct lab_client *c)
{
        return (struct fh){ .kind = FH_DS,
                            .flags = FH_WRITE,
                            .export_id = 1,
                            .fileid = LAB_FILE,
                            .generation = LAB_GENERATION,
                            .epoch = 5,
                            .client = c->tag,
                            .unit = LAB_UNIT,
                            .width = (uint16_t)(c->lab->how.width ? c->lab->how.width : 1),
                            .pool = 1 };
}

/* --- operations */

static void put_operation(struct peer_call *call, struct xdr_out *x)
{
        struct lab_io *io = CONTAINER(call, struct lab_io, call);

        xdr_put_u32(x, OP_PUTFH);
        xdr_put_opaque(x, io->fh, FH_BYTES);
        xdr_put_u32(x, io->opnum);
        call->ops = 2;
        if (io->opnum == OP_GETATTR) {
                xdr_put_u32(x, 1);
                xdr_put_u32(x, UINT32_MAX);
                return;
        }
        if (io->opnum != OP_COMMIT)
                put_stateid(x, &io->stateid);
        xdr_put_u64(x, io->offset);
        if (io->opnum != OP_WRITE) {
                xdr_put_u32(x, io->count);
                return;
        }
        xdr_put_u32(x, io->stable);
        xdr_put_opaque(x, io->data, io->count);
}

static void take_result(struct lab_io *io, struct xdr_in *x)
{
        struct slice data;

        CHECK(peer_result(x, OP_PUTFH) == NFS4_OK && peer_result(x, io->opnum) == NFS4_OK);
        if (io->opnum == OP_READ) {
                io->eof = xdr_get_bool(x);
                data = xdr_get_opaque(x, io->count);
                io->got = data.length;
                memcpy(io->data, data.data, data.length);
        } else if (io->opnum == OP_WRITE) {
                io->got = xdr_get_u32(x);
                io->committed = xdr_get_u32(x);
                xdr_get_fixed(x, &io->verifier, 8);
        } else if (io->opnum == OP_COMMIT) {
                xdr_get_fixed(x, &io->verifier, 8);
        } else {
                CHECK(xdr_get_u32(x) > 0);
                io->attrs = xdr_get_u32(x);
        }
        CHECK(!x->bad);
}

static void call_done(struct peer_call *call, enum rpc_result result, enum nfsstat4 status, struct xdr_in *x)
{
        struct lab_io *io = CONTAINER(call, struct lab_io, call);

        io->done = true;
        io->result = result;
        io->status = status;
        if (result == RPC_DONE && status == NFS4_OK)
                take_result(io, x);
}

void lab_io_start(struct lab_client *c, struct lab_io *io, const struct fh *fh)
{
        fh_encode(fh, c->lab->handle_key, io->fh);
        if (!io->special && stateid_other_is(&io->stateid, 0))
                memset(io->stateid.other, 0x11, sizeof(io->stateid.other)); /* some open's */
        io->lab = c->lab;
        io->done = false;
        io->call = (struct peer_call){ .done = call_done,
                                       .encode = put_operation,
                                       .large = io->opnum == OP_WRITE };
        CHECK(peer_run(c->peer, &io->call, false) == 0);
}

static bool is_done(void *arg)
{
        const struct lab_io *io = arg;

        return io->done;
}

bool lab_io_wait(struct lab_io *io, uint32_t ms)
{
        return ds_lab_wait(io->lab, is_done, io, ms);
}

static enum nfsstat4 run(struct lab_client *c, struct lab_io *io, const struct fh *fh)
{
        lab_io_start(c, io, fh);
        CHECK(lab_io_wait(io, WAIT_MS));
        CHECK(io->result == RPC_DONE);
        return io->status;
}

enum nfsstat4 lab_write(struct lab_client *c, const struct fh *fh, uint64_t offset, const void *data,
                        uint32_t count, uint32_t stable, uint32_t *ret_committed)
{
        struct lab_io io = { .opnum = OP_WRITE, .offset = offset, .count = count, .stable = stable };
        CLEANUP_FREE uint8_t *pattern = malloc(count + 1);
        enum nfsstat4 status;

        for (uint32_t i = 0; i < count; i++)
                pattern[i] = (uint8_t)((offset + i) * 31 + (offset + i) / 4096);
        io.data = data ? (void *)(uintptr_t)data : pattern;
        status = run(c, &io, fh);
        if (status == NFS4_OK)
                CHECK(io.got == count);
        if (ret_committed)
                *ret_committed = io.committed;
        return status;
}

enum nfsstat4 lab_read(struct lab_client *c, const struct fh *fh, uint64_t offset, void *data, uint32_t count,
                       uint32_t *ret_got, bool *ret_eof)
{
        struct lab_io io = { .opnum = OP_READ, .offset = offset, .count = count, .data = data };
        enum nfsstat4 status = run(c, &io, fh);

        *ret_got = io.got;
        *ret_eof = io.eof;
        return status;
}

enum nfsstat4 lab_commit(struct lab_client *c, const struct fh *fh, uint64_t *ret_verifier)
{
        struct lab_io io = { .opnum = OP_COMMIT };
        enum nfsstat4 status = run(c, &io, fh);

        if (ret_verifier)
                *ret_verifier = io.verifier;
        return status;
}

/* --- calls of the MDS */

static bool is_called(void *arg)
{
        const struct fake_call *call = arg;

        return call->done;
}

bool lab_fake_call_wait(struct ds_lab *lab, struct fake_call *call, uint32_t ms)
{
        return ds_lab_wait(lab, is_called, call, ms);
}

static ctl_object object_of(const struct fh *fh)
{
        return (ctl_object){ .fileid = fh->fileid,
                             .generation = fh->generation,
                             .unit = fh->unit,
                             .width = fh->width,
                             .first = fh->first,
                             .index = 0 };
}

static void call_ds(struct ds_lab *lab, uint32_t proc, xdrproc_t args_xdr, void *args, xdrproc_t result_xdr,
                    void *result)
{
        struct fake_call call;

        fake_mds_call(&lab->mds, &call, proc, args_xdr, args, result_xdr, result);
        CHECK(lab_fake_call_wait(lab, &call, WAIT_MS) && call.ok);
}

ctl_status lab_fence(struct ds_lab *lab, uint64_t fileid, uint32_t client, uint32_t below, bool final)
{
        ctl_fence fence = { .fileid = fileid, .client = client, .below = below, .final = final };
        ctl_fence_args args = { .fences.fences_len = 1, .fences.fences_val = &fence };
        ctl_result res = { .status = CTL_INVAL };

        call_ds(lab, CTL_FENCE, (xdrproc_t)xdr_ctl_fence_args, &args, (xdrproc_t)xdr_ctl_result, &res);
        return res.status;
}

ctl_size lab_getsize(struct ds_lab *lab, const struct fh *fh)
{
        ctl_object object = object_of(fh);
        ctl_getsizes_args args = { .objects.objects_len = 1, .objects.objects_val = &object };
        ctl_getsizes_res res = { 0 };
        ctl_size size;

        call_ds(lab, CTL_GETSIZES, (xdrproc_t)xdr_ctl_getsizes_args, &args, (xdrproc_t)xdr_ctl_getsizes_res,
                &res);
        CHECK(res.sizes.sizes_len == 1);
        size = res.sizes.sizes_val[0];
        xdr_free((xdrproc_t)xdr_ctl_getsizes_res, (char *)&res);
        return size;
}

ctl_status lab_truncate(struct ds_lab *lab, const struct fh *fh, uint64_t size)
{
        ctl_truncate_args args = { .object = object_of(fh), .size = size };
        ctl_result res = { .status = CTL_INVAL };

        call_ds(lab, CTL_TRUNCATE, (xdrproc_t)xdr_ctl_truncate_args, &args, (xdrproc_t)xdr_ctl_result, &res);
        return res.status;
}

ctl_status lab_space(struct ds_lab *lab, const struct fh *fh, uint32_t proc, uint64_t offset, uint64_t length)
{
        ctl_range_args args = { .object = object_of(fh), .offset = offset, .length = length };
        ctl_used_res res = { .status = CTL_INVAL };

        call_ds(lab, proc, (xdrproc_t)xdr_ctl_range_args, &args, (xdrproc_t)xdr_ctl_used_res, &res);
        return res.status;
}

ctl_status lab_tier_release(struct ds_lab *lab, const struct fh *fh, uint32_t epoch, uint64_t *ret_freed)
{
        ctl_release_args args = { .object = object_of(fh), .epoch = epoch };
        ctl_release_res res = { .status = CTL_INVAL };

        call_ds(lab, CTL_RELEASE, (xdrproc_t)xdr_ctl_release_args, &args, (xdrproc_t)xdr_ctl_release_res,
                &res);
        if (res.status == CTL_OK && ret_freed)
                *ret_freed = res.ctl_release_res_u.freed;
        return res.status;
}

ctl_status lab_remove(struct ds_lab *lab, const struct fh *fh)
{
        ctl_object object = object_of(fh);
        ctl_remove_args args = { .objects.objects_len = 1, .objects.objects_val = &object };
        ctl_statuses res = { 0 };
        ctl_status status;

        call_ds(lab, CTL_REMOVE, (xdrproc_t)xdr_ctl_remove_args, &args, (xdrproc_t)xdr_ctl_statuses, &res);
        CHECK(res.statuses.statuses_len == 1);
        status = res.statuses.statuses_val[0];
        xdr_free((xdrproc_t)xdr_ctl_statuses, (char *)&res);
        return status;
}
