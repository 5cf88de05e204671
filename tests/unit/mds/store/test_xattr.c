/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes in the store: what comes back, in which order, and how much of it there may be. */
#include "tests/unit/mds/store/support.h"

static uint8_t record[XATTR_RECORD_BYTES];

static const struct inode *inode_of(struct bed *b, uint64_t fileid)
{
        const struct inode *inode;

        assert_int_equal(meta_inode(b->meta, fileid, &inode), 0);
        return inode;
}

static int set(struct bed *b, uint64_t fileid, const char *name, struct slice value, enum xattr_how how)
{
        struct txn *t = txn_begin(b->meta);
        int r = txn_set_xattr(t, txn_edit(t, fileid), slice_str(name), value, how);
        uint64_t seq;

        if (r == 0)
                return txn_commit(t, &seq);
        txn_abort(t);
        return r;
}

static int drop(struct bed *b, uint64_t fileid, const char *name)
{
        struct txn *t = txn_begin(b->meta);
        int r = txn_remove_xattr(t, txn_edit(t, fileid), slice_str(name));
        uint64_t seq;

        if (r == 0)
                return txn_commit(t, &seq);
        txn_abort(t);
        return r;
}

static int get(struct bed *b, uint64_t fileid, const char *name, struct slice *ret)
{
        return meta_xattr(b->meta, inode_of(b, fileid), slice_str(name), record, ret);
}

struct names {
        char text[4096];
        uint64_t last;
        uint32_t count, stop_after;
};

static bool each(void *arg, uint64_t cookie, struct slice name)
{
        struct names *n = arg;

        assert_true(cookie > n->last);
        n->last = cookie;
        snprintf(n->text + strlen(n->text), sizeof(n->text) - strlen(n->text), "%.*s ", (int)name.length,
                 (const char *)name.data);
        return ++n->count != n->stop_after;
}

static struct names list(struct bed *b, uint64_t fileid, uint64_t after, uint32_t stop_after)
{
        struct names n = { .last = after, .stop_after = stop_after };

        assert_int_equal(meta_xattrs(b->meta, inode_of(b, fileid), after, each, &n), 0);
        return n;
}

static void are_set_read_replaced_and_removed(void **state)
{
        struct bed *b = *state;
        struct slice value;
        uint64_t f;

        bed_open_meta(b);
        f = make_file(b->meta, ROOT_FILEID, "f");
        assert_int_equal(get(b, f, "a", &value), -ENODATA);
        assert_int_equal(drop(b, f, "a"), -ENODATA);
        assert_int_equal(set(b, f, "a", slice_str("one"), XATTR_SET_REPLACE), -ENODATA);
        assert_int_equal(set(b, f, "a", slice_str("one"), XATTR_SET_CREATE), 0);
        assert_int_equal(set(b, f, "a", slice_str("two"), XATTR_SET_CREATE), -EEXIST);
        assert_int_equal(set(b, f, "empty", slice_str(""), XATTR_SET_EITHER), 0);
        bed_reopen(b);
        assert_int_equal(get(b, f, "a", &value), 0);
        assert_true(slice_equal(value, slice_str("one")));
        assert_int_equal(set(b, f, "a", slice_str("two, and longer"), XATTR_SET_REPLACE), 0);
        assert_int_equal(get(b, f, "a", &value), 0);
        assert_true(slice_equal(value, slice_str("two, and longer")));
        assert_int_equal(get(b, f, "empty", &value), 0);
        assert_int_equal(value.length, 0);
        assert_int_equal(drop(b, f, "a"), 0);
        assert_int_equal(get(b, f, "a", &value), -ENODATA);
        assert_true(inode_of(b, f)->flags & INODE_XATTRS);
        assert_int_equal(drop(b, f, "empty"), 0);
        assert_false(inode_of(b, f)->flags & INODE_XATTRS);
        bed_fsck(b);
}

static void lists_go_on_behind_a_cookie(void **state)
{
        struct bed *b = *state;
        struct names all, first, rest;
        uint64_t f, other;

        bed_open_meta(b);
        f = make_file(b->meta, ROOT_FILEID, "f");
        other = make_dir(b->meta, ROOT_FILEID, "other");
        assert_int_equal(list(b, f, 0, 0).count, 0);
        assert_int_equal(set(b, other, "not-ours", slice_str("x"), XATTR_SET_EITHER), 0);
        for (int i = 0; i < 20; i++) {
                char name[32];

                snprintf(name, sizeof(name), "n%d", i);
                assert_int_equal(set(b, f, name, slice_str(name), XATTR_SET_EITHER), 0);
        }
        all = list(b, f, 0, 0);
        first = list(b, f, 0, 7);
        rest = list(b, f, first.last, 0);
        assert_int_equal(all.count, 20);
        assert_int_equal(first.count + rest.count, 20);
        assert_memory_equal(all.text, first.text, strlen(first.text));
        assert_string_equal(all.text + strlen(first.text), rest.text);
        assert_int_equal(list(b, f, UINT64_MAX, 0).count, 0);
}

static void there_is_a_bound_to_all_of_one_inode(void **state)
{
        static uint8_t longest[XATTR_VALUE_BYTES];
        struct bed *b = *state;
        struct slice value;
        char name[32];
        uint64_t f;

        bed_open_meta(b);
        f = make_file(b->meta, ROOT_FILEID, "f");
        memset(longest, 'v', sizeof(longest));
        assert_int_equal(set(b, f, "a", slice_of(longest, sizeof(longest)), XATTR_SET_EITHER), 0);
        assert_int_equal(set(b, f, "b", slice_of(longest, sizeof(longest)), XATTR_SET_EITHER), -ENOSPC);
        assert_int_equal(set(b, f, "b", slice_of(longest, sizeof(longest) - 2), XATTR_SET_EITHER), 0);
        assert_int_equal(set(b, f, "c", slice_str(""), XATTR_SET_EITHER), -ENOSPC);
        assert_int_equal(get(b, f, "a", &value), 0);
        assert_true(slice_equal(value, slice_of(longest, sizeof(longest))));
        /* What takes the place of another does not count twice. */
        assert_int_equal(set(b, f, "a", slice_of(longest, sizeof(longest)), XATTR_SET_REPLACE), 0);
        assert_int_equal(set(b, f, "b", slice_str(""), XATTR_SET_REPLACE), 0);
        for (int i = 2; i < XATTRS_MAX; i++) {
                snprintf(name, sizeof(name), "n%d", i);
                assert_int_equal(set(b, f, name, slice_str(""), XATTR_SET_CREATE), 0);
        }
        assert_int_equal(set(b, f, "one-more", slice_str(""), XATTR_SET_CREATE), -ENOSPC);
        assert_int_equal(list(b, f, 0, 0).count, XATTRS_MAX);
        bed_fsck(b);
}

static void go_with_the_inode(void **state)
{
        struct bed *b = *state;
        uint8_t key[KEY_MAX], value[64];
        uint32_t length;
        uint64_t f;

        bed_open_meta(b);
        f = make_file(b->meta, ROOT_FILEID, "f");
        assert_int_equal(set(b, f, "a", slice_str("x"), XATTR_SET_EITHER), 0);
        assert_int_equal(set(b, f, "b", slice_str("x"), XATTR_SET_EITHER), 0);
        assert_int_equal(remove_name(b->meta, ROOT_FILEID, "f"), 0);
        assert_int_equal(meta_get(b->meta, key_xattr(key, f, meta_cookie(b->meta, slice_str("a"))), value,
                                  sizeof(value), &length),
                         -ENOENT);
        bed_fsck(b);
}

/* A hash of one value for all names: only one of them finds a place, and is not taken for another. */
static void names_that_collide(void **state)
{
        struct bed *b = *state;
        struct slice value;
        uint64_t f;

        bed_open_meta(b);
        b->meta->hash_mask = 0;
        f = make_file(b->meta, ROOT_FILEID, "f");
        assert_int_equal(set(b, f, "a", slice_str("x"), XATTR_SET_EITHER), 0);
        assert_int_equal(set(b, f, "b", slice_str("y"), XATTR_SET_EITHER), -ENOSPC);
        assert_int_equal(get(b, f, "b", &value), -ENODATA);
        assert_int_equal(drop(b, f, "b"), -ENODATA);
        assert_int_equal(get(b, f, "a", &value), 0);
        assert_int_equal(drop(b, f, "a"), 0);
        assert_int_equal(set(b, f, "b", slice_str("y"), XATTR_SET_EITHER), 0);
        bed_fsck(b);
}

static void a_damaged_record_is_an_error(void **state)
{
        struct bed *b = *state;
        struct batch batch = { 0 };
        uint8_t key[KEY_MAX];
        struct names n = { 0 };
        struct slice value;
        uint64_t f, seq;

        bed_open_meta(b);
        f = make_file(b->meta, ROOT_FILEID, "f");
        assert_int_equal(set(b, f, "a", slice_str("x"), XATTR_SET_EITHER), 0);
        batch_put(&batch, key_xattr(key, f, meta_cookie(b->meta, slice_str("a"))),
                  slice_str("\x01\x07short"));
        assert_int_equal(b->store->ops->write(b->store, &batch, &seq), 0);
        batch_free(&batch);
        assert_int_equal(get(b, f, "a", &value), -EIO);
        assert_int_equal(meta_xattrs(b->meta, inode_of(b, f), 0, each, &n), -EIO);
        assert_int_equal(set(b, f, "b", slice_str("y"), XATTR_SET_EITHER), -EIO);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                ON_BOTH(are_set_read_replaced_and_removed),
                ON_BOTH(lists_go_on_behind_a_cookie),
                ON_BOTH(there_is_a_bound_to_all_of_one_inode),
                ON_BOTH(go_with_the_inode),
                ON_MEMORY(names_that_collide),
                ON_MEMORY(a_damaged_record_is_an_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
