/* SPDX-License-Identifier: Apache-2.0 */
/* A walk meets everything once, parents first, also when there is more than a page of it. */
#include "mds/tier/walk.h"

#include "tests/unit/mds/store/support.h"

enum { MANY = 3 * WALK_PAGE + 1 };

static int set_up(void **state)
{
        bed_make(state, false);
        bed_open_meta(*state);
        return 0;
}

/* DIRECTORY/a/b/{f0 … }, DIRECTORY/c. */
static uint64_t plant(struct meta *m)
{
        uint64_t top = make_dir(m, ROOT_FILEID, "top"), a = make_dir(m, top, "a"), b = make_dir(m, a, "b");
        char name[16];

        make_dir(m, top, "c");
        make_file(m, ROOT_FILEID, "beside");
        for (int i = 0; i < MANY; i++) {
                snprintf(name, sizeof(name), "f%d", i);
                make_file(m, b, name);
        }
        return top;
}

static void everything_once(void **state)
{
        struct bed *bed = *state;
        uint64_t top = plant(bed->meta), a = find_name(bed->meta, top, "a"), b = find_name(bed->meta, a, "b");
        unsigned files = 0, directories = 0, seen_a = 0, seen_b = 0;
        struct walk_entry e;
        struct walk w;

        for (walk_begin(&w, bed->meta, top); walk_next(&w, &e);) {
                files += e.type == NF4REG;
                directories += e.type == NF4DIR;
                if (e.fileid == a)
                        seen_a = files + directories;
                if (e.fileid == b)
                        seen_b = files + directories;
        }
        assert_int_equal(w.error, 0);
        walk_end(&w);
        assert_int_equal(files, MANY);
        assert_int_equal(directories, 3);
        assert_int_equal(seen_b, seen_a + 1);
}

static void what_vanishes_is_passed(void **state)
{
        struct bed *bed = *state;
        uint64_t top = plant(bed->meta), c = find_name(bed->meta, top, "c");
        struct walk_entry e;
        struct walk w;

        walk_begin(&w, bed->meta, c);
        assert_int_equal(remove_name(bed->meta, top, "c"), 0);
        assert_false(walk_next(&w, &e));
        assert_int_equal(w.error, 0);
        walk_end(&w);
        walk_end(&w);
}

/* Stopped after any number of them, with the levels alone, and each with its path. */
static void it_goes_on_where_it_was(void **state)
{
        struct bed *bed = *state;
        uint64_t top = plant(bed->meta);
        struct walk_level levels[4];
        unsigned seen = 0, in_b = 0;
        struct walk_entry e;
        char path[64];
        struct walk w;

        for (walk_begin(&w, bed->meta, top); walk_next(&w, &e); seen++) {
                unsigned depth = w.depth;

                assert_true(walk_path(&w, path, sizeof(path)));
                in_b += strncmp(path, "a/b/f", 5) == 0;
                assert_int_equal(strchr(path, 'f') == NULL, e.type == NF4DIR);
                assert_false(walk_path(&w, path, strlen(path)));
                memcpy(levels, w.levels, depth * sizeof(levels[0]));
                walk_end(&w);
                walk_resume(&w, bed->meta, levels, depth);
        }
        walk_end(&w);
        assert_int_equal(seen, MANY + 3);
        assert_int_equal(in_b, MANY);
}

static void what_is_renamed_has_no_path(void **state)
{
        struct bed *bed = *state;
        uint64_t top = make_dir(bed->meta, ROOT_FILEID, "top");
        struct walk_entry e;
        char path[64];
        struct walk w;

        make_file(bed->meta, top, "file");
        walk_begin(&w, bed->meta, top);
        assert_true(walk_next(&w, &e) && walk_path(&w, path, sizeof(path)));
        assert_string_equal(path, "file");
        assert_int_equal(remove_name(bed->meta, top, "file"), 0);
        assert_false(walk_path(&w, path, sizeof(path)));
        walk_end(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(everything_once, set_up, bed_drop),
                cmocka_unit_test_setup_teardown(what_vanishes_is_passed, set_up, bed_drop),
                cmocka_unit_test_setup_teardown(it_goes_on_where_it_was, set_up, bed_drop),
                cmocka_unit_test_setup_teardown(what_is_renamed_has_no_path, set_up, bed_drop),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
