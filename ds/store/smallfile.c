/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "base/check.h"
#include "base/list.h"
#include "ds/store/smallfile.h"

static void submit(struct smallfile *f, enum disk_op op, void (*done)(struct disk_req *))
{
        f->req.op = op;
        f->req.fd = f->fd;
        f->req.done = done;
        disk_submit(f->disk, &f->req);
}

static void finish(struct smallfile *f, int64_t result)
{
        if (f->fd >= 0)
                f->disk->ops->close_fd(f->disk, f->fd);
        f->fd = -1;
        f->result = result;
        f->done(f);
}

static void start(struct smallfile *f, struct disk *disk, const char *path, int flags,
                  void (*opened)(struct disk_req *))
{
        f->disk = disk;
        f->path = path;
        f->fd = -1;
        f->req = (struct disk_req){ .path = path, .open_flags = flags, .mode = 0600 };
        submit(f, DISK_OPEN, opened);
}

/* --- reading */

static void have_read(struct disk_req *r)
{
        struct smallfile *f = CONTAINER(r, struct smallfile, req);

        f->data[r->result > 0 ? r->result : 0] = '\0';
        finish(f, r->result);
}

static void opened_to_read(struct disk_req *r)
{
        struct smallfile *f = CONTAINER(r, struct smallfile, req);

        if (r->result < 0) {
                finish(f, r->result);
                return;
        }
        f->fd = (int)r->result;
        r->data = f->data;
        r->length = SMALLFILE_MAX;
        r->offset = 0;
        submit(f, DISK_READ, have_read);
}

void smallfile_read(struct smallfile *f, struct disk *disk, const char *path)
{
        start(f, disk, path, O_RDONLY, opened_to_read);
}

/* --- writing: the file, its bytes, then the folder that has its name */

static void folder_synced(struct disk_req *r)
{
        struct smallfile *f = CONTAINER(r, struct smallfile, req);

        finish(f, r->result < 0 ? r->result : f->length);
}

static void folder_opened(struct disk_req *r)
{
        struct smallfile *f = CONTAINER(r, struct smallfile, req);

        if (r->result < 0) {
                finish(f, r->result);
                return;
        }
        f->fd = (int)r->result;
        submit(f, DISK_SYNC_FOLDER, folder_synced);
}

static void file_synced(struct disk_req *r)
{
        struct smallfile *f = CONTAINER(r, struct smallfile, req);

        if (r->result < 0) {
                finish(f, r->result);
                return;
        }
        f->disk->ops->close_fd(f->disk, f->fd);
        f->fd = -1;
        r->path = ".";
        r->open_flags = O_RDONLY | O_DIRECTORY;
        submit(f, DISK_OPEN, folder_opened);
}

static void have_written(struct disk_req *r)
{
        struct smallfile *f = CONTAINER(r, struct smallfile, req);

        if (r->result < 0)
                finish(f, r->result);
        else
                submit(f, DISK_SYNC, file_synced);
}

static void opened_to_write(struct disk_req *r)
{
        struct smallfile *f = CONTAINER(r, struct smallfile, req);

        if (r->result < 0) {
                finish(f, r->result);
                return;
        }
        f->fd = (int)r->result;
        r->data = f->data;
        r->length = f->length;
        r->offset = 0;
        submit(f, DISK_WRITE, have_written);
}

void smallfile_write(struct smallfile *f, struct disk *disk, const char *path, const char *text)
{
        size_t length = strlen(text);

        CHECK(length > 0 && length <= SMALLFILE_MAX);
        memcpy(f->data, text, length);
        f->length = (uint32_t)length;
        start(f, disk, path, O_WRONLY | O_CREAT | O_TRUNC, opened_to_write);
}
