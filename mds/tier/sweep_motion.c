/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys were listed, and which are not to be touched now: those that the queue has to do with. A key
 * that is taken for one of them by mistake is left to the next sweep, whose hashes are others. */
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "mds/tier/archive.h"
#include "mds/tier/sweep_private.h"

/* --- filters */

enum { FILTERS = 4 };

bool sweep_filters_make(struct sweep *s)
{
        struct sweep_filter *all[FILTERS] = { &s->seen, &s->heard, &s->queued, &s->queued_below };
        uint8_t *bits = malloc((size_t)FILTERS * SWEEP_FILTER_BYTES);

        for (size_t i = 0; bits && i < FILTERS; i++)
                all[i]->bits = bits + i * SWEEP_FILTER_BYTES;
        return bits != NULL;
}

void sweep_filters_free(struct sweep *s)
{
        free(s->seen.bits); /* the first of all */
        s->seen.bits = NULL;
}

void filter_clear(struct sweep *s, struct sweep_filter *f)
{
        memset(f->bits, 0, SWEEP_FILTER_BYTES);
        env_random(s->tier->mds->env, f->salt, sizeof(f->salt));
}

void filter_add(struct sweep_filter *f, struct slice key)
{
        uint64_t hash = siphash(key.data, key.length, f->salt);

        for (int i = 0; i < 2; i++, hash >>= 32)
                f->bits[hash % SWEEP_FILTER_BYTES] |= (uint8_t)(1u << (hash >> 24) % 8);
}

bool filter_has(const struct sweep_filter *f, struct slice key)
{
        uint64_t hash = siphash(key.data, key.length, f->salt);
        bool has = true;

        for (int i = 0; i < 2; i++, hash >>= 32)
                has = has && f->bits[hash % SWEEP_FILTER_BYTES] >> (hash >> 24) % 8 & 1;
        return has;
}

/* The next longer prefix of KEY that ends in a slash: *LENGTH bytes, at first 0. False: there is none. */
static bool next_prefix(struct slice key, uint32_t *length)
{
        const uint8_t *slash = memchr(key.data + *length, '/', key.length - *length);

        if (slash)
                *length = (uint32_t)(slash - key.data) + 1;
        return slash != NULL;
}

/* KEY, and whatever a listing shows instead. */
static void add_with_prefixes(struct sweep_filter *f, struct slice key)
{
        filter_add(f, key);
        for (uint32_t length = 0; next_prefix(key, &length);)
                filter_add(f, slice_of(key.data, length));
}

static bool has_prefix_of(const struct sweep_filter *f, struct slice key)
{
        for (uint32_t length = 0; next_prefix(key, &length);)
                if (filter_has(f, slice_of(key.data, length)))
                        return true;
        return false;
}

/* --- what is in motion */

void sweep_heard(struct repo *r, const char *key)
{
        if (r->sweep && r->sweep->running)
                add_with_prefixes(&r->sweep->heard, slice_str(key));
}

static void on_queued(void *arg, struct slice key, bool below)
{
        struct sweep *s = arg;

        add_with_prefixes(&s->queued, key);
        if (below)
                filter_add(&s->queued_below, key);
}

bool sweep_is_in_motion(struct sweep *s, struct slice key)
{
        if (s->repo->conf.export == 0)
                return false;
        if (s->queue == QUEUE_UNASKED) {
                filter_clear(s, &s->queued);
                filter_clear(s, &s->queued_below);
                s->queue =
                        archive_each_key(s->tier->mds, s->repo, on_queued, s) ? QUEUE_KNOWN : QUEUE_TOO_LONG;
        }
        return s->queue == QUEUE_TOO_LONG || filter_has(&s->heard, key) || filter_has(&s->queued, key) ||
               has_prefix_of(&s->queued_below, key);
}
