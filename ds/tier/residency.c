/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/tier/residency.h"

#include <stdlib.h>

#include "base/check.h"
#include "ds/worker.h"

#define FAILED_NS 1000000000ull /* before it is tried again */

static struct residency *lookup(struct ds_tier *t, uint64_t fileid, uint32_t generation)
{
        HASHTAB_FOR_EACH(node, &t->table, hash_u64(fileid)) {
                struct residency *r = CONTAINER(node, struct residency, node);

                if (r->fileid == fileid && r->generation == generation)
                        return r;
        }
        return NULL;
}

static struct residency *take_ref(struct residency *r)
{
        r->refs++;
        list_remove(&r->in_idle);
        return r;
}

static void keep_higher(uint32_t *epoch, uint32_t other)
{
        if (other > *epoch)
                *epoch = other;
}

static void destroy(struct residency *r)
{
        CHECK(list_empty(&r->waiting) && list_empty(&r->keeping) && !r->keeper && r->busy_count == 0);
        list_remove(&r->in_idle);
        keep_higher(&r->tier->forgotten_written, atomic_load(&r->written_epoch));
        keep_higher(&r->tier->forgotten_released, r->released_epoch);
        residency_drop_units(r);
        free(r);
}

static bool all_kept(const struct residency *r)
{
        return r->changes == r->kept_changes;
}

/* Nobody holds it. What is not durable stays. */
static void forget_idle(struct ds_tier *t)
{
        while (t->table.count > RESIDENCIES_IDLE && !list_empty(&t->idle)) {
                struct residency *r = CONTAINER(t->idle.next, struct residency, in_idle);

                hashtab_remove(&t->table, &r->node);
                destroy(r);
        }
}

static struct residency *make(struct ds_tier *t, uint64_t fileid, uint32_t generation, struct stripe stripe,
                              uint32_t index)
{
        struct residency *r = t->table.count < RESIDENCIES_MAX ? calloc(1, sizeof(*r)) : NULL;

        if (!r)
                return NULL;
        r->tier = t;
        r->fileid = fileid;
        r->generation = generation;
        r->stripe = stripe;
        r->index = index;
        r->refs = 1;
        r->released_epoch = t->forgotten_released; /* perhaps it was */
        r->cut = UINT64_MAX;
        atomic_store(&t->seen, true);
        list_init(&r->in_idle);
        list_init(&r->keeping);
        list_init(&r->waiting);
        hashtab_insert(&t->table, &r->node, hash_u64(fileid));
        return r;
}

struct residency *residency_find(struct ds_tier *t, uint64_t fileid, uint32_t generation)
{
        struct residency *r;

        pthread_mutex_lock(&t->lock);
        r = lookup(t, fileid, generation);
        if (r)
                take_ref(r);
        pthread_mutex_unlock(&t->lock);
        return r;
}

struct residency *residency_hold(struct ds_tier *t, const struct fh *fh, uint32_t index)
{
        const struct stripe stripe = { fh->unit, fh->width, fh->first };
        struct residency *r;

        pthread_mutex_lock(&t->lock);
        r = lookup(t, fh->fileid, fh->generation);
        r = r ? take_ref(r) : make(t, fh->fileid, fh->generation, stripe, index);
        pthread_mutex_unlock(&t->lock);
        return r;
}

struct residency *residency_ref(struct residency *r)
{
        pthread_mutex_lock(&r->tier->lock);
        take_ref(r);
        pthread_mutex_unlock(&r->tier->lock);
        return r;
}

void residency_release(struct residency *r)
{
        struct ds_tier *t = r->tier;

        pthread_mutex_lock(&t->lock);
        CHECK(r->refs > 0);
        if (--r->refs == 0) {
                if (atomic_load(&r->gone)) {
                        destroy(r);
                } else if (all_kept(r)) {
                        list_push(&t->idle, &r->in_idle);
                        forget_idle(t);
                }
        }
        pthread_mutex_unlock(&t->lock);
}

void residency_remove(struct residency *r)
{
        if (atomic_load(&r->gone))
                return;
        hashtab_remove(&r->tier->table, &r->node);
        atomic_store(&r->gone, true);
}

bool residency_retire(struct residency *r)
{
        if (!atomic_load(&r->gone) && (!all_kept(r) || r->busy_count > 0 || r->state == RESIDENCY_LOADING))
                return false;
        residency_remove(r);
        return true;
}

struct residency *residency_replace(struct residency *r, uint32_t epoch)
{
        struct residency *fresh = make(r->tier, r->fileid, r->generation, r->stripe, r->index);

        if (!fresh)
                return NULL;
        fresh->state = RESIDENCY_LOADING;
        fresh->released_epoch = epoch;
        residency_remove(r);
        return fresh;
}

void residency_note_epoch(struct residency *r, uint32_t epoch)
{
        uint32_t known = atomic_load(&r->written_epoch);

        while (known < epoch && !atomic_compare_exchange_weak(&r->written_epoch, &known, epoch))
                ;
}

bool residency_written_since(const struct residency *r, uint32_t epoch)
{
        return atomic_load(&r->written_epoch) >= epoch || r->tier->forgotten_written >= epoch;
}

bool residency_was_released(struct ds_tier *t, uint64_t fileid, uint32_t generation, uint32_t epoch)
{
        const struct residency *r;
        bool released;

        if (!atomic_load(&t->seen))
                return false;
        pthread_mutex_lock(&t->lock);
        r = lookup(t, fileid, generation);
        released = epoch < (r ? r->released_epoch : t->forgotten_released);
        pthread_mutex_unlock(&t->lock);
        return released;
}

void residencies_free(struct ds_tier *t)
{
        uint32_t bucket = 0;

        for (struct hnode *node = hashtab_walk(&t->table, &bucket, NULL), *next; node; node = next) {
                struct residency *r = CONTAINER(node, struct residency, node);

                next = hashtab_walk(&t->table, &bucket, node);
                CHECK(r->refs == 0);
                hashtab_remove(&t->table, node);
                destroy(r);
        }
}

void residency_failed(struct residency *r, enum tier_outcome outcome, uint64_t now_ns)
{
        r->failed = outcome;
        r->failed_until_ns = now_ns + FAILED_NS;
}

/* --- units */

uint64_t residency_unit_begin(const struct residency *r, uint64_t unit)
{
        return stripe_file_offset(r->stripe, r->index, unit * r->stripe.unit);
}

uint64_t residency_unit_bytes(const struct residency *r, uint64_t unit)
{
        uint64_t begin = residency_unit_begin(r, unit);

        if (begin >= r->valid)
                return 0;
        return r->valid - begin < r->stripe.unit ? r->valid - begin : r->stripe.unit;
}

uint64_t residency_units_below(const struct residency *r, uint64_t valid)
{
        return (stripe_object_size(r->stripe, r->index, valid) + r->stripe.unit - 1) / r->stripe.unit;
}

static void count_absent(struct residency *r)
{
        uint64_t units = atomic_load(&r->units), absent = 0;

        for (uint64_t i = 0; i < units; i += 64) {
                uint64_t word = atomic_load_explicit(&r->here[i / 64], memory_order_relaxed);

                absent += units_absent(&word, units - i < 64 ? units - i : 64);
        }
        atomic_store(&r->absent, absent);
}

bool residency_make_units(struct residency *r, uint64_t valid, const uint64_t *known)
{
        uint64_t units;

        r->valid = valid < r->cut ? valid : r->cut;
        units = residency_units_below(r, r->valid);
        if (units > UNITS_MAX)
                return false;
        r->words = units_words(units);
        r->here = calloc(r->words + 1, 8);
        r->busy = calloc(r->words + 1, 8);
        r->kept = calloc(r->words + 1, 8);
        if (!r->here || !r->busy || !r->kept)
                return false;
        for (uint64_t i = 0; known && i < r->words; i++) {
                atomic_store(&r->here[i], known[i]);
                r->kept[i] = known[i];
        }
        atomic_store(&r->units, units);
        count_absent(r);
        return true;
}

void residency_drop_units(struct residency *r)
{
        free(r->source.key);
        free(r->here);
        free(r->busy);
        free(r->kept);
        r->source.key = NULL;
        r->here = NULL;
        r->busy = r->kept = NULL;
}

void residency_cut(struct residency *r, uint64_t size)
{
        if (size >= r->cut)
                return;
        r->cut = size;
        if (r->state != RESIDENCY_READY || size >= r->valid)
                return;
        r->valid = size;
        atomic_store_explicit(&r->units, residency_units_below(r, size), memory_order_release);
        count_absent(r);
}

void residency_claim(struct residency *r, uint64_t unit)
{
        CHECK(!units_has(r->busy, unit));
        units_add(r->busy, unit);
        r->busy_count++;
}

void residency_unclaim(struct residency *r, uint64_t unit, bool here)
{
        CHECK(units_has(r->busy, unit) && r->busy_count > 0);
        units_drop(r->busy, unit);
        r->busy_count--;
        if (!here || atomic_load(&r->here[unit / 64]) >> unit % 64 & 1)
                return;
        atomic_fetch_or_explicit(&r->here[unit / 64], 1ull << unit % 64, memory_order_release);
        r->changes++;
        if (unit < atomic_load(&r->units))
                atomic_fetch_sub(&r->absent, 1);
}

/* --- waiting */

void residency_wait(struct residency *r, struct unit_wait *w)
{
        take_ref(r);
        w->residency = r;
        w->waiting = true;
        w->outcome = TIER_AGAIN;
        list_push(&r->waiting, &w->node);
}

void residency_collect(struct residency *r, uint64_t unit, bool all, enum tier_outcome outcome,
                       struct list *woken)
{
        LIST_FOR_EACH_SAFE(node, &r->waiting) {
                struct unit_wait *w = CONTAINER(node, struct unit_wait, node);

                if (!all && w->unit != unit)
                        continue;
                w->waiting = false;
                w->outcome = outcome;
                list_remove(node);
                list_push(woken, node);
        }
}

static void arrive(struct message *msg)
{
        struct unit_wait *w = CONTAINER(msg, struct unit_wait, msg);

        residency_release(w->residency);
        w->residency = NULL;
        w->done(w);
}

void residency_tell(struct worker *from, struct list *woken)
{
        for (struct list *node; (node = list_pop(woken));) {
                struct unit_wait *w = CONTAINER(node, struct unit_wait, node);

                w->msg.run = arrive;
                worker_post(from, w->worker, &w->msg);
        }
}

bool residency_stop_waiting(struct unit_wait *w)
{
        struct residency *r = w->residency;
        bool waited = false;

        if (!r)
                return false;
        pthread_mutex_lock(&r->tier->lock);
        if (w->waiting) {
                list_remove(&w->node);
                w->waiting = false;
                waited = true;
        }
        pthread_mutex_unlock(&r->tier->lock);
        if (waited) {
                w->residency = NULL;
                residency_release(r);
        }
        return waited;
}
