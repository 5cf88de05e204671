/* SPDX-License-Identifier: Apache-2.0 */
/* Files and directories are made, written, renamed, given other names and modes and removed at random, while
 * the metadata server crashes and answers of data servers get lost. In the end the bucket holds what the
 * directory does, and nothing else. NACRE_TEST_SEED repeats a seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/tier/sweep.h"
#include "nfs4/codec.h"
#include "tests/lab/archive_lab.h"

enum { SEEDS = 300, STEPS = 40, DIRS = 3, NAMES = 5 };

static struct archive_lab a;
static uint64_t state_of_dice;
static unsigned linked; /* names at the end of files that have several */

static uint32_t dice(uint32_t sides)
{
        state_of_dice = hash_u64(state_of_dice + 0x9e3779b97f4a7c15u);
        return (uint32_t)(state_of_dice >> 33) % sides;
}

static const char *const dir_names[DIRS] = { "", "x", "y" };
static const char *const names[NAMES] = { "a", "b", "c", "d", "e" };

/* One of the directories that are there. */
static struct user_fh some_dir(void)
{
        const char *name = dir_names[dice(DIRS)];
        struct user_fh fh;

        return *name && user_lookup(&a.u, &a.train, name, &fh) == NFS4_OK ? fh : a.train;
}

static void write_some(const struct user_fh *dir, const char *name)
{
        struct user_open o = USER_CREATE(.how = UNCHECKED4);

        if (user_open(&a.u, dir, name, &o) != NFS4_OK)
                return; /* it is a directory */
        archive_lab_written(&a, &o.fh, 1 + dice(dice(4) == 0 ? 40 << 20 : 5000));
        assert_int_equal(user_close(&a.u, &o.fh, &o.stateid), NFS4_OK);
}

static void change_mode(const struct user_fh *dir, const char *name)
{
        struct attr_set set = { .mode = 0600 + dice(64) };
        struct user_fh fh;

        bitmap_set(&set.mask, FATTR4_MODE);
        if (user_lookup(&a.u, dir, name, &fh) == NFS4_OK)
                user_setattr(&a.u, &fh, NULL, &set);
}

static void link_some(const struct user_fh *dir, const char *name, const struct user_fh *to,
                      const char *other)
{
        struct user_fh fh;

        if (user_lookup(&a.u, dir, name, &fh) == NFS4_OK)
                user_link(&a.u, &fh, to, other);
}

static void crash(void)
{
        a.bucket.lose_answers = dice(2) == 0;
        mds_lab_run_ms(&a.lab, dice(3000));
        archive_lab_crash(&a);
        a.bucket.lose_answers = false;
}

static bool count_one(void *arg, uint64_t cookie, const struct dirent_record *entry)
{
        unsigned *count = arg;

        (void)cookie;
        ++*count;
        if (entry->type == NF4DIR)
                assert_int_equal(meta_readdir(a.lab.mds.meta, entry->fileid, 0, count_one, count), 0);
        return true;
}

/* Names come and go by nobody but us: no sweep brings back what was removed. */
static unsigned count_names(void)
{
        unsigned count = 0;

        assert_int_equal(meta_readdir(a.lab.mds.meta, archive_lab_fileid(&a, &a.train), 0, count_one, &count),
                         0);
        return count;
}

static void step(void)
{
        unsigned names_there;

        const char *name = names[dice(NAMES)], *other = names[dice(NAMES)];
        struct user_fh dir = some_dir(), to = some_dir(), made;

        switch (dice(19)) {
        case 0: user_mkdir(&a.u, &a.train, dir_names[1 + dice(DIRS - 1)], 0755, &made); break;
        case 1: user_rename(&a.u, &a.train, dir_names[1], &a.train, dir_names[2]); break;
        case 2: user_symlink(&a.u, &dir, name, "target"); break;
        case 3: change_mode(&dir, name); break;
        case 4: crash(); break;
        case 14: sweep_start(a.lab.mds.tier, repo_by_number(a.lab.mds.tier, 1), false); break;
        case 5: user_remove(&a.u, &a.train, dir_names[1 + dice(DIRS - 1)]); break;
        case 6:
        case 7: user_remove(&a.u, &dir, name); break;
        case 8:
        case 9:
        case 10: user_rename(&a.u, &dir, name, &to, other); break;
        case 11:
        case 12:
        case 13: link_some(&dir, name, &to, other); break;
        default: write_some(&dir, name); break;
        }
        names_there = count_names();
        mds_lab_run_ms(&a.lab, dice(3) == 0 ? dice(9000) : dice(50));
        assert_int_equal(count_names(), names_there);
}

/* --- in the end */

struct found {
        const char *prefix;
        uint64_t dir;
        unsigned count;
};

static void compare(uint64_t dir, const char *prefix, unsigned *count);

static unsigned mode_of(const struct bucket_object *o)
{
        return (unsigned)strtoul(bucket_metadata(o, "file-permissions"), NULL, 8) & 07777;
}

static bool each(void *arg, uint64_t cookie, const struct dirent_record *entry)
{
        struct found *f = arg;
        const struct bucket_object *object;
        const struct inode *inode;
        char key[256];

        (void)cookie;
        snprintf(key, sizeof(key), "%s%.*s%s", f->prefix, (int)entry->name_length, entry->name,
                 entry->type == NF4DIR ? "/" : "");
        assert_int_equal(meta_inode(a.lab.mds.meta, entry->fileid, &inode), 0);
        object = bucket_find(&a.bucket, key);
        if (!object)
                fail_msg("%s is not in the bucket", key);
        if (entry->type == NF4REG && object->size != inode->size)
                fail_msg("%s has %llu bytes in the bucket", key, (unsigned long long)object->size);
        if (entry->type == NF4REG && mode_of(object) != inode->mode)
                fail_msg("%s has the mode 0%o in the bucket", key, mode_of(object));
        linked += entry->type != NF4DIR && inode->nlink > 1;
        f->count++;
        if (entry->type == NF4DIR)
                compare(entry->fileid, key, &f->count);
        return true;
}

static void compare(uint64_t dir, const char *prefix, unsigned *count)
{
        struct found f = { .prefix = prefix, .dir = dir };

        assert_int_equal(meta_readdir(a.lab.mds.meta, dir, 0, each, &f), 0);
        *count += f.count;
}

static void run_seed(uint64_t seed)
{
        struct archive_status status;
        unsigned count = 0, names_there;
        uint64_t dir;

        print_message("seed %llu\n", (unsigned long long)seed);
        state_of_dice = seed;
        archive_lab_start(&a, "");
        a.bucket.lists = true;
        for (int i = 0; i < STEPS; i++)
                step();
        dir = archive_lab_fileid(&a, &a.train);
        names_there = count_names();
        archive_lab_seconds(&a, 2500); /* what a lost answer to a DELETE holds up comes after 18 minutes */
        sweep_start(a.lab.mds.tier, repo_by_number(a.lab.mds.tier, 1), false);
        archive_lab_seconds(&a, 100);
        archive_status(&a.lab.mds, repo_by_number(a.lab.mds.tier, 1), &status);
        if (status.pending + status.deletions > 0)
                fail_msg("something is still queued");
        compare(dir, "", &count);
        assert_int_equal(count, names_there);
        if (a.bucket.count != count)
                for (unsigned i = 0; i < a.bucket.count; i++)
                        print_message("  %s\n", a.bucket.objects[i].key);
        assert_int_equal(a.bucket.count, count);
        archive_lab_stop(&a);
}

static void the_bucket_is_what_the_directory_is(void **state)
{
        const char *seed = getenv("NACRE_TEST_SEED");

        (void)state;
        if (seed) {
                run_seed(strtoull(seed, NULL, 10));
                return;
        }
        for (uint64_t i = 1; i <= SEEDS; i++)
                run_seed(i);
        print_message("%u names of files with several\n", linked);
        assert_true(linked > 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(the_bucket_is_what_the_directory_is) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
