/* SPDX-License-Identifier: Apache-2.0 */
/* `nacre repo status`: what S3 does not have yet. */
#include "mds/admin_clients.h"

#include <inttypes.h>

#include "mds/tier/archive.h"

enum { FAILED_SHOWN = 20 };

struct printing {
        FILE *out;
        unsigned shown;
};

static void print_failed(void *arg, struct slice key, const char *error)
{
        struct printing *p = arg;
        char text[BACKING_KEY_BYTES + 1];

        if (p->shown == FAILED_SHOWN)
                return;
        slice_text(text, sizeof(text), key);
        fputs(p->shown++ > 0 ? ",{\"key\":" : "{\"key\":", p->out);
        json_string(p->out, text);
        fprintf(p->out, ",\"error\":\"%s\"}", error);
}

static void print_status(FILE *out, struct mds *mds, const struct repo *r)
{
        struct printing p = { .out = out };
        struct archive_status s;

        archive_status(mds, r, &s);
        fputs("{\"name\":", out);
        json_string(out, r->name);
        fprintf(out,
                ",\"exports\":%s,\"paused\":%s,\"pending\":%" PRIu64 ",\"bytes\":%" PRIu64
                ",\"deletions\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"oldest_seconds\":%" PRIu64
                ",\"more\":%s,\"adopted\":%s",
                r->conf.export ? "true" : "false", r->conf.paused ? "true" : "false", s.pending, s.bytes,
                s.deletions, s.failed, s.oldest_ns / 1000000000, s.more ? "true" : "false",
                r->adopted ? "true" : "false");
        fputs(",\"problem\":", out);
        if (r->problem[0])
                json_string(out, r->problem);
        else
                fputs("null", out);
        fputs(",\"failures\":[", out);
        if (s.failed > 0)
                archive_each_failed(mds, r, print_failed, &p);
        fputs("]}", out);
}

/* Of all repos, or of the one that BODY names. */
static int repo_status(void *arg, const char *body, FILE *out)
{
        struct mds *mds = arg;
        const char *comma = "";

        if (*body && !repo_by_name(mds->tier, body))
                return admin_error(out, 404,
                                   "no repo has this name; allowed: one that `nacre repo list` shows");
        fputs("{\"repos\":[", out);
        LIST_FOR_EACH(node, &mds->tier->repos) {
                const struct repo *r = CONTAINER(node, struct repo, node);

                if (*body && strcmp(body, r->name) != 0)
                        continue;
                fputs(comma, out);
                print_status(out, mds, r);
                comma = ",";
        }
        fputs("]}", out);
        return 200;
}

void admin_archive_register(struct mds *mds)
{
        admin_command(mds->admin, "repo-status", repo_status, mds);
}
