/* SPDX-License-Identifier: Apache-2.0 */
/* In steady state no READ, WRITE, GETATTR or LOOKUP allocates memory, in a whole cluster over TCP: the
 * client's handle is the one of a layout (RFC 8881 §18.43). Heartbeats between the servers may, so a few are
 * allowed in a thousand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lab/cluster_lab.h"
#include "tests/lab/heap_count.h"

enum {
        WARM = 100,
        ROUNDS = 2000,
        MIB = 1 << 20,
        A_HEARTBEAT = 32 /* allocations of TLS and the XDR of libtirpc, each second */
};

static struct cluster_lab lab;
static struct cluster_call k;
static struct peer *mds, *ds;
static struct slice root, file, object; /* handles */
static uint8_t handles[3][NFS4_FHSIZE];
static struct stateid stateid;
static struct buf *payload;

static void keep(struct slice *ret, uint8_t *to, struct slice fh)
{
        memcpy(to, fh.data, fh.length);
        *ret = slice_of(to, fh.length);
}

static void putfh(struct slice fh)
{
        cluster_op(&k, OP_PUTFH);
        xdr_put_slice(&k.x, fh);
}

static void make_file(void)
{
        struct bitmap4 mode = { 0 }, set;

        bitmap_set(&mode, FATTR4_MODE);
        cluster_begin(&k, &lab);
        cluster_op(&k, OP_PUTROOTFH);
        cluster_op(&k, OP_GETFH);
        cluster_op(&k, OP_OPEN);
        xdr_put_u32(&k.x, 0);
        xdr_put_u32(&k.x, OPEN4_SHARE_ACCESS_BOTH);
        xdr_put_u32(&k.x, OPEN4_SHARE_DENY_NONE);
        xdr_put_u64(&k.x, 0);
        xdr_put_string(&k.x, "owner");
        xdr_put_u32(&k.x, OPEN4_CREATE);
        xdr_put_u32(&k.x, UNCHECKED4);
        put_bitmap(&k.x, &mode);
        xdr_put_u32(&k.x, 4);
        xdr_put_u32(&k.x, 0644);
        xdr_put_u32(&k.x, CLAIM_NULL);
        xdr_put_string(&k.x, "file");
        cluster_op(&k, OP_GETFH);
        assert_int_equal(cluster_run(&k, mds), NFS4_OK);
        peer_result(&k.in, OP_PUTROOTFH);
        peer_result(&k.in, OP_GETFH);
        keep(&root, handles[0], xdr_get_opaque(&k.in, NFS4_FHSIZE));
        assert_int_equal(peer_result(&k.in, OP_OPEN), NFS4_OK);
        get_stateid(&k.in, &stateid);
        xdr_get_bytes(&k.in, 20 + 4);
        get_bitmap(&k.in, &set);
        if (xdr_get_u32(&k.in) == OPEN_DELEGATE_NONE_EXT)
                xdr_get_u32(&k.in);
        assert_int_equal(peer_result(&k.in, OP_GETFH), NFS4_OK);
        keep(&file, handles[1], xdr_get_opaque(&k.in, NFS4_FHSIZE));
}

static void get_layout(void)
{
        cluster_begin(&k, &lab);
        putfh(file);
        cluster_op(&k, OP_LAYOUTGET);
        xdr_put_bool(&k.x, false);
        xdr_put_u32(&k.x, LAYOUT4_NFSV4_1_FILES);
        xdr_put_u32(&k.x, LAYOUTIOMODE4_RW);
        xdr_put_u64(&k.x, 0);
        xdr_put_u64(&k.x, NFS4_UINT64_MAX);
        xdr_put_u64(&k.x, 4096);
        put_stateid(&k.x, &stateid);
        xdr_put_u32(&k.x, 4096);
        assert_int_equal(cluster_run(&k, mds), NFS4_OK);
        peer_result(&k.in, OP_PUTFH);
        peer_result(&k.in, OP_LAYOUTGET);
        xdr_get_bytes(&k.in, 4 + 16 + 4 + 20 + 4 + 4); /* the segment, up to the body */
        xdr_get_bytes(&k.in, NFS4_DEVICEID_SIZE + 4 + 4 + 8);
        assert_int_equal(xdr_get_u32(&k.in), 1);
        keep(&object, handles[2], xdr_get_opaque(&k.in, NFS4_FHSIZE));
        assert_false(k.in.bad);
        stateid.seqid = 0;
}

static int start(void **state)
{
        (void)state;
        cluster_lab_start(&lab, 1);
        mds = cluster_lab_connect(&lab, "client", -1);
        ds = cluster_lab_connect(&lab, "client", 0);
        payload = buf_get(lab.pool, MIB);
        memset(payload->data, 'x', MIB);
        make_file();
        get_layout();
        return 0;
}

static int stop(void **state)
{
        (void)state;
        buf_unref(payload);
        peer_free(ds);
        peer_free(mds);
        cluster_lab_stop(&lab);
        return 0;
}

/* The compound in hand, over and over. */
static void check(struct peer *peer)
{
        uint64_t before, since_ns, seconds;

        for (int i = 0; i < WARM; i++)
                assert_int_equal(cluster_run(&k, peer), NFS4_OK);
        before = heap_count();
        since_ns = env_now(lab.env);
        for (int i = 0; i < ROUNDS; i++)
                assert_int_equal(cluster_run(&k, peer), NFS4_OK);
        seconds = (env_now(lab.env) - since_ns) / 1000000000 + 1;
        if (heap_is_counted())
                assert_in_range(heap_count() - before, 0, ROUNDS / 100 + seconds * A_HEARTBEAT);
}

static void getattr(void **state)
{
        struct bitmap4 asked = { .word = { 0x0010011a, 0x00b0a23a } }; /* as Linux */

        (void)state;
        cluster_begin(&k, &lab);
        putfh(root);
        cluster_op(&k, OP_GETATTR);
        put_bitmap(&k.x, &asked);
        check(mds);
}

static void lookup(void **state)
{
        struct bitmap4 asked = { .word = { 0x0010011a, 0x00b0a23a } };

        (void)state;
        cluster_begin(&k, &lab);
        putfh(root);
        cluster_op(&k, OP_LOOKUP);
        xdr_put_string(&k.x, "file");
        cluster_op(&k, OP_GETFH);
        cluster_op(&k, OP_GETATTR);
        asked.word[0] = 1 << FATTR4_TYPE; /* its size would be asked of the data server, once in a while */
        asked.word[1] = 0;
        put_bitmap(&k.x, &asked);
        check(mds);
}

static void put_write(struct slice fh, uint64_t offset, uint32_t bytes)
{
        cluster_begin(&k, &lab);
        putfh(fh);
        cluster_op(&k, OP_WRITE);
        put_stateid(&k.x, &stateid);
        xdr_put_u64(&k.x, offset);
        xdr_put_u32(&k.x, UNSTABLE4);
        k.data_buf = payload;
        k.data = slice_of(payload->data, bytes);
}

static void read_block(struct peer *peer, struct slice fh, uint32_t bytes)
{
        cluster_begin(&k, &lab);
        putfh(fh);
        cluster_op(&k, OP_READ);
        put_stateid(&k.x, &stateid);
        xdr_put_u64(&k.x, 0);
        xdr_put_u32(&k.x, bytes);
        check(peer);
        peer_result(&k.in, OP_PUTFH);
        peer_result(&k.in, OP_READ);
        xdr_get_bool(&k.in);
        assert_int_equal(xdr_get_u32(&k.in), bytes);
}

static void write_(void **state)
{
        (void)state;
        put_write(object, 0, MIB);
        check(ds);
        put_write(object, 0, 4096);
        check(ds);
        put_write(object, MIB,
                  1); /* so that no READ below is the last, which asks for the size of the file */
        assert_int_equal(cluster_run(&k, ds), NFS4_OK);
}

static void read_(void **state)
{
        (void)state;
        read_block(ds, object, MIB);
        read_block(ds, object, 4096);
}

static void read_through_the_metadata_server(void **state)
{
        (void)state;
        read_block(mds, file, MIB);
        read_block(mds, file, 4096);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(getattr),
                cmocka_unit_test(lookup),
                cmocka_unit_test(write_),
                cmocka_unit_test(read_),
                cmocka_unit_test(read_through_the_metadata_server),
        };

        return cmocka_run_group_tests(tests, start, stop);
}
