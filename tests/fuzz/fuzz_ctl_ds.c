/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes from the metadata server, as its calls to a data server and as answers to the data server's,
 * while a client reads and writes: nothing crashes, leaks or hangs, and it stops when it is asked to. All on
 * a virtual clock. Input: steps (ctl_steps.h). */
#include "tests/fuzz/ctl_steps.h"
#include "tests/lab/ds_lab.h"

enum kind { CALL, ANSWER, HOLD, IO, TIME, HANG_UP, KINDS };
enum { IOS = 8, IO_BYTES = 8192, LONG_MS = 200000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ds_lab lab;
static struct lab_client client;
static struct blind_call calls[CALLS_MAX];
static struct answers answers;
static struct lab_io ios[IOS];
static uint8_t buffers[IOS][IO_BYTES];
static uint32_t io_count;

static bool on_call(void *arg, struct call *call)
{
        struct conn *conn = conn_ref(call->conn);
        bool hello = call->header.proc == CTL_HELLO, given = answers_give(&answers, call);

        (void)arg;
        if (given && hello && !conn_is_closed(conn))
                lab.mds.conn = conn;
        conn_unref(conn);
        return given;
}

/* bytes[0]: what; bytes[1]: where, in units of 1000 bytes; bytes[2]: under which epoch. */
static void be_a_client(const struct slice bytes)
{
        static const uint32_t ops[] = { OP_WRITE, OP_READ, OP_COMMIT, OP_GETATTR };
        struct fh fh = lab_fh(&client);
        struct lab_io *io = &ios[io_count % IOS];

        if (io_count >= IOS && !io->done)
                return;
        fh.fileid += bytes.data[0] >> 6;
        fh.epoch = bytes.length > 2 ? bytes.data[2] : 5;
        *io = (struct lab_io){ .opnum = ops[bytes.data[0] % 4],
                               .stable = bytes.data[0] & 4 ? FILE_SYNC4 : UNSTABLE4,
                               .offset = bytes.length > 1 ? bytes.data[1] * 1000u : 0,
                               .count = 1000,
                               .data = buffers[io_count % IOS] };
        io_count++;
        lab_io_start(&client, io, &fh);
}

static void take(const struct step *s)
{
        switch (s->kind % 8 % KINDS) {
        case CALL: blind_call(calls, lab.mds.conn, NACRE_CTL_DS, s); break;
        case ANSWER: answers_add(&answers, s); break;
        case HOLD:
                lab.mds.hold_push = s->bytes.data[0] & 1;
                lab.mds.hold_eof = s->bytes.data[0] & 2;
                fake_mds_release(&lab.mds);
                break;
        case IO: be_a_client(s->bytes); break;
        case TIME: ds_lab_run(&lab, 10u * s->bytes.data[0]); break;
        default: fake_mds_hang_up(&lab.mds);
        }
        ds_lab_run(&lab, 1);
}

static bool are_done(void *arg)
{
        (void)arg;
        for (uint32_t i = 0; i < IOS && i < io_count; i++)
                if (!ios[i].done)
                        return false;
        return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const struct ds_lab_conf how = { .virtual_time = true };
        struct slice left = slice_of(data, (uint32_t)size);
        struct step s;

        answers.count = io_count = 0;
        ds_lab_start(&lab, &how);
        lab.mds.quiet = true;
        lab.mds.intercept = on_call;
        lab_client_start(&client, &lab, "fuzzer");
        for (int i = 0; i < STEPS_MAX && next_step(&left, &s); i++)
                take(&s);
        lab.mds.hold_push = lab.mds.hold_eof = false;
        fake_mds_release(&lab.mds);
        CHECK(ds_lab_wait(&lab, are_done, NULL, LONG_MS));
        lab_client_stop(&client);
        ds_lab_stop(&lab);
        return 0;
}
