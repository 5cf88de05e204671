/* SPDX-License-Identifier: Apache-2.0 */
/* Which manifests are to be written, and when: marks in the store, gone through pass by pass. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mds/tier/manifest_private.h"

/* From the first change of a directory until it is told: so many times the repo's export_delay, since much is
 * often done in one go; and so much more for each page that there is: what has a million names is not listed
 * every minute. */
enum { EXPORT_DELAYS = 12, LEAST_SECONDS = 1, MOST_SECONDS = 60 };
#define SECOND_NS INT64_C(1000000000)
#define LATER_NS INT64_C(60000000000) /* until a repo is looked for again that is paused, or not there */
#define PAGE_DELAY_NS INT64_C(5000000000)
#define START_NS UINT64_C(10000000000)
#define TURN_NS UINT64_C(1000000)
#define BROKEN_NS INT64_C(600000000000) /* the store cannot be read */
enum { LOOKS_AT_ONCE = 1000 };

/* --- marks */

int64_t manifests_wall(const struct manifests *m)
{
        return (int64_t)env_wall(m->tier->mds->env);
}

static void look_in(struct manifests *m, uint64_t ns)
{
        if (!m->stopping)
                timer_start(m->tier->mds->env, &m->turn, ns);
}

void manifests_look_at(struct manifests *m, int64_t due)
{
        int64_t in = due - manifests_wall(m);

        if (due >= m->next)
                return;
        m->next = due;
        if (!m->passing)
                look_in(m, in > (int64_t)TURN_NS ? (uint64_t)in : TURN_NS);
}

uint32_t manifest_pages(struct tier *t, uint32_t repo, struct slice prefix)
{
        uint8_t key[KEY_MAX], value[RECORD_MAX];
        uint32_t length, count;

        return meta_get(t->mds->meta, key_pages(key, repo, prefix), value, sizeof(value), &length) == 0 &&
                               pages_decode(slice_of(value, length), &count)
                       ? count
                       : 0;
}

void manifest_put_mark(struct manifests *m, struct txn *txn, uint32_t repo, struct slice prefix, int64_t due)
{
        uint8_t key[KEY_MAX], value[RECORD_MAX];

        txn_put(txn, key_manifest(key, repo, prefix), manifest_encode(value, due));
        manifests_look_at(m, due);
}

int64_t manifest_delay(const struct repo *r, unsigned pages)
{
        uint64_t seconds = r->conf.export_delay * EXPORT_DELAYS;

        if (seconds < LEAST_SECONDS)
                seconds = LEAST_SECONDS;
        if (seconds > MOST_SECONDS)
                seconds = MOST_SECONDS;
        return (int64_t)seconds * SECOND_NS + pages * PAGE_DELAY_NS;
}

void manifests_go_on(struct manifests *m)
{
        if (m->passing)
                look_in(m, TURN_NS);
}

static struct writing *writing_of(const struct manifests *m, uint32_t repo, struct slice prefix)
{
        LIST_FOR_EACH(node, &m->active) {
                struct writing *w = CONTAINER(node, struct writing, node);

                if (w->repo->number == repo && slice_equal(slice_str(w->prefix), prefix))
                        return w;
        }
        return NULL;
}

static void mark(struct manifests *m, struct txn *txn, const struct repo *r, struct slice prefix)
{
        uint8_t key[KEY_MAX], value[RECORD_MAX];
        struct writing *w = writing_of(m, r->number, prefix);
        uint32_t length;

        if (w)
                w->again = true;
        else if (meta_get(m->tier->mds->meta, key_manifest(key, r->number, prefix), value, sizeof(value),
                          &length) < 0)
                manifest_put_mark(m, txn, r->number, prefix,
                                  manifests_wall(m) +
                                          manifest_delay(r, manifest_pages(m->tier, r->number, prefix)));
}

/* The key of the directory that KEY is in. */
static struct slice directory_of(struct slice key)
{
        uint32_t length = key.length > 0 ? key.length - 1 : 0; /* without the slash of a directory */

        while (length > 0 && key.data[length - 1] != '/')
                length--;
        return slice_of(key.data, length);
}

static bool is_written(const struct tier *t, const struct repo *r)
{
        return t->manifests && r->conf.manifest && r->conf.export != 0;
}

void manifest_note(struct tier *t, struct txn *txn, const struct repo *r, struct slice key)
{
        if (is_written(t, r) && key.length > 0)
                mark(t->manifests, txn, r, directory_of(key));
}

void manifest_note_gone(struct tier *t, struct txn *txn, const struct repo *r, struct slice key)
{
        if (!is_written(t, r) || key.length == 0)
                return;
        if (manifest_pages(t, r->number, directory_of(key)) > 0)
                mark(t->manifests, txn, r, directory_of(key));
        if (key.data[key.length - 1] == '/' && manifest_pages(t, r->number, key) > 0)
                mark(t->manifests, txn, r, key);
}

static void drop_mark(struct manifests *m, uint32_t repo, struct slice prefix)
{
        struct txn *txn = txn_begin(m->tier->mds->meta);
        uint8_t key[KEY_MAX];
        uint64_t seq;

        txn_delete(txn, key_manifest(key, repo, prefix));
        txn_commit(txn, &seq);
}

/* --- who is due */

struct looking {
        struct manifests *manifests;
        unsigned count;
        bool found;
        uint8_t key[KEY_MAX]; /* the last that was looked at */
        uint32_t length;
};

static bool look_at_one(void *arg, struct slice key, struct slice value)
{
        struct looking *l = arg;
        struct manifests *m = l->manifests;
        struct slice prefix;
        uint32_t repo;
        int64_t due;

        memcpy(l->key, key.data, key.length);
        l->length = key.length;
        l->count++;
        if (!key_parse_manifest(key, &repo, &prefix) || !manifest_decode(value, &due) /* fsck tells */ ||
            writing_of(m, repo, prefix))
                return l->count < LOOKS_AT_ONCE;
        l->found = due <= manifests_wall(m);
        if (!l->found && due < m->next)
                m->next = due;
        return !l->found && l->count < LOOKS_AT_ONCE;
}

static void take_up(struct manifests *m, struct slice key)
{
        struct slice prefix = slice_str("");
        uint32_t number = 0;
        struct repo *r;

        key_parse_manifest(key, &number, &prefix);
        r = repo_by_number(m->tier, number);
        if (!r || r->conf.paused) {
                if (manifests_wall(m) + LATER_NS < m->next)
                        m->next = manifests_wall(m) + LATER_NS;
        } else if (!is_written(m->tier, r)) {
                drop_mark(m, number, prefix);
        } else {
                manifest_write(m, r, prefix);
        }
}

/* The next few records. False: there are no more. */
static bool look(struct manifests *m)
{
        uint8_t prefix[KEY_MAX];
        struct slice all = key_kind(prefix, 'e');
        struct looking l = { .manifests = m };

        if (m->from_length == 0)
                m->next = INT64_MAX;
        if (meta_scan_from(m->tier->mds->meta, all,
                           m->from_length > 0 ? slice_of(m->from, m->from_length) : all, look_at_one,
                           &l) < 0) {
                log_error("manifests-not-read", "the store cannot be read");
                m->next = manifests_wall(m) + BROKEN_NS;
                return false;
        }
        if (!l.found && l.count < LOOKS_AT_ONCE)
                return false;
        memcpy(m->from, l.key, l.length);
        m->from[l.length] = 0; /* the first one behind it */
        m->from_length = l.length + 1;
        if (l.found)
                take_up(m, slice_of(l.key, l.length));
        return true;
}

static void on_turn(struct timer *timer)
{
        struct manifests *m = CONTAINER(timer, struct manifests, turn);
        int64_t next;

        m->passing = true;
        if (m->count >= MANIFEST_WRITERS)
                return; /* the next that ends goes on */
        if (look(m)) {
                look_in(m, TURN_NS);
                return;
        }
        m->passing = false;
        m->from_length = 0;
        next = m->next;
        m->next = INT64_MAX;
        if (next < INT64_MAX)
                manifests_look_at(m, next);
}

/* --- birth and death */

struct manifests *manifests_new(struct tier *t)
{
        struct manifests *m = calloc(1, sizeof(*m));
        struct metrics *all = &t->mds->metrics;

        if (!m)
                return NULL;
        m->tier = t;
        m->next = INT64_MAX;
        m->turn.fire = on_turn;
        list_init(&m->active);
        m->passing = true;
        metric_counter(all, &m->written, "nacre_tier_manifest_pages_written_total",
                       "Pages of manifests brought to S3");
        metric_counter(all, &m->failed, "nacre_tier_manifests_failed_total",
                       "Manifests that could not be brought to S3; they are tried again");
        metric_counter(all, &t->manifest_described, "nacre_tier_described_by_manifest_total",
                       "Names from buckets of which a manifest has said owner, mode and times");
        look_in(m, START_NS);
        return m;
}

void manifests_quieten(struct manifests *m, const struct repo *r)
{
        if (!m)
                return;
        LIST_FOR_EACH_SAFE(node, &m->active) {
                struct writing *w = CONTAINER(node, struct writing, node);

                if (!r || w->repo == r)
                        writing_free(w); /* the mark stands */
        }
        m->passing = true;
        look_in(m, START_NS);
}

void manifests_stop(struct manifests *m)
{
        if (!m || m->stopping)
                return;
        m->stopping = true;
        manifests_quieten(m, NULL);
        timer_stop(&m->turn);
}

void manifests_free(struct manifests *m)
{
        manifests_stop(m);
        free(m);
}
