/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/archive_lab.h"

#include "mds/pnfs/size.h"

static const char plain[] = "path: /train\nurl: s3://bucket/\nendpoint: http://s3.lab\n"
                            "export: new,changed,deleted\nexport_delay: 5\ndelete_grace: 60\n";

static struct bucket_lab *bucket_of(struct mds *mds)
{
        return &CONTAINER(CONTAINER(mds, struct mds_lab, mds), struct archive_lab, lab)->bucket;
}

static struct http *connect_lab(struct tier *t, const struct repo_conf *conf)
{
        (void)conf;
        return bucket_http(bucket_of(t->mds), t->mds->env);
}

static void link_repo(struct mds_lab *lab)
{
        const struct archive_lab *a = CONTAINER(lab, struct archive_lab, lab);
        struct repo_conf conf;
        char text[1024], error[512];

        snprintf(text, sizeof(text), "%s%s%s\n", plain, strstr(a->conf, "manifest:") ? "" : "manifest: no\n",
                 a->conf);
        lab->mds.tier->connect = connect_lab;
        CHECK(repo_conf_load_text("train", text, strlen(text), &conf, error, sizeof(error)) == 0);
        CHECK(repo_link(lab->mds.tier, "train", &conf, error, sizeof(error)) == 0);
        repo_conf_free(&conf);
}

static void start_user(struct archive_lab *a)
{
        user_start(&a->u, &a->lab, "client", 1, 0, 0);
        a->root = user_root(&a->u);
        CHECK(user_lookup(&a->u, &a->root, "train", &a->train) == NFS4_OK);
}

static void join_servers(struct archive_lab *a)
{
        for (int i = 0; i < LAB_DATA_SERVERS; i++) {
                a->lab.ds[i].upload = bucket_upload;
                a->lab.ds[i].upload_arg = &a->bucket;
                a->lab.ds[i].server->addrs[0] = (struct netaddr){ .family = 4, .port = 2049 };
                a->lab.ds[i].server->addr_count = 1;
        }
}

void archive_lab_start(struct archive_lab *a, const char *conf)
{
        a->bucket = (struct bucket_lab){ .latency_ns = 1000000 };
        a->conf = conf;
        mds_lab_start(&a->lab, NULL);
        a->lab.with_tier = link_repo;
        link_repo(&a->lab);
        join_servers(a);
        start_user(a);
}

void archive_lab_stop(struct archive_lab *a)
{
        mds_lab_stop(&a->lab);
}

void archive_lab_crash(struct archive_lab *a)
{
        mds_lab_restart(&a->lab, true);
        join_servers(a);
        start_user(a);
}

void archive_lab_seconds(struct archive_lab *a, unsigned n)
{
        mds_lab_run_ms(&a->lab, 1000 * n);
}

uint64_t archive_lab_fileid(struct archive_lab *a, const struct user_fh *fh)
{
        struct user_attrs attrs;

        CHECK(user_getattr(&a->u, fh, &attrs) == NFS4_OK);
        return attrs.fileid;
}

void archive_lab_written(struct archive_lab *a, const struct user_fh *fh, uint64_t size)
{
        struct mds *mds = &a->lab.mds;
        const struct inode *inode;
        uint64_t seq;

        mds_lab_run_ms(&a->lab, 1);
        CHECK(meta_inode(mds->meta, archive_lab_fileid(a, fh), &inode) == 0);
        CHECK(size_extend(mds->sizes, inode->fileid, inode->generation, 1, size, size, &seq) == 0);
}

struct user_fh archive_lab_make(struct archive_lab *a, const struct user_fh *dir, const char *name,
                                uint64_t size)
{
        struct user_open o = USER_CREATE(.how = UNCHECKED4);

        CHECK(user_open(&a->u, dir, name, &o) == NFS4_OK);
        if (size > 0)
                archive_lab_written(a, &o.fh, size);
        CHECK(user_close(&a->u, &o.fh, &o.stateid) == NFS4_OK);
        return o.fh;
}

bool archive_lab_is_archived(struct archive_lab *a, const struct user_fh *fh)
{
        uint8_t record[RECORD_MAX];
        const struct inode *inode;
        struct backing b;

        CHECK(meta_inode(a->lab.mds.meta, archive_lab_fileid(a, fh), &inode) == 0);
        return tier_backing(&a->lab.mds, inode, record, &b) == 0 && b.etag.length > 0 &&
               b.change == inode->change && !archive_is_pending(&a->lab.mds, inode->fileid);
}

struct user_attrs archive_lab_look(struct archive_lab *a, const struct user_fh *dir, const char *name,
                                   struct user_fh *ret)
{
        struct user_attrs attrs;
        struct user_fh fh;

        CHECK(user_lookup(&a->u, dir, name, &fh) == NFS4_OK);
        CHECK(user_getattr(&a->u, &fh, &attrs) == NFS4_OK);
        if (ret)
                *ret = fh;
        return attrs;
}

void archive_lab_object(struct archive_lab *a, const char *key, const char *body, const char *const *metadata)
{
        bucket_put(&a->bucket, key, body);
        for (; *metadata; metadata += 2)
                bucket_describe(bucket_find(&a->bucket, key), metadata[0], metadata[1]);
}
