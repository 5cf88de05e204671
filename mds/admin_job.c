/* SPDX-License-Identifier: Apache-2.0 */
/* `nacre archive`, `restore` and the other verbs, `nacre job …`. */
#include "mds/admin_clients.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "mds/tier/import.h"
#include "mds/tier/jobs.h"

/* --- job-start: "VERB RECURSIVE DRY OLDER MIN-SIZE", a line with the pattern, the path. Directories on its
 * way that nobody has looked into are listed. */

struct starting {
        struct tier_task task;
        struct mds *mds;
        struct admin_reply *reply;
        struct job_request request;
        char match[JOB_MATCH_BYTES + 1], path[JOB_PATH_BYTES + 1];
        const char *rest; /* of the path, behind request.top */
        bool in_repo;
        struct import_wait names;
        struct durable_wait durable;
        uint64_t number;
};

static void starting_free(struct starting *s)
{
        list_remove(&s->task.node);
        list_remove(&s->names.node);
        list_remove(&s->durable.node);
        free(s);
}

static void refuse(struct starting *s, int status, const char *why)
{
        admin_say_error(s->reply, status, why);
        starting_free(s);
}

static void starting_stop(struct tier_task *task)
{
        refuse(CONTAINER(task, struct starting, task), 503, "the server stops; ask again when it is back");
}

static void is_durable(struct durable_wait *w)
{
        struct starting *s = CONTAINER(w, struct starting, durable);
        char text[64];

        snprintf(text, sizeof(text), "{\"number\":%" PRIu64 "}", s->number);
        admin_answer(s->reply, 200, text);
        starting_free(s);
}

/* The path is at its end: TOP. */
static void start(struct starting *s, const struct inode *top)
{
        const char *why;

        if (!s->in_repo) {
                refuse(s, 409,
                       "this is in no repo; allowed: a path in a directory that `nacre repo list` shows");
                return;
        }
        if (top->type == NF4DIR && !(s->request.options & JOB_RECURSIVE)) {
                refuse(s, 409,
                       "this is a directory; allowed: a file, or with --recursive what is in a directory");
                return;
        }
        if (top->type != NF4DIR && top->type != NF4REG) {
                refuse(s, 409, "this is neither a file nor a directory; allowed: these");
                return;
        }
        if (top->type == NF4REG)
                s->request.options &= (uint8_t)~JOB_RECURSIVE;
        s->number = jobs_start(s->mds->tier->jobs, &s->request, &s->durable.seq, &why);
        if (s->number == 0) {
                refuse(s, 503, why);
                return;
        }
        s->durable.done = is_durable;
        mds_when_durable(s->mds, &s->durable);
}

static void follow(struct starting *s);

static void have_names(struct import_wait *w, enum nfsstat4 status)
{
        struct starting *s = CONTAINER(w, struct starting, names);

        if (status == NFS4_OK)
                follow(s);
        else
                refuse(s, 503,
                       "a directory on the way could not be listed in S3; `nacre repo list` says why");
}

static bool is_repo(const struct tier *t, uint64_t directory)
{
        LIST_FOR_EACH(node, &t->repos)
                if (CONTAINER(node, struct repo, node)->directory == directory)
                        return true;
        return false;
}

static void follow(struct starting *s)
{
        struct meta *meta = s->mds->meta;
        uint64_t *at = &s->request.top;
        const struct inode *inode;

        for (;;) {
                uint32_t length;

                s->in_repo |= is_repo(s->mds->tier, *at);
                s->rest += strspn(s->rest, "/");
                length = (uint32_t)strcspn(s->rest, "/");
                if (meta_inode(meta, *at, &inode) < 0)
                        break;
                if (length == 0) {
                        start(s, inode);
                        return;
                }
                if (inode->type == NF4DIR && inode->flags & INODE_COLD) {
                        s->names.done = have_names;
                        if (!import_names(s->mds->tier, inode, &s->names))
                                break;
                        return;
                }
                if (meta_lookup(meta, *at, slice_of(s->rest, length), at) < 0)
                        break;
                s->rest += length;
        }
        refuse(s, 404,
               "no such file; allowed: a path from the root of the name space, as clients see it that mount the "
               "server's /");
}

/* False: BODY is not of the form. */
static bool parse(struct starting *s, const char *body)
{
        const char *match = strchrnul(body, '\n') + 1, *path = body + strlen(body);
        unsigned recursive, dry;
        char verb[16];

        if (match <= path)
                path = strchrnul(match, '\n') + 1;
        if (sscanf(body, "%15s %u %u %" SCNu64 " %" SCNu64, verb, &recursive, &dry, &s->request.older_seconds,
                   &s->request.min_size) != 5 ||
            match > body + strlen(body) || path > body + strlen(body) || path - 1 - match > JOB_MATCH_BYTES ||
            strlen(path) > JOB_PATH_BYTES || path[0] != '/')
                return false;
        s->request.verb = job_verb_by_name(verb);
        s->request.options = (uint8_t)((recursive ? JOB_RECURSIVE : 0) | (dry ? JOB_DRY : 0));
        snprintf(s->match, sizeof(s->match), "%.*s", (int)(path - 1 - match), match);
        strcpy(s->path, path);
        for (size_t n = strlen(s->path); n > 1 && s->path[n - 1] == '/'; n--)
                s->path[n - 1] = '\0';
        return s->request.verb != 0;
}

static void job_start(void *arg, const char *body, struct admin_reply *reply)
{
        struct mds *mds = arg;
        struct starting *s = calloc(1, sizeof(*s));

        CHECK(s != NULL);
        s->task.stop = starting_stop;
        s->mds = mds;
        s->reply = reply;
        s->request.match = s->match;
        s->request.path = s->rest = s->path;
        s->request.top = ROOT_FILEID;
        list_init(&s->names.node);
        list_init(&s->durable.node);
        list_push(&mds->tier->tasks, &s->task.node);
        if (parse(s, body))
                follow(s);
        else
                refuse(s, 400, "no verb, pattern and path; allowed: an absolute path and a short pattern");
}

/* --- job-list, job-show, job-cancel, job-retry: NUMBER; job-report: NUMBER AFTER */

static const char no_job[] = "no job has this number; allowed: one that `nacre job list` shows";

static int job_list(void *arg, const char *body, FILE *out)
{
        (void)body;
        fputs("{\"jobs\":", out);
        jobs_print_all(((struct mds *)arg)->tier->jobs, out);
        fputc('}', out);
        return 200;
}

static int job_show(void *arg, const char *body, FILE *out)
{
        return jobs_print(((struct mds *)arg)->tier->jobs, strtoull(body, NULL, 10), out)
                       ? 200
                       : admin_error(out, 404, no_job);
}

static int say(FILE *out, const char *why)
{
        if (why)
                return admin_error(out, 409, why);
        fputs("{\"ok\":true}", out);
        return 200;
}

static int job_cancel(void *arg, const char *body, FILE *out)
{
        return say(out, jobs_cancel(((struct mds *)arg)->tier->jobs, strtoull(body, NULL, 10)));
}

static int job_retry(void *arg, const char *body, FILE *out)
{
        return say(out, jobs_retry(((struct mds *)arg)->tier->jobs, strtoull(body, NULL, 10)));
}

static int job_report(void *arg, const char *body, FILE *out)
{
        char *rest;
        uint64_t number = strtoull(body, &rest, 10);

        return jobs_report(((struct mds *)arg)->tier->jobs, number, strtoull(rest, NULL, 10), out)
                       ? 200
                       : admin_error(out, 404, no_job);
}

void admin_job_register(struct mds *mds)
{
        admin_command_later(mds->admin, "job-start", job_start, mds);
        admin_command(mds->admin, "job-list", job_list, mds);
        admin_command(mds->admin, "job-show", job_show, mds);
        admin_command(mds->admin, "job-cancel", job_cancel, mds);
        admin_command(mds->admin, "job-retry", job_retry, mds);
        admin_command(mds->admin, "job-report", job_report, mds);
}
