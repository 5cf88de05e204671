/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of S3: a record against its inode, or against the one that it belongs to. */
#include "mds/store/fsck_private.h"

static void on_backing(struct fsck *f, struct slice key, struct slice value)
{
        uint64_t fileid = 0;
        struct backing b;
        struct node *n;

        if (!key_parse_u64(key, 'b', &fileid) || !backing_decode(value, &b)) {
                fsck_problem(f, "backing", fileid, "its record is damaged");
                return;
        }
        f->report.backings++;
        n = fsck_node(f, fileid);
        if (!n || !(n->marks & HAS_BACKING))
                fsck_problem(f, "backing", fileid, n ? "its inode knows of none" : "its inode is not there");
        if (n)
                n->marks |= BACKING;
}

static void on_repo(struct fsck *f, struct slice key, struct slice value)
{
        struct repo_record p;
        const struct node *n;
        uint32_t number;

        if (!key_parse_u32(key, 'r', &number) || !repo_decode(value, &p)) {
                fsck_problem(f, "record", 'r', "it is damaged");
                return;
        }
        if (p.name.length == 0)
                return; /* removed */
        n = fsck_node(f, p.directory);
        if (!n || n->type != NF4DIR)
                fsck_problem(f, "repo", p.directory, "%.*s: there is no such directory", (int)p.name.length,
                             (const char *)p.name.data);
}

/* Left over of what is gone, it is taken out when its turn comes. */
static void on_queue(struct fsck *f, struct slice key, struct slice value)
{
        uint64_t fileid = 0;
        struct queue_record q;
        const struct node *n;

        if (!key_parse_u64(key, 'q', &fileid) || !queue_decode(value, &q)) {
                fsck_problem(f, "queue", fileid, "its record is damaged");
                return;
        }
        f->report.queued++;
        n = fsck_node(f, fileid);
        if (n && !(n->marks & (HAS_BACKING | ORPHAN)))
                fsck_problem(f, "queue", fileid, "it is queued, but it belongs to no repo");
}

static void on_tomb(struct fsck *f, struct slice key, struct slice value)
{
        struct tomb_record z;
        struct slice name;
        uint32_t repo;

        if (!key_parse_tomb(key, &repo, &name) || !tomb_decode(value, &z))
                fsck_problem(f, "record", 'z', "it is damaged");
}

/* Also of what is gone, or has moved on. */
static void on_away(struct fsck *f, struct slice key, struct slice value)
{
        struct head_record h;
        struct slice name;
        uint32_t repo;

        if (!key_parse_away(key, &repo, &name) || !head_decode(value, &h))
                fsck_problem(f, "record", 'w', "it is damaged");
}

/* Also of what is gone. */
static void on_upload(struct fsck *f, struct slice key, struct slice value)
{
        uint64_t fileid = 0, noted;
        struct upload_record u;

        if (!key_parse_u64_u64(key, 'u', &fileid, &noted) || !upload_decode(value, &u))
                fsck_problem(f, "upload", fileid, "its record is damaged");
}

static void on_digests(struct fsck *f, struct slice key, struct slice value)
{
        uint64_t fileid = 0, first;
        struct digests_record d;
        const struct node *n;

        if (!key_parse_u64_u64(key, 'y', &fileid, &first) || !digests_decode(value, &d)) {
                fsck_problem(f, "digests", fileid, "their record is damaged");
                return;
        }
        n = fsck_node(f, fileid);
        if (!n || !(n->marks & HAS_BACKING))
                fsck_problem(f, "digests", fileid,
                             n ? "they are of parts of no object" : "their inode is not there");
}

static void on_head(struct fsck *f, struct slice key, struct slice value)
{
        uint64_t fileid = 0;
        struct head_record h;
        struct node *n;

        if (!key_parse_u64(key, 'h', &fileid) || !head_decode(value, &h)) {
                fsck_problem(f, "head", fileid, "its record is damaged");
                return;
        }
        n = fsck_node(f, fileid);
        if (!n || !(n->marks & UNDESCRIBED))
                fsck_problem(f, "head", fileid, n ? "its inode is described" : "its inode is not there");
        if (n)
                n->marks |= HEAD;
}

/* Of a file that has it among its names. */
static void on_name(struct fsck *f, struct slice key, struct slice value)
{
        uint64_t fileid = 0, number = 0;
        const struct node *file;
        struct head_record h;
        struct node *n;

        if (!key_parse_u64_u64(key, 'n', &fileid, &number) || !head_decode(value, &h)) {
                fsck_problem(f, "second name", fileid, "its record is damaged");
                return;
        }
        file = fsck_node(f, fileid);
        n = fsck_node(f, number);
        if (!file || (file->type != NF4REG && file->type != NF4LNK))
                fsck_problem(f, "second name", fileid, "there is no such file");
        if (!n || n->type != INODE_NAME || n->parent != fileid)
                fsck_problem(f, "second name", fileid, "its inode %" PRIu64 " is not there, or another's",
                             number);
        else
                n->names++;
}

/* Also of what is gone. */
static void on_group(struct fsck *f, struct slice key, struct slice value)
{
        struct group_key g;
        uint32_t generation;

        if (!key_parse_group(key, &g) || !group_decode(value, &generation))
                fsck_problem(f, "record", 'k', "it is damaged");
}

/* Also of what is gone. */
static void on_manifest(struct fsck *f, struct slice key, struct slice value)
{
        struct slice name;
        uint32_t repo, count;
        int64_t due;

        if (key.data[0] == 'e' ? !key_parse_manifest(key, &repo, &name) || !manifest_decode(value, &due)
                               : !key_parse_pages(key, &repo, &name) || !pages_decode(value, &count))
                fsck_problem(f, "record", key.data[0], "it is damaged");
}

static void on_job(struct fsck *f, struct slice key, struct slice value)
{
        uint64_t number = 0;
        struct job_record j;

        if (!key_parse_u64(key, 'j', &number) || !job_decode(value, &j))
                fsck_problem(f, "job", number, "its record is damaged");
}

static void on_failure(struct fsck *f, struct slice key, struct slice value)
{
        uint8_t job_key[KEY_MAX], job[RECORD_MAX];
        uint64_t number = 0, fileid = 0;
        struct job_failure failure;
        uint32_t length;

        if (!key_parse_u64_u64(key, 'f', &number, &fileid) || !failure_decode(value, &failure))
                fsck_problem(f, "job", number, "the record of what it could not do is damaged");
        else if (f->store->ops->get(f->store, key_job(job_key, number), job, sizeof(job), &length) < 0)
                fsck_problem(f, "job", number, "it could not do %" PRIu64 ", but it is not there", fileid);
}

bool fsck_tier(struct fsck *f, struct slice key, struct slice value)
{
        switch (key.data[0]) {
        case 'b': on_backing(f, key, value); break;
        case 'r': on_repo(f, key, value); break;
        case 'q': on_queue(f, key, value); break;
        case 'z': on_tomb(f, key, value); break;
        case 'w': on_away(f, key, value); break;
        case 'u': on_upload(f, key, value); break;
        case 'y': on_digests(f, key, value); break;
        case 'n': on_name(f, key, value); break;
        case 'k': on_group(f, key, value); break;
        case 'h': on_head(f, key, value); break;
        case 'e':
        case 'g': on_manifest(f, key, value); break;
        case 'j': on_job(f, key, value); break;
        case 'f': on_failure(f, key, value); break;
        default: return false;
        }
        return true;
}
