/* SPDX-License-Identifier: Apache-2.0 */
/* Record marking (RFC 5531 §11): where bytes are read to, what is copied, what is kept. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rpc/record.h"
#include "tests/lab/virtual_env.h"

enum { LIMIT = 1024 * 1024 + 4096 };

static struct bufpool *pool;
static struct record_reader reader;
static uint8_t *stream;
static size_t stream_length, stream_read, stream_room;

static int setup(void **state)
{
        (void)state;
        pool = bufpool_new(64 * 1024 * 1024);
        record_reader_init(&reader, pool, LIMIT);
        stream_length = stream_read = stream_room = 0;
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        record_reader_reset(&reader);
        assert_int_equal(bufpool_in_use_bytes(pool), 0);
        bufpool_free(pool);
        free(stream);
        stream = NULL;
        return 0;
}

static void add(const void *data, size_t n)
{
        while (stream_length + n > stream_room)
                stream = realloc(stream, stream_room = stream_room * 2 + 4096);
        memcpy(stream + stream_length, data, n);
        stream_length += n;
}

static void add_mark(uint32_t length, bool last)
{
        uint32_t mark = htobe32(length | (last ? 0x80000000u : 0));

        add(&mark, 4);
}

/* Byte I of record NUMBER. */
static uint8_t byte_of(uint32_t number, uint32_t i)
{
        return (uint8_t)(number * 31 + i * 7 + i / 251);
}

static void add_record(uint32_t number, uint32_t length, uint32_t fragment)
{
        uint32_t at = 0;

        do {
                uint32_t n = fragment && length - at > fragment ? fragment : length - at;

                add_mark(n, at + n == length);
                for (uint32_t i = 0; i < n; i++) {
                        uint8_t b = byte_of(number, at + i);

                        add(&b, 1);
                }
                at += n;
        } while (at < length);
}

static bool is_record(struct slice record, uint32_t number, uint32_t length)
{
        if (record.length != length)
                return false;
        for (uint32_t i = 0; i < length; i++)
                if (record.data[i] != byte_of(number, i))
                        return false;
        return true;
}

/* Read at most MOST bytes of the stream; how many were read. */
static uint32_t read_some(uint32_t most)
{
        struct iovec iov;
        size_t n = stream_length - stream_read;

        assert_true(record_space(&reader, &iov, true));
        if (n > iov.iov_len)
                n = iov.iov_len;
        if (n > most)
                n = most;
        memcpy(iov.iov_base, stream + stream_read, n);
        stream_read += n;
        record_received(&reader, (uint32_t)n);
        return (uint32_t)n;
}

static void small_records_share_a_buffer(void **state)
{
        struct slice record;
        struct buf *first;

        (void)state;
        for (uint32_t i = 0; i < 100; i++)
                add_record(i, 140, 0);
        assert_int_equal(read_some(UINT32_MAX), stream_length);
        first = reader.buf;
        for (uint32_t i = 0; i < 100; i++) {
                assert_int_equal(record_next(&reader, &record), 1);
                assert_true(is_record(record, i, 140));
                assert_ptr_equal(record.data, first->data + i * 144 + 4);
        }
        assert_int_equal(record_next(&reader, &record), 0);
        assert_false(record_partial(&reader));
        record_release_idle(&reader);
        assert_int_equal(bufpool_in_use_bytes(pool), 0);
}

static void a_buffer_that_calls_hold_is_filled_up_first(void **state)
{
        struct buf *held = NULL;
        struct slice record;

        (void)state;
        add_record(1, 100, 0);
        add_record(2, 100, 0);
        assert_int_equal(read_some(104), 104);
        assert_int_equal(record_next(&reader, &record), 1);
        held = buf_ref(reader.buf);
        record_release_idle(&reader);
        assert_int_equal(read_some(104), 104);
        assert_int_equal(record_next(&reader, &record), 1);
        assert_true(is_record(record, 2, 100));
        assert_ptr_equal(reader.buf, held);
        assert_int_equal(bufpool_in_use_bytes(pool), BUF_SMALL);
        buf_unref(held);
}

/* What arrived with the mark is copied once; the rest is read to where it stays. */
static void a_large_record_is_read_into_a_buffer_of_its_own(void **state)
{
        struct slice record;
        uint32_t n;

        (void)state;
        add_record(1, 1024 * 1024 + 200, 0);
        add_record(2, 1024 * 1024 + 200, 0);
        add_record(3, 80, 0);
        n = read_some(UINT32_MAX);
        assert_int_equal(n, BUF_SMALL);
        assert_int_equal(record_next(&reader, &record), 0);
        n = read_some(UINT32_MAX); /* the whole rest and a little of what follows */
        assert_true(n >= 1024 * 1024 + 204 - BUF_SMALL && n <= 1024 * 1024 + 204 - BUF_SMALL + 4096);
        assert_int_equal(record_next(&reader, &record), 1);
        assert_int_equal(reader.buf->capacity, BUF_LARGE);
        assert_true(is_record(record, 1, 1024 * 1024 + 200));
        assert_int_equal(record_next(&reader, &record), 0);
        n = read_some(UINT32_MAX); /* of the second record at most 4 KiB were copied */
        assert_true(n >= 1024 * 1024 + 204 - 4096);
        assert_int_equal(record_next(&reader, &record), 1);
        assert_true(is_record(record, 2, 1024 * 1024 + 200));
        assert_int_equal(record_next(&reader, &record), 1);
        assert_true(is_record(record, 3, 80));
        assert_int_equal(reader.buf->capacity, BUF_SMALL); /* a small one does not hold a large buffer */
        assert_int_equal(bufpool_in_use_bytes(pool), BUF_SMALL);
}

static void a_partial_record_moves_to_the_next_buffer(void **state)
{
        struct buf *held[8] = { NULL };
        struct slice record;
        unsigned count = 0;

        (void)state;
        for (uint32_t i = 0; i < 8; i++)
                add_record(i, 30000, 0);
        while (count < 8) {
                int n = record_next(&reader, &record);

                if (n == 0) {
                        read_some(UINT32_MAX);
                        continue;
                }
                assert_true(is_record(record, count, 30000));
                held[count++] = buf_ref(reader.buf);
        }
        for (unsigned i = 0; i < 8; i++)
                buf_unref(held[i]);
}

static void fragments_are_put_together(void **state)
{
        static const uint32_t lengths[] = { 1000, 200000, 10 };
        struct slice record;

        (void)state;
        add_record(1, 1000, 1);
        add_record(2, 200000, 700);
        add_mark(0, false);
        add_mark(0, false);
        add_record(3, 10, 3); /* continues the record that the empty fragments began */
        for (uint32_t number = 1; number <= 3;) {
                int n = record_next(&reader, &record);

                assert_true(n >= 0);
                if (n == 0)
                        assert_true(read_some(997) > 0);
                else
                        assert_true(is_record(record, number, lengths[number - 1])), number++;
        }
}

static void empty_records_are_records(void **state)
{
        struct slice record;

        (void)state;
        add_mark(0, true);
        add_mark(0, true);
        read_some(UINT32_MAX);
        assert_int_equal(record_next(&reader, &record), 1);
        assert_int_equal(record.length, 0);
        assert_int_equal(record_next(&reader, &record), 1);
        assert_int_equal(record_next(&reader, &record), 0);
}

static void a_record_that_is_too_long_is_refused_at_its_mark(void **state)
{
        struct slice record;

        (void)state;
        add_mark(LIMIT + 1, true);
        read_some(UINT32_MAX);
        assert_int_equal(record_next(&reader, &record), -EMSGSIZE);
}

static void fragments_that_add_up_to_too_much_are_refused(void **state)
{
        struct slice record;
        int n;

        (void)state;
        for (uint32_t i = 0; i < 3; i++) {
                add_mark(400000, false);
                for (uint32_t j = 0; j < 400000; j++)
                        add("x", 1);
        }
        while ((n = record_next(&reader, &record)) == 0)
                assert_true(read_some(UINT32_MAX) > 0);
        assert_int_equal(n, -EMSGSIZE);
        assert_true(bufpool_in_use_bytes(pool) <= BUF_LARGE);
}

static void a_flood_of_empty_fragments_is_refused(void **state)
{
        struct slice record;
        int n;

        (void)state;
        for (uint32_t i = 0; i < 100000; i++)
                add_mark(0, false);
        while ((n = record_next(&reader, &record)) == 0)
                assert_true(read_some(UINT32_MAX) > 0);
        assert_int_equal(n, -EPROTO);
        assert_true(stream_read <= BUF_SMALL);
}

static void without_a_buffer_there_is_no_space(void **state)
{
        struct iovec iov;
        struct slice record;

        (void)state;
        assert_false(record_space(&reader, &iov, false));
        add_record(1, 100000, 0);
        read_some(1000);
        assert_int_equal(record_next(&reader, &record), 0);
        assert_false(record_space(&reader, &iov, false)); /* a small buffer is there, it needs a large one */
        assert_true(record_partial(&reader));
        do
                read_some(UINT32_MAX);
        while (record_next(&reader, &record) == 0);
        assert_true(is_record(record, 1, 100000));
}

/* Records of all sizes, whole or in fragments, some of them kept for a while, read in pieces of all sizes. */
static void whatever_the_pieces_the_records_come_out(void **state)
{
        enum { RECORDS = 300, KEPT = 8 };
        uint64_t seed = 42;
        uint32_t lengths[RECORDS];
        struct {
                struct buf *buf;
                struct slice record;
                uint32_t number;
        } kept[KEPT] = { 0 };

        (void)state;
        for (uint32_t i = 0; i < RECORDS; i++) {
                uint32_t most = (const uint32_t[]){ 64, 2000, 70000, 300000 }[lab_random_below(&seed, 4)];

                lengths[i] = (uint32_t)lab_random_below(&seed, most);
                add_record(i, lengths[i], lab_random_below(&seed, 3) ? 0 : lengths[i] / 50 + 1);
        }
        for (uint32_t i = 0; i < RECORDS;) {
                struct slice record;
                int n = record_next(&reader, &record);

                assert_true(n >= 0);
                if (n == 0) {
                        uint32_t most = (const uint32_t[]){ 1, 5, 4000, 100000 }[lab_random_below(&seed, 4)];

                        assert_true(read_some(1 + (uint32_t)lab_random_below(&seed, most)) > 0);
                        continue;
                }
                assert_true(is_record(record, i, lengths[i]));
                if (kept[i % KEPT].buf) /* nothing that came later has touched it */
                        assert_true(is_record(kept[i % KEPT].record, kept[i % KEPT].number,
                                              lengths[kept[i % KEPT].number]));
                buf_unref(kept[i % KEPT].buf);
                kept[i % KEPT].buf = buf_ref(reader.buf);
                kept[i % KEPT].record = record;
                kept[i % KEPT].number = i;
                i++;
                record_release_idle(&reader);
        }
        assert_false(record_partial(&reader));
        for (int i = 0; i < KEPT; i++)
                buf_unref(kept[i].buf);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(small_records_share_a_buffer),
                TEST(a_buffer_that_calls_hold_is_filled_up_first),
                TEST(a_large_record_is_read_into_a_buffer_of_its_own),
                TEST(a_partial_record_moves_to_the_next_buffer),
                TEST(fragments_are_put_together),
                TEST(empty_records_are_records),
                TEST(a_record_that_is_too_long_is_refused_at_its_mark),
                TEST(fragments_that_add_up_to_too_much_are_refused),
                TEST(a_flood_of_empty_fragments_is_refused),
                TEST(without_a_buffer_there_is_no_space),
                TEST(whatever_the_pieces_the_records_come_out),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
