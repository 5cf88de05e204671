/* SPDX-License-Identifier: Apache-2.0 */
/* `nacre repo probe`: what an S3 endpoint can do, before anything is linked to it. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "cli/cli.h"
#include "cli/repo_file.h"
#include "mds/tier/repo_conf.h"
#include "s3tier/probe.h"

struct probing {
        struct s3_probe probe;
        struct loop *loop;
};

static void on_done(struct s3_call *call)
{
        struct probing *p = CONTAINER(call, struct probing, probe.call);

        loop_stop(p->loop);
}

static int report(const struct s3_abilities *found)
{
        s3_probe_print(found, stdout);
        return found->trouble.error == S3_OK ? CLI_OK : CLI_FAILED;
}

static int probe(struct probing *p, struct http *http, struct creds_provider *creds,
                 const struct s3_conf *conf)
{
        const char *why;
        struct s3 *s3 = s3_new(http, creds, conf, &why);

        if (!s3)
                return cli_usage_error("%s", why);
        p->probe.call.done = on_done;
        s3_probe(s3, &p->probe);
        loop_run(p->loop);
        s3_free(s3);
        return report(&p->probe.found);
}

static int probe_repo(const struct repo_conf *repo)
{
        const struct http_conf http_conf = {
                .connections = 1, .connect_ms = 5000, .idle_ms = 10000, .ca = repo->ca
        };
        const struct s3_conf conf = { .endpoint = repo->endpoint,
                                      .region = repo->region,
                                      .bucket = repo->bucket,
                                      .prefix = repo->prefix,
                                      .virtual_host = repo->addressing == 1 };
        struct creds_provider *creds;
        struct creds_conf creds_conf;
        static struct probing p;
        struct http *http;
        char space[4096];
        int status;

        repo_conf_creds(repo, &creds_conf, space, sizeof(space));
        p.loop = loop_new();
        http = p.loop ? http_new(p.loop, &http_conf) : NULL;
        creds = http ? creds_new(p.loop, &creds_conf) : NULL;
        status = creds ? probe(&p, http, creds, &conf) : cli_error("out of memory");
        creds_free(creds);
        http_free(http);
        if (p.loop)
                loop_free(p.loop);
        return status;
}

int cmd_repo_probe(const struct cli_args *args)
{
        CLEANUP_FREE char *text = repo_file_with(strdup("path: /probe\n"), "url", args->operand);
        char error[1024];
        struct repo_conf repo;
        int status;

        for (unsigned i = 0; i < args->setting_count; i++)
                text = repo_file_with(text, args->settings[i].key, args->settings[i].value);
        if (repo_conf_load_text("repo probe", text, strlen(text), &repo, error, sizeof error) < 0)
                return cli_usage_error("%s", error);
        status = repo_conf_read_ca(&repo) < 0
                         ? cli_error("%s: cannot be read; allowed: a PEM file of certificates", repo.ca_file)
                         : probe_repo(&repo);
        repo_conf_free(&repo);
        return status;
}
