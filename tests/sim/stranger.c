/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/stranger.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mds/tier/tier.h"
#include "tests/sim/sim.h"

enum { ONCE_IN = 8 /* seeds */, LONGEST = 6 * ACTOR_IO };

static struct blobs *blobs_of(const struct stranger *s)
{
        return &s->sim->repo.s3->blobs;
}

/* --- what it does */

static void put(struct stranger *s, const char *key)
{
        struct world *w = &s->sim->world;
        uint64_t size = world_random(w, LONGEST / MODEL_WORD) * MODEL_WORD;
        uint8_t *data = malloc(size + 1);
        struct gift *g;

        if (s->count == s->capacity) {
                s->capacity = s->capacity ? s->capacity * 2 : 16;
                s->gifts = realloc(s->gifts, s->capacity * sizeof(*s->gifts));
        }
        CHECK(data != NULL && s->gifts != NULL);
        g = &s->gifts[s->count++];
        *g = (struct gift){ .number = model_give(&s->sim->model, data, size), .size = size, .when = w->now };
        blobs_put(blobs_of(s), key, data, size, g->etag);
        world_say(w, s->node->name, "puts %u with %" PRIu64 " bytes at %s", g->number, size, key);
}

static void act(struct stranger *s)
{
        struct world *w = &s->sim->world;
        char name[FILE_NAME], key[BLOB_KEY];

        file_name((uint32_t)world_random(w, NAMES), name);
        snprintf(key, sizeof(key), REPO_PREFIX "%s", name);
        s->acts++;
        if (!world_once_in(w, 3)) {
                put(s, key);
        } else {
                world_say(w, s->node->name, "deletes %s", key);
                blobs_delete(blobs_of(s), key);
        }
}

static void run(void *arg)
{
        struct stranger *s = arg;

        while (!s->stopping) {
                co_sleep((1 + world_random(&s->sim->world, s->pause_ms)) * MS_NS);
                if (!s->stopping)
                        act(s);
        }
}

/* --- what may come of it */

void stranger_tell_origin(struct stranger *s, struct model_file *f)
{
        const struct sim_mds *m = &s->sim->cluster.mds;
        uint8_t record[RECORD_MAX];
        const struct inode *inode;
        struct backing b;

        while (s->node && !f->looked_at && !m->mds)
                co_sleep(MS_NS); /* so nobody else changes it */
        if (!s->node || f->looked_at)
                return;
        f->looked_at = true;
        if (meta_inode(m->mds->meta, f->fileid, &inode) < 0 || tier_backing(m->mds, inode, record, &b) < 0)
                return;
        for (uint32_t i = 0; i < s->count; i++)
                if (slice_equal(b.etag, slice_str(s->gifts[i].etag)))
                        model_given(f, s->gifts[i].number, s->gifts[i].size, s->gifts[i].when);
}

void stranger_sees(struct stranger *s, uint64_t fileid, const struct blob *o)
{
        uint64_t word = 0;

        if (o->size >= MODEL_WORD)
                memcpy(&word, o->data, MODEL_WORD);
        for (uint32_t i = 0; i < s->count; i++) {
                const struct gift *g = &s->gifts[i];
                struct model_file *f;

                if (g->size != o->size || word >> 32 != g->number)
                        continue;
                f = model_file(&s->sim->model, fileid);
                if (!f->looked_at)
                        model_given(f, g->number, g->size, g->when);
                f->looked_at = true;
        }
}

/* F, which had a name until UNTIL at least, has lost it, and no client has done that. */
static void on_vanished(void *arg, const struct model_file *f, uint64_t until)
{
        const struct stranger *s = arg;
        struct world *w = &s->sim->world;

        if (s->acts == 0)
                world_fail(w, "file %" PRIu64 " has lost its name, and nobody has done that", f->fileid);
        if (s->conflict != REPO_S3_WINS && !model_is_published(f, until))
                world_fail(w, "file %" PRIu64 " has lost its name, and S3 never had what was in it",
                           f->fileid);
}

/* They have not heard of O. */
static void on_unseen(void *arg, const struct blob *o)
{
        const struct stranger *s = arg;

        world_fail(&s->sim->world, "%s was written over unseen", o->key);
}

/* --- */

void stranger_init(struct stranger *s, struct sim *sim, char *conf, size_t conf_bytes)
{
        static const char *const words[] = { [REPO_KEEP_BOTH] = "keep-both",
                                             [REPO_S3_WINS] = "s3-wins",
                                             [REPO_FS_WINS] = "fs-wins",
                                             [REPO_FAIL] = "fail" };
        struct world *w = &sim->world;
        size_t length = strlen(conf);

        *s = (struct stranger){ .sim = sim };
        if (!sim->repo.s3 || w->seed % ONCE_IN != 0)
                return;
        s->node = world_add(w, "stranger");
        s->conflict = (enum repo_conflict)world_random(w, sizeof(words) / sizeof(words[0]));
        s->pause_ms = 1000 + world_random(w, 60000);
        snprintf(conf + length, conf_bytes - length, "conflict: %s\n", words[s->conflict]);
        sim->names.vanished = on_vanished;
        sim->names.arg = s;
        blobs_of(s)->unseen = on_unseen;
        blobs_of(s)->arg_unseen = s;
}

void stranger_start(struct stranger *s)
{
        if (s->node)
                co_start(&s->co, &s->node->env, run, s);
}

void stranger_free(struct stranger *s)
{
        if (s->node)
                co_end(&s->co);
        free(s->gifts);
}
