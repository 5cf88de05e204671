/* SPDX-License-Identifier: Apache-2.0 */
/* Names whose hashes collide all the time (a mask leaves two bits of the hash), random changes, refused
 * writes, aborts, evictions and crashes, against a plain array. After every round the store is clean and says
 * what the array says. */
#include "tests/unit/mds/store/support.h"

enum { DIRS = 3, NAMES = 40, ROUNDS = 60, STEPS = 120, CACHE = 8 };

struct model {
        uint64_t dir[DIRS];
        uint64_t file[DIRS][NAMES]; /* 0: not there */
        uint64_t dice;
};

static uint32_t roll(struct model *x, uint32_t sides)
{
        return (uint32_t)(hash_u64(++x->dice) % sides);
}

static struct slice name(uint32_t n)
{
        static char text[2][16];
        static int turn;

        turn ^= 1;
        snprintf(text[turn], sizeof(text[turn]), "name-%u", n);
        return slice_str(text[turn]);
}

static void open_masked(struct bed *b)
{
        char error[256];

        b->meta = meta_open(b->env, b->store, CACHE, error, sizeof(error));
        assert_non_null(b->meta);
        b->meta->hash_mask = UINT64_C(3) << 40;
}

static void create(struct bed *b, struct model *x, uint32_t d, uint32_t n)
{
        uint64_t fileid = make_node(b->meta, x->dir[d], name(n), NF4REG);

        if (fileid) {
                assert_int_equal(x->file[d][n], 0);
                x->file[d][n] = fileid;
        }
}

static void unlink_one(struct bed *b, struct model *x, uint32_t d, uint32_t n)
{
        int r = remove_node(b->meta, x->dir[d], name(n));

        assert_true(r == 0 || r == -ENOSPC || r == -ENOENT);
        assert_int_equal(r == -ENOENT, x->file[d][n] == 0);
        if (r == 0)
                x->file[d][n] = 0;
}

/* With replacement, all in one transaction; sometimes given up before the end. */
static void move(struct bed *b, struct model *x, uint32_t d, uint32_t n, uint32_t to_d, uint32_t to_n)
{
        struct txn *t = txn_begin(b->meta);
        uint64_t seq, victim = x->file[to_d][to_n];
        bool there = x->file[d][n] != 0;

        assert_int_equal(txn_unlink(t, x->dir[d], name(n)), there ? 0 : -ENOENT);
        if (!there || (d == to_d && n == to_n)) {
                txn_abort(t);
                return;
        }
        assert_int_equal(txn_unlink(t, x->dir[to_d], name(to_n)), victim ? 0 : -ENOENT);
        if (victim)
                txn_delete_inode(t, victim);
        assert_int_equal(txn_link(t, x->dir[to_d], name(to_n), x->file[d][n], NF4REG), 0);
        if (roll(x, 4) == 0) {
                txn_abort(t);
                return;
        }
        if (txn_commit(t, &seq))
                return;
        x->file[to_d][to_n] = x->file[d][n];
        x->file[d][n] = 0;
}

static void step(struct bed *b, struct model *x)
{
        uint32_t d = roll(x, DIRS), n = roll(x, NAMES);

        if (roll(x, 20) == 0)
                store_memory_fail_write(b->store, roll(x, 3), -ENOSPC);
        switch (roll(x, 4)) {
        case 0: create(b, x, d, n); break;
        case 1: unlink_one(b, x, d, n); break;
        case 2: move(b, x, d, n, roll(x, DIRS), roll(x, NAMES)); break;
        default: {
                uint64_t fileid = 0;
                int r = meta_lookup(b->meta, x->dir[d], name(n), &fileid);

                assert_int_equal(r, x->file[d][n] ? 0 : -ENOENT);
                assert_int_equal(fileid, x->file[d][n]);
        }
        }
        if (roll(x, 5) == 0)
                bed_sync(b);
        meta_trim(b->meta);
}

static bool count_entry(void *arg, uint64_t cookie, const struct dirent_record *entry)
{
        assert_true(cookie > 2 && entry->type == NF4REG);
        ++*(uint32_t *)arg;
        return true;
}

static void compare(struct bed *b, const struct model *x)
{
        for (uint32_t d = 0; d < DIRS; d++) {
                uint32_t listed = 0, there = 0;

                for (uint32_t n = 0; n < NAMES; n++) {
                        uint64_t fileid = 0;

                        meta_lookup(b->meta, x->dir[d], name(n), &fileid);
                        assert_int_equal(fileid, x->file[d][n]);
                        there += fileid != 0;
                }
                assert_int_equal(meta_readdir(b->meta, x->dir[d], 0, count_entry, &listed), 0);
                assert_int_equal(listed, there);
        }
}

static void random_changes(void **state)
{
        struct bed *b = *state;
        struct model x = { .dice = 42 };

        open_masked(b);
        for (uint32_t d = 0; d < DIRS; d++)
                x.dir[d] = make_node(b->meta, ROOT_FILEID, name(d), NF4DIR);
        for (int round = 0; round < ROUNDS; round++) {
                for (int i = 0; i < STEPS; i++)
                        step(b, &x);
                store_memory_fail_write(b->store, 0, 0);
                bed_fsck(b);
                compare(b, &x);
                if (round % 3)
                        continue;
                bed_sync(b);
                meta_close(b->meta);
                store_memory_crash(b->store, 0);
                b->store->on_durable = bed_on_durable;
                open_masked(b);
                compare(b, &x);
        }
}

static void no_more_than_256_names_with_one_hash(void **state)
{
        struct bed *b = *state;

        open_masked(b);
        b->meta->hash_mask = 0;
        for (uint32_t n = 0; n < 256; n++)
                assert_true(make_node(b->meta, ROOT_FILEID, name(n), NF4REG) != 0);
        assert_int_equal(make_node(b->meta, ROOT_FILEID, name(256), NF4REG), 0);
        assert_int_equal(find_name(b->meta, ROOT_FILEID, "name-256"), 0);
        bed_fsck(b);
        assert_int_equal(remove_node(b->meta, ROOT_FILEID, name(256)), -ENOENT);
        assert_int_equal(remove_node(b->meta, ROOT_FILEID, name(100)), 0);
        bed_fsck(b);
        assert_true(make_node(b->meta, ROOT_FILEID, name(256), NF4REG) != 0); /* in the hole */
        bed_fsck(b);
        for (uint32_t n = 0; n <= 256; n++)
                assert_int_equal(remove_node(b->meta, ROOT_FILEID, name(n)), n == 100 ? -ENOENT : 0);
        bed_fsck(b);
}

/* What the cache knows of a hash does not hold for the rest of a transaction that touched it. */
static void two_names_with_one_hash_in_one_transaction(void **state)
{
        struct bed *b = *state;
        uint64_t dir, a, c, seq;
        struct txn *t;

        open_masked(b);
        b->meta->hash_mask = 0;
        dir = make_dir(b->meta, ROOT_FILEID, "dir"); /* whole: the store is not asked */
        a = make_dir(b->meta, ROOT_FILEID, "a");
        c = make_dir(b->meta, ROOT_FILEID, "c");
        t = txn_begin(b->meta);
        txn_delete_inode(t, a);
        txn_delete_inode(t, c);
        assert_int_equal(txn_unlink(t, ROOT_FILEID, slice_str("a")), 0);
        assert_int_equal(txn_unlink(t, ROOT_FILEID, slice_str("c")), 0);
        txn_edit(t, ROOT_FILEID)->nlink -= 2;
        for (uint32_t n = 0; n < 3; n++) {
                struct inode *i = txn_new_inode(t, NF4REG);

                i->nlink = 1;
                assert_int_equal(txn_link(t, dir, name(n), i->fileid, NF4REG), 0);
        }
        assert_int_equal(txn_commit(t, &seq), 0);
        bed_fsck(b);
        for (uint32_t n = 0; n < 3; n++)
                assert_int_equal(remove_node(b->meta, dir, name(n)), 0);
        bed_fsck(b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                ON_MEMORY(random_changes),
                ON_MEMORY(no_more_than_256_names_with_one_hash),
                ON_MEMORY(two_names_with_one_hash_in_one_transaction),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
