/* SPDX-License-Identifier: Apache-2.0 */
/* The store that ships: RocksDB 7 through its C interface. Options and their reasons are in rocks_options.c,
 * group commit in rocks_sync.c. */
#include "mds/store/rocks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/check.h"
#include "base/log.h"

/* A log longer than LOG_BYTES (less on a small disk) is closed and its memtable written out: bounds memory
 * and the time a restart takes.
 *
 * A full disk must never meet the log, since that ends the server. So RocksDB reserves the room for a log
 * when it begins it (fallocate); none is begun, and nothing more is accepted, with less than two logs' room
 * free; and names are refused below ten, which is what tables being written and rewritten in the background
 * may take and give back. */
#define LOG_BYTES ((uint64_t)32 << 20)
#define SHORTEST_LOG_BYTES ((uint64_t)2 << 20)
#define SPACE_EVERY ((uint64_t)1 << 20)  /* how often free space is looked at */
#define GATHER_BYTES ((uint64_t)1 << 20) /* what is gathered for one write at most */
enum { LOGS_A_DISK = 64, LOGS_FREE = 2, LOGS_FREE_FOR_NAMES = 10 };

int rocks_errno(const char *what, char *message)
{
        int error;

        if (!message)
                return 0;
        error = strstr(message, "No space left") || strstr(message, "Space limit reached") ? -ENOSPC : -EIO;
        log_error("rocksdb-error", "what=%s message=%s", what, message);
        rocksdb_free(message);
        return error;
}

static const char *chars(struct slice s)
{
        return (const char *)s.data;
}

/* --- reads */

static int rocks_get(struct store *s, struct slice key, void *out, uint32_t capacity, uint32_t *ret_length)
{
        struct rocks *r = rocks_of(s);
        char *message = NULL;
        rocksdb_pinnableslice_t *pinned;
        const char *value;
        size_t length;

        if (rocks_apply(r))
                return -EIO;
        s->stats.gets++;
        pinned = rocksdb_get_pinned(r->db, r->read, chars(key), key.length, &message);
        if (message) {
                rocks_errno("get", message);
                return -EIO;
        }
        if (!pinned)
                return -ENOENT;
        value = rocksdb_pinnableslice_value(pinned, &length);
        if (length <= capacity) {
                memcpy(out, value, length);
                *ret_length = (uint32_t)length;
        }
        rocksdb_pinnableslice_destroy(pinned);
        return length <= capacity ? 0 : -ENOBUFS;
}

/* The first key behind all that start with PREFIX; its length, 0: there is none. */
static uint32_t key_behind(struct slice prefix, uint8_t *out)
{
        uint32_t length = prefix.length;

        CHECK(length <= KEY_MAX);
        memcpy(out, prefix.data, length);
        while (length > 0 && out[length - 1] == 0xff)
                length--;
        if (length > 0)
                out[length - 1]++;
        return length;
}

/* The bound keeps the iterator from stepping into the next directory, or over the graves in it, to find out
 * that it is done. */
static int rocks_scan(struct store *s, struct slice prefix, struct slice from, store_each_fn *each, void *arg)
{
        struct rocks *r = rocks_of(s);
        rocksdb_readoptions_t *options;
        uint8_t behind[KEY_MAX];
        uint32_t behind_length = key_behind(prefix, behind);
        rocksdb_iterator_t *i;
        char *message = NULL;

        if (rocks_apply(r))
                return -EIO;
        s->stats.scans++;
        options = rocksdb_readoptions_create();
        if (behind_length > 0)
                rocksdb_readoptions_set_iterate_upper_bound(options, (const char *)behind, behind_length);
        i = rocksdb_create_iterator(r->db, options);
        for (rocksdb_iter_seek(i, chars(from), from.length); rocksdb_iter_valid(i); rocksdb_iter_next(i)) {
                size_t key_length, value_length;
                const char *key = rocksdb_iter_key(i, &key_length),
                           *value = rocksdb_iter_value(i, &value_length);

                if (!each(arg, slice_of(key, (uint32_t)key_length), slice_of(value, (uint32_t)value_length)))
                        break;
        }
        rocksdb_iter_get_error(i, &message);
        rocksdb_iter_destroy(i);
        rocksdb_readoptions_destroy(options);
        return rocks_errno("scan", message) ? -EIO : 0;
}

/* --- writes */

static void look_at_space(struct rocks *r)
{
        static const char *const accepts[] = { "all", "no new names", "nothing" };
        enum space before = r->space;
        struct statvfs fs;
        uint64_t logs;

        r->space_check_at = r->log_bytes + SPACE_EVERY;
        if (statvfs(r->dir, &fs) < 0)
                return;
        logs = (uint64_t)fs.f_bavail * fs.f_frsize / r->log_limit;
        r->space = logs < LOGS_FREE ? SPACE_NONE : logs < LOGS_FREE_FOR_NAMES ? SPACE_LOW : SPACE_ENOUGH;
        if (r->space != before)
                log_warn("store-space", "accepts=%s", accepts[r->space]);
}

static const char *rocks_trouble(struct store *s)
{
        struct rocks *r = rocks_of(s);

        look_at_space(r); /* perhaps nobody writes any more */
        if (r->space == SPACE_NONE)
                return "the disk of the metadata store is full: nothing can be changed";
        return r->space == SPACE_LOW ? "the disk of the metadata store is nearly full: no new names" : NULL;
}

/* Room in the log and on the disk for a batch that adds NAMES. */
static int make_room(struct rocks *r, int names)
{
        bool full = r->log_bytes >= r->log_limit;

        if (full || r->space != SPACE_ENOUGH || r->log_bytes >= r->space_check_at)
                look_at_space(r);
        if (r->space == SPACE_NONE || (r->space == SPACE_LOW && names > 0))
                return -ENOSPC;
        return full && rocks_rotate_log(r) ? -EIO : 0;
}

/* How many names a batch adds, or, when negative, removes. */
static int count_names(const struct batch *batch)
{
        struct slice key, value;
        uint32_t at = 0;
        bool is_put;
        int names = 0;

        while (batch_next(batch, &at, &is_put, &key, &value))
                if (key.data[0] == 'd')
                        names += is_put ? 1 : -1;
        return names;
}

/* Behind what waits already. */
static void gather(struct rocks *r, const struct batch *batch)
{
        struct slice key, value;
        uint32_t at = 0;
        bool is_put;

        while (batch_next(batch, &at, &is_put, &key, &value))
                if (is_put)
                        rocksdb_writebatch_put(r->batch, chars(key), key.length, chars(value), value.length);
                else
                        rocksdb_writebatch_delete(r->batch, chars(key), key.length);
        r->gathered_bytes += batch->length;
}

int rocks_apply(struct rocks *r)
{
        char *message = NULL;
        int error;

        if (r->dead || r->gathered_bytes == 0)
                return r->dead;
        rocksdb_write(r->db, r->write, r->batch, &message);
        rocksdb_writebatch_clear(r->batch);
        r->gathered_bytes = 0;
        error = rocks_errno("write", message);
        return error ? rocks_die(r, "write", error) : 0; /* perhaps half in the log: nothing may follow it */
}

static int rocks_write(struct store *s, const struct batch *batch, uint64_t *ret_seq)
{
        struct rocks *r = rocks_of(s);
        int error;

        CHECK(r->loop != NULL);
        if (r->dead)
                return -EIO;
        if (batch->failed)
                return -ENOSPC;
        error = make_room(r, count_names(batch));
        if (error)
                return error;
        gather(r, batch);
        if (r->gathered_bytes >= GATHER_BYTES && rocks_apply(r))
                return -EIO;
        r->log_bytes += batch->length;
        s->stats.batches++;
        *ret_seq = ++s->written;
        return 0;
}

static int rocks_checkpoint(struct store *s, const char *dir)
{
        struct rocks *r = rocks_of(s);
        rocksdb_checkpoint_t *c;
        char *message = NULL;
        int error;

        if (rocks_sync_now(s))
                return -EIO;
        c = rocksdb_checkpoint_object_create(r->db, &message);
        error = rocks_errno("checkpoint", message);
        if (error)
                return error;
        message = NULL;
        rocksdb_checkpoint_create(c, dir, 0, &message);
        rocksdb_checkpoint_object_destroy(c);
        return rocks_errno("checkpoint", message);
}

/* --- birth and death */

static void free_handles(struct rocks *r)
{
        if (r->db)
                rocksdb_close(r->db);
        if (r->options)
                rocksdb_options_destroy(r->options);
        rocksdb_readoptions_destroy(r->read);
        rocksdb_writeoptions_destroy(r->write);
        rocksdb_writebatch_destroy(r->batch);
        rocksdb_flushoptions_destroy(r->flush);
        free(r->dir);
}

/* The flusher is stopped first, then what is still only in memory is synced, so that a clean stop loses
 * nothing. */
static void rocks_close(struct store *s)
{
        struct rocks *r = rocks_of(s);

        if (!r->loop) {
                free_handles(r);
                free(r);
                return;
        }
        rocks_sync_stop(r);
        if (!r->dead && s->written > r->synced)
                rocks_sync_now(s);
        free_handles(r);
        rocks_sync_free(r);
}

static void explain(char *message, const char *dir, char *error, uint32_t error_bytes)
{
        if (strstr(message, "Corruption"))
                snprintf(error, error_bytes, "%s: the store is damaged, nothing was changed: %s", dir,
                         message);
        else if (strstr(message, "lock file") || strstr(message, "lock hold"))
                snprintf(error, error_bytes, "%s: another server has this store open", dir);
        else
                snprintf(error, error_bytes, "%s: %s", dir, message);
        rocksdb_free(message);
}

static struct rocks *rocks_new(const char *dir, struct loop *loop)
{
        static const struct store_ops ops = { rocks_get,      rocks_scan,       rocks_write,   rocks_sync,
                                              rocks_sync_now, rocks_checkpoint, rocks_trouble, rocks_close };
        struct rocks *r = calloc(1, sizeof(*r));

        CHECK(r != NULL);
        r->store.ops = &ops;
        r->loop = loop;
        r->dir = strdup(dir);
        r->read = rocksdb_readoptions_create();
        r->write = rocksdb_writeoptions_create();
        r->batch = rocksdb_writebatch_create();
        r->flush = rocksdb_flushoptions_create();
        rocksdb_flushoptions_set_wait(r->flush, 0);
        return r;
}

static uint64_t log_limit_of(const char *dir)
{
        struct statvfs fs;
        uint64_t limit;

        if (statvfs(dir, &fs) < 0)
                return LOG_BYTES;
        limit = (uint64_t)fs.f_blocks * fs.f_frsize / LOGS_A_DISK;
        return limit > LOG_BYTES ? LOG_BYTES : limit < SHORTEST_LOG_BYTES ? SHORTEST_LOG_BYTES : limit;
}

static char *open_database(struct rocks *r, bool read_only, uint64_t cache_bytes)
{
        char *message = NULL;

        if (!read_only)
                mkdir(r->dir, 0700); /* what is wrong with it RocksDB will say */
        r->log_limit = log_limit_of(r->dir);
        r->options = rocks_options(cache_bytes, r->log_limit, read_only, &message);
        if (message)
                return message;
        if (read_only)
                r->db = rocksdb_open_for_read_only(r->options, r->dir, 0, &message);
        else
                r->db = rocksdb_open(r->options, r->dir, &message);
        return message;
}

struct store *store_rocks_open(const char *dir, bool read_only, struct loop *loop, uint64_t cache_bytes,
                               char *error, uint32_t error_bytes)
{
        struct rocks *r = rocks_new(dir, read_only ? NULL : loop);
        char *message = open_database(r, read_only, cache_bytes);

        CHECK(read_only || loop);
        rocksdb_set_perf_level(rocksdb_disable); /* else every comparison of keys is counted */
        if (message) {
                explain(message, dir, error, error_bytes);
                free_handles(r);
                free(r);
                return NULL;
        }
        if (!read_only && !rocks_sync_start(r)) {
                snprintf(error, error_bytes, "%s: no thread can be made", dir);
                rocks_close(&r->store);
                return NULL;
        }
        return &r->store;
}

#ifdef __SANITIZE_THREAD__
/* RocksDB itself is not built with the sanitizer, which then does not see how its threads agree. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
        return "race:librocksdb\n";
}
#endif
