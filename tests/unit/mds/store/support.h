/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the store share: an env whose clock and dice repeat, a place for files, and one handle
 * for both kinds of store. Tests run on a struct bed; with_both() makes cmocka run a test on either. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/loop.h"
#include "mds/store/meta.h"

/* --- an env of which only clock and dice are used */

struct test_env {
        struct env env; /* first */
        uint64_t now, dice;
};

static uint64_t test_now(struct env *env)
{
        return ((struct test_env *)(void *)env)->now += 1000;
}

static void test_random(struct env *env, void *out, uint32_t bytes)
{
        struct test_env *t = (struct test_env *)(void *)env;

        for (uint8_t *at = out; bytes > 0; bytes--)
                *at++ = (uint8_t)(hash_u64(++t->dice) >> 8);
}

static const struct env_ops test_env_ops = { .now_ns = test_now, .wall_ns = test_now, .random = test_random };

/* --- the test bed */

enum { BED_CACHE_BYTES = 8 << 20, BED_CACHE_INODES = 1 << 16 };

struct bed {
        bool rocks;
        struct test_env memory_env;
        struct loop *loop; /* rocks */
        struct env *env;
        char dir[64]; /* rocks */
        struct store *store;
        struct meta *meta;
        uint64_t durable; /* as on_durable() said last */
        int error;
        uint32_t told;
};

static void bed_on_durable(void *arg, uint64_t seq, int error)
{
        struct bed *b = arg;

        b->durable = seq;
        b->error = error;
        b->told++;
        if (b->loop)
                loop_stop(b->loop);
}

static void bed_open_store(struct bed *b)
{
        char error[512] = "";

        if (b->rocks)
                b->store = store_rocks_open(b->dir, false, b->loop, BED_CACHE_BYTES, error, sizeof(error));
        else if (!b->store)
                b->store = store_memory_new(b->env);
        if (!b->store)
                fail_msg("store: %s", error);
        b->store->on_durable = bed_on_durable;
        b->store->arg = b;
        b->durable = b->store->durable;
}

static inline void bed_open_meta(struct bed *b)
{
        char error[512] = "";

        b->meta = meta_open(b->env, b->store, BED_CACHE_INODES, error, sizeof(error));
        if (!b->meta)
                fail_msg("meta: %s", error);
}

static void bed_remove_dir(const char *dir)
{
        char command[128];

        snprintf(command, sizeof(command), "rm -rf '%s'", dir);
        CHECK(system(command) == 0);
}

static inline int bed_make(void **state, bool rocks)
{
        struct bed *b = calloc(1, sizeof(*b));

        b->rocks = rocks;
        if (rocks) {
                snprintf(b->dir, sizeof(b->dir), "/tmp/nacre-store-XXXXXX");
                CHECK(mkdtemp(b->dir) != NULL);
                b->loop = loop_new();
                b->env = loop_env(b->loop);
        } else {
                env_init(&b->memory_env.env, &test_env_ops);
                b->memory_env.now = 1700000000000000000u;
                b->env = &b->memory_env.env;
        }
        bed_open_store(b);
        *state = b;
        return 0;
}

static inline int bed_make_rocks(void **state)
{
        return bed_make(state, true);
}
static inline int bed_make_memory(void **state)
{
        return bed_make(state, false);
}

static inline int bed_drop(void **state)
{
        struct bed *b = *state;

        meta_close(b->meta);
        if (b->store)
                b->store->ops->close(b->store);
        if (b->rocks) {
                loop_free(b->loop);
                bed_remove_dir(b->dir);
        } else {
                env_destroy(&b->memory_env.env);
        }
        free(b);
        return 0;
}

/* Let time pass until on_durable() has been called once more. */
static inline void bed_wait(struct bed *b)
{
        uint32_t before = b->told;

        while (b->told == before) {
                if (b->rocks)
                        loop_run(b->loop);
                else
                        env_run_tasks(b->env);
        }
}

static inline void bed_sync(struct bed *b)
{
        if (b->store->durable == b->store->written)
                return;
        b->store->ops->sync(b->store, b->store->written);
        while (b->store->durable < b->store->written && !b->error)
                bed_wait(b);
}

/* Stop and start again. A memory store that is closed has nothing left, so there it is a crash that lost
 * nothing. */
static inline void bed_reopen(struct bed *b)
{
        bool had_meta = b->meta != NULL;

        meta_close(b->meta);
        b->meta = NULL;
        if (b->rocks) {
                b->store->ops->close(b->store);
                b->store = NULL;
        } else {
                store_memory_crash(b->store, UINT64_MAX);
        }
        bed_open_store(b);
        if (had_meta)
                bed_open_meta(b);
}

static inline void bed_fsck(struct bed *b)
{
        uint64_t mask = b->meta ? b->meta->hash_mask : UINT64_MAX;
        struct fsck_report report;

        assert_int_equal(fsck_run_masked(b->store, mask, stderr, &report), 0);
        assert_int_equal(report.problems, 0);
}

#define ON_MEMORY(test) \
        { \
#test " (memory)", test, bed_make_memory, bed_drop, NULL \
        }
#define ON_ROCKS(test) \
        { \
#test " (rocks)", test, bed_make_rocks, bed_drop, NULL \
        }
#define ON_BOTH(test) ON_MEMORY(test), ON_ROCKS(test)

/* --- operations as the server will do them */

static inline struct slice name_of(const char *text)
{
        return slice_str(text);
}

/* A new inode of TYPE under NAME; its fileid, or 0 when the name is there or the store refuses. */
static inline uint64_t make_node(struct meta *m, uint64_t parent, struct slice name, uint8_t type)
{
        struct txn *t = txn_begin(m);
        struct inode *i = txn_new_inode(t, type), *dir = txn_edit(t, parent);
        uint64_t seq, fileid;

        if (!i || !dir || txn_link(t, parent, name, i->fileid, type)) {
                txn_abort(t);
                return 0;
        }
        i->mode = 0644;
        i->nlink = type == NF4DIR ? 2 : 1;
        i->parent = type == NF4DIR ? parent : 0;
        i->size = type == NF4LNK ? 1 : 0;
        if (type == NF4LNK)
                txn_put_symlink(t, i->fileid, slice_str("x"));
        fileid = i->fileid;
        dir->nlink += type == NF4DIR;
        txn_touch(t, dir, true);
        return txn_commit(t, &seq) ? 0 : fileid;
}

static inline uint64_t make_file(struct meta *m, uint64_t parent, const char *name)
{
        return make_node(m, parent, slice_str(name), NF4REG);
}

static inline uint64_t make_dir(struct meta *m, uint64_t parent, const char *name)
{
        return make_node(m, parent, slice_str(name), NF4DIR);
}

/* Unlink or rmdir. 0 or -errno. */
static inline int remove_node(struct meta *m, uint64_t parent, struct slice name)
{
        uint64_t fileid, seq;
        struct txn *t;
        struct inode *i;
        int r = meta_lookup(m, parent, name, &fileid);

        if (r)
                return r;
        t = txn_begin(m);
        r = txn_unlink(t, parent, name);
        i = txn_edit(t, fileid);
        if (r || !i) {
                txn_abort(t);
                return r ? r : -EIO;
        }
        if (i->type == NF4DIR)
                txn_edit(t, parent)->nlink--;
        txn_touch(t, txn_edit(t, parent), true);
        if (i->type == NF4DIR || --i->nlink == 0)
                txn_delete_inode(t, fileid);
        else
                txn_touch(t, i, false);
        return txn_commit(t, &seq);
}

static inline int remove_name(struct meta *m, uint64_t parent, const char *name)
{
        return remove_node(m, parent, slice_str(name));
}

/* The fileid, 0 when it is not there. */
static inline uint64_t find_name(struct meta *m, uint64_t parent, const char *name)
{
        uint64_t fileid = 0;

        return meta_lookup(m, parent, slice_str(name), &fileid) ? 0 : fileid;
}
