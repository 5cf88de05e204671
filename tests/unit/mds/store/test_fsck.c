/* SPDX-License-Identifier: Apache-2.0 */
/* A test for each kind of damage that fsck must find, by what it says of it; and none in a sound store. */
#include "tests/unit/mds/store/support.h"

struct tree {
        struct bed *b;
        uint64_t dir, sub, file, link;
        struct batch batch;
        uint8_t key[KEY_MAX], value[RECORD_MAX];
};

/* /dir/sub/, /dir/file, /dir/link -> x, /dir/file2 = file */
static struct tree plant(struct bed *b)
{
        struct tree t = { .b = b };
        struct txn *txn;
        uint64_t seq;

        bed_open_meta(b);
        t.dir = make_dir(b->meta, ROOT_FILEID, "dir");
        t.sub = make_dir(b->meta, t.dir, "sub");
        t.file = make_file(b->meta, t.dir, "file");
        t.link = make_node(b->meta, t.dir, slice_str("link"), NF4LNK);
        txn = txn_begin(b->meta);
        assert_int_equal(txn_link(txn, t.dir, slice_str("file2"), t.file, NF4REG), 0);
        txn_edit(txn, t.file)->nlink++;
        assert_int_equal(txn_commit(txn, &seq), 0);
        bed_fsck(b);
        return t;
}

static void put(struct tree *t, struct slice key, struct slice value)
{
        batch_put(&t->batch, key, value);
}
static void drop(struct tree *t, struct slice key)
{
        batch_delete(&t->batch, key);
}

static struct inode inode_of(struct tree *t, uint64_t fileid)
{
        const struct inode *i;

        assert_int_equal(meta_inode(t->b->meta, fileid, &i), 0);
        return *i;
}

static void put_inode(struct tree *t, struct inode i)
{
        put(t, key_inode(t->key, i.fileid), inode_encode(t->value, &i));
}

static uint64_t cookie_of(struct tree *t, const char *name)
{
        return meta_cookie(t->b->meta, slice_str(name));
}

static void put_entry(struct tree *t, uint64_t parent, uint64_t cookie, const char *name, uint64_t fileid,
                      uint8_t type)
{
        struct dirent_record d = { .fileid = fileid, .type = type, .name_length = (uint8_t)strlen(name) };

        memcpy(d.name, name, d.name_length);
        put(t, key_dirent(t->key, parent, cookie), dirent_encode(t->value, &d));
}

/* Write the damage; fsck must then say each of the texts (NULL at the end) and nothing else. */
static void finds(struct tree *t, ...)
{
        struct fsck_report report;
        char *text = NULL;
        size_t length;
        FILE *out = open_memstream(&text, &length);
        uint64_t seq, expected = 0;
        va_list texts;

        assert_int_equal(t->b->store->ops->write(t->b->store, &t->batch, &seq), 0);
        batch_free(&t->batch);
        assert_int_equal(fsck_run(t->b->store, out, &report), 0);
        fclose(out);
        va_start(texts, t);
        for (const char *want; (want = va_arg(texts, const char *)); expected++)
                if (!strstr(text, want))
                        fail_msg("not found: %s\nsaid: %s", want, text);
        va_end(texts);
        if (report.problems != expected)
                fail_msg("%d problems expected: %s", (int)expected, text);
        free(text);
}

static void entry_to_nowhere(void **state)
{
        struct tree t = plant(*state);

        drop(&t, key_inode(t.key, t.file));
        finds(&t, "its inode is not there", "its inode is not there", NULL); /* both names */
}

static void inode_without_entry(void **state)
{
        struct tree t = plant(*state);
        struct inode dir = inode_of(&t, t.dir);

        drop(&t, key_dirent(t.key, t.dir, cookie_of(&t, "link")));
        dir.size--;
        put_inode(&t, dir);
        finds(&t, "no entry leads to it", "nlink is 1, it has 0 names", NULL);
}

static void wrong_link_count(void **state)
{
        struct tree t = plant(*state);
        struct inode file = inode_of(&t, t.file);

        file.nlink = 5;
        put_inode(&t, file);
        finds(&t, "nlink is 5, it has 2 names", NULL);
}

static void wrong_link_count_of_directories(void **state)
{
        struct tree t = plant(*state);
        struct inode dir = inode_of(&t, t.dir), sub = inode_of(&t, t.sub);

        dir.nlink = 2;
        sub.nlink = 3;
        put_inode(&t, dir);
        put_inode(&t, sub);
        finds(&t, "nlink is 2, it has 1 subdirectories", "nlink is 3, it has no subdirectories", NULL);
}

static void wrong_entry_count(void **state)
{
        struct tree t = plant(*state);
        struct inode dir = inode_of(&t, t.dir), sub = inode_of(&t, t.sub);

        dir.size = 7;
        sub.size = 1;
        put_inode(&t, dir);
        put_inode(&t, sub);
        finds(&t, "size is 7, it has 4 entries", "size is 1, it has no entries", NULL);
}

static void wrong_parent(void **state)
{
        struct tree t = plant(*state);
        struct inode sub = inode_of(&t, t.sub);

        sub.parent = ROOT_FILEID;
        put_inode(&t, sub);
        finds(&t, "its parent is said to be 1", NULL);
}

static void directory_with_two_names(void **state)
{
        struct tree t = plant(*state);
        struct inode dir = inode_of(&t, t.dir);

        put_entry(&t, t.dir, cookie_of(&t, "again"), "again", t.sub, NF4DIR);
        dir.size++;
        dir.nlink++;
        put_inode(&t, dir);
        finds(&t, "it has 2 names", NULL);
}

/* /dir moved under /dir/sub: every count is right, but nothing leads there from the root. */
static void loop(void **state)
{
        struct tree t = plant(*state);
        struct inode root = inode_of(&t, ROOT_FILEID), dir = inode_of(&t, t.dir), sub = inode_of(&t, t.sub);

        drop(&t, key_dirent(t.key, ROOT_FILEID, cookie_of(&t, "dir")));
        put_entry(&t, t.sub, cookie_of(&t, "dir"), "dir", t.dir, NF4DIR);
        root.size--;
        root.nlink--;
        dir.parent = t.sub;
        sub.size++;
        sub.nlink++;
        put_inode(&t, root);
        put_inode(&t, dir);
        put_inode(&t, sub);
        finds(&t, "it lies inside itself", NULL);
}

static void put_xattr(struct tree *t, uint64_t fileid, uint64_t cookie, const char *name)
{
        struct xattr_record x = { slice_str(name), slice_str("value") };

        put(t, key_xattr(t->key, fileid, cookie), xattr_encode(t->value, &x));
}

static void extended_attributes(void **state)
{
        struct tree t = plant(*state);
        struct inode file = inode_of(&t, t.file), sub = inode_of(&t, t.sub);

        file.flags |= INODE_XATTRS;
        sub.flags |= INODE_XATTRS;
        put_inode(&t, file);
        put_inode(&t, sub);
        put_xattr(&t, t.file, cookie_of(&t, "good"), "good");
        put_xattr(&t, t.file, 5, "lost");
        put_xattr(&t, t.dir, cookie_of(&t, "hidden"), "hidden");
        put_xattr(&t, 4711, cookie_of(&t, "of nothing"), "of nothing");
        put(&t, key_xattr(t.key, t.file, 9), slice_str("junk"));
        finds(&t, "it is not in the place of its name", "its inode knows of none",
              "xattr 4711: its inode is not there", "its record is damaged",
              "its extended attributes are not there", NULL);
}

static void access_control_lists(void **state)
{
        static const struct acl empty;
        struct tree t = plant(*state);
        struct inode file = inode_of(&t, t.file), sub = inode_of(&t, t.sub);

        file.flags |= INODE_ACL;
        sub.flags |= INODE_ACL;
        put_inode(&t, file);
        put_inode(&t, sub);
        put(&t, key_acl(t.key, t.file), acl_encode(t.value, &empty));
        put(&t, key_acl(t.key, t.dir), acl_encode(t.value, &empty));
        put(&t, key_acl(t.key, 4711), acl_encode(t.value, &empty));
        put(&t, key_acl(t.key, t.sub), slice_str("junk"));
        finds(&t, "its inode knows of none", "acl 4711: its inode is not there", "its record is damaged",
              "its access control list is not there", NULL);
}

static void the_tier(void **state)
{
        struct tree t = plant(*state);
        struct backing b = { .key = slice_str("key"), .etag = slice_str("etag") };
        struct digests_record digests = { .part_bytes = 1, .etag = slice_str("etag") };
        struct repo_record repo = { .directory = t.file, .name = slice_str("train") };
        struct head_record head = { .directory = t.dir, .name = slice_str("name") };
        struct inode file = inode_of(&t, t.file), sub = inode_of(&t, t.sub);

        file.flags |= INODE_BACKED;
        file.undescribed = true;
        sub.flags |= INODE_COLD;
        put_inode(&t, file);
        put_inode(&t, sub);
        put(&t, key_backing(t.key, t.dir), backing_encode(t.value, &b));
        put(&t, key_backing(t.key, 4711), backing_encode(t.value, &b));
        put(&t, key_backing(t.key, t.sub), slice_str("junk"));
        put(&t, key_repo(t.key, 1), repo_encode(t.value, &repo));
        put(&t, key_repo(t.key, 2), slice_str("junk"));
        put(&t, key_digests(t.key, t.file, 0), digests_encode(t.value, &digests));
        put(&t, key_digests(t.key, t.sub, 0), digests_encode(t.value, &digests));
        put(&t, key_digests(t.key, 4711, 0), digests_encode(t.value, &digests));
        put(&t, key_digests(t.key, t.file, 1), slice_str("junk"));
        put(&t, key_head(t.key, t.dir), head_encode(t.value, &head));
        put(&t, key_head(t.key, 4711), head_encode(t.value, &head));
        put(&t, key_head(t.key, t.sub), slice_str("junk"));
        put(&t, key_away(t.key, 1, slice_str("key")), head_encode(t.value, &head));
        put(&t, key_away(t.key, 1, slice_str("other")), slice_str("junk"));
        finds(&t, "its inode knows of none", "backing 4711: its inode is not there", "its record is damaged",
              "what backs it is not there", "nothing says where", "train: there is no such directory",
              "they are of parts of no object", "digests 4711: their inode is not there",
              "digests 4: their record is damaged", "record 114: it is damaged", "record 119: it is damaged",
              "its record is damaged", "its inode is described", "head 4711: its inode is not there",
              "nobody would ask S3 whose it is", NULL);
}

static void second_names(void **state)
{
        struct tree t = plant(*state);
        struct head_record place = { .directory = t.dir, .name = slice_str("name") };
        struct backing b = { .key = slice_str("key"), .etag = slice_str("") };
        struct inode is = { .type = INODE_NAME, .nlink = 1, .flags = INODE_BACKED, .parent = t.file };

        for (uint64_t i = 1; i <= 3; i++) {
                is.fileid = t.link + i;
                put_inode(&t, is);
                put(&t, key_backing(t.key, is.fileid), backing_encode(t.value, &b));
                if (i != 2)
                        put(&t, key_name(t.key, i == 1 ? t.file : t.dir, is.fileid),
                            head_encode(t.value, &place));
        }
        put(&t, key_name(t.key, t.file, 4711), head_encode(t.value, &place));
        put(&t, key_name(t.key, t.file, 4712), slice_str("junk"));
        finds(&t, "its inode 4711 is not there", "its record is damaged", "there is no such file",
              "or another's", "no entry leads to it", "nlink is 1, it has 0 names", "no entry leads to it",
              "nlink is 1, it has 0 names", NULL);
}

static void jobs(void **state)
{
        struct tree t = plant(*state);
        struct job_record job = { .verb = JOB_PIN, .state = JOB_ENDED, .path = slice_str("/a") };
        struct job_failure failure = { slice_str("/a/b"), slice_str("S3Error") };

        put(&t, key_job(t.key, 1), job_encode(t.value, &job));
        put(&t, key_failure(t.key, 1, 9), failure_encode(t.value, &failure));
        put(&t, key_failure(t.key, 2, 9), failure_encode(t.value, &failure));
        put(&t, key_job(t.key, 3), slice_str("junk"));
        put(&t, key_failure(t.key, 1, 8), slice_str("junk"));
        finds(&t, "job 2: it could not do 9, but it is not there", "job 3: its record is damaged",
              "job 1: the record of what it could not do is damaged", NULL);
}

static void damaged_records(void **state)
{
        struct tree t = plant(*state);
        struct inode dir = inode_of(&t, t.dir);

        put(&t, key_dirent(t.key, t.dir, cookie_of(&t, "zzz")), slice_str("junk"));
        put(&t, key_symlink(t.key, t.link), slice_str(""));
        put(&t, key_orphan(t.key, 77), slice_str("junk"));
        put(&t, key_layout(t.key, t.file, 1), slice_str(""));
        put(&t, key_server(t.key, 1), slice_str(""));
        put(&t, slice_str("Yak"), slice_str("?"));
        put(&t, slice_str("dshort"), slice_str("?"));
        put_inode(&t, dir);
        finds(&t, "directory 281474976710658: entry", "target 5: its record is damaged",
              "symlink 5: its target is not there", "orphan 77: its record is damaged",
              "layout 4: its record is damaged", "record 115: it is empty",
              "record 89: nothing of this kind is known", "record 100: its key is damaged", NULL);
}

static void damaged_inode(void **state)
{
        struct tree t = plant(*state);
        struct inode file = inode_of(&t, t.file);

        put(&t, key_inode(t.key, t.link), inode_encode(t.value, &file)); /* of another file */
        finds(&t, "inode 5: its record is damaged", "its inode is not there",
              "target 5: there is no such symlink", NULL);
}

static void numbers_not_given_out(void **state)
{
        struct tree t = plant(*state);
        struct inode file = inode_of(&t, t.file), dir = inode_of(&t, t.dir);

        file.fileid = UINT64_C(1) << 60;
        file.nlink = 1;
        dir.size++;
        put_inode(&t, file);
        put_inode(&t, dir);
        put_entry(&t, t.dir, cookie_of(&t, "late"), "late", file.fileid, NF4REG);
        finds(&t, "its number was not given out yet", NULL);
}

static void stripes_that_make_no_sense(void **state)
{
        struct tree t = plant(*state);
        struct inode file = inode_of(&t, t.file);

        file.flags |= INODE_DATA;
        put_inode(&t, file);
        finds(&t, "no sane stripes", NULL);
}

static void wrong_type_in_an_entry(void **state)
{
        struct tree t = plant(*state);

        put_entry(&t, t.dir, cookie_of(&t, "file"), "file", t.file, NF4FIFO);
        finds(&t, "its inode has another type", NULL);
}

static void names_that_are_not_names(void **state)
{
        static const char *const names[] = { ".", "..", "a/b" };
        struct tree t = plant(*state);
        struct inode dir = inode_of(&t, t.dir), file = inode_of(&t, t.file);

        for (int i = 0; i < 3; i++)
                put_entry(&t, t.dir, cookie_of(&t, names[i]), names[i], t.file, NF4REG);
        dir.size += 3;
        file.nlink += 3;
        put_inode(&t, dir);
        put_inode(&t, file);
        finds(&t, "its name is not valid", "its name is not valid", "its name is not valid", NULL);
}

static void entry_at_the_wrong_cookie(void **state)
{
        struct tree t = plant(*state);

        drop(&t, key_dirent(t.key, t.dir, cookie_of(&t, "file")));
        put_entry(&t, t.dir, cookie_of(&t, "other"), "file", t.file, NF4REG);
        finds(&t, "its name has another hash", NULL);
}

static void runs_with_gaps_holes_and_doubles(void **state)
{
        struct tree t = plant(*state);
        struct inode dir = inode_of(&t, t.dir), file = inode_of(&t, t.file);
        struct dirent_record hole = { 0 };

        put_entry(&t, t.dir, cookie_of(&t, "gap") + 2, "gap", t.file, NF4REG);
        put_entry(&t, t.dir, cookie_of(&t, "file") + 1, "file", t.file, NF4REG);
        put(&t, key_dirent(t.key, t.dir, cookie_of(&t, "link") + 1), dirent_encode(t.value, &hole));
        dir.size += 2;
        file.nlink += 2;
        put_inode(&t, dir);
        put_inode(&t, file);
        finds(&t, "hidden behind a gap", "its name is there twice", "a hole with nothing behind it", NULL);
}

static void entries_of_what_is_no_directory(void **state)
{
        struct tree t = plant(*state);
        struct inode file = inode_of(&t, t.file);

        put_entry(&t, t.link, cookie_of(&t, "x"), "x", t.file, NF4REG);
        put_entry(&t, 999, cookie_of(&t, "y"), "y", t.file, NF4REG);
        file.nlink += 2;
        put_inode(&t, file);
        finds(&t, "directory 5: it has entries, but is not there or not a directory",
              "directory 999: it has entries", NULL);
}

static void symlinks_and_targets(void **state)
{
        struct tree t = plant(*state);
        struct inode link = inode_of(&t, t.link);

        link.size = 9;
        put_inode(&t, link);
        put(&t, key_symlink(t.key, t.file), slice_str("\1x"));
        put(&t, key_symlink(t.key, 999), slice_str("\1x"));
        finds(&t, "size is 9, its target has 1 bytes", "target 4: there is no such symlink",
              "target 999: there is no such symlink", NULL);
}

static void orphans(void **state)
{
        struct tree t = plant(*state);
        struct orphan_record open = { .open = true }, objects = { 0 };
        struct inode file = inode_of(&t, t.file);

        put(&t, key_orphan(t.key, 900), orphan_encode(t.value, &open));
        put(&t, key_orphan(t.key, t.file), orphan_encode(t.value, &open));
        put(&t, key_orphan(t.key, 901), orphan_encode(t.value, &objects)); /* as it should be */
        file.fileid = 100;
        file.nlink = 0;
        put_inode(&t, file); /* as it should be, with the next one */
        put(&t, key_orphan(t.key, 100), orphan_encode(t.value, &open));
        file.fileid = 101;
        put_inode(&t, file);
        put(&t, key_orphan(t.key, 101), orphan_encode(t.value, &objects));
        finds(&t, "orphan 900: said to be open, but its inode is not there", "orphan 4: it still has 2 names",
              "orphan 101: its objects are to be removed, but its inode is there", NULL);
}

static void layouts(void **state)
{
        struct tree t = plant(*state);

        put(&t, key_layout(t.key, t.file, 7), slice_str("\1"));
        put(&t, key_layout(t.key, t.dir, 7), slice_str("\1"));
        put(&t, key_layout(t.key, 999, 0xabcd), slice_str("\1"));
        finds(&t, "layout 281474976710658: client 00000007 holds it", "layout 999: client 0000abcd holds it",
              NULL);
}

static void no_root(void **state)
{
        struct tree t = plant(*state);

        drop(&t, key_inode(t.key, ROOT_FILEID));
        finds(&t, "inode 1: the root is not there", "directory 1: it has entries", NULL);
}

static void no_single_values(void **state)
{
        struct tree t = plant(*state);

        put(&t, slice_str("mnext-fileid"), slice_str("\1"));
        finds(&t, "the single values are damaged", "not given out yet", "inode 281474976710658",
              "inode 281474976710659", "inode 4", "inode 5", NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                ON_MEMORY(entry_to_nowhere),
                ON_MEMORY(inode_without_entry),
                ON_MEMORY(wrong_link_count),
                ON_MEMORY(wrong_link_count_of_directories),
                ON_MEMORY(wrong_entry_count),
                ON_MEMORY(wrong_parent),
                ON_MEMORY(directory_with_two_names),
                ON_MEMORY(loop),
                ON_MEMORY(extended_attributes),
                ON_MEMORY(access_control_lists),
                ON_MEMORY(the_tier),
                ON_MEMORY(second_names),
                ON_MEMORY(jobs),
                ON_MEMORY(damaged_records),
                ON_MEMORY(damaged_inode),
                ON_MEMORY(numbers_not_given_out),
                ON_MEMORY(stripes_that_make_no_sense),
                ON_MEMORY(wrong_type_in_an_entry),
                ON_MEMORY(names_that_are_not_names),
                ON_MEMORY(entry_at_the_wrong_cookie),
                ON_MEMORY(runs_with_gaps_holes_and_doubles),
                ON_MEMORY(entries_of_what_is_no_directory),
                ON_MEMORY(symlinks_and_targets),
                ON_MEMORY(orphans),
                ON_MEMORY(layouts),
                ON_MEMORY(no_root),
                ON_MEMORY(no_single_values),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
