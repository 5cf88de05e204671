/* SPDX-License-Identifier: Apache-2.0 */
/* What scenarios of manifests have in common: a repo that writes them, and the bucket linked once more. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "mds/tier/manifest.h"
#include "tests/scenario/archive.h"

static const char manifest_conf[] =
        "path: /again\nurl: s3://bucket/\nendpoint: http://s3.lab\nuid: 7\ngid: 8\n"
        "export: new,changed,deleted\nexport_delay: 3600\n";

static inline int setup_with_manifests(void **state)
{
        (void)state;
        archive_lab_start(&a, "manifest: yes");
        a.bucket.lists = true;
        a.bucket.keeps_time = true;
        return 0;
}

/* The bucket once more, at another path; CONF: one line more. */
static inline struct user_fh link_with(const char *conf)
{
        struct repo_conf c;
        struct user_fh fh;
        char error[512], text[512];

        snprintf(text, sizeof(text), "%s%s", manifest_conf, conf);
        assert_int_equal(repo_conf_load_text("again", text, strlen(text), &c, error, sizeof(error)), 0);
        assert_int_equal(repo_link(a.lab.mds.tier, "again", &c, error, sizeof(error)), 0);
        repo_conf_free(&c);
        assert_int_equal(user_lookup(&a.u, &a.root, "again", &fh), NFS4_OK);
        return fh;
}

static inline struct user_fh link_again(void)
{
        return link_with("");
}
