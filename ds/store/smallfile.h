/* SPDX-License-Identifier: Apache-2.0 */
/* Whole small files of the store's own, read or written durably, without blocking. */
#pragma once

#include "base/disk.h"

enum { SMALLFILE_MAX = 256 };

struct smallfile {
        void (*done)(struct smallfile *); /* result and data are set; fd is closed */
        int64_t result;                   /* bytes read or written, or -errno */
        char data[SMALLFILE_MAX + 1];     /* NUL behind what was read */
        /* private */
        struct disk *disk;
        struct disk_req req;
        const char *path;
        uint32_t length;
        bool writing;
        int fd;
};

/* Read PATH (kept until done). A file longer than SMALLFILE_MAX is cut. */
void smallfile_read(struct smallfile *f, struct disk *disk, const char *path);
/* Write TEXT to PATH in place of what was there; done() when the bytes and the name are durable. */
void smallfile_write(struct smallfile *f, struct disk *disk, const char *path, const char *text);
