/* SPDX-License-Identifier: Apache-2.0 */
/* One directory with very many files (100,000, or the number given): made, listed in pages, looked up and
 * removed, with a cache far smaller than that. Nothing may get slower as it grows: each quarter is timed
 * against the first, and mass deletion leaves nothing behind that makes lookups or lists slow. */
#include <time.h>

#include "tests/unit/mds/store/support.h"

enum { PAGE = 500, GROUP = 512, CACHE = 4096 };
static int files = 100000;

static double seconds(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
        return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static struct slice name(int n)
{
        static char text[32];

        snprintf(text, sizeof(text), "file-with-a-name-%d", n);
        return slice_str(text);
}

static void end_operation(struct bed *b, int n)
{
        if (n % GROUP == GROUP - 1)
                bed_sync(b);
        meta_trim(b->meta);
}

static void make_file_number(struct bed *b, uint64_t dir, int n)
{
        assert_true(make_node(b->meta, dir, name(n), NF4REG) != 0);
}

static void find_file_number(struct bed *b, uint64_t dir, int n)
{
        uint64_t fileid;

        assert_int_equal(meta_lookup(b->meta, dir, name(n), &fileid), 0);
}

static void miss_file_number(struct bed *b, uint64_t dir, int n)
{
        uint64_t fileid;

        assert_int_equal(meta_lookup(b->meta, dir, name(n), &fileid), -ENOENT);
}

static void do_all(struct bed *b, uint64_t dir, const char *what, void (*one)(struct bed *, uint64_t, int))
{
        double quarter[4], whole;

        for (int q = 0; q < 4; q++) {
                quarter[q] = seconds();
                for (int n = files / 4 * q; n < files / 4 * (q + 1); n++) {
                        one(b, dir, n);
                        end_operation(b, n);
                }
                quarter[q] = seconds() - quarter[q];
        }
        whole = quarter[0] + quarter[1] + quarter[2] + quarter[3];
        printf("%-12s %6.2f us each; quarters %.2f %.2f %.2f %.2f s\n", what, whole / files * 1e6, quarter[0],
               quarter[1], quarter[2], quarter[3]);
        assert_true(quarter[3] < 4 * quarter[0] + 0.5);
}

struct page {
        uint64_t last;
        int count;
        struct dirent_record entries[PAGE];
};

static bool take(void *arg, uint64_t cookie, const struct dirent_record *entry)
{
        struct page *p = arg;

        if (p->count == PAGE)
                return false;
        p->entries[p->count++] = *entry;
        p->last = cookie;
        return true;
}

/* List it, and remove what was listed when told to; FROM_START: begin anew after each page, as some programs
 * do. */
static int list(struct bed *b, uint64_t dir, const char *what, bool removing, bool from_start)
{
        static struct page p;
        int seen = 0;
        double began = seconds();

        p.last = 0;
        do {
                p.count = 0;
                assert_int_equal(meta_readdir(b->meta, dir, from_start ? 0 : p.last, take, &p), 0);
                for (int i = 0; i < p.count && removing; i++) {
                        struct dirent_record *d = &p.entries[i];

                        assert_int_equal(remove_node(b->meta, dir, slice_of(d->name, d->name_length)), 0);
                        end_operation(b, seen + i);
                }
                seen += p.count;
        } while (p.count > 0);
        bed_sync(b);
        printf("%-12s %6.2f us each\n", what, (seconds() - began) / files * 1e6);
        return seen;
}

static void very_many_files(struct bed *b, bool from_start)
{
        char error[256];
        uint64_t dir, began;

        b->meta = meta_open(b->env, b->store, CACHE, error, sizeof(error));
        dir = make_dir(b->meta, ROOT_FILEID, "dir");
        do_all(b, dir, "create", make_file_number);
        assert_int_equal(list(b, dir, "list", false, false), files / 4 * 4);
        do_all(b, dir, "lookup", find_file_number);
        assert_int_equal(list(b, dir, from_start ? "remove anew" : "remove", true, from_start),
                         files / 4 * 4);
        do_all(b, dir, "miss", miss_file_number);
        began = b->store->stats.scans;
        for (int i = 0; i < 1000; i++) /* among the graves */
                make_file_number(b, dir, i);
        assert_int_equal(list(b, dir, "list again", false, false), 1000);
        assert_true(b->store->stats.scans - began <= 4);
        bed_fsck(b);
}

static void in_one_go(void **state)
{
        very_many_files(*state, false);
}
static void from_the_start_after_each_page(void **state)
{
        very_many_files(*state, true);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = { ON_ROCKS(in_one_go), ON_ROCKS(from_the_start_after_each_page) };

        if (argc > 1)
                files = atoi(argv[1]);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
