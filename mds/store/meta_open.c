/* SPDX-License-Identifier: Apache-2.0 */
/* The single values ('m' records): made with the store, read when it is opened, and the numbers that are
 * given out in reserved blocks, so that most of them cost no write and a crash loses some but repeats none.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/siphash.h"
#include "mds/store/meta.h"

enum { FORMAT = 1, ROOT_MODE = 0755 };
enum { FILEID_BLOCK = 1 << 16, EPOCH_BLOCK = 4096, FIRST_EPOCH = 1 };

static int fail(char *error, uint32_t error_bytes, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
static int fail(char *error, uint32_t error_bytes, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        vsnprintf(error, error_bytes, format, args);
        va_end(args);
        return -EIO;
}

/* --- values by name */

int meta_value_bytes(struct store *store, const char *name, void *out, uint32_t bytes)
{
        uint8_t key[KEY_MAX], value[1 + 64];
        uint32_t length;
        int r = store->ops->get(store, key_meta(key, name), value, sizeof(value), &length);

        CHECK(bytes < sizeof(value));
        if (r)
                return r;
        if (length != 1 + bytes || value[0] != META_VERSION)
                return -EIO;
        memcpy(out, value + 1, bytes);
        return 0;
}

int meta_value_number(struct store *store, const char *name, uint64_t *ret)
{
        uint8_t bytes[8];
        uint64_t number = 0;
        int r = meta_value_bytes(store, name, bytes, sizeof(bytes));

        for (unsigned i = 0; i < sizeof(bytes) && r == 0; i++)
                number = number << 8 | bytes[i];
        if (r == 0)
                *ret = number;
        return r;
}

static void put_bytes(struct batch *b, const char *name, const void *bytes, uint32_t length)
{
        uint8_t key[KEY_MAX], value[1 + 64] = { META_VERSION };

        CHECK(length < sizeof(value));
        memcpy(value + 1, bytes, length);
        batch_put(b, key_meta(key, name), slice_of(value, 1 + length));
}

static void put_number(struct batch *b, const char *name, uint64_t number)
{
        uint8_t bytes[8];

        for (unsigned i = sizeof(bytes); i > 0; i--, number >>= 8)
                bytes[i - 1] = (uint8_t)number;
        put_bytes(b, name, bytes, sizeof(bytes));
}

/* --- a new store */

static bool note_any(void *arg, struct slice key, struct slice value)
{
        (void)key, (void)value;
        *(bool *)arg = true;
        return false;
}

static bool is_empty(struct meta *m)
{
        struct slice all = slice_of("", 0);
        bool any = false;

        return m->store->ops->scan(m->store, all, all, note_any, &any) == 0 && !any;
}

static void put_root(struct meta *m, struct batch *b)
{
        int64_t now = (int64_t)env_wall(m->env);
        struct inode root = { .fileid = ROOT_FILEID, .type = NF4DIR, .mode = ROOT_MODE, .nlink = 2 };
        uint8_t key[KEY_MAX], value[RECORD_MAX];

        env_random(m->env, &root.generation, sizeof(root.generation));
        root.change = (uint64_t)now;
        root.atime = root.mtime = root.ctime = root.btime = now;
        batch_put(b, key_inode(key, ROOT_FILEID), inode_encode(value, &root));
}

static int make(struct meta *m)
{
        struct batch b = { 0 };
        uint8_t fsid[16], hash_key[16];
        uint64_t seq;
        int r;

        env_random(m->env, fsid, sizeof(fsid));
        env_random(m->env, hash_key, sizeof(hash_key));
        put_number(&b, "format", FORMAT);
        put_bytes(&b, "fsid", fsid, sizeof(fsid));
        put_bytes(&b, "hash-key", hash_key, sizeof(hash_key));
        put_number(&b, "boot", 0);
        put_number(&b, "next-fileid", ROOT_FILEID + 1);
        put_number(&b, "epoch", FIRST_EPOCH);
        put_root(m, &b);
        r = m->store->ops->write(m->store, &b, &seq);
        batch_free(&b);
        return r;
}

static int check_format(struct meta *m, char *error, uint32_t error_bytes)
{
        uint64_t format = 0;
        int r = meta_value_number(m->store, "format", &format);

        if (r == -ENOENT && !is_empty(m))
                return fail(error, error_bytes, "there is data in it, but it is not a Nacre store");
        if (r == -ENOENT) {
                r = make(m);
                return r ? fail(error, error_bytes, "cannot make a new store: %s", strerror(-r)) : 0;
        }
        if (r)
                return fail(error, error_bytes, "its format record is damaged");
        if (format != FORMAT)
                return fail(error, error_bytes, "it has format %" PRIu64 ", this program reads format %d",
                            format, FORMAT);
        return 0;
}

/* --- an existing one */

static int read_values(struct meta *m)
{
        uint64_t boot = 0, epoch = 0;
        const struct inode *root;

        if (meta_value_bytes(m->store, "fsid", m->fsid, sizeof(m->fsid)) ||
            meta_value_bytes(m->store, "hash-key", m->hash_key, sizeof(m->hash_key)) ||
            meta_value_number(m->store, "boot", &boot) || meta_value_number(m->store, "epoch", &epoch) ||
            meta_value_number(m->store, "next-fileid", &m->next_fileid))
                return -EIO;
        if (boot >= UINT32_MAX || epoch >= UINT32_MAX - 2 * EPOCH_BLOCK || m->next_fileid <= ROOT_FILEID)
                return -EIO;
        if (meta_inode(m, ROOT_FILEID, &root) || root->type != NF4DIR)
                return -EIO;
        m->boot = (uint32_t)boot + 1;
        m->epoch = (uint32_t)epoch;
        return 0;
}

/* What the blocks before held is not given out again, used or not. */
static int reserve_numbers(struct meta *m)
{
        struct batch b = { 0 };
        uint64_t seq;
        int r;

        m->fileid_limit = m->next_fileid + FILEID_BLOCK;
        m->epoch_limit = m->epoch + 2 * EPOCH_BLOCK;
        put_number(&b, "boot", m->boot);
        put_number(&b, "next-fileid", m->fileid_limit);
        put_number(&b, "epoch", m->epoch_limit);
        r = m->store->ops->write(m->store, &b, &seq);
        batch_free(&b);
        return r ? r : m->store->ops->sync_now(m->store);
}

static int bring_up(struct meta *m, char *error, uint32_t error_bytes)
{
        int r = check_format(m, error, error_bytes);

        if (r)
                return r;
        if (read_values(m))
                return fail(error, error_bytes, "its single values or its root directory are damaged");
        r = reserve_numbers(m);
        return r ? fail(error, error_bytes, "it cannot be written: %s", strerror(-r)) : 0;
}

struct meta *meta_open(struct env *env, struct store *store, uint32_t cache_inodes, char *error,
                       uint32_t error_bytes)
{
        struct meta *m = calloc(1, sizeof(*m));

        if (!m || !cache_init(&m->cache, cache_inodes)) {
                fail(error, error_bytes, "out of memory");
                free(m);
                return NULL;
        }
        m->env = env;
        m->store = store;
        m->hash_mask = UINT64_MAX;
        m->txn.meta = m;
        env_random(env, m->generation_key, sizeof(m->generation_key));
        if (bring_up(m, error, error_bytes)) {
                meta_close(m);
                return NULL;
        }
        return m;
}

void meta_close(struct meta *m)
{
        if (!m)
                return;
        CHECK(!m->txn.open);
        batch_free(&m->txn.batch);
        cache_destroy(&m->cache);
        free(m);
}

/* --- numbers in blocks */

/* The batch that reserves comes before any batch that uses what it reserved, and the log keeps their order.
 */
static int reserve(struct meta *m, const char *name, uint64_t limit)
{
        struct batch b = { 0 };
        uint64_t seq;
        int r;

        put_number(&b, name, limit);
        r = m->store->ops->write(m->store, &b, &seq);
        batch_free(&b);
        if (r == 0)
                m->store->ops->sync(m->store, seq);
        return r;
}

uint64_t meta_new_fileid(struct meta *m)
{
        if (m->next_fileid == m->fileid_limit) {
                if (reserve(m, "next-fileid", m->fileid_limit + FILEID_BLOCK))
                        return 0;
                m->fileid_limit += FILEID_BLOCK;
        }
        return m->next_fileid++;
}

/* Data servers hear of an epoch before any batch that has it is durable, so the next block is reserved while
 * one more is in hand; its sync has thousands of raises' time. */
uint32_t meta_raise_epoch(struct meta *m)
{
        if (m->epoch_limit - m->epoch <= EPOCH_BLOCK && m->epoch_limit <= UINT32_MAX - EPOCH_BLOCK &&
            reserve(m, "epoch", m->epoch_limit + EPOCH_BLOCK) == 0)
                m->epoch_limit += EPOCH_BLOCK;
        return m->epoch == m->epoch_limit ? 0 : ++m->epoch;
}
