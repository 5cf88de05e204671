/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes from two data servers, as calls to the metadata server and as answers to its calls, over the real
 * control server with its TLS: nothing crashes, leaks or hangs, clients are answered, and the store is whole
 * afterwards (fsck, when the lab stops). Input: steps (ctl_steps.h). A file "f" with a layout out and a file
 * "g" with data lie on the two and on two of the lab's. */
#include "mds/fleet/fleet.h"
#include "mds/pnfs/size.h"
#include "tests/fuzz/ctl_steps.h"
#include "tests/lab/fake_ds.h"
#include "tests/lab/mds_lab.h"

enum kind { CALL, ANSWER, HOLD, CLIENT, TIME, HANG_UP, KINDS, SECOND = 8 /* the other data server */ };
enum { DATA_SERVERS = 2, LONG_LEASE = 1000000, GIVE_UP_MS = 60000, FIXED = 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mds_lab lab;
static struct user user, other;
static struct fake_ds ds[DATA_SERVERS];
static struct blind_call calls[DATA_SERVERS][CALLS_MAX];
static struct answers answers;
static struct user_fh root, files[2];
static struct stateid open_stateid;
static uint64_t fileids[2];

static bool on_call(void *arg, struct call *call)
{
        (void)arg;
        return answers_give(&answers, call);
}

static bool is_up(void *arg)
{
        const struct fake_call *hello = arg;

        return hello->done;
}

/* The lab's data server I says HELLO anew, over the control server. */
static void join(int i)
{
        ctl_hello_res res = { .status = CTL_INVAL };
        struct fake_call hello;

        fake_ds_start(&ds[i], &lab.v.env, &lab.conf.control, lab.mds.cluster_key, (uint8_t)i);
        memcpy(ds[i].hello.uuid, lab.ds[i].server->uuid, sizeof(ds[i].hello.uuid));
        ds[i].intercept = on_call;
        fake_ds_dial(&ds[i]);
        fake_ds_call(&ds[i], &hello, CTL_HELLO, (xdrproc_t)xdr_ctl_hello_args, &ds[i].hello,
                     (xdrproc_t)xdr_ctl_hello_res, &res);
        CHECK(virtual_env_run_until(&lab.v, 1000000000, is_up, &hello) && hello.ok && res.status == CTL_OK);
        xdr_free((xdrproc_t)xdr_ctl_hello_res, (char *)&res);
}

static void start(void)
{
        struct user_open f = USER_CREATE(.how = UNCHECKED4);
        const struct inode *inode;
        struct user_attrs attrs;
        struct stateid layout;
        uint64_t seq;

        mds_lab_start(&lab, NULL);
        lab.mds.nfs.lease_seconds = LONG_LEASE;
        mds_lab_listen(&lab);
        for (int i = 0; i < DATA_SERVERS; i++)
                join(i);
        user_start(&user, &lab, "user", 1, 0, 0);
        user_start(&other, &lab, "other", 2, 0, 0);
        root = user_root(&user);
        lab.v.random = FIXED; /* the corpus knows the generations */
        CHECK(user_open(&user, &root, "f", &f) == NFS4_OK);
        files[0] = f.fh;
        open_stateid = f.stateid;
        CHECK(user_layoutget(&user, &f.fh, &f.stateid, &layout) == NFS4_OK);
        lab.v.random = FIXED;
        CHECK(user_touch(&user, &root, "g", 0644, &files[1]) == NFS4_OK);
        for (int i = 0; i < 2; i++) {
                CHECK(user_getattr(&user, &files[i], &attrs) == NFS4_OK);
                fileids[i] = attrs.fileid;
        }
        CHECK(meta_inode(lab.mds.meta, fileids[1], &inode) == 0);
        CHECK(size_extend(lab.mds.sizes, fileids[1], inode->generation, lab.ds[0].server->id, 1000, 4096,
                          &seq) == 0);
}

static void cut(struct user *u, const struct user_fh *fh, uint64_t size)
{
        struct attr_set set = { .size = size };

        bitmap_set(&set.mask, FATTR4_SIZE);
        user_setattr(u, fh, NULL, &set);
}

static void write_through(const struct user_fh *fh)
{
        user_begin(&user);
        user_putfh(&user, fh);
        user_op(&user, OP_WRITE);
        put_stateid(user.x, &open_stateid);
        xdr_put_u64(user.x, 0);
        xdr_put_u32(user.x, FILE_SYNC4);
        xdr_put_string(user.x, "twelve bytes");
        user_call(&user);
}

/* ALLOCATE, DEALLOCATE or SEEK of file f. */
static void ask_for_room(uint32_t which)
{
        static const uint32_t ops[] = { OP_ALLOCATE, OP_DEALLOCATE, OP_SEEK };

        user_begin(&user);
        user_putfh(&user, &files[0]);
        put_stateid(user_op(&user, ops[which % 3]), &open_stateid);
        xdr_put_u64(user.x, 1000);
        if (ops[which % 3] == OP_SEEK)
                xdr_put_u32(user.x, which >> 2 & 1);
        else
                xdr_put_u64(user.x, 1ull << 21);
        user_call(&user);
}

/* bytes[0]: what, or with bit 3 which question about room; bit 7: of which file. */
static void be_a_client(const struct slice bytes)
{
        const struct user_fh *fh = &files[bytes.data[0] >> 7];
        struct user_attrs attrs;
        struct user_fh made;

        if (bytes.data[0] & 8) {
                ask_for_room(bytes.data[0] & 7);
                return;
        }
        switch (bytes.data[0] % 8) {
        case 0: user_getattr(&user, fh, &attrs); break;
        case 1: cut(&user, fh, bytes.length); break;
        case 2: cut(&other, fh, 1ull << 40 | bytes.length); break;
        case 3: user_remove(&user, &root, bytes.data[0] >> 7 ? "g" : "f"); break;
        case 4: user_touch(&user, &root, "new", 0644, &made); break;
        case 5: write_through(fh); break;
        case 6: user_close(&user, &files[0], &open_stateid); break;
        default: user_getattr(&other, fh, &attrs);
        }
}

static void take(const struct step *s)
{
        int i = s->kind & SECOND ? 1 : 0;

        switch (s->kind % 8 % KINDS) {
        case CALL: blind_call(calls[i], ds[i].conn, NACRE_CTL_MDS, s); break;
        case ANSWER: answers_add(&answers, s); break;
        case HOLD: ds[i].hold = s->bytes.data[0] & 1; break;
        case CLIENT: be_a_client(s->bytes); break;
        case TIME: mds_lab_run_ms(&lab, 100ull * s->bytes.data[0]); break;
        default: fake_ds_dial(&ds[i]);
        }
        mds_lab_run_ms(&lab, 1);
}

static void check(void)
{
        const struct fleet *f = lab.mds.fleet;
        uint64_t total, free_bytes;

        fleet_space(f, &total, &free_bytes);
        CHECK(free_bytes <= total && total <= INT64_MAX);
        for (uint32_t i = 0; i < f->count; i++)
                CHECK(!f->servers[i]->conn || !conn_is_closed(f->servers[i]->conn));
        for (int i = 0; i < 2; i++) {
                const struct inode *inode;

                CHECK(meta_inode(lab.mds.meta, fileids[i], &inode) < 0 || inode->size <= INT64_MAX);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct slice left = slice_of(data, (uint32_t)size);
        struct step s;

        answers.count = 0;
        start();
        for (int i = 0; i < STEPS_MAX && next_step(&left, &s); i++) {
                take(&s);
                check();
        }
        for (int i = 0; i < DATA_SERVERS; i++)
                fake_ds_hang_up(&ds[i]);
        mds_lab_run_ms(&lab, GIVE_UP_MS);
        for (int i = 0; i < DATA_SERVERS; i++)
                fake_ds_stop(&ds[i]);
        mds_lab_stop(&lab);
        return 0;
}
