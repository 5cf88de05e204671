/* SPDX-License-Identifier: Apache-2.0 */
/* Measures the metadata store alone: mdbench DIR [FILES [DIRECTORIES [GROUP]]]
 *
 * GROUP callers (64) each do one operation, wait until it is durable, and do the next, as clients do; FILES
 * (200,000) are spread over DIRECTORIES (100). Printed for each operation: how many a second, CPU of the
 * loop's thread and of the whole process (RocksDB's threads included) in microseconds each, operations a
 * sync, mean microseconds a sync. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/loop.h"
#include "mds/store/txn.h"

enum { CACHE_BYTES = 256 << 20, CACHE_INODES = 1 << 17, PAGE = 256 };

struct bench {
        struct loop *loop;
        struct store *store;
        struct meta *meta;
        uint32_t files, directories, group;
        uint64_t *directory; /* fileids */
        uint64_t *file;
        struct task turn;
        uint32_t next, busy; /* of the phase; operations that wait */
        void (*one)(struct bench *, uint32_t);
};

static double seconds(clockid_t clock)
{
        struct timespec ts;

        clock_gettime(clock, &ts);
        return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static struct slice name(uint32_t n)
{
        static char text[32];

        return slice_of(text, (uint32_t)snprintf(text, sizeof(text), "file.%08u.dat", n));
}

/* Scattered, so that neighbours in time are not neighbours in the store. */
static uint64_t directory_of(const struct bench *b, uint32_t n)
{
        return b->directory[hash_u64(n) % b->directories];
}

/* --- operations */

static uint64_t make(struct bench *b, uint64_t parent, struct slice called, uint8_t type)
{
        struct txn *t = txn_begin(b->meta);
        struct inode *i = txn_new_inode(t, type), *dir = txn_edit(t, parent);
        uint64_t seq, fileid = i->fileid;

        i->mode = 0644;
        i->uid = i->gid = 1000;
        i->nlink = type == NF4DIR ? 2 : 1;
        i->parent = type == NF4DIR ? parent : 0;
        dir->nlink += type == NF4DIR;
        CHECK(txn_link(t, parent, called, fileid, type) == 0);
        txn_touch(t, dir, true);
        CHECK(txn_commit(t, &seq) == 0);
        return fileid;
}

static void do_create(struct bench *b, uint32_t n)
{
        uint64_t fileid;

        CHECK(meta_lookup(b->meta, directory_of(b, n), name(n), &fileid) == -ENOENT);
        b->file[n] = make(b, directory_of(b, n), name(n), NF4REG);
}

static void do_setattr(struct bench *b, uint32_t n)
{
        struct txn *t = txn_begin(b->meta);
        struct inode *i = txn_edit(t, b->file[n]);
        uint64_t seq;

        i->size += 4096;
        txn_touch(t, i, true);
        CHECK(txn_commit(t, &seq) == 0);
}

static void do_unlink(struct bench *b, uint32_t n)
{
        struct txn *t = txn_begin(b->meta);
        uint64_t seq;

        CHECK(txn_unlink(t, directory_of(b, n), name(n)) == 0);
        txn_delete_inode(t, b->file[n]);
        txn_touch(t, txn_edit(t, directory_of(b, n)), true);
        CHECK(txn_commit(t, &seq) == 0);
}

static void do_lookup(struct bench *b, uint32_t n)
{
        const struct inode *i;
        uint64_t fileid;

        CHECK(meta_lookup(b->meta, directory_of(b, n), name(n), &fileid) == 0);
        CHECK(meta_inode(b->meta, fileid, &i) == 0);
}

static void do_miss(struct bench *b, uint32_t n)
{
        uint64_t fileid;

        CHECK(meta_lookup(b->meta, directory_of(b, n + 1), name(n + b->files), &fileid) == -ENOENT);
}

struct page {
        uint64_t last;
        uint32_t left, seen;
};

static bool take(void *arg, uint64_t cookie, const struct dirent_record *entry)
{
        struct page *p = arg;

        CHECK(entry->name_length > 0);
        p->last = cookie;
        p->seen++;
        return --p->left > 0;
}

static void do_list(struct bench *b, uint32_t n)
{
        struct page p = { .left = 1 };

        if (n >= b->directories)
                return;
        while (p.left != PAGE) {
                p.left = PAGE;
                CHECK(meta_readdir(b->meta, b->directory[n], p.last, take, &p) == 0);
        }
}

/* --- the callers: whoever's change is durable does the next one, and all that can do so in this turn */

static void run_turn(struct task *task)
{
        struct bench *b = CONTAINER(task, struct bench, turn);
        uint64_t written = b->store->written;

        meta_trim(b->meta);
        for (; b->busy < b->group && b->next < b->files; b->next++) {
                b->one(b, b->next);
                if (b->store->written > written)
                        b->busy++;
                written = b->store->written;
                meta_trim(b->meta);
        }
        if (b->store->written > b->store->durable)
                b->store->ops->sync(b->store, b->store->written);
        else
                loop_stop(b->loop);
}

static void on_durable(void *arg, uint64_t seq, int error)
{
        struct bench *b = arg;

        CHECK(error == 0);
        b->busy = (uint32_t)(b->store->written - seq);
        env_defer(loop_env(b->loop), &b->turn);
}

static void phase(struct bench *b, const char *what, void (*one)(struct bench *, uint32_t))
{
        uint64_t syncs = b->store->stats.syncs, sync_ns = b->store->stats.sync_ns;
        double wall = seconds(CLOCK_MONOTONIC), loop = seconds(CLOCK_THREAD_CPUTIME_ID),
               process = seconds(CLOCK_PROCESS_CPUTIME_ID);

        b->one = one;
        b->next = b->busy = 0;
        env_defer(loop_env(b->loop), &b->turn);
        loop_run(b->loop);
        syncs = b->store->stats.syncs - syncs;
        sync_ns = b->store->stats.sync_ns - sync_ns;
        printf("%-18s %9.0f/s   %6.2f us loop   %6.2f us process", what,
               b->files / (seconds(CLOCK_MONOTONIC) - wall),
               (seconds(CLOCK_THREAD_CPUTIME_ID) - loop) / b->files * 1e6,
               (seconds(CLOCK_PROCESS_CPUTIME_ID) - process) / b->files * 1e6);
        if (syncs > 0)
                printf("   %5.1f a sync of %.0f us", (double)b->files / (double)syncs,
                       (double)sync_ns / (double)syncs / 1e3);
        printf("\n");
}

static void reopen(struct bench *b, const char *dir)
{
        char error[512];

        meta_close(b->meta);
        if (b->store)
                b->store->ops->close(b->store);
        b->store = store_rocks_open(dir, false, b->loop, CACHE_BYTES, error, sizeof(error));
        b->meta =
                b->store ? meta_open(loop_env(b->loop), b->store, CACHE_INODES, error, sizeof(error)) : NULL;
        if (!b->meta) {
                fprintf(stderr, "mdbench: %s\n", error);
                exit(1);
        }
        b->store->on_durable = on_durable;
        b->store->arg = b;
}

int main(int argc, char **argv)
{
        struct bench b = { .files = argc > 2 ? (uint32_t)atoi(argv[2]) : 200000,
                           .directories = argc > 3 ? (uint32_t)atoi(argv[3]) : 100,
                           .group = argc > 4 ? (uint32_t)atoi(argv[4]) : 64 };

        if (argc < 2 || argc > 5 || b.files == 0 || b.directories == 0 || b.group == 0) {
                fprintf(stderr, "usage: mdbench DIR [FILES [DIRECTORIES [GROUP]]]\n");
                return 2;
        }
        b.loop = loop_new();
        b.file = calloc(b.files, sizeof(*b.file));
        b.directory = calloc(b.directories, sizeof(*b.directory));
        b.turn.run = run_turn;
        list_init(&b.turn.node);
        reopen(&b, argv[1]);
        for (uint32_t i = 0; i < b.directories; i++)
                b.directory[i] = make(&b, ROOT_FILEID, name(i), NF4DIR);
        CHECK(b.store->ops->sync_now(b.store) == 0);
        phase(&b, "create", do_create);
        phase(&b, "setattr", do_setattr);
        phase(&b, "lookup, getattr", do_lookup);
        phase(&b, "miss", do_miss);
        phase(&b, "list", do_list);
        reopen(&b, argv[1]);
        phase(&b, "cold lookup", do_lookup);
        phase(&b, "cold miss", do_miss);
        phase(&b, "unlink", do_unlink);
        meta_close(b.meta);
        b.store->ops->close(b.store);
        loop_free(b.loop);
        free(b.file);
        free(b.directory);
        return 0;
}
