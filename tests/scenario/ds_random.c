/* SPDX-License-Identifier: Apache-2.0 */
/* Two clients write and read a few files at random while the MDS fences, truncates, asks, hangs up and
 * restarts, and the disk dawdles: what was acknowledged is there, what was cut reads as zeros, no write lands
 * under a fenced handle, and the MDS can always tell the size. RFC 8881 §12.5.6, §13.10, §18.32. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/lab/ds_lab.h"

enum { FILES = 4, LANES = 8, LANE = 12288, FILE_BYTES = LANES * LANE, STEPS = 1500 };
enum { TRUST_MS = 60000 }; /* a machine that is slow for seconds is not what is looked at */

struct op { /* one operation on a lane of a file; a lane has one at a time */
        struct lab_io io;
        struct file *file;
        uint64_t low_at_start;
        uint64_t cut; /* the file was truncated meanwhile: the lowest size */
        bool busy, fenced;
        uint8_t data[LANE];
};

struct file {
        uint64_t id;
        uint32_t epoch;
        uint64_t low, high; /* bounds of its size */
        uint8_t bytes[FILE_BYTES];
        bool known[FILE_BYTES];
        struct op ops[LANES];
};

static struct ds_lab lab;
static struct lab_client clients[2];
static struct file files[FILES];
static uint64_t seed;

static uint32_t random_below(uint32_t n)
{
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        return (uint32_t)((seed >> 33) % n);
}

static struct fh handle(const struct file *f, uint32_t client)
{
        struct fh fh = lab_fh(&clients[client]);

        fh.fileid = f->id;
        fh.epoch = f->epoch;
        return fh;
}

/* --- what an operation's end says of the model */

static void wrote(struct op *op)
{
        struct file *f = op->file;
        uint64_t end = op->io.offset + op->io.count;

        for (uint64_t i = op->io.offset; i < end; i++) {
                if (i >= op->cut)
                        continue; /* it landed before the cut */
                f->known[i] = op->io.result == RPC_DONE;
                f->bytes[i] = op->data[i - op->io.offset];
        }
        if (end > op->cut)
                end = op->cut;
        if (op->io.offset < end && end > f->low)
                f->low = end;
}

static void check_read(const struct op *op)
{
        const struct file *f = op->file;
        uint64_t end = op->io.offset + op->io.got,
                 least = op->low_at_start < op->cut ? op->low_at_start : op->cut;

        assert_true(op->io.got <= op->io.count);
        if (op->cut == UINT64_MAX) { /* else it may have been before or after the cut */
                for (uint64_t i = op->io.offset; i < end; i++)
                        if (f->known[i] && op->data[i - op->io.offset] != f->bytes[i])
                                fail_msg("file %u byte %u is %u, was %u; read %u+%u got %u", (unsigned)f->id,
                                         (unsigned)i, op->data[i - op->io.offset], f->bytes[i],
                                         (unsigned)op->io.offset, op->io.count, op->io.got);
        }
        assert_true(op->io.got == 0 || end <= f->high || op->cut != UINT64_MAX);
        if (op->io.got < op->io.count) {
                assert_true(op->io.eof);
                assert_true(end >= least || op->io.offset >= least);
        }
}

static void finish(struct op *op)
{
        enum nfsstat4 status = op->io.result == RPC_DONE ? op->io.status : NFS4ERR_DELAY;

        op->busy = false;
        if (status != NFS4_OK) {
                assert_true(status == NFS4ERR_BAD_STATEID || status == NFS4ERR_PNFS_NO_LAYOUT);
                if (op->io.opnum == OP_READ)
                        return; /* the MDS could not say the size */
                assert_true(op->fenced);
                return;
        }
        if (op->io.opnum == OP_WRITE)
                wrote(op);
        else if (op->io.opnum == OP_READ)
                check_read(op);
}

static void collect(void)
{
        for (uint32_t i = 0; i < FILES; i++)
                for (uint32_t lane = 0; lane < LANES; lane++)
                        if (files[i].ops[lane].busy && files[i].ops[lane].io.done)
                                finish(&files[i].ops[lane]);
}

static bool all_done(void *arg)
{
        (void)arg;
        for (uint32_t i = 0; i < FILES; i++)
                for (uint32_t lane = 0; lane < LANES; lane++)
                        if (files[i].ops[lane].busy && !files[i].ops[lane].io.done)
                                return false;
        return true;
}

/* --- steps */

static void start_op(void)
{
        struct file *f = &files[random_below(FILES)];
        uint32_t lane = random_below(LANES), from = random_below(LANE), client = random_below(2);
        struct op *op = &f->ops[lane];
        struct fh fh = handle(f, client);

        if (op->busy)
                return;
        op->file = f;
        op->busy = true;
        op->fenced = false;
        op->cut = UINT64_MAX;
        op->low_at_start = f->low;
        op->io = (struct lab_io){ .opnum = OP_WRITE, .offset = lane * LANE + from, .data = op->data };
        op->io.count = 1 + random_below(LANE - from);
        op->io.stable = random_below(4) == 0 ? FILE_SYNC4 : UNSTABLE4;
        switch (random_below(5)) {
        case 0: op->io.opnum = OP_COMMIT; break;
        case 1:
        case 2: op->io.opnum = OP_READ; break;
        default:
                for (uint32_t i = 0; i < op->io.count; i++)
                        op->data[i] = (uint8_t)random_below(256);
                for (uint32_t i = 0; i < op->io.count; i++)
                        f->known[op->io.offset + i] = false;
                if (op->io.offset + op->io.count > f->high)
                        f->high = op->io.offset + op->io.count;
        }
        lab_io_start(&clients[client], &op->io, &fh);
}

static void mark_fenced(struct file *f)
{
        for (uint32_t lane = 0; lane < LANES; lane++)
                f->ops[lane].fenced = true;
}

/* A handle from before the fence must be of no use now. */
static void be_naughty(const struct file *f, uint32_t epoch)
{
        struct fh fh = handle(f, random_below(2));
        enum nfsstat4 status;

        fh.epoch = epoch;
        status = lab_write(&clients[fh.client == clients[1].tag], &fh, random_below(FILE_BYTES - 100), NULL,
                           100, UNSTABLE4, NULL);
        assert_true(status == NFS4ERR_BAD_STATEID || status == NFS4ERR_PNFS_NO_LAYOUT);
}

static void let_disk_go(void)
{
        if (lab.fault)
                fault_disk_let_go(lab.fault, random_below(2));
}

/* The disk may still hold back what the call has to wait for. */
static void call_ds(uint32_t proc, xdrproc_t args_xdr, void *args)
{
        ctl_result result = { .status = CTL_INVAL };
        struct fake_call call;

        fake_mds_call(&lab.mds, &call, proc, args_xdr, args, (xdrproc_t)xdr_ctl_result, &result);
        if (!lab_fake_call_wait(&lab, &call, 2))
                let_disk_go();
        assert_true(lab_fake_call_wait(&lab, &call, 20000));
        assert_int_equal(result.status, CTL_OK);
}

static void raise_fence(uint64_t fileid, uint32_t below)
{
        ctl_fence fence = { .fileid = fileid, .below = below, .final = random_below(2) };
        ctl_fence_args args = { .fences.fences_len = 1, .fences.fences_val = &fence };

        call_ds(CTL_FENCE, (xdrproc_t)xdr_ctl_fence_args, &args);
}

static void truncate_file(uint64_t fileid, uint64_t size)
{
        ctl_truncate_args args = { .object = lab.mds.object, .size = size };

        args.object.fileid = fileid;
        call_ds(CTL_TRUNCATE, (xdrproc_t)xdr_ctl_truncate_args, &args);
}

static void fence_file(struct file *f, bool truncate)
{
        uint32_t old = f->epoch;
        uint64_t size = random_below(FILE_BYTES);

        collect();
        mark_fenced(f);
        raise_fence(f->id, old + 1);
        be_naughty(f, old);
        if (truncate) {
                truncate_file(f->id, size);
                for (uint32_t lane = 0; lane < LANES; lane++)
                        if (f->ops[lane].busy && size < f->ops[lane].cut)
                                f->ops[lane].cut = size;
                for (uint64_t i = size; i < FILE_BYTES; i++) {
                        f->bytes[i] = 0;
                        f->known[i] = true;
                }
                f->low = f->high = fake_file(&lab.mds, f->id)->size = size;
                be_naughty(f, old);
        }
        f->epoch = old + 1;
}

static bool is_trusted(void *arg)
{
        (void)arg;
        return lab.ds->trust.state == TRUST_HELD && !lab.ds->hello && lab.mds.conn;
}

static void hang_up(bool restart)
{
        if (restart) {
                lab.mds.hello.mds_boot++;
                for (uint32_t i = 0; i < lab.mds.file_count; i++)
                        lab.mds.files[i].dirty = true; /* write-layout records */
        }
        /* the table that is in force: one fence a file */
        for (uint32_t i = 0; i < FILES; i++)
                lab.mds.fences[i] = (ctl_fence){ .fileid = files[i].id, .below = files[i].epoch };
        lab.mds.hello.fences.fences_len = FILES;
        fake_mds_hang_up(&lab.mds);
        let_disk_go();
        assert_true(ds_lab_wait(&lab, is_trusted, NULL, 20000));
}

static void check_sizes(void)
{
        let_disk_go();
        assert_true(ds_lab_wait(&lab, all_done, NULL, 20000));
        collect();
        for (uint32_t i = 0; i < FILES; i++) {
                struct fake_file *known = fake_file(&lab.mds, files[i].id);
                struct fh fh = handle(&files[i], 0);

                if (known->dirty) {
                        ctl_size size = lab_getsize(&lab, &fh);

                        assert_true(size.settled);
                        known->dirty = false;
                        if (size.size > known->size)
                                known->size = size.size;
                }
                if (known->size < files[i].low || known->size > files[i].high)
                        fail_msg("file %u: the MDS says %u, it is %u to %u", i, (unsigned)known->size,
                                 (unsigned)files[i].low, (unsigned)files[i].high);
        }
}

static void step(void)
{
        uint32_t choice = random_below(1000);

        if (choice < 900)
                start_op();
        else if (choice < 960)
                ds_lab_run(&lab, random_below(2));
        else if (choice < 970)
                fence_file(&files[random_below(FILES)], false);
        else if (choice < 980)
                fence_file(&files[random_below(FILES)], true);
        else if (choice < 984)
                hang_up(false);
        else if (choice < 986)
                hang_up(true);
        else if (choice < 992)
                check_sizes();
        else if (lab.fault)
                fault_disk_hold(lab.fault, choice & 1 ? DISK_WRITE : choice & 2 ? DISK_OPEN : DISK_SYNC);
        if (choice % 8 == 0) {
                let_disk_go();
                ds_lab_run(&lab, 1);
        }
        collect();
}

static void everything_at_random(void **state)
{
        struct ds_lab_conf how = *(struct ds_lab_conf *)*state;
        const char *given = getenv("LAB_SEED");

        seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
        print_message("LAB_SEED=%llu\n", (unsigned long long)seed);
        ds_lab_start(&lab, &how);
        lab.mds.asks = true;
        lab.mds.quiet_log = true;
        lab.mds.object = (ctl_object){ .generation = LAB_GENERATION, .unit = LAB_UNIT, .width = 1 };
        lab_client_start(&clients[0], &lab, "client 1");
        lab.use_second_door = lab.how.two_doors && ds_lab_has_two_doors(&lab);
        lab_client_start(&clients[1], &lab, "client 2");
        memset(files, 0, sizeof(files));
        for (uint32_t i = 0; i < FILES; i++) {
                files[i].id = 100 + i;
                files[i].epoch = 5;
                memset(files[i].known, 1, sizeof(files[i].known));
        }
        lab.mds.hello.trust_ms = TRUST_MS;
        hang_up(false);
        for (uint32_t i = 0; i < STEPS; i++)
                step();
        check_sizes();
        lab_client_stop(&clients[0]);
        lab_client_stop(&clients[1]);
        ds_lab_stop(&lab);
}

int main(void)
{
        static struct ds_lab_conf one, three = { .workers = 3, .fd_cache = 16, .two_doors = true },
                                       fault = { .fault = true };
        const struct CMUnitTest tests[] = {
                { "everything_at_random one", everything_at_random, NULL, NULL, &one },
                { "everything_at_random three", everything_at_random, NULL, NULL, &three },
                { "everything_at_random fault", everything_at_random, NULL, NULL, &fault },
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
