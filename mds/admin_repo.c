/* SPDX-License-Identifier: Apache-2.0 */
/* `nacre repo …`: the buckets that are linked to directories. The files of repos are the caller's to write;
 * the server is asked before (repo-check) and told afterwards (repo-load). */
#include "mds/admin_clients.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "mds/tier/sweep.h"
#include "mds/tier/walk.h"
#include "s3tier/probe.h"

enum { ERROR_BYTES = 1024 };

static const char no_repo[] = "no repo has this name; allowed: one that `nacre repo list` shows";

/* --- what is there */

static void print_repo(FILE *out, const struct repo *r)
{
        fputs("{\"name\":", out);
        json_string(out, r->name);
        fputs(",\"path\":", out);
        json_string(out, r->conf.path);
        fputs(",\"url\":", out);
        json_string(out, r->conf.url);
        fputs(",\"endpoint\":", out);
        json_string(out, r->conf.endpoint);
        fprintf(out, ",\"number\":%u,\"names_imported\":%" PRIu64 ",\"settings\":", r->number, r->names);
        conf_print_json(repo_conf_fields, &r->conf, out);
        fputs(",\"problem\":", out);
        if (r->problem[0])
                json_string(out, r->problem);
        else
                fputs("null", out);
        fputc('}', out);
}

static int repo_list(void *arg, const char *body, FILE *out)
{
        const struct mds *mds = arg;
        const char *comma = "";

        (void)body;
        fputs("{\"repos\":[", out);
        LIST_FOR_EACH(node, &mds->tier->repos) {
                fputs(comma, out);
                print_repo(out, CONTAINER(node, struct repo, node));
                comma = ",";
        }
        fputs("],\"folder\":", out);
        if (mds->conf->repos)
                json_string(out, mds->conf->repos);
        else
                fputs("null", out);
        fputc('}', out);
        return 200;
}

static int repo_load_file(void *arg, const char *body, FILE *out)
{
        struct mds *mds = arg;
        char error[ERROR_BYTES];

        if (repo_load(mds->tier, body, error, sizeof(error)) < 0)
                return admin_error(out, 409, error);
        fputs("{\"ok\":true}", out);
        return 200;
}

/* NAME, or "dry NAME". */
static int repo_sweep(void *arg, const char *body, FILE *out)
{
        struct mds *mds = arg;
        bool dry = strncmp(body, "dry ", 4) == 0;
        struct repo *r = repo_by_name(mds->tier, dry ? body + 4 : body);
        int status = r ? sweep_start(mds->tier, r, dry) : -ENOENT;

        if (status == -ENOENT)
                return admin_error(out, 404, no_repo);
        if (status < 0)
                return admin_error(out, 409,
                                   status == -EALREADY ? "the bucket is being listed already; ask again later"
                                                       : "out of memory");
        fputs("{\"ok\":true}", out);
        return 200;
}

static int repo_swept(void *arg, const char *body, FILE *out)
{
        const struct mds *mds = arg;
        const struct repo *r = repo_by_name(mds->tier, body);

        if (!r)
                return admin_error(out, 404, no_repo);
        sweep_print(r, out);
        return 200;
}

/* --- answers that take a while */

static const char stopping[] = "the server stops; ask again when it is back";

/* --- repo-check: NAME, a newline, what its file will say. The bucket is tried out with the server's own
 * keys, and nothing is linked. */

struct check {
        struct tier_task task;
        struct tier *tier;
        struct repo *repo;
        struct s3_probe probe;
        struct admin_reply *reply;
        struct timer end; /* the connections are not to be closed from within their own call */
};

static void check_free(struct check *c)
{
        list_remove(&c->task.node);
        timer_stop(&c->end);
        repo_free(c->repo);
        free(c);
}

static void check_stop(struct tier_task *task)
{
        struct check *c = CONTAINER(task, struct check, task);

        s3_probe_cancel(&c->probe);
        if (c->reply)
                admin_say_error(c->reply, 503, stopping);
        check_free(c);
}

static void check_end(struct timer *timer)
{
        check_free(CONTAINER(timer, struct check, end));
}

static void print_found(const struct s3_abilities *found, FILE *out)
{
        static const char *const answers[] = { [S3_UNKNOWN] = "unknown", [S3_NO] = "no", [S3_YES] = "yes" };

        fputs("{\"abilities\":[", out);
        for (int i = 0; i < S3_ABILITIES; i++)
                fprintf(out, "%s{\"name\":\"%s\",\"answer\":\"%s\"}", i > 0 ? "," : "", s3_ability_names[i],
                        answers[found->can[i]]);
        fprintf(out, "],\"reads\":%s,\"writes\":%s,\"trouble\":",
                found->can[S3_CAN_READ] == S3_YES ? "true" : "false",
                found->can[S3_CAN_WRITE] == S3_YES ? "true" : "false");
        if (found->trouble.error == S3_OK) {
                fputs("null}", out);
                return;
        }
        fprintf(out, "{\"error\":\"%s\",\"message\":", s3_error_name(found->trouble.error));
        json_string(out, found->trouble.message);
        fputs("}}", out);
}

static void check_done(struct s3_call *call)
{
        struct check *c = CONTAINER(call, struct check, probe.call);
        CLEANUP_FREE char *text = NULL;
        size_t length = 0;
        FILE *out = open_memstream(&text, &length);

        CHECK(out != NULL);
        print_found(&c->probe.found, out);
        fclose(out);
        admin_answer(c->reply, 200, text);
        c->reply = NULL;
        timer_start(c->tier->mds->env, &c->end, 0);
}

/* The repo that BODY tells of, or NULL with a reason in ERROR. */
static struct repo *described(struct tier *t, const char *body, char error[ERROR_BYTES])
{
        const char *text = strchrnul(body, '\n'), *why;
        char name[REPO_NAME_BYTES + 1], file[REPO_NAME_BYTES + 8];
        struct repo_conf conf;
        struct repo *r;

        snprintf(name, sizeof(name), "%.*s", (int)(text - body), body);
        if (text - body > REPO_NAME_BYTES || !repo_name_is_right(name)) {
                snprintf(error, ERROR_BYTES,
                         "no name of a repo; allowed: up to %d letters, digits, '_', '-' and '.'",
                         REPO_NAME_BYTES);
                return NULL;
        }
        if (!t->mds->conf->repos) {
                snprintf(error, ERROR_BYTES,
                         "the server's configuration has no `repos`, a directory for the files of repos");
                return NULL;
        }
        snprintf(file, sizeof(file), "%s.yaml", name);
        if (repo_conf_load_text(file, text, strlen(text), &conf, error, ERROR_BYTES) < 0)
                return NULL;
        r = repo_new(t, name, &conf, &why);
        repo_conf_free(&conf);
        if (r && (why = repo_in_the_way(t, r))) {
                repo_free(r);
                r = NULL;
        }
        if (!r)
                snprintf(error, ERROR_BYTES, "%s: %s", name, why);
        return r;
}

static void repo_check(void *arg, const char *body, struct admin_reply *reply)
{
        struct tier *t = ((struct mds *)arg)->tier;
        char error[ERROR_BYTES];
        struct repo *repo = described(t, body, error);
        struct check *c;

        if (!repo) {
                admin_say_error(reply, 409, error);
                return;
        }
        c = calloc(1, sizeof(*c));
        CHECK(c != NULL);
        *c = (struct check){ .task.stop = check_stop,
                             .tier = t,
                             .repo = repo,
                             .reply = reply,
                             .end.fire = check_end,
                             .probe.call = { .priority = S3_DEMAND, .done = check_done } };
        list_push(&t->tasks, &c->task.node);
        s3_probe(repo->s3, &c->probe);
}

/* --- repo-remove: NAME, or "force NAME". Without force only what has all its names and bytes here. */

struct removal {
        struct tier_task task;
        struct tier *tier;
        char name[REPO_NAME_BYTES + 1];
        struct admin_reply *reply;
        struct walk walk;
        struct timer turn;
        uint64_t files, directories; /* that are not here */
};

static void removal_free(struct removal *m)
{
        list_remove(&m->task.node);
        timer_stop(&m->turn);
        walk_end(&m->walk);
        free(m);
}

static void removal_stop(struct tier_task *task)
{
        struct removal *m = CONTAINER(task, struct removal, task);

        admin_say_error(m->reply, 503, stopping);
        removal_free(m);
}

static void removal_end(struct removal *m)
{
        struct repo *r = repo_by_name(m->tier, m->name);
        char text[ERROR_BYTES];

        if (m->walk.error < 0 || !r) {
                admin_say_error(m->reply, 503,
                                r ? "the store cannot be read: see the log" : "there is none any more");
        } else if (m->files + m->directories > 0) {
                snprintf(text, sizeof(text),
                         "%s: the bytes of %" PRIu64 " files and the names of %" PRIu64
                         " directories are in the bucket only; read them (ls -R, cat), or --force: then they "
                         "cannot be read until the same bucket is linked to %s again",
                         m->name, m->files, m->directories, r->conf.path);
                admin_say_error(m->reply, 409, text);
        } else if (repo_unlink(m->tier, r) < 0) {
                admin_say_error(m->reply, 503, "the metadata store does not take it: see the log");
        } else {
                admin_answer(m->reply, 200, "{\"ok\":true}");
        }
        removal_free(m);
}

enum { TURN_ENTRIES = 500, TURN_NS = 1000000 };

static void removal_turn(struct timer *timer)
{
        struct removal *m = CONTAINER(timer, struct removal, turn);
        struct meta *meta = m->tier->mds->meta;
        const struct inode *inode;
        struct walk_entry e;

        meta_trim(meta);
        for (int i = 0; i < TURN_ENTRIES; i++) {
                if (!walk_next(&m->walk, &e)) {
                        removal_end(m);
                        return;
                }
                if (meta_inode(meta, e.fileid, &inode) < 0 || !(inode->flags & INODE_COLD))
                        continue;
                *(inode->type == NF4DIR ? &m->directories : &m->files) += 1;
        }
        timer_start(m->tier->mds->env, &m->turn, TURN_NS);
}

static void repo_remove(void *arg, const char *body, struct admin_reply *reply)
{
        struct mds *mds = arg;
        bool force = strncmp(body, "force ", 6) == 0;
        const struct repo *r = repo_by_name(mds->tier, force ? body + 6 : body);
        const struct inode *root;
        struct removal *m;

        if (!r) {
                admin_say_error(reply, 404, no_repo);
                return;
        }
        m = calloc(1, sizeof(*m));
        CHECK(m != NULL);
        *m = (struct removal){
                .task.stop = removal_stop, .tier = mds->tier, .reply = reply, .turn.fire = removal_turn
        };
        strcpy(m->name, r->name);
        list_push(&mds->tier->tasks, &m->task.node);
        if (force) {
                removal_end(m);
                return;
        }
        walk_begin(&m->walk, mds->meta, r->directory);
        /* A root that nobody has looked into has nothing here, nor anything that would be missed. */
        if (meta_inode(mds->meta, r->directory, &root) == 0 && root->flags & INODE_COLD && root->size > 0)
                m->directories++;
        timer_start(mds->env, &m->turn, 0);
}

void admin_repo_register(struct mds *mds)
{
        admin_command(mds->admin, "repo-list", repo_list, mds);
        admin_command(mds->admin, "repo-load", repo_load_file, mds);
        admin_command(mds->admin, "repo-sweep", repo_sweep, mds);
        admin_command(mds->admin, "repo-swept", repo_swept, mds);
        admin_command_later(mds->admin, "repo-check", repo_check, mds);
        admin_command_later(mds->admin, "repo-remove", repo_remove, mds);
}
