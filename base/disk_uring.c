/* SPDX-License-Identifier: Apache-2.0 */
/* The disk on io_uring: requests of one turn go to the kernel in one io_uring_enter at its end; completions
 * make the ring's descriptor readable. What has no opcode (ftruncate, before Linux 6.9; lseek; copies) or
 * always blocks (fallocate) goes to a thread. */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/disk_posix.h"

enum { REAP_BATCH = 64, THREADS = 2 };

struct uring_disk {
        struct disk disk; /* first */
        struct loop *loop;
        struct io_uring ring;
        int root_fd;
        bool no_nowait;            /* the file system cannot say what would wait */
        unsigned under_way, limit; /* requests in the kernel; never more than fit the completion queue */
        struct list waiting;       /* requests that are not in the kernel yet */
        struct turn_hook at_turn_end;
        struct task again; /* does nothing: a deferred task makes the loop come back without sleeping */
        struct offload *offload;
};

static struct uring_disk *disk_of(struct disk *disk)
{
        return CONTAINER(disk, struct uring_disk, disk);
}

/* --- into the kernel */

static void prepare(struct uring_disk *d, struct io_uring_sqe *sqe, struct disk_req *r)
{
        char *data = r->data ? (char *)r->data + r->moved : NULL;
        unsigned left = r->length - r->moved;
        uint64_t at = r->offset + r->moved;

        switch (r->op) {
        case DISK_OPEN:
                io_uring_prep_openat(sqe, d->root_fd, r->path, r->open_flags | O_CLOEXEC, r->mode);
                break;
        case DISK_READ: io_uring_prep_read(sqe, r->fd, data, left, at); break;
        case DISK_WRITE: io_uring_prep_write(sqe, r->fd, data, left, at); break;
        case DISK_SYNC: io_uring_prep_fsync(sqe, r->fd, IORING_FSYNC_DATASYNC); break;
        case DISK_SYNC_FOLDER: io_uring_prep_fsync(sqe, r->fd, 0); break;
        case DISK_UNLINK: io_uring_prep_unlinkat(sqe, d->root_fd, r->path, 0); break;
        case DISK_TRUNCATE:
        case DISK_ALLOCATE:
        case DISK_PUNCH:
        case DISK_SEEK_DATA:
        case DISK_SEEK_HOLE:
        case DISK_COPY:
        case DISK_CLONE: break; /* go to a thread: uring_submit() */
        }
        io_uring_sqe_set_data(sqe, r);
}

static void fill_queue(struct uring_disk *d)
{
        struct io_uring_sqe *sqe;

        while (d->under_way < d->limit && !list_empty(&d->waiting) && (sqe = io_uring_get_sqe(&d->ring))) {
                prepare(d, sqe, CONTAINER(list_pop(&d->waiting), struct disk_req, node));
                d->under_way++;
        }
}

/* --- out of the kernel */

/* One answer of the kernel: either the request is done, with its result, or there is more to transfer. */
static bool advance(struct disk_req *r, int32_t answer)
{
        bool transfers = r->op == DISK_READ || r->op == DISK_WRITE;

        r->result = answer;
        if (answer == -EINTR)
                return false;
        if (!transfers || answer < 0)
                return true;
        r->moved += (uint32_t)answer;
        r->result = r->moved;
        if (r->moved == r->length)
                return true;
        if (r->op == DISK_READ)
                return answer == 0 || posix_at_end(r->fd, r->offset + r->moved);
        r->result = -EIO;
        return answer == 0;
}

static void complete(struct uring_disk *d, struct disk_req *r, int32_t answer)
{
        d->under_way--;
        if (advance(r, answer)) {
                r->done(r);
                return;
        }
        list_push_front(&d->waiting, &r->node);
        env_defer(loop_env(d->loop), &d->again);
}

/* The answers that are there now; what done() makes the kernel answer meanwhile waits for the next turn. */
static void reap(struct uring_disk *d)
{
        struct io_uring_cqe *batch[REAP_BATCH];
        unsigned left = io_uring_cq_ready(&d->ring), count;

        for (; left > 0 && (count = io_uring_peek_batch_cqe(&d->ring, batch, REAP_BATCH)) > 0;
             left -= count) {
                struct disk_req *requests[REAP_BATCH];
                int32_t answers[REAP_BATCH];

                count = count < left ? count : left;
                for (unsigned i = 0; i < count; i++) {
                        requests[i] = io_uring_cqe_get_data(batch[i]);
                        answers[i] = batch[i]->res;
                }
                io_uring_cq_advance(&d->ring, count);
                for (unsigned i = 0; i < count; i++)
                        complete(d, requests[i], answers[i]);
        }
}

static void on_completions(void *arg)
{
        reap(arg);
}

static void nothing(struct task *task)
{
        (void)task;
}

/* What the page cache has is answered inside io_uring_submit(), so look at once. */
static void at_turn_end(struct turn_hook *hook)
{
        struct uring_disk *d = CONTAINER(hook, struct uring_disk, at_turn_end);
        int submitted;

        fill_queue(d);
        if (io_uring_sq_ready(&d->ring) == 0)
                return;
        submitted = io_uring_submit(&d->ring);
        CHECK(submitted >= 0 || submitted == -EAGAIN || submitted == -EBUSY || submitted == -EINTR);
        reap(d);
        if (io_uring_sq_ready(&d->ring) > 0 || (!list_empty(&d->waiting) && d->under_way < d->limit))
                env_defer(loop_env(d->loop), &d->again);
}

/* --- threads */

static bool needs_thread(enum disk_op op)
{
        return op == DISK_TRUNCATE || op >= DISK_ALLOCATE; /* and all that come after it in base/disk.h */
}

static void thread_work(struct offload_job *job)
{
        struct disk_req *r = CONTAINER(job, struct disk_req, job);

        r->result = posix_perform(r, disk_of(r->disk)->root_fd);
}

static void thread_done(struct offload_job *job)
{
        struct disk_req *r = CONTAINER(job, struct disk_req, job);

        r->done(r);
}

/* --- the disk */

static void uring_submit(struct disk *disk, struct disk_req *r)
{
        struct uring_disk *d = disk_of(disk);

        r->moved = 0;
        if (needs_thread(r->op)) {
                r->disk = disk;
                r->job.work = thread_work;
                r->job.done = thread_done;
                offload_submit(d->offload, &r->job);
        } else {
                list_push(&d->waiting, &r->node);
                env_defer(loop_env(d->loop), &d->again); /* the turn may be over, or none have begun */
        }
}

static uint32_t uring_read_now(struct disk *disk, int fd, void *data, uint32_t length, uint64_t offset)
{
        return posix_read_now(&disk_of(disk)->no_nowait, fd, data, length, offset);
}

static int uring_space(struct disk *disk, uint64_t *ret_total, uint64_t *ret_free)
{
        return posix_space(disk_of(disk)->root_fd, ret_total, ret_free);
}

static int uring_list(struct disk *disk, const char *dir, void (*each)(void *arg, const char *name),
                      void *arg)
{
        return posix_list(disk_of(disk)->root_fd, dir, each, arg);
}

static int uring_mkdir(struct disk *disk, const char *path)
{
        return posix_mkdir(disk_of(disk)->root_fd, path);
}

static void uring_free(struct disk *disk)
{
        struct uring_disk *d = disk_of(disk);

        CHECK(d->under_way == 0 && list_empty(&d->waiting));
        loop_unwatch(d->loop, d->ring.ring_fd);
        list_remove(&d->at_turn_end.node);
        list_remove(&d->again.node);
        offload_free(d->offload);
        io_uring_queue_exit(&d->ring);
        close(d->root_fd);
        free(d);
}

static const struct disk_ops uring_ops = {
        .submit = uring_submit,
        .read_now = uring_read_now,
        .map = posix_map,
        .keep = posix_keep,
        .unmap = posix_unmap,
        .close_fd = posix_close_fd,
        .file_size = posix_file_size,
        .set_mtime = posix_set_mtime,
        .space = uring_space,
        .list = uring_list,
        .mkdir = uring_mkdir,
        .free = uring_free,
};

static bool has_calls(struct io_uring *ring)
{
        static const int calls[] = { IORING_OP_OPENAT, IORING_OP_READ, IORING_OP_WRITE, IORING_OP_FSYNC,
                                     IORING_OP_UNLINKAT };
        struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
        bool all = probe != NULL;

        for (unsigned i = 0; all && i < sizeof(calls) / sizeof(calls[0]); i++)
                all = io_uring_opcode_supported(probe, calls[i]);
        io_uring_free_probe(probe);
        return all;
}

/* COOP_TASKRUN (Linux 5.19) spares the loop an interrupt for every completion. 0 or -errno. */
static int open_ring(struct io_uring *ring, unsigned entries)
{
        int status = io_uring_queue_init(entries, ring, IORING_SETUP_CLAMP | IORING_SETUP_COOP_TASKRUN);

        if (status == -EINVAL)
                status = io_uring_queue_init(entries, ring, IORING_SETUP_CLAMP);
        if (status < 0)
                return status;
        if (has_calls(ring))
                return 0;
        io_uring_queue_exit(ring);
        return -ENOSYS;
}

/* What a disk needs besides its ring. */
static bool attach(struct uring_disk *d, struct loop *loop)
{
        d->offload = offload_new(loop, THREADS);
        if (!d->offload || loop_watch(loop, d->ring.ring_fd, on_completions, d) < 0) {
                offload_free(d->offload);
                return false;
        }
        loop_at_turn_end(loop, &d->at_turn_end);
        return true;
}

struct disk *disk_uring_new(struct loop *loop, int root_fd, unsigned entries)
{
        struct uring_disk *d = calloc(1, sizeof(*d));
        int status = d ? open_ring(&d->ring, entries) : -ENOMEM;

        if (status < 0) {
                free(d);
                errno = -status;
                return NULL;
        }
        d->disk.ops = &uring_ops;
        d->loop = loop;
        d->root_fd = root_fd;
        d->limit = d->ring.cq.ring_entries;
        d->at_turn_end.fn = at_turn_end;
        d->again.run = nothing;
        list_init(&d->waiting);
        list_init(&d->again.node);
        if (!attach(d, loop)) {
                io_uring_queue_exit(&d->ring);
                free(d);
                errno = ENOMEM;
                return NULL;
        }
        return &d->disk;
}
