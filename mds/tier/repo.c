/* SPDX-License-Identifier: Apache-2.0 */
/* Repos: linked to their directories once, and found again after a restart. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mds/tier/adopt.h"
#include "mds/tier/archive.h"
#include "mds/tier/evict.h"
#include "mds/tier/heads.h"
#include "mds/tier/import.h"
#include "mds/tier/jobs.h"
#include "mds/tier/link.h"
#include "mds/tier/manifest.h"
#include "mds/tier/release.h"
#include "mds/tier/restore.h"
#include "mds/tier/sweep.h"

enum { HTTP_CONNECTIONS = 16, CONNECT_MS = 5000, IDLE_MS = 20000 };

_Static_assert((int)REPO_NAME_BYTES == (int)REPO_NAME_LENGTH, "a file's name is the repo's");

void repo_free(struct repo *r)
{
        if (!r)
                return;
        s3_free(r->s3);
        http_free(r->http);
        creds_free(r->creds);
        repo_conf_free(&r->conf);
        free(r);
}

struct repo *repo_by_number(const struct tier *t, uint32_t number)
{
        LIST_FOR_EACH(node, &t->repos) {
                struct repo *r = CONTAINER(node, struct repo, node);

                if (r->number == number)
                        return r;
        }
        return NULL;
}

struct repo *repo_by_name(const struct tier *t, const char *name)
{
        LIST_FOR_EACH(node, &t->repos) {
                struct repo *r = CONTAINER(node, struct repo, node);

                if (strcmp(r->name, name) == 0)
                        return r;
        }
        return NULL;
}

/* --- the bucket */

static struct http *connect_for_real(struct tier *t, const struct repo_conf *conf)
{
        const struct http_conf http = {
                .connections = HTTP_CONNECTIONS, .connect_ms = CONNECT_MS, .idle_ms = IDLE_MS, .ca = conf->ca
        };

        return http_new(t->mds->loop, &http);
}

static struct creds_provider *make_creds(const struct tier *t, const struct repo_conf *conf)
{
        struct creds_conf c;
        char space[1024];

        if (!t->mds->loop)
                return creds_given("simulator", "simulator");
        repo_conf_creds(conf, &c, space, sizeof(space));
        return creds_new(t->mds->loop, &c);
}

static bool open_bucket(struct tier *t, struct repo *r, const char **why)
{
        struct s3_conf c = { .endpoint = r->conf.endpoint,
                             .bucket = r->conf.bucket,
                             .prefix = r->conf.prefix,
                             .region = r->conf.region,
                             .virtual_host = r->conf.addressing == 1,
                             .checksum = (enum s3_checksum)r->conf.checksum,
                             .budget = { .requests_per_second = (uint32_t)r->conf.requests_per_second,
                                         .bytes_per_second = r->conf.bytes_per_second,
                                         .in_flight = HTTP_CONNECTIONS },
                             .metrics = &t->s3_metrics };

        *why = "ca_file cannot be read; allowed: a PEM file of certificates at the server, of at most 64 KiB";
        if (repo_conf_read_ca(&r->conf) < 0)
                return false;
        *why = "out of memory";
        r->creds = make_creds(t, &r->conf);
        r->http = t->connect(t, &r->conf);
        if (!r->creds || !r->http)
                return false;
        r->s3 = s3_new(r->http, r->creds, &c, why);
        return r->s3 != NULL;
}

struct repo *repo_new(struct tier *t, const char *name, struct repo_conf *conf, const char **why)
{
        struct repo *r = calloc(1, sizeof(*r));

        *why = "out of memory";
        if (!r)
                return NULL;
        list_init(&r->node);
        r->conf = *conf;
        *conf = (struct repo_conf){ 0 };
        snprintf(r->name, sizeof(r->name), "%s", name);
        if (open_bucket(t, r, why))
                return r;
        repo_free(r);
        return NULL;
}

/* --- linked, changed, forgotten */

static uint64_t next_revision(struct tier *t)
{
        return (uint64_t)meta_boot(t->mds->meta) << 32 | ++t->revisions;
}

/* Is one of the paths A and B the other, or above it? */
static bool overlap(const char *a, const char *b)
{
        size_t shorter = strlen(a) < strlen(b) ? strlen(a) : strlen(b);
        const char *longer = strlen(a) > shorter ? a : b;

        return strncmp(a, b, shorter) == 0 && (longer[shorter] == '\0' || longer[shorter] == '/');
}

const char *repo_in_the_way(const struct tier *t, const struct repo *r)
{
        if (repo_by_name(t, r->name))
                return "there is a repo of this name already; allowed: another --name";
        LIST_FOR_EACH(node, &t->repos)
                if (overlap(CONTAINER(node, struct repo, node)->conf.path, r->conf.path))
                        return "the directory is a repo's already, or in one, or has one inside; allowed: "
                               "a path beside those that `nacre repo list` shows";
        return NULL;
}

int repo_link(struct tier *t, const char *name, struct repo_conf *conf, char *error, size_t error_bytes)
{
        const char *why;
        struct repo *r = repo_new(t, name, conf, &why);

        if (!r || (why = repo_in_the_way(t, r)) || (why = repo_link_directory(t, r))) {
                snprintf(error, error_bytes, "%s: %s", name, why);
                repo_free(r);
                return -1;
        }
        r->revision = next_revision(t);
        list_push(&t->repos, &r->node);
        sweep_schedule(t, r);
        heads_go(t->heads);
        archiver_go(t->archiver);
        adopt_begin(t, r);
        log_info("repo-linked", "repo=%s path=%s url=%s endpoint=%s", r->name, r->conf.path, r->conf.url,
                 r->conf.endpoint);
        return 0;
}

/* Nobody has a call of R's under way any more. */
static void quieten(struct tier *t, struct repo *r)
{
        imports_stop(t, r);
        heads_quieten(t->heads, r);
        releases_stop(t, r);
        archiver_quieten(t->archiver, r);
        manifests_quieten(t->manifests, r);
        sweep_forget(r);
}

/* R stays where it is, and works as CONF says from now on. */
static int update(struct tier *t, struct repo *r, struct repo_conf *conf, char *error, size_t error_bytes)
{
        const char *why = NULL;
        struct repo *fresh, old = *r;

        if (strcmp(conf->path, r->conf.path) != 0 || strcmp(conf->url, r->conf.url) != 0)
                why = "its path and url cannot change; allowed: `nacre repo remove`, then `nacre repo add`";
        fresh = why ? NULL : repo_new(t, r->name, conf, &why);
        if (!fresh) {
                snprintf(error, error_bytes, "%s: %s", r->name, why);
                return -1;
        }
        quieten(t, r);
        r->revision = next_revision(t);
        r->conf = fresh->conf;
        r->creds = fresh->creds;
        r->http = fresh->http;
        r->s3 = fresh->s3;
        r->no_part_copies = r->no_copy_conditions = false;
        r->problem[0] = '\0';
        fresh->conf = old.conf;
        fresh->creds = old.creds;
        fresh->http = old.http;
        fresh->s3 = old.s3;
        repo_free(fresh);
        sweep_schedule(t, r);
        heads_go(t->heads);
        archiver_go(t->archiver);
        adopt_begin(t, r);
        log_info("repo-changed", "repo=%s", r->name);
        return 0;
}

int repo_unlink(struct tier *t, struct repo *r)
{
        int status = repo_unlink_directory(t, r);

        if (status < 0)
                return status;
        log_info("repo-removed", "repo=%s path=%s url=%s", r->name, r->conf.path, r->conf.url);
        quieten(t, r);
        list_remove(&r->node);
        repo_free(r);
        return 0;
}

/* --- the directory of YAML files */

int repo_load(struct tier *t, const char *name, char *error, size_t error_bytes)
{
        const char *folder = t->mds->conf->repos;
        struct repo *r = repo_by_name(t, name);
        struct repo_conf conf;
        char path[4096];
        int status;

        if (!folder || !repo_name_is_right(name)) {
                snprintf(error, error_bytes, "%s: %s", name,
                         folder ? "no name of a repo; allowed: up to 64 letters, digits, '_', '-' and '.'"
                                : "the server's configuration has no `repos`, the directory for its file");
                return -1;
        }
        snprintf(path, sizeof(path), "%s/%s.yaml", folder, name);
        if (repo_conf_load(path, &conf, error, error_bytes) < 0)
                return -1;
        status = r ? update(t, r, &conf, error, error_bytes) : repo_link(t, name, &conf, error, error_bytes);
        repo_conf_free(&conf);
        return status;
}

static void load_file(struct tier *t, const char *file)
{
        size_t length = strlen(file);
        char name[REPO_NAME_BYTES + 1], error[512];

        if (length < 6 || length - 5 > REPO_NAME_BYTES || strcmp(file + length - 5, ".yaml") != 0 ||
            file[0] == '.')
                return;
        snprintf(name, sizeof(name), "%.*s", (int)(length - 5), file);
        if (repo_load(t, name, error, sizeof(error)) < 0)
                log_error("repo-left-out", "reason=%s", error);
}

static void load_all(struct tier *t, const char *folder)
{
        struct dirent **files;
        int count = scandir(folder, &files, NULL, alphasort);

        if (count < 0) {
                log_error("repos-not-read", "folder=%s error=%s", folder, strerror(errno));
                return;
        }
        for (int i = 0; i < count; i++) {
                load_file(t, files[i]->d_name);
                free(files[i]);
        }
        free(files);
}

struct tier *tier_new(struct mds *mds)
{
        struct tier *t = calloc(1, sizeof(*t));

        if (!t)
                return NULL;
        t->mds = mds;
        t->connect = connect_for_real;
        list_init(&t->repos);
        t->evictor = evictor_new(mds);
        t->heads = heads_new(t);
        if (!t->evictor || !t->heads) {
                evictor_free(t->evictor);
                heads_free(t->heads);
                free(t);
                return NULL;
        }
        list_init(&t->imports);
        list_init(&t->tasks);
        list_init(&t->releases);
        list_init(&t->restores);
        s3_metrics_init(&t->s3_metrics, &mds->metrics);
        metric_counter(&mds->metrics, &t->imported, "nacre_tier_names_imported_total",
                       "Names made from keys of buckets");
        metric_counter(&mds->metrics, &t->admission_waits, "nacre_tier_import_waits_total",
                       "Operations that waited for the names of a directory");
        metric_counter(&mds->metrics, &t->head_waits, "nacre_tier_head_waits_total",
                       "Operations that waited for an object's metadata");
        releases_register(t);
        if (mds->loop && mds->conf->repos)
                load_all(t, mds->conf->repos);
        t->archiver = archiver_new(t);
        if (!t->archiver || !(t->jobs = jobs_new(t)) || !(t->manifests = manifests_new(t))) {
                tier_free(t);
                return NULL;
        }
        return t;
}

void tier_stop(struct tier *t)
{
        if (!t)
                return;
        t->stopping = true;
        jobs_stop(t->jobs);
        evictor_stop(t->evictor);
        imports_stop(t, NULL);
        heads_stop(t->heads);
        releases_stop(t, NULL);
        restores_stop(t);
        archiver_stop(t->archiver);
        manifests_stop(t->manifests);
        LIST_FOR_EACH(node, &t->repos)
                sweep_forget(CONTAINER(node, struct repo, node));
        for (struct list *node; (node = list_pop(&t->tasks));) {
                struct tier_task *task = CONTAINER(node, struct tier_task, node);

                task->stop(task);
        }
}

void tier_free(struct tier *t)
{
        if (!t)
                return;
        tier_stop(t);
        archiver_free(t->archiver);
        manifests_free(t->manifests);
        CHECK(list_empty(&t->releases) && list_empty(&t->restores));
        jobs_free(t->jobs);
        evictor_free(t->evictor);
        heads_free(t->heads);
        for (struct list *node; (node = list_pop(&t->repos));)
                repo_free(CONTAINER(node, struct repo, node));
        free(t);
}
