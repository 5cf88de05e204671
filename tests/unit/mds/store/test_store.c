/* SPDX-License-Identifier: Apache-2.0 */
/* What store.h promises, asked of both engines by the same tests. */
#include "tests/unit/mds/store/support.h"

static int put(struct bed *b, const char *key, const char *value)
{
        struct batch batch = { 0 };
        uint64_t seq = 0;
        int r;

        batch_put(&batch, slice_str(key), slice_str(value));
        r = b->store->ops->write(b->store, &batch, &seq);
        batch_free(&batch);
        return r;
}

/* The value as a string, or NULL. */
static const char *get(struct bed *b, const char *key)
{
        static char value[256];
        uint32_t length = 0;
        int r = b->store->ops->get(b->store, slice_str(key), value, sizeof(value) - 1, &length);

        assert_true(r == 0 || r == -ENOENT);
        value[length] = '\0';
        return r ? NULL : value;
}

struct seen {
        char keys[512];
        int stop_after;
};

static bool note(void *arg, struct slice key, struct slice value)
{
        struct seen *s = arg;

        assert_true(value.length > 0);
        strncat(s->keys, (const char *)key.data, key.length);
        strcat(s->keys, " ");
        return --s->stop_after != 0;
}

static const char *list(struct bed *b, const char *prefix, const char *from, int stop_after)
{
        static struct seen s;

        s = (struct seen){ .stop_after = stop_after };
        assert_int_equal(b->store->ops->scan(b->store, slice_str(prefix), slice_str(from), note, &s), 0);
        return s.keys;
}

static void put_get_delete(void **state)
{
        struct bed *b = *state;
        struct batch batch = { 0 };
        uint64_t seq;
        uint32_t length;
        char small[2];

        assert_null(get(b, "a"));
        assert_int_equal(put(b, "a", "1"), 0);
        assert_string_equal(get(b, "a"), "1");
        assert_int_equal(put(b, "a", "22222"), 0);
        assert_string_equal(get(b, "a"), "22222");
        assert_int_equal(b->store->ops->get(b->store, slice_str("a"), small, sizeof(small), &length),
                         -ENOBUFS);
        batch_delete(&batch, slice_str("a"));
        batch_delete(&batch, slice_str("never there"));
        batch_put(&batch, slice_str("b"), slice_str("x"));
        batch_put(&batch, slice_str("b"), slice_str("y"));
        batch_put(&batch, slice_str("c"), slice_str("z"));
        batch_delete(&batch, slice_str("c"));
        assert_int_equal(b->store->ops->write(b->store, &batch, &seq), 0);
        assert_int_equal(seq, 3);
        assert_null(get(b, "a"));
        assert_string_equal(get(b, "b"), "y");
        assert_null(get(b, "c"));
        batch_free(&batch);
}

static void a_batch_that_failed_writes_nothing(void **state)
{
        struct bed *b = *state;
        struct batch batch = { .failed = true };
        uint64_t seq;

        assert_int_equal(b->store->ops->write(b->store, &batch, &seq), -ENOSPC);
        assert_int_equal(b->store->written, 0);
}

static void scans_stay_in_their_prefix(void **state)
{
        static const char *const keys[] = { "a",     "b1",        "b2", "b23",  "b3",
                                            "b\xff", "b\xff\xff", "c",  "\xff", "\xff\xff" };
        struct bed *b = *state;

        for (size_t i = sizeof(keys) / sizeof(*keys); i-- > 0;)
                assert_int_equal(put(b, keys[i], "v"), 0);
        assert_string_equal(list(b, "b", "b", 0), "b1 b2 b23 b3 b\xff b\xff\xff ");
        assert_string_equal(list(b, "b", "b2", 0), "b2 b23 b3 b\xff b\xff\xff ");
        assert_string_equal(list(b, "b", "b24", 0), "b3 b\xff b\xff\xff ");
        assert_string_equal(list(b, "b2", "b2", 0), "b2 b23 ");
        assert_string_equal(list(b, "b\xff", "b\xff", 0), "b\xff b\xff\xff ");
        assert_string_equal(list(b, "\xff", "\xff", 0), "\xff \xff\xff ");
        assert_string_equal(list(b, "b", "b", 2), "b1 b2 ");
        assert_string_equal(list(b, "bb", "bb", 0), "");
        assert_string_equal(list(b, "", "", 3), "a b1 b2 ");
}

static void durable_comes_later_and_in_order(void **state)
{
        struct bed *b = *state;
        uint32_t told = b->told;

        assert_int_equal(put(b, "a", "1"), 0);
        assert_int_equal(put(b, "b", "1"), 0);
        b->store->ops->sync(b->store, 1);
        b->store->ops->sync(b->store, 2);
        assert_int_equal(b->told, told); /* never from inside */
        assert_int_equal(put(b, "c", "1"), 0);
        while (b->durable < 2)
                bed_wait(b);
        assert_true(b->told - told <= 2); /* both in one, or two */
        assert_int_equal(b->store->durable, b->durable);
        b->store->ops->sync(b->store, 3);
        bed_sync(b);
        assert_int_equal(b->durable, 3);
        assert_int_equal(b->error, 0);
}

static void sync_now_returns_when_it_is_done(void **state)
{
        struct bed *b = *state;

        assert_int_equal(put(b, "a", "1"), 0);
        assert_int_equal(b->store->ops->sync_now(b->store), 0);
        assert_int_equal(b->store->durable, 1);
        assert_int_equal(b->told, 0);
}

static void everything_is_there_after_a_restart(void **state)
{
        struct bed *b = *state;

        for (int i = 0; i < 100; i++) {
                char key[16];

                snprintf(key, sizeof(key), "k%03d", i);
                assert_int_equal(put(b, key, "v"), 0);
        }
        bed_reopen(b); /* a clean stop loses nothing, synced or not */
        assert_string_equal(get(b, "k099"), "v");
        assert_string_equal(list(b, "k00", "k00", 2), "k000 k001 ");
}

/* --- memory only: what the simulator relies on */

static void a_crash_takes_back_what_was_not_synced(void **state)
{
        struct bed *b = *state;

        put(b, "kept", "old");
        put(b, "gone", "x");
        bed_sync(b);
        put(b, "kept", "new");            /* 3 */
        put(b, "later", "1");             /* 4 */
        put(b, "kept", "newer");          /* 5 */
        b->store->ops->sync(b->store, 5); /* asked for, not done */
        store_memory_crash(b->store, 1);
        assert_string_equal(get(b, "kept"), "new");
        assert_null(get(b, "later"));
        assert_string_equal(get(b, "gone"), "x");
        assert_int_equal(b->store->durable, 3);
        assert_int_equal(b->store->written, 3);
        store_memory_crash(b->store, 0);
        assert_string_equal(get(b, "kept"), "new");
}

static void failures_on_demand(void **state)
{
        struct bed *b = *state;

        store_memory_fail_write(b->store, 1, -ENOSPC);
        assert_int_equal(put(b, "a", "1"), 0);
        assert_int_equal(put(b, "b", "1"), -ENOSPC);
        assert_int_equal(put(b, "b", "1"), 0);
        store_memory_fail_sync(b->store, -EIO);
        b->store->ops->sync(b->store, 2);
        bed_wait(b);
        assert_int_equal(b->error, -EIO);
        assert_int_equal(b->durable, 0);
        assert_int_equal(put(b, "c", "1"), -EIO);
        b->store->ops->sync(b->store, 2);
        env_run_tasks(b->env);
        assert_int_equal(b->told, 1); /* said once */
}

static void against_a_sorted_array(void **state)
{
        enum { KEYS = 256 };
        struct bed *b = *state;
        bool there[KEYS] = { false };
        uint64_t dice = 1;

        for (int step = 0; step < 20000; step++) {
                uint8_t byte = (uint8_t)hash_u64(++dice), key[2] = { 'k', byte };
                struct batch batch = { 0 };
                uint64_t seq;

                there[byte] = hash_u64(++dice) & 1;
                if (there[byte])
                        batch_put(&batch, slice_of(key, 2), slice_str("v"));
                else
                        batch_delete(&batch, slice_of(key, 2));
                assert_int_equal(b->store->ops->write(b->store, &batch, &seq), 0);
                batch_free(&batch);
                if (step % 1000 == 0)
                        bed_sync(b);
        }
        for (int i = 0; i < KEYS; i++) {
                uint8_t key[2] = { 'k', (uint8_t)i };
                uint32_t length;
                char value[4];

                assert_int_equal(b->store->ops->get(b->store, slice_of(key, 2), value, 4, &length),
                                 there[i] ? 0 : -ENOENT);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                ON_BOTH(put_get_delete),
                ON_BOTH(a_batch_that_failed_writes_nothing),
                ON_BOTH(scans_stay_in_their_prefix),
                ON_BOTH(durable_comes_later_and_in_order),
                ON_BOTH(sync_now_returns_when_it_is_done),
                ON_BOTH(everything_is_there_after_a_restart),
                ON_BOTH(against_a_sorted_array),
                ON_MEMORY(a_crash_takes_back_what_was_not_synced),
                ON_MEMORY(failures_on_demand),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
