/* SPDX-License-Identifier: Apache-2.0 */
/* Records survive a round trip; whatever is cut off or added is refused; keys sort as numbers do. */
#include "tests/unit/mds/store/support.h"

static struct inode sample(uint8_t type)
{
        struct inode i = { .fileid = 0x0102030405060708,
                           .generation = 0xfedcba98,
                           .type = type,
                           .mode = 06755,
                           .uid = 1000,
                           .gid = UINT32_MAX,
                           .nlink = 3,
                           .size = UINT64_MAX,
                           .used = 4096,
                           .change = 77,
                           .atime = -1,
                           .mtime = INT64_MAX,
                           .ctime = INT64_MIN,
                           .btime = 5 };

        if (type == NF4DIR)
                i.parent = 99;
        if (type == NF4DIR || type == NF4REG) {
                i.unit = 1 << 20;
                i.width = 256;
                i.pool = 7;
                i.first = 255;
                i.start = 3;
        }
        if (type == NF4BLK || type == NF4CHR) {
                i.rdev_major = 8;
                i.rdev_minor = UINT32_MAX;
        }
        return i;
}

static void inodes_of_all_types(void **state)
{
        uint8_t bytes[RECORD_MAX];

        (void)state;
        for (uint8_t type = NF4REG; type <= NF4FIFO; type++)
                for (int exclusive = 0; exclusive < 2; exclusive++) {
                        struct inode in = sample(type), out;
                        struct slice value;

                        in.flags = exclusive ? INODE_EXCLUSIVE : INODE_DATA;
                        if (exclusive)
                                memcpy(in.verifier, "verifier", NFS4_VERIFIER_SIZE);
                        value = inode_encode(bytes, &in);
                        memset(&out, 0x55, sizeof(out));
                        assert_true(inode_decode(value, &out));
                        assert_memory_equal(bytes, inode_encode(bytes + 1024, &out).data, value.length);
                        assert_int_equal(out.fileid, in.fileid);
                        assert_int_equal(out.parent, in.parent);
                        assert_int_equal(out.ctime, INT64_MIN);
                        assert_int_equal(out.width, in.width);
                        assert_int_equal(out.rdev_minor, in.rdev_minor);
                        for (uint32_t cut = 0; cut < value.length; cut++)
                                assert_false(inode_decode(slice_of(bytes, cut), &out));
                        assert_false(inode_decode(slice_of(bytes, value.length + 1), &out));
                }
}

static void inodes_that_make_no_sense(void **state)
{
        uint8_t bytes[RECORD_MAX];
        struct inode in = sample(NF4REG), out;
        struct slice value = inode_encode(bytes, &in);

        (void)state;
        bytes[0] = 3; /* a version from the future */
        assert_false(inode_decode(value, &out));
        in.type = NF4ATTRDIR;
        assert_false(inode_decode(inode_encode(bytes, &in), &out));
        in = sample(NF4REG);
        in.fileid = 0;
        assert_false(inode_decode(inode_encode(bytes, &in), &out));
        in = sample(NF4REG);
        in.mode = 010000;
        assert_false(inode_decode(inode_encode(bytes, &in), &out));
        in = sample(NF4DIR);
        in.flags = INODE_USED_OLD; /* of files only */
        assert_false(inode_decode(inode_encode(bytes, &in), &out));
}

static void entries(void **state)
{
        struct dirent_record in = { .fileid = 12, .type = NF4LNK, .name_length = 255 }, out;
        uint8_t bytes[RECORD_MAX];
        struct slice value;

        (void)state;
        memset(in.name, 'n', sizeof(in.name));
        value = dirent_encode(bytes, &in);
        assert_true(dirent_decode(value, &out));
        assert_int_equal(out.fileid, 12);
        assert_int_equal(out.name_length, 255);
        assert_memory_equal(out.name, in.name, 255);
        assert_false(dirent_decode(slice_of(bytes, value.length + 1), &out));
        for (uint32_t cut = 0; cut < 11; cut++)
                assert_false(dirent_decode(slice_of(bytes, cut), &out));
        in = (struct dirent_record){ 0 }; /* a hole */
        assert_true(dirent_decode(dirent_encode(bytes, &in), &out));
        assert_int_equal(out.type, 0);
        in.name_length = 1; /* a hole with a name, a name without a type */
        assert_false(dirent_decode(dirent_encode(bytes, &in), &out));
        in = (struct dirent_record){ .type = NF4REG, .name_length = 1 };
        assert_false(dirent_decode(dirent_encode(bytes, &in), &out));
}

static void orphans(void **state)
{
        struct orphan_record in = { true, 1, 4096, 256, 65535, 255, 9 }, out;
        uint8_t bytes[RECORD_MAX];
        struct slice value = orphan_encode(bytes, &in);

        (void)state;
        assert_true(orphan_decode(value, &out));
        assert_true(out.open);
        assert_int_equal(out.width, 256);
        assert_int_equal(out.start, 9);
        for (uint32_t cut = 0; cut < value.length; cut++)
                assert_false(orphan_decode(slice_of(bytes, cut), &out));
        bytes[1] = 2;
        assert_false(orphan_decode(value, &out));
}

static void clients(void **state)
{
        struct client_record in = { "verifie", 1, UINT32_MAX, 45, true }, out;
        uint8_t bytes[RECORD_MAX];
        struct slice value = client_encode(bytes, &in);

        (void)state;
        assert_true(client_decode(value, &out));
        assert_memory_equal(out.verifier, in.verifier, NFS4_VERIFIER_SIZE);
        assert_int_equal(out.flavor, 1);
        assert_int_equal(out.uid, UINT32_MAX);
        assert_int_equal(out.lease_seconds, 45);
        assert_true(out.delegated);
        for (uint32_t cut = 0; cut < value.length; cut++)
                assert_false(client_decode(slice_of(bytes, cut), &out));
        assert_false(client_decode(slice_of(bytes, value.length + 1), &out));
        bytes[0] = 1; /* of before there was anything to reclaim */
        assert_false(client_decode(value, &out));
}

static void names_of_one_file(void **state)
{
        const struct group_key g = { .repo = 1, .generation = 2, .cluster = 3, .fileid = 4, .number = 5 };
        struct group_key read = { 0 };
        uint8_t key[KEY_MAX], bytes[RECORD_MAX];
        struct slice is = key_group(key, &g), value = group_encode(bytes, 7);
        uint64_t fileid = 0, number = 0;
        uint32_t generation = 0;

        (void)state;
        assert_true(key_parse_group(is, &read));
        assert_memory_equal(&read, &g, sizeof(g));
        assert_false(key_parse_group(slice_of(is.data, is.length - 1), &read));
        assert_int_equal(key_groups(bytes + 100, &g).length, is.length - 8);
        assert_true(group_decode(value, &generation) && generation == 7);
        assert_false(group_decode(slice_of(value.data, value.length - 1), &generation));
        is = key_name(key, 8, 9);
        assert_true(key_parse_u64_u64(is, 'n', &fileid, &number) && fileid == 8 && number == 9);
        assert_int_equal(key_names(bytes, 8).length, is.length - 8);
}

static void what_is_queued_and_what_is_to_go(void **state)
{
        struct queue_record in = { .since = 7,
                                   .what = QUEUE_NAME | QUEUE_SENT,
                                   .failed = 3,
                                   .key = slice_str("a/b"),
                                   .sent_key = slice_str("a/c") },
                            out;
        struct tomb_record tomb = { .due = INT64_MAX,
                                    .removed = true,
                                    .late = 5,
                                    .unheard = 4,
                                    .deleting = 6,
                                    .gone = true,
                                    .etag = slice_str("0123"),
                                    .fileid = 9 },
                           read;
        uint8_t bytes[RECORD_MAX], key[KEY_MAX];
        struct slice value = queue_encode(bytes, &in), name;
        uint32_t repo;

        (void)state;
        assert_true(queue_decode(value, &out));
        assert_true(out.since == 7 && out.what == in.what && out.failed == 3);
        assert_true(slice_equal(out.key, in.key) && slice_equal(out.sent_key, in.sent_key));
        for (uint32_t cut = 0; cut < value.length; cut++)
                assert_false(queue_decode(slice_of(bytes, cut), &out));
        assert_false(queue_decode(slice_of(bytes, value.length + 1), &out));

        value = tomb_encode(bytes, &tomb);
        assert_true(tomb_decode(value, &read));
        assert_true(read.late == 5 && read.unheard == 4 && read.deleting == 6 && read.gone && read.removed);
        assert_true(read.due == INT64_MAX && read.fileid == 9 && slice_equal(read.etag, tomb.etag));
        for (uint32_t cut = 0; cut < value.length; cut++)
                assert_false(tomb_decode(slice_of(bytes, cut), &read));
        memmove(bytes + 17, bytes + 25, value.length - 25); /* version 2 */
        bytes[0] = 2;
        assert_true(tomb_decode(slice_of(bytes, value.length - 8), &read));
        assert_true(read.unheard == 5 && read.deleting == 6 && read.gone && read.fileid == 9);
        memmove(bytes + 9, bytes + 26, value.length - 8 - 26); /* version 1 */
        bytes[0] = 1;
        assert_true(tomb_decode(slice_of(bytes, value.length - 8 - 17), &read));
        assert_true(read.due == INT64_MAX && read.late == 0 && read.unheard == 0 && read.deleting == 0);
        assert_true(!read.gone && !read.removed && read.fileid == 9 &&
                    slice_equal(read.etag, slice_str("0123")));
        assert_true(key_parse_tomb(key_tomb(key, 5, slice_str("a/b")), &repo, &name));
        assert_true(repo == 5 && slice_equal(name, slice_str("a/b")));
        assert_false(key_parse_tomb(key_queue(key, 5), &repo, &name));
}

static void uploads_in_parts(void **state)
{
        struct upload_record in = { .repo = 5,
                                    .generation = 6,
                                    .change = UINT64_MAX,
                                    .until = 7,
                                    .part_bytes = 16 << 20,
                                    .key = slice_str("a/b"),
                                    .upload_id = slice_str("2~x") },
                             out;
        uint8_t bytes[RECORD_MAX], key[KEY_MAX], of_file[KEY_MAX];
        struct slice value = upload_encode(bytes, &in), prefix = key_uploads(of_file, 9);
        uint64_t fileid, noted;

        (void)state;
        assert_true(upload_decode(value, &out));
        assert_true(out.repo == 5 && out.generation == 6 && out.change == UINT64_MAX && out.until == 7);
        assert_true(slice_equal(out.key, in.key) && slice_equal(out.upload_id, in.upload_id));
        assert_int_equal(out.part_bytes, 16 << 20);
        for (uint32_t cut = 0; cut < value.length; cut++)
                assert_false(upload_decode(slice_of(bytes, cut), &out));
        assert_false(upload_decode(slice_of(bytes, value.length + 1), &out));
        assert_true(key_parse_u64_u64(key_upload(key, 9, INT64_MAX), 'u', &fileid, &noted));
        assert_true(fileid == 9 && noted == INT64_MAX);
        assert_memory_equal(key, prefix.data, prefix.length);
}

static void digests_of_parts(void **state)
{
        static const uint8_t some[2 * DIGEST_BYTES] = { 1, 2, 3 };
        struct digests_record in = { .size = 30 << 20,
                                     .part_bytes = 16 << 20,
                                     .etag = slice_str("abc-2"),
                                     .digests = slice_of(some, sizeof(some)) },
                              out;
        uint8_t bytes[RECORD_MAX], key[KEY_MAX], of_file[KEY_MAX];
        struct slice value = digests_encode(bytes, &in), prefix = key_all_digests(of_file, 9);
        uint64_t fileid, first;

        (void)state;
        assert_true(digests_decode(value, &out));
        assert_true(out.size == in.size && out.part_bytes == in.part_bytes);
        assert_true(slice_equal(out.etag, in.etag) && slice_equal(out.digests, in.digests));
        for (uint32_t cut = 0; cut < value.length; cut++)
                assert_false(digests_decode(slice_of(bytes, cut), &out));
        assert_false(digests_decode(slice_of(bytes, value.length + 1), &out));
        assert_true(key_parse_u64_u64(key_digests(key, 9, 200), 'y', &fileid, &first));
        assert_true(fileid == 9 && first == 200);
        assert_memory_equal(key, prefix.data, prefix.length);
}

static void jobs_and_what_they_could_not_do(void **state)
{
        struct job_record in = { .verb = JOB_UNPIN,
                                 .state = JOB_CANCELLED,
                                 .options = JOB_OPTIONS,
                                 .older_seconds = 1,
                                 .min_size = 2,
                                 .made = 3,
                                 .ended = 4,
                                 .top = 5,
                                 .counts = { 6, 7, 8, 9 },
                                 .depth = 2,
                                 .levels = { { 10, 11 }, { 12, 0 } },
                                 .path = slice_str("/data/train"),
                                 .match = slice_str("*.nc"),
                                 .problem = slice_str("gone") },
                          out;
        struct job_failure failure = { slice_str("/data/a,b"), slice_str("S3Error") }, read;
        uint8_t bytes[RECORD_MAX], key[KEY_MAX];
        struct slice value = job_encode(bytes, &in);
        uint64_t number, fileid;

        (void)state;
        assert_true(job_decode(value, &out));
        assert_true(out.verb == JOB_UNPIN && out.state == JOB_CANCELLED && out.options == JOB_OPTIONS);
        assert_true(out.older_seconds == 1 && out.min_size == 2 && out.made == 3 && out.ended == 4);
        assert_memory_equal(&out.counts, &in.counts, sizeof(in.counts));
        assert_true(out.top == 5 && out.depth == 2);
        assert_memory_equal(out.levels, in.levels, 2 * sizeof(in.levels[0]));
        assert_true(slice_equal(out.path, in.path) && slice_equal(out.match, in.match) &&
                    slice_equal(out.problem, in.problem));
        for (uint32_t cut = 0; cut < value.length; cut++)
                assert_false(job_decode(slice_of(bytes, cut), &out));
        assert_false(job_decode(slice_of(bytes, value.length + 1), &out));
        bytes[1] = JOB_VERBS;
        assert_false(job_decode(value, &out));

        value = failure_encode(bytes, &failure);
        assert_true(failure_decode(value, &read));
        assert_true(slice_equal(read.path, failure.path) && slice_equal(read.error, failure.error));
        for (uint32_t cut = 0; cut < value.length; cut++)
                assert_false(failure_decode(slice_of(bytes, cut), &read));
        assert_true(key_parse_u64_u64(key_failure(key, 3, 4), 'f', &number, &fileid));
        assert_true(number == 3 && fileid == 4);
        assert_memory_equal(key_failures(key, 3).data, key, 9);
}

static void backings_and_repos(void **state)
{
        static const char kept[] = "cc\0blue"; /* with the NUL behind it */
        struct backing in = { .repo = 7,
                              .size = UINT64_MAX,
                              .valid = 4711,
                              .modified = -1,
                              .change = 99,
                              .flags = BACKING_PINNED,
                              .late = 3,
                              .again = 4,
                              .key = slice_str("a/b"),
                              .etag = slice_str("0123"),
                              .version = slice_str("v-1"),
                              .kept = slice_of(kept, sizeof(kept)) },
                       out;
        struct repo_record repo = { .directory = 5,
                                    .name = slice_str("train"),
                                    .url = slice_str("s3://b/p") },
                           read;
        uint8_t bytes[RECORD_MAX], old[RECORD_MAX];
        struct slice value = backing_encode(bytes, &in);
        const uint32_t tail = 4 + 2 + sizeof(kept); /* the version and what was kept, with their lengths */

        (void)state;
        assert_true(backing_decode(value, &out));
        assert_int_equal(out.repo, 7);
        assert_true(out.size == UINT64_MAX && out.valid == 4711 && out.modified == -1 && out.change == 99);
        assert_true(out.late == 3 && out.again == 4);
        assert_true(slice_equal(out.key, in.key) && slice_equal(out.etag, in.etag));
        for (uint32_t cut = 0; cut < value.length; cut++)
                assert_false(backing_decode(slice_of(bytes, cut), &out));
        assert_false(backing_decode(slice_of(bytes, value.length + 1), &out));
        assert_int_equal(out.flags, BACKING_PINNED);
        assert_memory_equal(out.kept.data, kept, sizeof(kept));
        assert_true(slice_equal(out.version, in.version));
        memcpy(old, bytes, value.length - tail); /* of version 4: without "v-1" and its length */
        memcpy(old + value.length - tail, bytes + value.length - tail + 4, tail - 4);
        old[0] = 4;
        assert_true(backing_decode(slice_of(old, value.length - 4), &out));
        assert_true(out.late == 3 && out.version.length == 0 && slice_equal(out.etag, in.etag));
        assert_memory_equal(out.kept.data, kept, sizeof(kept));
        memmove(old + 70, old + 86, value.length - 86); /* of version 3 */
        old[0] = 3;
        assert_true(backing_decode(slice_of(old, value.length - 4 - 16), &out));
        assert_true(out.late == 0 && out.again == 0 && slice_equal(out.key, in.key));
        bytes[0] = 2; /* which kept nothing */
        assert_false(backing_decode(value, &out));
        in.kept = slice_of(kept, 3); /* a name without a value */
        assert_false(backing_decode(backing_encode(bytes, &in), &out));
        in.kept = slice_of(kept, 0);
        in.size = 4710; /* more of it is the file's than it has */
        assert_false(backing_decode(backing_encode(bytes, &in), &out));

        value = repo_encode(bytes, &repo);
        assert_true(repo_decode(value, &read));
        assert_int_equal(read.directory, 5);
        assert_true(slice_equal(read.name, repo.name) && slice_equal(read.url, repo.url));
        for (uint32_t cut = 0; cut < value.length; cut++)
                assert_false(repo_decode(slice_of(bytes, cut), &read));
}

static void heads(void **state)
{
        struct head_record in = { .directory = 7, .name = slice_str("name") }, out;
        struct inode inode = sample(NF4REG), read;
        uint8_t bytes[RECORD_MAX];
        struct slice value = head_encode(bytes, &in);

        (void)state;
        assert_true(head_decode(value, &out));
        assert_int_equal(out.directory, 7);
        assert_true(slice_equal(out.name, in.name));
        for (uint32_t cut = 0; cut < 10; cut++)
                assert_false(head_decode(slice_of(bytes, cut), &out));
        bytes[0] = 2;
        assert_false(head_decode(value, &out));
        inode.undescribed = true;
        assert_false(inode_decode(inode_encode(bytes, &inode), &read)); /* there is nobody to ask */
        inode.flags |= INODE_BACKED;
        assert_true(inode_decode(inode_encode(bytes, &inode), &read));
        assert_true(read.undescribed);
}

static void keys_sort_and_parse(void **state)
{
        uint8_t a[KEY_MAX], b[KEY_MAX];
        uint64_t first, second;
        uint32_t tag;

        (void)state;
        assert_true(memcmp(key_dirent(a, 1, 255).data, key_dirent(b, 1, 256).data, 17) < 0);
        assert_true(memcmp(key_dirent(a, 1, UINT64_MAX).data, key_dirent(b, 2, 0).data, 17) < 0);
        assert_memory_equal(key_dirents(a, 7).data, key_dirent(b, 7, 3).data, 9);
        assert_true(key_parse_u64_u64(key_dirent(a, 5, 6), 'd', &first, &second));
        assert_int_equal(first, 5);
        assert_int_equal(second, 6);
        assert_false(key_parse_u64(key_dirent(a, 5, 6), 'd', &first));
        assert_false(key_parse_u64_u64(key_dirent(a, 5, 6), 'x', &first, &second));
        assert_true(key_parse_u64_u32(key_layout(a, 8, 9), 'l', &first, &tag));
        assert_int_equal(tag, 9);
        assert_true(key_parse_u32(key_server(a, 0x01020304), 's', &tag));
        assert_int_equal(tag, 0x01020304);
        assert_false(key_parse_u32(key_server(a, 1), 'r', &tag));
        assert_false(key_parse_u32(key_inode(a, 1), 'i', &tag));
        assert_true(key_parse_u64(key_inode(a, UINT64_MAX), 'i', &first));
        assert_true(first == UINT64_MAX);
        assert_false(key_parse_u64(slice_of("", 0), 'i', &first));
        assert_int_equal(key_client(a, slice_str("owner")).length, 6);
        assert_int_equal(key_kind(a, 'd').length, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(inodes_of_all_types),
                cmocka_unit_test(inodes_that_make_no_sense),
                cmocka_unit_test(entries),
                cmocka_unit_test(orphans),
                cmocka_unit_test(clients),
                cmocka_unit_test(backings_and_repos),
                cmocka_unit_test(heads),
                cmocka_unit_test(names_of_one_file),
                cmocka_unit_test(what_is_queued_and_what_is_to_go),
                cmocka_unit_test(uploads_in_parts),
                cmocka_unit_test(digests_of_parts),
                cmocka_unit_test(jobs_and_what_they_could_not_do),
                cmocka_unit_test(keys_sort_and_parse),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
