/* SPDX-License-Identifier: Apache-2.0 */
/* kill -9 at any instant: test_rocks_crash [FIRST-SEED [SEEDS]]
 *
 * A child works on a real store: what it does next follows from the seed and from how far it is, so that the
 * parent knows it all. Each change carries its number. Whatever is durable is told through a pipe. The child
 * is killed at a random instant; of the log, what was written but not synced is cut off at a random byte, as
 * a power cut would. A second child opens the store: it must be exactly as it was after some change N, at
 * least the last one that was told; fsck finds nothing; no file number and no epoch appears twice. Then the
 * work goes on from there, and so does the killing. */
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "mds/store/rocks.h"
#include "tests/unit/mds/store/support.h"

enum { DIRS = 5, NAMES = 8, OBJECTS = DIRS * NAMES + 1, OUTSTANDING = 16, LIVES = 2, MOST_RUN_US = 25000 };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static uint32_t first_seed = 1, seeds = 40;
#else
static uint32_t first_seed = 1, seeds = 200;
#endif

#define MUST(expression) \
        do { \
                if (!(expression)) { \
                        fprintf(stderr, "%s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__, #expression, \
                                errno); \
                        _exit(1); \
                } \
        } while (0)

/* What survives the child: shared memory. */
struct shared {
        uint64_t told;           /* number of the last change said to be durable */
        uint64_t largest_fileid; /* that was told, without FILEID_DIRECTORY */
        uint64_t log_bytes;      /* synced */
        uint32_t epoch;          /* highest ever raised: data servers may have heard of it, durable or not */
        uint32_t boot;
        bool open;
};
static struct shared *shared;

/* --- the model */

struct object {
        uint32_t names;
        uint64_t size;
        uint64_t fileid; /* in the verifier: as found */
};

struct model {
        uint32_t seed;
        uint64_t changes;
        bool dir[DIRS];
        uint32_t slot[DIRS][NAMES]; /* object, 0: none */
        struct object objects[OBJECTS];
};

enum verb { NOTHING, MKDIR, RMDIR, CREATE, LINK, UNLINK, RENAME, SETATTR };
struct change {
        enum verb verb;
        uint32_t d, n, to_d, to_n;
};

static uint32_t in_use(const struct model *m, uint32_t d)
{
        uint32_t count = 0;

        for (uint32_t n = 0; n < NAMES; n++)
                count += m->slot[d][n] != 0;
        return count;
}

/* Change number m->changes + 1, if it makes sense now. */
static struct change next_change(const struct model *m)
{
        uint64_t dice = hash_u64((uint64_t)m->seed << 40 ^ hash_u64(m->changes));
        struct change c = { NOTHING, (uint32_t)(dice >> 8) % DIRS, (uint32_t)(dice >> 16) % NAMES,
                            (uint32_t)(dice >> 24) % DIRS, (uint32_t)(dice >> 32) % NAMES };
        uint32_t from, to;

        if (!m->dir[c.d]) {
                c.verb = MKDIR;
                return c;
        }
        from = m->slot[c.d][c.n];
        to = m->dir[c.to_d] ? m->slot[c.to_d][c.to_n] : 0;
        switch (dice % 8) {
        case 0: c.verb = in_use(m, c.d) == 0 ? RMDIR : from ? UNLINK : NOTHING; break;
        case 1:
        case 2: c.verb = from ? SETATTR : CREATE; break;
        case 3: c.verb = from && m->dir[c.to_d] && !to ? LINK : NOTHING; break;
        case 4: c.verb = from ? UNLINK : CREATE; break;
        default: c.verb = from && m->dir[c.to_d] && to != from ? RENAME : NOTHING;
        }
        return c;
}

static void drop_name(struct model *m, uint32_t d, uint32_t n)
{
        m->objects[m->slot[d][n]].names--;
        m->slot[d][n] = 0;
}

static void give_name(struct model *m, uint32_t d, uint32_t n, uint32_t object)
{
        m->objects[object].names++;
        m->slot[d][n] = object;
}

static uint32_t free_object(struct model *m)
{
        uint32_t i = 1;

        while (m->objects[i].names > 0)
                i++;
        m->objects[i] = (struct object){ 0 };
        return i;
}

static void advance(struct model *m, struct change c)
{
        uint32_t object = m->slot[c.d][c.n];

        m->changes++;
        switch (c.verb) {
        case NOTHING: break;
        case MKDIR: m->dir[c.d] = true; break;
        case RMDIR: m->dir[c.d] = false; break;
        case CREATE: give_name(m, c.d, c.n, free_object(m)); break;
        case LINK: give_name(m, c.to_d, c.to_n, object); break;
        case UNLINK: drop_name(m, c.d, c.n); break;
        case SETATTR: m->objects[object].size += 7; break;
        case RENAME:
                if (m->slot[c.to_d][c.to_n])
                        drop_name(m, c.to_d, c.to_n);
                give_name(m, c.to_d, c.to_n, object);
                drop_name(m, c.d, c.n);
        }
}

static struct model model_after(uint32_t seed, uint64_t changes)
{
        struct model m = { .seed = seed };

        while (m.changes < changes)
                advance(&m, next_change(&m));
        return m;
}

static struct slice dir_name(uint32_t d)
{
        static char text[16];

        snprintf(text, sizeof(text), "dir%u", d);
        return slice_str(text);
}

static struct slice file_name(uint32_t n)
{
        static char text[2][16];
        static int turn;

        turn ^= 1;
        snprintf(text[turn], sizeof(text[turn]), "file%u", n);
        return slice_str(text[turn]);
}

/* --- the worker */

struct worker {
        struct loop *loop;
        struct store *store;
        struct meta *meta;
        struct model model;
        struct task task;
        int pipe;
        char log[192];
        uint32_t outstanding;
        struct {
                uint64_t seq, change, fileid;
        } waiting[OUTSTANDING];
};

static uint64_t look(struct worker *w, uint64_t parent, struct slice name)
{
        uint64_t fileid;

        MUST(meta_lookup(w->meta, parent, name, &fileid) == 0);
        return fileid;
}

static void lose_name(struct txn *t, uint64_t fileid)
{
        struct inode *i = txn_edit(t, fileid);

        if (--i->nlink == 0)
                txn_delete_inode(t, fileid);
}

static uint64_t create(struct worker *w, struct txn *t, uint64_t parent, struct slice name, uint8_t type)
{
        struct inode *i = txn_new_inode(t, type);

        i->nlink = type == NF4DIR ? 2 : 1;
        i->parent = type == NF4DIR ? parent : 0;
        MUST(txn_link(t, parent, name, i->fileid, type) == 0);
        MUST((i->fileid & ~FILEID_DIRECTORY) > shared->largest_fileid);
        (void)w;
        return i->fileid;
}

static void rename_one(struct worker *w, struct txn *t, struct change c, uint64_t dir, uint64_t file)
{
        uint64_t to = look(w, ROOT_FILEID, dir_name(c.to_d)), victim;

        if (w->model.slot[c.to_d][c.to_n]) {
                victim = look(w, to, file_name(c.to_n));
                MUST(txn_unlink(t, to, file_name(c.to_n)) == 0);
                lose_name(t, victim);
        }
        MUST(txn_unlink(t, dir, file_name(c.n)) == 0);
        MUST(txn_link(t, to, file_name(c.to_n), file, NF4REG) == 0);
}

/* The change as the server would do it; the number of the file it makes, or 0. */
static uint64_t carry_out(struct worker *w, struct txn *t, struct change c)
{
        uint64_t dir = c.verb == MKDIR || c.verb == NOTHING ? 0 : look(w, ROOT_FILEID, dir_name(c.d)),
                 made = 0;
        uint64_t file = c.verb >= LINK ? look(w, dir, file_name(c.n)) : 0;

        switch (c.verb) {
        case NOTHING: break;
        case MKDIR:
                made = create(w, t, ROOT_FILEID, dir_name(c.d), NF4DIR);
                txn_edit(t, ROOT_FILEID)->nlink++;
                break;
        case RMDIR:
                MUST(txn_unlink(t, ROOT_FILEID, dir_name(c.d)) == 0);
                txn_edit(t, ROOT_FILEID)->nlink--;
                txn_delete_inode(t, dir);
                break;
        case CREATE: made = create(w, t, dir, file_name(c.n), NF4REG); break;
        case LINK:
                MUST(txn_link(t, look(w, ROOT_FILEID, dir_name(c.to_d)), file_name(c.to_n), file, NF4REG) ==
                     0);
                txn_edit(t, file)->nlink++;
                break;
        case UNLINK:
                MUST(txn_unlink(t, dir, file_name(c.n)) == 0);
                lose_name(t, file);
                break;
        case RENAME: rename_one(w, t, c, dir, file); break;
        case SETATTR: txn_edit(t, file)->size += 7; break;
        }
        return made;
}

static void do_one(struct worker *w)
{
        struct change c = next_change(&w->model);
        uint64_t number = w->model.changes + 1, seq, made;
        struct txn *t = txn_begin(w->meta);
        uint8_t key[KEY_MAX];

        made = carry_out(w, t, c);
        txn_put(t, key_client(key, slice_str("change")), slice_of(&number, sizeof(number)));
        MUST(txn_commit(t, &seq) == 0);
        advance(&w->model, c);
        w->waiting[w->outstanding].seq = seq;
        w->waiting[w->outstanding].change = number;
        w->waiting[w->outstanding++].fileid = made;
        if (number % 3 == 0)
                shared->epoch = meta_raise_epoch(w->meta);
        if (number % 64 == 0) /* so that blocks of numbers run out */
                for (int i = 0; i < 5000; i++)
                        MUST(meta_new_fileid(w->meta) != 0);
}

/* With an odd seed always by the thread, else as the disk is. */
static void choose_sync(struct worker *w)
{
        if (w->model.seed % 2)
                rocks_of(w->store)->sync_average_ns = UINT64_MAX / 2;
}

static void work(struct task *task)
{
        struct worker *w = CONTAINER(task, struct worker, task);

        meta_trim(w->meta);
        while (w->outstanding < OUTSTANDING)
                do_one(w);
        choose_sync(w);
        w->store->ops->sync(w->store, w->store->written);
}

static void on_durable(void *arg, uint64_t seq, int error)
{
        struct worker *w = arg;
        struct stat st;
        uint32_t done = 0;

        MUST(error == 0);
        MUST(stat(w->log, &st) == 0);
        /* Before anything is told: the child may be killed between any two of these lines. */
        shared->log_bytes = (uint64_t)st.st_size;
        atomic_signal_fence(memory_order_release);
        for (; done < w->outstanding && w->waiting[done].seq <= seq; done++) {
                uint64_t number = w->waiting[done].fileid & ~FILEID_DIRECTORY;

                if (number > shared->largest_fileid)
                        shared->largest_fileid = number;
                shared->told = w->waiting[done].change;
        }
        if (done > 0)
                MUST(write(w->pipe, "+", 1) == 1);
        memmove(w->waiting, w->waiting + done, (w->outstanding - done) * sizeof(*w->waiting));
        w->outstanding -= done;
        env_defer(loop_env(w->loop), &w->task);
}

static void last_log(const char *dir, char *path, size_t bytes)
{
        char pattern[128];
        glob_t found;

        snprintf(pattern, sizeof(pattern), "%s/*.log", dir);
        MUST(glob(pattern, 0, NULL, &found) == 0);
        snprintf(path, bytes, "%s", found.gl_pathv[found.gl_pathc - 1]);
        globfree(&found);
}

static void open_worker(struct worker *w, const char *dir)
{
        char error[512] = "";
        uint8_t key[KEY_MAX];
        uint64_t changes = 0;
        uint32_t length;

        w->loop = loop_new();
        w->store = store_rocks_open(dir, false, w->loop, BED_CACHE_BYTES, error, sizeof(error));
        w->meta = w->store ? meta_open(loop_env(w->loop), w->store, 16, error, sizeof(error)) : NULL;
        if (!w->meta)
                fprintf(stderr, "%s\n", error);
        MUST(w->meta != NULL);
        meta_get(w->meta, key_client(key, slice_str("change")), &changes, sizeof(changes), &length);
        w->model = model_after(w->model.seed, changes);
}

static _Noreturn void run_worker(uint32_t seed, const char *dir, int pipe)
{
        static struct worker w;

        w.model.seed = seed;
        w.pipe = pipe;
        w.task.run = work;
        list_init(&w.task.node);
        open_worker(&w, dir);
        last_log(dir, w.log, sizeof(w.log));
        shared->log_bytes = 0;
        MUST(meta_boot(w.meta) > shared->boot);
        shared->boot = meta_boot(w.meta);
        shared->open = true;
        w.store->on_durable = on_durable;
        w.store->arg = &w;
        env_defer(loop_env(w.loop), &w.task);
        loop_run(w.loop);
        _exit(1);
}

/* --- the verifier */

static bool count_entry(void *arg, uint64_t cookie, const struct dirent_record *entry)
{
        (void)cookie, (void)entry;
        ++*(uint32_t *)arg;
        return true;
}

static void verify_file(struct worker *w, struct object *o, uint64_t fileid)
{
        const struct inode *i;

        MUST(meta_inode(w->meta, fileid, &i) == 0);
        MUST(o->fileid == 0 || o->fileid == fileid);
        o->fileid = fileid;
        MUST(i->nlink == o->names);
        MUST(i->size == o->size);
        MUST(i->type == NF4REG);
}

static void verify_dir(struct worker *w, uint32_t d)
{
        struct model *m = &w->model;
        uint64_t dir = 0, fileid;
        uint32_t listed = 0;
        int r = meta_lookup(w->meta, ROOT_FILEID, dir_name(d), &dir);

        MUST(r == (m->dir[d] ? 0 : -ENOENT));
        if (r)
                return;
        for (uint32_t n = 0; n < NAMES; n++) {
                fileid = 0;
                r = meta_lookup(w->meta, dir, file_name(n), &fileid);
                MUST(r == (m->slot[d][n] ? 0 : -ENOENT));
                if (r == 0)
                        verify_file(w, &m->objects[m->slot[d][n]], fileid);
        }
        MUST(meta_readdir(w->meta, dir, 0, count_entry, &listed) == 0);
        MUST(listed == in_use(m, d));
}

static _Noreturn void run_verifier(uint32_t seed, const char *dir)
{
        static struct worker w;
        struct fsck_report report;

        w.model.seed = seed;
        open_worker(&w, dir);
        MUST(w.model.changes >= shared->told);
        for (uint32_t d = 0; d < DIRS; d++)
                verify_dir(&w, d);
        for (uint32_t i = 1; i < OBJECTS; i++)
                for (uint32_t j = 1; j < i; j++)
                        MUST(w.model.objects[i].fileid == 0 ||
                             w.model.objects[i].fileid != w.model.objects[j].fileid);
        MUST(fsck_run(w.store, stderr, &report) == 0);
        MUST(report.problems == 0);
        MUST(meta_new_fileid(w.meta) > shared->largest_fileid);
        MUST(meta_epoch(w.meta) >= shared->epoch);
        MUST(meta_boot(w.meta) > shared->boot);
        shared->boot = meta_boot(w.meta);
        shared->epoch = meta_epoch(w.meta);
        shared->told = w.model.changes;
        meta_close(w.meta);
        w.store->ops->close(w.store);
        loop_free(w.loop);
        _exit(0);
}

/* --- the parent: it never opens a store itself, since threads do not survive a fork */

static void sleep_us(uint32_t us)
{
        struct timespec ts = { us / 1000000, us % 1000000 * 1000L };

        nanosleep(&ts, NULL);
}

/* Mostly while it works, sometimes while it still opens. */
static void kill_some_time(pid_t child, int pipe, uint64_t dice)
{
        struct pollfd ready = { .fd = pipe, .events = POLLIN };
        int status;

        if (dice % 8 != 0)
                poll(&ready, 1, 10000);
        sleep_us((uint32_t)(hash_u64(dice) % MOST_RUN_US));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFSIGNALED(status))
                fail_msg("the worker ended by itself");
}

/* Cut the log somewhere between what was synced and its end. */
static void cut_log(const char *dir, uint64_t dice)
{
        char path[192];
        struct stat st;

        last_log(dir, path, sizeof(path));
        assert_int_equal(stat(path, &st), 0);
        assert_true((uint64_t)st.st_size >= shared->log_bytes);
        if ((uint64_t)st.st_size > shared->log_bytes)
                assert_int_equal(truncate(path, (off_t)(shared->log_bytes + dice % ((uint64_t)st.st_size -
                                                                                    shared->log_bytes + 1))),
                                 0);
}

static bool one_life(uint32_t seed, const char *dir, uint64_t dice)
{
        int ends[2], status;
        pid_t child;

        assert_int_equal(pipe(ends), 0);
        shared->open = false;
        child = fork();
        if (child == 0)
                run_worker(seed, dir, ends[1]);
        close(ends[1]);
        kill_some_time(child, ends[0], dice);
        close(ends[0]);
        if (shared->open && shared->log_bytes > 0)
                cut_log(dir, hash_u64(dice + 1));
        child = fork();
        if (child == 0)
                run_verifier(seed, dir);
        assert_int_equal(waitpid(child, &status, 0), child);
        return status == 0;
}

static void killed_at_any_instant(void **state)
{
        const char *fast = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        uint64_t changes = 0;

        (void)state;
        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(shared, MAP_FAILED);
        for (uint32_t seed = first_seed; seed < first_seed + seeds; seed++) {
                char dir[64];

                memset(shared, 0, sizeof(*shared));
                snprintf(dir, sizeof(dir), "%s/nacre-crash-XXXXXX", seed % 4 == 0 ? "/tmp" : fast);
                assert_non_null(mkdtemp(dir));
                for (uint32_t life = 0; life < LIVES; life++)
                        if (!one_life(seed, dir, hash_u64(seed * 16u + life)))
                                fail_msg(
                                        "seed %u, life %u: store kept in %s; again with: test_rocks_crash %u 1",
                                        seed, life, dir, seed);
                changes += shared->told;
                bed_remove_dir(dir);
        }
        printf("%u seeds, %u kills, %llu changes survived\n", seeds, seeds * LIVES,
               (unsigned long long)changes);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(killed_at_any_instant) };

        if (argc > 1)
                first_seed = (uint32_t)atoi(argv[1]);
        if (argc > 2)
                seeds = (uint32_t)atoi(argv[2]);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
