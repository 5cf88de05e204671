/* SPDX-License-Identifier: Apache-2.0 */
/* Directory entries, as the scan brings them: by parent, then by cookie. */
#include "mds/store/fsck_private.h"

static void bad_slot(struct fsck *f, uint64_t cookie, const char *what)
{
        fsck_problem(f, "directory", f->parent, "entry %016" PRIx64 ": %s", cookie, what);
}

/* --- names with one hash: slots without a gap, the last one not a hole */

static void end_run(struct fsck *f)
{
        if (f->run > 0 && f->in_run[f->run - 1].type == 0)
                bad_slot(f, f->cookie, "a hole with nothing behind it");
        f->run = 0;
}

static void enter_run(struct fsck *f, uint64_t cookie, const struct dirent_record *d)
{
        bool first = cookie_hash(cookie) == cookie;

        if (first || f->run == 0 || cookie != f->cookie + 1) {
                end_run(f);
                if (!first)
                        bad_slot(f, cookie, "hidden behind a gap");
        }
        for (uint32_t i = 0; i < f->run; i++) {
                const struct dirent_record *other = &f->in_run[i];

                if (d->type != 0 &&
                    slice_equal(slice_of(other->name, other->name_length), slice_of(d->name, d->name_length)))
                        bad_slot(f, cookie, "its name is there twice");
        }
        f->cookie = cookie;
        f->in_run[f->run++] = *d;
}

/* --- one entry */

static bool valid_name(struct slice name)
{
        const uint8_t *c = name.data;

        if (memchr(c, '/', name.length) || memchr(c, 0, name.length))
                return false;
        return !slice_equal(name, slice_str(".")) && !slice_equal(name, slice_str(".."));
}

static void check_entry(struct fsck *f, uint64_t cookie, const struct dirent_record *d)
{
        struct slice name = slice_of(d->name, d->name_length);
        struct node *child = fsck_node(f, d->fileid);

        f->entries++;
        f->report.entries++;
        f->subdirectories += d->type == NF4DIR;
        if (!valid_name(name))
                bad_slot(f, cookie, "its name is not valid");
        if (name_cookie(name, f->hash_key, f->hash_mask) != cookie_hash(cookie))
                bad_slot(f, cookie, "its name has another hash");
        if (!child) {
                bad_slot(f, cookie, "its inode is not there");
                return;
        }
        child->names++;
        if (child->type != d->type)
                bad_slot(f, cookie, "its inode has another type");
        if (child->type == NF4DIR && child->parent != f->parent)
                fsck_problem(f, "directory", d->fileid,
                             "its parent is said to be %" PRIu64 ", it lies in %" PRIu64, child->parent,
                             f->parent);
}

/* --- one directory */

void fsck_end_directory(struct fsck *f)
{
        struct node *dir = fsck_node(f, f->parent);

        end_run(f);
        if (!dir || dir->type != NF4DIR)
                return;
        dir->marks |= LISTED;
        if (dir->size != f->entries)
                fsck_problem(f, "directory", f->parent, "size is %" PRIu64 ", it has %" PRIu64 " entries",
                             dir->size, f->entries);
        if (dir->nlink != 2 + f->subdirectories)
                fsck_problem(f, "directory", f->parent, "nlink is %u, it has %" PRIu64 " subdirectories",
                             dir->nlink, f->subdirectories);
}

static void begin_directory(struct fsck *f, uint64_t parent)
{
        const struct node *dir = fsck_node(f, parent);

        f->parent = parent;
        f->entries = f->subdirectories = 0;
        if (!dir || dir->type != NF4DIR)
                fsck_problem(f, "directory", parent, "it has entries, but is not there or not a directory");
}

void fsck_dirent(struct fsck *f, struct slice key, struct slice value)
{
        uint64_t parent = 0, cookie = 0;
        struct dirent_record d = { 0 };

        if (!key_parse_u64_u64(key, 'd', &parent, &cookie)) {
                fsck_problem(f, "record", 'd', "its key is damaged");
                return;
        }
        if (parent != f->parent) {
                fsck_end_directory(f);
                begin_directory(f, parent);
        }
        if (!dirent_decode(value, &d)) {
                bad_slot(f, cookie, "its record is damaged");
                return;
        }
        enter_run(f, cookie, &d);
        if (d.type != 0)
                check_entry(f, cookie, &d);
}
