/* SPDX-License-Identifier: Apache-2.0 */
/* A job that runs: its turns, how much of it is durable, its end. */
#include <stdlib.h>

#include "base/log.h"
#include "mds/tier/jobs_private.h"

enum { TURN_FILES = 200 };
#define TURN_NS 1000000ull
#define TICK_NS 100000000ull
#define NOTE_NS 1000000000ull
#define SECOND_NS 1000000000ull

void run_next_turn(struct job_run *run, uint64_t ns)
{
        if (!run->job->jobs->stopping && !run->ending)
                timer_start(run_mds(run)->env, &run->turn, ns + 1);
}

/* --- what is durable */

static struct job_counts sum(const struct job_counts *a, const struct job_counts *b)
{
        return (struct job_counts){ a->done + b->done, a->bytes + b->bytes, a->same + b->same,
                                    a->failed + b->failed };
}

struct job_counts run_counts(const struct job_run *run)
{
        return sum(&run->before, &run->after);
}

void run_note_place(struct job_run *run)
{
        const struct walk *w = &run->walk;

        run->noted.depth = w->depth < JOB_LEVELS ? w->depth : JOB_LEVELS;
        for (uint32_t i = 0; i < run->noted.depth; i++)
                run->noted.levels[i] = (struct job_level){ w->levels[i].directory, w->levels[i].cookie };
        run->before = run_counts(run);
        run->after = (struct job_counts){ 0 };
        run->early = run->under_way;
        LIST_FOR_EACH(node, &run->items)
                CONTAINER(node, struct job_item, node)->late = false;
}

static void note(struct job_run *run)
{
        struct job_record *record = &run->job->record;
        uint64_t now = env_now(run_mds(run)->env);

        if (record->options & JOB_AGAIN || run->early > 0 || now - run->noted_ns < NOTE_NS)
                return;
        run->noted_ns = now;
        record->depth = run->noted.depth;
        memcpy(record->levels, run->noted.levels, sizeof(record->levels));
        record->counts = run->before;
        if (job_save(run->job, txn_begin(run_mds(run)->meta), NULL) == 0)
                run_note_place(run);
}

/* --- the end */

static void end_is_durable(struct durable_wait *w)
{
        job_ended(CONTAINER(w, struct job_run, durable)->job);
}

static void run_end(struct job_run *run)
{
        struct job_record *record = &run->job->record;
        struct mds *mds = run_mds(run);

        if (run->walk.error < 0)
                job_set_problem(run->job, "the store cannot be read: see the log");
        record->counts = run_counts(run);
        if (record->options & JOB_AGAIN && !run->cancelled)
                record->counts.failed = run->failed_again;
        record->depth = 0;
        record->state = run->cancelled ? JOB_CANCELLED : JOB_ENDED;
        record->ended = (int64_t)env_wall(mds->env);
        if (job_save(run->job, txn_begin(mds->meta), &run->durable.seq) < 0) {
                record->state = JOB_RUNNING;
                run_next_turn(run, SECOND_NS);
                return;
        }
        run->ending = true;
        timer_stop(&run->turn); /* a file may have ended in this one */
        timer_stop(&run->tick);
        run->durable.done = end_is_durable;
        mds_when_durable(mds, &run->durable);
}

/* --- turns */

static void on_turn(struct timer *timer)
{
        struct job_run *run = CONTAINER(timer, struct job_run, turn);

        meta_trim(run_mds(run)->meta);
        if (!run->counted)
                way_count(run);
        for (int i = 0; i < TURN_FILES && run->under_way < run->at_once && !run->all_begun && !run->waits;
             i++)
                way_go_on(run);
        if (run->all_begun && run->under_way == 0 && !run->waits) {
                if (run->walk_anew && !run->cancelled)
                        way_anew(run);
                else
                        run_end(run);
                return;
        }
        note(run);
        if (!run->counted || (!run->all_begun && !run->waits && run->under_way < run->at_once))
                run_next_turn(run, TURN_NS);
}

static void on_tick(struct timer *timer)
{
        struct job_run *run = CONTAINER(timer, struct job_run, tick);
        uint64_t now = env_now(run_mds(run)->env);

        LIST_FOR_EACH_SAFE(node, &run->items) {
                struct job_item *item = CONTAINER(node, struct job_item, node);

                if (!item->begun && now >= item->again_ns)
                        item_begin(item);
                else if (item->begun && run->verb->look)
                        run->verb->look(item);
        }
        note(run);
        timer_start(run_mds(run)->env, &run->tick, TICK_NS);
}

/* --- the beginning, and being stopped */

bool run_start(struct tree_job *job)
{
        const struct job_counts *c = &job->record.counts;
        struct job_run *run = calloc(1, sizeof(*run));

        if (!run)
                return false;
        job->run = run;
        run->job = job;
        run->verb = &job_verbs[job->record.verb];
        run->at_once = run->verb->at_once;
        run->turn.fire = on_turn;
        run->tick.fire = on_tick;
        run->names_again.fire = way_ask_again;
        run->resumed = job->record.state == JOB_RUNNING;
        list_init(&run->items);
        list_init(&run->names.node);
        list_init(&run->durable.node);
        run->before = *c;
        run->begun_ns = run->noted_ns = env_now(run_mds(run)->env);
        run->counted = (job->record.options & (JOB_AGAIN | JOB_RECURSIVE)) != JOB_RECURSIVE;
        if (!run->counted)
                way_begin(run);
        else
                run->total = job->record.options & JOB_AGAIN ? c->failed : 1;
        run_note_place(run);
        job->record.state = JOB_RUNNING;
        job_save(job, txn_begin(run_mds(run)->meta), NULL); /* else it is only said to wait */
        log_info("job-begun", "job=%llu verb=%s path=%.*s resumed=%d", (unsigned long long)job->number,
                 run->verb->name, (int)job->record.path.length, (const char *)job->record.path.data,
                 run->resumed);
        run_next_turn(run, 0);
        timer_start(run_mds(run)->env, &run->tick, TICK_NS);
        return true;
}

/* Nobody waits for names, nor for what need not be waited for. */
static void drop_waits(struct job_run *run)
{
        list_remove(&run->names.node);
        timer_stop(&run->names_again);
        run->waits = false;
        LIST_FOR_EACH_SAFE(node, &run->items) {
                struct job_item *item = CONTAINER(node, struct job_item, node);

                if (!item->begun)
                        item_end(item, ITEM_SAME, NULL);
                else if (run->verb->cancel)
                        run->verb->cancel(item);
        }
}

void run_cancel(struct job_run *run)
{
        run->cancelled = run->all_begun = run->counted = true;
        drop_waits(run);
        run_next_turn(run, 0);
}

void run_stop(struct job_run *run)
{
        timer_stop(&run->turn);
        timer_stop(&run->tick);
        list_remove(&run->durable.node);
        drop_waits(run);
}

void run_free(struct job_run *run)
{
        timer_stop(&run->turn);
        walk_end(&run->walk);
        walk_end(&run->ahead);
        free(run);
}
