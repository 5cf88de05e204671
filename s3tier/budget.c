/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets of one second, filled by the clock. */
#include "s3tier/budget.h"

#include "base/check.h"

const char *const s3_priority_names[] = { "demand", "prefetch", "export", "scan" };

enum { FAIR_SHARE = 8 }; /* every so many grants go to who has waited longest */
#define SECOND_NS 1e9
/* After a complaint: this much of what was sent; not below this; grown by so much a second of successes; no
 * limit any more above this. */
#define LOWER_TO 0.6
#define LEAST_RATE 2.0
#define RAISE_PER_SUCCESS 0.05
#define FREE_RATE 20000.0
#define LOWER_PAUSE_NS 500000000u /* complaints that belong together */
#define RATE_MEMORY_NS 1e9        /* of sent_rate */

static void on_refill(struct timer *t);
static void on_grant(struct task *t);

void budget_init(struct budget *b, struct env *env, const struct budget_conf *conf)
{
        CHECK(conf->in_flight > 0);
        *b = (struct budget){ .env = env, .conf = *conf };
        for (int i = 0; i < S3_PRIORITIES; i++)
                list_init(&b->waiting[i]);
        list_init(&b->grant.node);
        b->grant.run = on_grant;
        b->refill.fire = on_refill;
        b->request_tokens = conf->requests_per_second;
        b->byte_tokens = (double)conf->bytes_per_second;
        b->filled_ns = env_now(env);
}

void budget_destroy(struct budget *b)
{
        CHECK(b->under_way == 0);
        timer_stop(&b->refill);
        list_remove(&b->grant.node);
}

void budget_set(struct budget *b, const struct budget_conf *conf)
{
        CHECK(conf->in_flight > 0);
        b->conf = *conf;
        env_defer(b->env, &b->grant);
}

/* Requests a second that may be sent; 0: any number. */
static double rate_of(const struct budget *b)
{
        double rate = b->conf.requests_per_second;

        return b->server_rate > 0 && (rate == 0 || b->server_rate < rate) ? b->server_rate : rate;
}

static double at_most(double value, double limit)
{
        return value < limit ? value : limit;
}

static void fill(struct budget *b)
{
        uint64_t now = env_now(b->env);
        double elapsed = (double)(now - b->filled_ns), rate = rate_of(b),
               bytes = (double)b->conf.bytes_per_second;

        b->filled_ns = now;
        b->request_tokens = at_most(b->request_tokens + rate * elapsed / SECOND_NS, rate < 1 ? 1 : rate);
        b->byte_tokens = at_most(b->byte_tokens + bytes * elapsed / SECOND_NS, bytes);
        b->sent_rate *= elapsed < RATE_MEMORY_NS ? 1 - elapsed / RATE_MEMORY_NS : 0;
}

/* How long until both buckets are above zero; 0: they are. */
static uint64_t dry_for_ns(const struct budget *b)
{
        double rate = rate_of(b), bytes = (double)b->conf.bytes_per_second, wait = 0;

        if (rate > 0 && b->request_tokens < 1)
                wait = (1 - b->request_tokens) / rate;
        if (bytes > 0 && b->byte_tokens <= 0 && (1 - b->byte_tokens) / bytes > wait)
                wait = (1 - b->byte_tokens) / bytes;
        return wait > 0 ? (uint64_t)(wait * SECOND_NS) + 1 : 0;
}

static bool has_place(const struct budget *b, enum s3_priority priority)
{
        uint32_t in_flight = b->conf.in_flight;

        return b->under_way < (priority == S3_DEMAND ? in_flight : in_flight - in_flight / 4);
}

static struct budget_turn *first_of(const struct budget *b, int priority)
{
        const struct list *head = &b->waiting[priority];

        return list_empty(head) || !has_place(b, (enum s3_priority)priority)
                       ? NULL
                       : CONTAINER(head->next, struct budget_turn, node);
}

/* Who is next; NULL: nobody, or no place for who waits. */
static struct budget_turn *choose(const struct budget *b)
{
        bool by_age = b->grants % FAIR_SHARE == FAIR_SHARE - 1;
        struct budget_turn *chosen = NULL;

        for (int i = 0; i < S3_PRIORITIES; i++) {
                struct budget_turn *turn = first_of(b, i);

                if (turn && (!chosen || (by_age && turn->asked_ns < chosen->asked_ns)))
                        chosen = turn;
        }
        return chosen;
}

static void give(struct budget *b, struct budget_turn *turn)
{
        list_remove(&turn->node);
        turn->under_way = true;
        b->under_way++;
        b->grants++;
        if (rate_of(b) > 0)
                b->request_tokens -= 1;
        if (b->conf.bytes_per_second > 0)
                b->byte_tokens -= (double)turn->bytes;
        b->sent_rate += 1;
        turn->granted(turn);
}

static void on_grant(struct task *task)
{
        struct budget *b = CONTAINER(task, struct budget, grant);
        struct budget_turn *turn;

        fill(b);
        while ((turn = choose(b))) {
                uint64_t dry = dry_for_ns(b);

                if (dry > 0) {
                        if (!timer_running(&b->refill)) {
                                timer_start(b->env, &b->refill, dry);
                                b->waited_ns += dry;
                        }
                        return;
                }
                give(b, turn);
        }
}

static void on_refill(struct timer *t)
{
        struct budget *b = CONTAINER(t, struct budget, refill);

        env_defer(b->env, &b->grant);
}

void budget_ask(struct budget *b, struct budget_turn *turn, enum s3_priority priority, uint64_t bytes)
{
        CHECK(priority < S3_PRIORITIES && turn->granted && !turn->under_way);
        turn->priority = priority;
        turn->bytes = bytes;
        turn->asked_ns = env_now(b->env);
        list_push(&b->waiting[priority], &turn->node);
        env_defer(b->env, &b->grant);
}

void budget_done(struct budget *b, struct budget_turn *turn)
{
        list_remove(&turn->node);
        if (!turn->under_way)
                return;
        turn->under_way = false;
        b->under_way--;
        env_defer(b->env, &b->grant);
}

/* One more request a second for every so many successes: the lower the rate, the slower it rises. */
void budget_succeeded(struct budget *b)
{
        if (b->server_rate == 0)
                return;
        b->server_rate += RAISE_PER_SUCCESS + b->server_rate * 0.002;
        if (b->server_rate > FREE_RATE)
                b->server_rate = 0;
}

void budget_slow_down(struct budget *b)
{
        uint64_t now = env_now(b->env);
        double sent;

        b->slow_downs++;
        fill(b);
        if (b->lowered_ns > 0 && now - b->lowered_ns < LOWER_PAUSE_NS)
                return;
        b->lowered_ns = now;
        sent = b->server_rate > 0 && b->server_rate < b->sent_rate ? b->server_rate : b->sent_rate;
        b->server_rate = sent * LOWER_TO > LEAST_RATE ? sent * LOWER_TO : LEAST_RATE;
        b->request_tokens = at_most(b->request_tokens, 0);
}
