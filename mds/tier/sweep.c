/* SPDX-License-Identifier: Apache-2.0 */
/* One sweep of a repo: the walk from directory to directory, the listing of each, the second pass. What is
 * made of an entry is in sweep_entry.c. */
#include "mds/tier/sweep_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/admin.h"
#include "base/log.h"

enum { PAGE_KEYS = 1000, TURN_ENTRIES = 500, FEW_NAMES = 10 };
#define TURN_NS 1000000ull
#define STORE_PAUSE_NS 20000000ull /* when so much is not durable yet that the cache is full */
#define SECOND_NS 1000000000ull

static void next_turn(struct sweep *s, uint64_t ns)
{
        timer_start(s->tier->mds->env, &s->turn, ns);
}

/* --- the end */

static void stop(struct sweep *s)
{
        timer_stop(&s->turn);
        s3_cancel(&s->list.call);
        s3_cancel(&s->head);
        sweep_doubts_forget(s);
        walk_end(&s->walk);
        sweep_filters_free(s);
        s->running = false;
}

void sweep_end(struct sweep *s, const char *problem)
{
        const struct sweep_counts *c = &s->counts;

        stop(s);
        snprintf(s->problem, sizeof(s->problem), "%s", problem);
        if (!s->dry)
                snprintf(s->repo->problem, sizeof(s->repo->problem), "%s", problem);
        log_info("bucket-swept",
                 "repo=%s dry=%d directories=%" PRIu64 " names=%" PRIu64 " new=%" PRIu64 " changed=%" PRIu64
                 " deleted=%" PRIu64 " conflicts=%" PRIu64 " left=%" PRIu64 " problem=%s",
                 s->repo->name, s->dry, c->directories, c->names, c->new_names, c->changed, c->deleted,
                 c->conflicts, c->left, problem[0] ? problem : "none");
        sweep_schedule(s->tier, s->repo);
}

/* --- from directory to directory */

static void begin_pass(struct sweep *s);

static bool is_braked(const struct sweep *s)
{
        const struct sweep_counts *c = &s->counts;

        return c->deleted > FEW_NAMES &&
               c->deleted * 100 > s->repo->conf.delete_brake * (c->names + c->deleted);
}

static void pass_done(struct sweep *s)
{
        char problem[256] = "";
        bool removes = !s->dry && s->repo->conf.import & REPO_DELETED && s->counts.deleted > 0;

        if (s->walk.error < 0) {
                sweep_end(s, "the store cannot be read: see the log");
        } else if (s->removing || !removes) {
                if (s->repo->conf.conflict == REPO_FAIL && s->counts.conflicts > 0)
                        snprintf(problem, sizeof(problem),
                                 "%" PRIu64
                                 " objects have changed in the bucket and here; `nacre repo verify %s` "
                                 "lists them",
                                 s->counts.conflicts, s->repo->name);
                sweep_end(s, problem);
        } else if (is_braked(s)) {
                snprintf(
                        problem, sizeof(problem),
                        "%" PRIu64 " of %" PRIu64
                        " names are gone from the bucket, more than delete_brake=%" PRIu64
                        " percent: none was removed here; if that is meant: nacre repo set %s --delete-brake 100",
                        s->counts.deleted, s->counts.names + s->counts.deleted, s->repo->conf.delete_brake,
                        s->repo->name);
                sweep_end(s, problem);
        } else {
                s->removing = true;
                begin_pass(s);
        }
}

static void list_on(struct sweep *s);

/* Is FILEID a directory of this repo whose names are here? Then its listing begins. */
static bool open_directory(struct sweep *s, uint64_t fileid)
{
        struct mds *mds = s->tier->mds;
        uint8_t record[RECORD_MAX];
        const struct inode *dir;
        struct backing b;

        if (meta_inode(mds->meta, fileid, &dir) < 0 || dir->type != NF4DIR || dir->flags & INODE_COLD ||
            tier_backing(mds, dir, record, &b) < 0 || b.repo != s->repo->number)
                return false;
        s->directory = fileid;
        s->cookie = 0;
        s->away = false;
        s->page_count = s->page_at = 0;
        slice_text(s->prefix, sizeof(s->prefix), b.key);
        s->reached[0] = '\0';
        filter_clear(s, &s->seen);
        s->counts.directories += !s->removing;
        list_on(s);
        return true;
}

static void on_turn(struct timer *timer)
{
        struct sweep *s = CONTAINER(timer, struct sweep, turn);
        struct walk_entry e;

        meta_trim(s->tier->mds->meta);
        if (s->look) {
                sweep_look_for_gone(s);
                return;
        }
        if (s->relist) {
                s->relist = false;
                list_on(s);
                return;
        }
        for (int i = 0; i < TURN_ENTRIES; i++) {
                if (!walk_next(&s->walk, &e)) {
                        pass_done(s);
                        return;
                }
                if (e.type == NF4DIR && open_directory(s, e.fileid))
                        return;
        }
        next_turn(s, TURN_NS);
}

void sweep_next_directory(struct sweep *s)
{
        s->look = false;
        next_turn(s, 0);
}

void sweep_look_on(struct sweep *s)
{
        s->look = true;
        next_turn(s, 0);
}

/* --- the listing of one */

static void on_entry(struct s3_list *list, const struct s3_entry *e)
{
        struct sweep *s = CONTAINER(list, struct sweep, list);

        if (s->error == 0)
                s->error = sweep_entry(s, e);
        if (s->error == 0)
                snprintf(s->reached, sizeof(s->reached), "%s", e->key);
}

void sweep_page_over(struct sweep *s)
{
        const struct s3_result *r = &s->list.call.result;
        char problem[256];

        s->queue = QUEUE_UNASKED; /* a page is told in one turn */
        if (r->error != S3_OK) {
                snprintf(problem, sizeof(problem), "%s: %s", s3_error_name(r->error), r->message);
                sweep_end(s, problem);
        } else if (s->error == -ENOENT) {
                sweep_next_directory(s); /* it was removed meanwhile */
        } else if (s->error == -ENOMEM) {
                s->relist = true;
                next_turn(s, STORE_PAUSE_NS);
        } else if (s->error < 0) {
                sweep_end(s, s->error == -ENOSPC ? "no data server takes new files"
                                                 : "the metadata store does not take it: see the log");
        } else if (s->list.more) {
                s3_list_next(s->repo->s3, &s->list);
        } else {
                sweep_look_on(s);
        }
}

static void on_page(struct s3_call *call)
{
        struct sweep *s = CONTAINER(call, struct sweep, list.call);

        s->queue = QUEUE_UNASKED;
        if (!sweep_doubts_ask(s))
                sweep_page_over(s);
}

static void list_on(struct sweep *s)
{
        s->error = 0;
        s->queue = QUEUE_UNASKED;
        filter_clear(s, &s->heard);
        s->list = (struct s3_list){ .call.priority = S3_SCAN,
                                    .call.done = on_page,
                                    .prefix = s->prefix,
                                    .delimiter = "/",
                                    .start_after = s->reached,
                                    .page = PAGE_KEYS,
                                    .entry = on_entry };
        s3_list_first(s->repo->s3, &s->list);
}

/* --- the beginning */

static void begin_pass(struct sweep *s)
{
        walk_end(&s->walk);
        walk_begin(&s->walk, s->tier->mds->meta, s->repo->directory);
        s->look = s->relist = false;
        if (!open_directory(s, s->repo->directory))
                next_turn(s, 0);
}

static void on_due(struct timer *timer)
{
        struct sweep *s = CONTAINER(timer, struct sweep, due);

        sweep_start(s->tier, s->repo, false);
}

static struct sweep *sweep_of(struct tier *t, struct repo *r)
{
        if (!r->sweep && (r->sweep = calloc(1, sizeof(*r->sweep)))) {
                r->sweep->tier = t;
                r->sweep->repo = r;
                r->sweep->due.fire = on_due;
                r->sweep->turn.fire = on_turn;
                list_init(&r->sweep->doubts);
        }
        return r->sweep;
}

int sweep_start(struct tier *t, struct repo *r, bool dry)
{
        struct sweep *s = sweep_of(t, r);

        if (!s)
                return -ENOMEM;
        if (s->running)
                return -EALREADY;
        if (!sweep_filters_make(s))
                return -ENOMEM;
        timer_stop(&s->due);
        s->running = true;
        s->dry = dry;
        s->removing = s->report_cut = false;
        s->counts = (struct sweep_counts){ 0 };
        s->problem[0] = '\0';
        s->report_length = 0;
        begin_pass(s);
        return 0;
}

void sweep_schedule(struct tier *t, struct repo *r)
{
        struct sweep *s = sweep_of(t, r);

        if (!s || s->running)
                return;
        timer_stop(&s->due);
        if (r->conf.sweep_interval > 0 && r->conf.import != 0 && !r->conf.paused && !t->stopping)
                timer_start(t->mds->env, &s->due, r->conf.sweep_interval * SECOND_NS);
}

void sweep_forget(struct repo *r)
{
        struct sweep *s = r->sweep;

        if (!s)
                return;
        timer_stop(&s->due);
        stop(s);
        free(s->report);
        free(s);
        r->sweep = NULL;
}

/* --- what is told */

void sweep_report(struct sweep *s, const char *what, const char *key)
{
        size_t more = strlen(what) + strlen(key) + 2;

        if (!s->report)
                s->report = malloc(SWEEP_REPORT_BYTES);
        if (!s->report || s->report_length + more > SWEEP_REPORT_BYTES) {
                s->report_cut = true;
                return;
        }
        /* Each is two texts, of which a key may hold anything but a NUL. */
        strcpy(stpcpy(s->report + s->report_length, what) + 1, key);
        s->report_length += more;
}

static void print_report(const struct sweep *s, FILE *out)
{
        const char *comma = "";

        for (const char *at = s->report; at && at < s->report + s->report_length;) {
                fprintf(out, "%s{\"what\":\"%s\",\"key\":", comma, at);
                at += strlen(at) + 1;
                json_string(out, at);
                fputc('}', out);
                at += strlen(at) + 1;
                comma = ",";
        }
}

void sweep_print(const struct repo *r, FILE *out)
{
        static const struct sweep none;
        const struct sweep *s = r->sweep ? r->sweep : &none;
        const struct sweep_counts *c = &s->counts;

        fprintf(out,
                "{\"running\":%s,\"counts\":{\"directories\":%" PRIu64 ",\"names\":%" PRIu64
                ",\"new\":%" PRIu64 ",\"changed\":%" PRIu64 ",\"deleted\":%" PRIu64 ",\"conflicts\":%" PRIu64
                ",\"odd\":%" PRIu64 ",\"left\":%" PRIu64 "},\"problem\":",
                s->running ? "true" : "false", c->directories, c->names, c->new_names, c->changed, c->deleted,
                c->conflicts, c->odd, c->left);
        json_string(out, s->problem);
        fprintf(out, ",\"report_cut\":%s,\"report\":[", s->report_cut ? "true" : "false");
        if (!s->running)
                print_report(s, out);
        fputs("]}", out);
}
