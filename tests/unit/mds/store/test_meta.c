/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata over either store: names, transactions, cookies, what replies wait for, numbers that never repeat.
 */
#include "tests/unit/mds/store/support.h"

static int open_meta(void **state, bool rocks)
{
        bed_make(state, rocks);
        bed_open_meta(*state);
        return 0;
}

static int open_on_memory(void **state)
{
        return open_meta(state, false);
}
static int open_on_rocks(void **state)
{
        return open_meta(state, true);
}

/* Every test ends with a clean store. */
static int close_meta(void **state)
{
        struct bed *b = *state;

        if (b->meta)
                bed_fsck(b);
        return bed_drop(state);
}

static void a_new_store_has_a_root(void **state)
{
        struct bed *b = *state;
        const struct inode *root;
        uint8_t fsid[16];

        assert_int_equal(meta_inode(b->meta, ROOT_FILEID, &root), 0);
        assert_int_equal(root->type, NF4DIR);
        assert_int_equal(root->mode, 0755);
        assert_int_equal(root->nlink, 2);
        assert_int_equal(root->size, 0);
        assert_int_equal(meta_boot(b->meta), 1);
        memcpy(fsid, meta_fsid(b->meta), sizeof(fsid));
        bed_reopen(b);
        assert_memory_equal(fsid, meta_fsid(b->meta), sizeof(fsid));
        assert_int_equal(meta_boot(b->meta), 2);
}

static void make_find_remove(void **state)
{
        struct bed *b = *state;
        struct meta *m = b->meta;
        uint64_t dir = make_dir(m, ROOT_FILEID, "dir"), file = make_file(m, dir, "file");
        const struct inode *i;

        assert_true(dir > ROOT_FILEID && file > ROOT_FILEID);
        assert_true((dir & FILEID_DIRECTORY) != 0 && (file & FILEID_DIRECTORY) == 0);
        assert_int_equal(find_name(m, ROOT_FILEID, "dir"), dir);
        assert_int_equal(find_name(m, dir, "file"), file);
        assert_int_equal(find_name(m, dir, "other"), 0);
        assert_int_equal(make_file(m, dir, "file"), 0);
        assert_int_equal(meta_inode(m, dir, &i), 0);
        assert_int_equal(i->size, 1);
        assert_int_equal(meta_inode(m, ROOT_FILEID, &i), 0);
        assert_int_equal(i->nlink, 3);
        bed_fsck(b);
        assert_int_equal(remove_name(m, dir, "file"), 0);
        assert_int_equal(remove_name(m, dir, "file"), -ENOENT);
        assert_int_equal(find_name(m, dir, "file"), 0);
        assert_int_equal(meta_inode(m, file, &i), -ENOENT);
        assert_int_equal(remove_name(m, ROOT_FILEID, "dir"), 0);
}

/* The same questions when nothing is cached. */
static void after_a_restart(void **state)
{
        struct bed *b = *state;
        uint64_t dir = make_dir(b->meta, ROOT_FILEID, "dir"), file = make_file(b->meta, dir, "file"), again;

        bed_reopen(b);
        assert_int_equal(find_name(b->meta, dir, "other"), 0);
        assert_int_equal(find_name(b->meta, dir, "file"), file);
        assert_int_equal(make_file(b->meta, dir, "file"), 0);
        again = make_file(b->meta, dir, "other");
        assert_true(again > file);
        assert_int_equal(remove_name(b->meta, dir, "file"), 0);
        bed_reopen(b);
        assert_int_equal(find_name(b->meta, dir, "file"), 0);
        assert_int_equal(find_name(b->meta, dir, "other"), again);
}

static void rename_in_one_transaction(void **state)
{
        struct bed *b = *state;
        struct meta *m = b->meta;
        uint64_t from = make_dir(m, ROOT_FILEID, "from"), to = make_dir(m, ROOT_FILEID, "to");
        uint64_t file = make_file(m, from, "a"), victim = make_file(m, to, "b"), seq;
        struct txn *t = txn_begin(m);

        assert_int_equal(txn_unlink(t, from, slice_str("a")), 0);
        assert_int_equal(txn_unlink(t, from, slice_str("a")), -ENOENT);
        assert_int_equal(txn_link(t, to, slice_str("b"), file, NF4REG), -EEXIST);
        assert_int_equal(txn_unlink(t, to, slice_str("b")), 0);
        assert_int_equal(txn_link(t, to, slice_str("b"), file, NF4REG), 0);
        assert_int_equal(txn_link(t, to, slice_str("b"), file, NF4REG), -EEXIST);
        txn_delete_inode(t, victim);
        assert_null(txn_edit(t, victim));
        assert_int_equal(find_name(m, to, "b"), victim); /* outside it is not yet so */
        assert_int_equal(txn_commit(t, &seq), 0);
        assert_int_equal(find_name(m, to, "b"), file);
        assert_int_equal(find_name(m, from, "a"), 0);
        bed_fsck(b);
        bed_reopen(b);
        assert_int_equal(find_name(b->meta, to, "b"), file);
        assert_int_equal(find_name(b->meta, from, "a"), 0);
}

static void an_aborted_transaction_leaves_nothing(void **state)
{
        struct bed *b = *state;
        struct meta *m = b->meta;
        uint64_t file = make_file(m, ROOT_FILEID, "stays"), written = b->store->written, seq;
        struct meta_stats before, after;
        const struct inode *root;
        struct txn *t;

        meta_get_stats(m, &before);
        for (int i = 0; i < 3; i++) {
                t = txn_begin(m);
                txn_edit(t, ROOT_FILEID)->mode = 0;
                assert_int_equal(txn_link(t, ROOT_FILEID, slice_str("new"), txn_new_inode(t, NF4REG)->fileid,
                                          NF4REG),
                                 0);
                assert_int_equal(txn_unlink(t, ROOT_FILEID, slice_str("stays")), 0);
                txn_delete_inode(t, file);
                txn_abort(t);
        }
        meta_get_stats(m, &after);
        assert_int_equal(before.inodes, after.inodes);
        assert_int_equal(before.entries, after.entries);
        assert_int_equal(b->store->written, written);
        assert_int_equal(meta_inode(m, ROOT_FILEID, &root), 0);
        assert_int_equal(root->mode, 0755);
        assert_int_equal(find_name(m, ROOT_FILEID, "stays"), file);
        assert_int_equal(find_name(m, ROOT_FILEID, "new"), 0);
        t = txn_begin(m); /* nothing changed, nothing written */
        assert_non_null(txn_edit(t, file));
        assert_int_equal(txn_commit(t, &seq), 0);
        assert_int_equal(b->store->written, written);
}

static void a_refused_batch_leaves_nothing(void **state)
{
        struct bed *b = *state;
        struct meta *m = b->meta;
        uint64_t file = make_file(m, ROOT_FILEID, "stays");

        store_memory_fail_write(b->store, 0, -ENOSPC);
        assert_int_equal(make_file(m, ROOT_FILEID, "new"), 0);
        store_memory_fail_write(b->store, 0, -ENOSPC);
        assert_int_equal(remove_name(m, ROOT_FILEID, "stays"), -ENOSPC);
        assert_int_equal(find_name(m, ROOT_FILEID, "new"), 0);
        assert_int_equal(find_name(m, ROOT_FILEID, "stays"), file);
        bed_fsck(b);
        assert_true(make_file(m, ROOT_FILEID, "new") != 0);
}

static void symlinks(void **state)
{
        struct bed *b = *state;
        char target[NFS4_MAXPATH];
        uint64_t link = make_node(b->meta, ROOT_FILEID, slice_str("link"), NF4LNK);

        assert_int_equal(meta_symlink(b->meta, link, target), 1);
        assert_int_equal(target[0], 'x');
        assert_int_equal(meta_symlink(b->meta, ROOT_FILEID, target), -ENOENT);
        assert_int_equal(remove_name(b->meta, ROOT_FILEID, "link"), 0);
        assert_int_equal(meta_symlink(b->meta, link, target), -ENOENT);
}

static void names_of_all_lengths(void **state)
{
        struct bed *b = *state;
        char name[NFS4_MAXNAME];

        memset(name, 0xfe, sizeof(name));
        for (uint32_t n = 1; n <= sizeof(name); n++)
                assert_true(make_node(b->meta, ROOT_FILEID, slice_of(name, n), NF4REG) != 0);
        for (uint32_t n = 1; n <= sizeof(name); n += 2)
                assert_int_equal(remove_node(b->meta, ROOT_FILEID, slice_of(name, n)), 0);
        bed_fsck(b);
        bed_reopen(b);
        for (uint32_t n = 1; n <= sizeof(name); n++) {
                uint64_t fileid;

                assert_int_equal(meta_lookup(b->meta, ROOT_FILEID, slice_of(name, n), &fileid),
                                 n % 2 ? -ENOENT : 0);
        }
}

static void hard_links(void **state)
{
        struct bed *b = *state;
        struct meta *m = b->meta;
        uint64_t file = make_file(m, ROOT_FILEID, "a"), seq, before;
        struct txn *t = txn_begin(m);
        const struct inode *i;
        struct inode *edit = txn_edit(t, file);

        before = edit->change;
        edit->nlink++;
        txn_touch(t, edit, false);
        assert_true(edit->change > before);
        assert_ptr_equal(txn_edit(t, file), edit);
        assert_int_equal(txn_link(t, ROOT_FILEID, slice_str("b"), file, NF4REG), 0);
        assert_int_equal(txn_commit(t, &seq), 0);
        bed_fsck(b);
        assert_int_equal(remove_name(m, ROOT_FILEID, "a"), 0);
        assert_int_equal(meta_inode(m, file, &i), 0);
        assert_int_equal(i->nlink, 1);
        assert_int_equal(find_name(m, ROOT_FILEID, "b"), file);
}

/* --- READDIR */

struct page {
        uint64_t cookies[4096];
        char names[4096][32];
        int count, limit;
};

static bool take_entry(void *arg, uint64_t cookie, const struct dirent_record *entry)
{
        struct page *p = arg;

        if (p->count == p->limit)
                return false;
        p->cookies[p->count] = cookie;
        memcpy(p->names[p->count], entry->name, entry->name_length);
        p->names[p->count][entry->name_length] = '\0';
        p->count++;
        return true;
}

static void pages_and_cookies(void **state)
{
        enum { FILES = 1000, PAGE = 37 };
        struct bed *b = *state;
        static struct page all, page;
        uint64_t dir = make_dir(b->meta, ROOT_FILEID, "dir"), after = 0;
        int seen = 0;

        for (int i = 0; i < FILES; i++) {
                char name[32];

                snprintf(name, sizeof(name), "f%d", i);
                assert_true(make_file(b->meta, dir, name) != 0);
        }
        all = (struct page){ .limit = 4096 };
        assert_int_equal(meta_readdir(b->meta, dir, 0, take_entry, &all), 0);
        assert_int_equal(all.count, FILES);
        for (int i = 0; i < FILES; i++) {
                assert_true(all.cookies[i] > 2 && all.cookies[i] <= INT64_MAX);
                assert_true(i == 0 || all.cookies[i] > all.cookies[i - 1]);
        }
        do { /* page by page, while others come and go: what stays is seen once */
                page = (struct page){ .limit = PAGE };
                assert_int_equal(meta_readdir(b->meta, dir, after, take_entry, &page), 0);
                for (int i = 0; i < page.count; i++)
                        assert_int_equal(page.cookies[i], all.cookies[seen + i]);
                seen += page.count;
                if (page.count > 0)
                        after = page.cookies[page.count - 1];
                for (int i = 0; i < page.count; i++)
                        assert_int_equal(remove_name(b->meta, dir, page.names[i]), 0);
        } while (page.count == PAGE);
        assert_int_equal(seen, FILES);
        page = (struct page){ .limit = PAGE };
        assert_int_equal(meta_readdir(b->meta, dir, 0, take_entry, &page), 0);
        assert_int_equal(page.count, 0);
        assert_int_equal(meta_readdir(b->meta, dir, UINT64_MAX, take_entry, &page), 0);
        assert_int_equal(page.count, 0);
}

/* The place where lists begin moves up as entries go and must come down for new ones. */
static void lists_begin_at_the_first_entry(void **state)
{
        struct bed *b = *state;
        static struct page page;
        uint64_t dir = make_dir(b->meta, ROOT_FILEID, "dir");

        for (int round = 0; round < 2; round++) {
                for (int i = 0; i < 200; i++) {
                        char name[32];

                        snprintf(name, sizeof(name), "r%d-%d", round, i);
                        assert_true(make_file(b->meta, dir, name) != 0);
                        page = (struct page){ .limit = 4096 };
                        assert_int_equal(meta_readdir(b->meta, dir, 0, take_entry, &page), 0);
                        assert_int_equal(page.count, round * 100 + i + 1);
                }
                for (int i = 0; i < 100; i++) {
                        page = (struct page){ .limit = 1 };
                        assert_int_equal(meta_readdir(b->meta, dir, 0, take_entry, &page), 0);
                        assert_int_equal(remove_name(b->meta, dir, page.names[0]), 0);
                }
                bed_reopen(b);
        }
}

/* --- what replies wait for */

static void reads_depend_on_what_they_saw(void **state)
{
        struct bed *b = *state;
        struct meta *m = b->meta;
        uint64_t old = make_file(m, ROOT_FILEID, "old"), dir = make_dir(m, ROOT_FILEID, "dir"), fresh, seq;
        const struct inode *i;
        static struct page page;

        make_file(m, dir, "x");
        bed_sync(b);
        fresh = make_file(m, ROOT_FILEID, "fresh");
        seq = b->store->written;
        meta_seq_reset(m);
        assert_int_equal(find_name(m, ROOT_FILEID, "old"), old);
        assert_int_equal(meta_inode(m, old, &i), 0);
        assert_true(meta_seq(m) <= b->store->durable);
        assert_int_equal(find_name(m, ROOT_FILEID, "fresh"), fresh);
        assert_int_equal(meta_seq(m), seq);
        meta_seq_reset(m);
        assert_int_equal(meta_inode(m, fresh, &i), 0);
        assert_int_equal(meta_seq(m), seq);
        meta_seq_reset(m);
        assert_int_equal(meta_readdir(m, dir, 0, take_entry, &page), 0);
        assert_true(meta_seq(m) <= b->store->durable);
        assert_int_equal(meta_readdir(m, ROOT_FILEID, 0, take_entry, &page), 0);
        assert_int_equal(meta_seq(m), seq);
        assert_int_equal(remove_name(m, ROOT_FILEID, "old"), 0); /* that it is gone is news as well */
        seq = b->store->written;
        meta_seq_reset(m);
        assert_int_equal(find_name(m, ROOT_FILEID, "old"), 0);
        assert_int_equal(meta_seq(m), seq);
        meta_seq_reset(m);
        assert_int_equal(meta_inode(m, old, &i), -ENOENT);
        assert_int_equal(meta_seq(m), seq);
}

/* --- the cache */

static void the_cache_stays_in_its_bounds(void **state)
{
        enum { FILES = 3000, BOUND = 100 };
        struct bed *b = *state;
        char error[256];
        struct meta_stats stats;
        uint64_t dir, ids[FILES];

        meta_close(b->meta);
        b->meta = meta_open(b->env, b->store, BOUND, error, sizeof(error));
        dir = make_dir(b->meta, ROOT_FILEID, "dir");
        for (int i = 0; i < FILES; i++) {
                char name[32];

                snprintf(name, sizeof(name), "f%d", i);
                ids[i] = make_file(b->meta, dir, name);
                assert_true(ids[i] != 0);
                if (i % 10 == 9)
                        bed_sync(b);
                meta_trim(b->meta);
        }
        bed_sync(b);
        for (int i = 0; i < 100; i++)
                meta_trim(b->meta);
        meta_get_stats(b->meta, &stats);
        assert_true(stats.inodes <= BOUND);
        assert_true(stats.entries <= 4 * BOUND);
        for (int i = 0; i < FILES; i++) {
                char name[32];
                const struct inode *inode;

                snprintf(name, sizeof(name), "f%d", i);
                assert_int_equal(find_name(b->meta, dir, name), ids[i]);
                assert_int_equal(meta_inode(b->meta, ids[i], &inode), 0);
                snprintf(name, sizeof(name), "g%d", i);
                assert_int_equal(find_name(b->meta, dir, name), 0);
                assert_int_equal(make_file(b->meta, dir, "f7"), 0);
                meta_trim(b->meta);
        }
        meta_get_stats(b->meta, &stats);
        assert_true(stats.inodes <= BOUND + 2);
        assert_true(stats.entries <= 4 * BOUND + 2);
}

static void what_is_not_durable_is_not_evicted(void **state)
{
        struct bed *b = *state;
        char error[256], name[32];
        struct meta_stats stats;

        meta_close(b->meta);
        b->meta = meta_open(b->env, b->store, 4, error, sizeof(error));
        for (int i = 0; i < 100; i++) {
                snprintf(name, sizeof(name), "f%d", i);
                make_file(b->meta, ROOT_FILEID, name);
                meta_trim(b->meta);
        }
        meta_get_stats(b->meta, &stats);
        assert_true(stats.inodes >= 100);
        assert_true(stats.entries >= 100);
        bed_sync(b);
        for (int i = 0; i < 10; i++)
                meta_trim(b->meta);
        meta_get_stats(b->meta, &stats);
        assert_int_equal(stats.inodes, 4);
        assert_int_equal(stats.entries, 16);
}

/* A create storm: neither the lookups before nor the creates ask the store. */
static void new_directories_ask_the_store_nothing(void **state)
{
        struct bed *b = *state;
        uint64_t dir = make_dir(b->meta, ROOT_FILEID, "dir"), gets = b->store->stats.gets;
        char name[32];

        for (int i = 0; i < 1000; i++) {
                snprintf(name, sizeof(name), "f%d", i);
                assert_int_equal(find_name(b->meta, dir, name), 0);
                assert_true(make_file(b->meta, dir, name) != 0);
        }
        for (int i = 0; i < 1000; i++) {
                snprintf(name, sizeof(name), "f%d", i);
                assert_int_equal(remove_name(b->meta, dir, name), 0);
        }
        assert_int_equal(b->store->stats.gets, gets);
        assert_int_equal(b->store->stats.scans, 1); /* when it was found empty */
}

/* --- numbers */

static void numbers_rise_over_crashes(void **state)
{
        struct bed *b = *state;
        uint64_t fileid = 0;
        uint32_t epoch = 0, boot = 0;

        for (int life = 0; life < 5; life++) {
                assert_true(meta_boot(b->meta) > boot);
                boot = meta_boot(b->meta);
                assert_true(meta_epoch(b->meta) >= epoch);
                for (int i = 0; i < 100000; i++) {
                        uint64_t next = meta_new_fileid(b->meta);

                        assert_true(next > fileid);
                        fileid = next;
                        if (i % 10 == 0) {
                                uint32_t raised = meta_raise_epoch(b->meta);

                                assert_true(raised > epoch);
                                epoch = raised;
                        }
                        if (i % 1000 == 0)
                                env_run_tasks(b->env);
                }
                env_run_tasks(b->env);
                meta_close(b->meta);
                store_memory_crash(b->store, 0);
                b->store->on_durable = bed_on_durable;
                bed_open_meta(b);
        }
}

static void numbers_run_out_when_the_store_refuses(void **state)
{
        struct bed *b = *state;
        uint32_t epoch = 0, raised;
        struct txn *t;

        for (int i = 0; i < 1 << 16; i++)
                assert_true(meta_new_fileid(b->meta) != 0);
        store_memory_fail_write(b->store, 0, -ENOSPC);
        t = txn_begin(b->meta);
        assert_null(txn_new_inode(t, NF4REG));
        txn_abort(t);
        assert_true(meta_new_fileid(b->meta) != 0); /* and again when it accepts */
        store_memory_fail_sync(b->store, -EIO);
        b->store->ops->sync(b->store, b->store->written);
        env_run_tasks(b->env);
        while ((raised = meta_raise_epoch(b->meta)) != 0) {
                assert_true(raised > epoch);
                epoch = raised;
        }
        assert_true(epoch >= 4096);
        meta_close(TAKE(b->meta));
}

static void not_a_store_of_ours(void **state)
{
        struct bed *b = *state;
        struct batch batch = { 0 };
        char error[256];
        uint64_t seq;

        meta_close(b->meta);
        b->meta = NULL;
        batch_put(&batch, slice_str("mformat"), slice_of("\1\0\0\0\0\0\0\0\2", 9));
        b->store->ops->write(b->store, &batch, &seq);
        assert_null(meta_open(b->env, b->store, 16, error, sizeof(error)));
        assert_non_null(strstr(error, "format 2"));
        batch_clear(&batch);
        batch_put(&batch, slice_str("mformat"), slice_str("?"));
        b->store->ops->write(b->store, &batch, &seq);
        assert_null(meta_open(b->env, b->store, 16, error, sizeof(error)));
        assert_non_null(strstr(error, "damaged"));
        batch_clear(&batch);
        batch_delete(&batch, slice_str("mformat"));
        b->store->ops->write(b->store, &batch, &seq);
        assert_null(meta_open(b->env, b->store, 16, error, sizeof(error)));
        assert_non_null(strstr(error, "not a Nacre store"));
        batch_free(&batch);
}

static void a_damaged_record_is_an_error_not_a_crash(void **state)
{
        struct bed *b = *state;
        uint64_t file = make_file(b->meta, ROOT_FILEID, "file"), seq, fileid;
        struct batch batch = { 0 };
        uint8_t key[KEY_MAX];
        const struct inode *i;
        static struct page page;

        meta_close(b->meta);
        b->meta = NULL;
        batch_put(&batch, key_inode(key, file), slice_str("junk"));
        b->store->ops->write(b->store, &batch, &seq);
        bed_open_meta(b);
        batch_clear(&batch);
        batch_put(&batch, key_dirent(key, ROOT_FILEID, meta_cookie(b->meta, slice_str("file"))),
                  slice_str("junk"));
        b->store->ops->write(b->store, &batch, &seq);
        assert_int_equal(meta_inode(b->meta, file, &i), -EIO);
        assert_int_equal(meta_lookup(b->meta, ROOT_FILEID, slice_str("file"), &fileid), -EIO);
        page = (struct page){ .limit = 10 };
        assert_int_equal(meta_readdir(b->meta, ROOT_FILEID, 0, take_entry, &page), -EIO);
        assert_int_equal(make_file(b->meta, ROOT_FILEID, "file"), 0);
        assert_int_equal(remove_name(b->meta, ROOT_FILEID, "file"), -EIO);
        batch_free(&batch);
        meta_close(TAKE(b->meta));
}

#define MEMORY(test) \
        { \
#test " (memory)", test, open_on_memory, close_meta, NULL \
        }
#define ROCKS(test) \
        { \
#test " (rocks)", test, open_on_rocks, close_meta, NULL \
        }
#define BOTH(test) MEMORY(test), ROCKS(test)

int main(void)
{
        const struct CMUnitTest tests[] = {
                BOTH(a_new_store_has_a_root),
                BOTH(make_find_remove),
                BOTH(after_a_restart),
                BOTH(rename_in_one_transaction),
                BOTH(an_aborted_transaction_leaves_nothing),
                MEMORY(a_refused_batch_leaves_nothing),
                BOTH(symlinks),
                BOTH(names_of_all_lengths),
                BOTH(hard_links),
                BOTH(pages_and_cookies),
                BOTH(lists_begin_at_the_first_entry),
                BOTH(reads_depend_on_what_they_saw),
                BOTH(the_cache_stays_in_its_bounds),
                BOTH(what_is_not_durable_is_not_evicted),
                BOTH(new_directories_ask_the_store_nothing),
                MEMORY(numbers_rise_over_crashes),
                MEMORY(numbers_run_out_when_the_store_refuses),
                MEMORY(not_a_store_of_ours),
                MEMORY(a_damaged_record_is_an_error_not_a_crash),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
