/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the names of new objects durable: an fsync of the folder once after a creation, shared by all who
 * wait for it. A folder counts its creations and remembers which of them are durable; the counts are shared
 * by the workers, and start as "one creation, not durable", since nobody knows what the process before us
 * left undone. */
#pragma once

#include <stdatomic.h>

#include "base/disk.h"
#include "base/list.h"
#include "ds/store/local.h"

struct folder_marks { /* one in the process */
        _Atomic uint64_t changed[STORE_FOLDERS], durable[STORE_FOLDERS];
};

struct folder_wait {
        struct list node;
        uint64_t need;
        void (*done)(struct folder_wait *, int error);
};

struct folders;
struct folder {
        struct folders *all;
        struct disk_req req;
        struct list waiting;
        uint64_t target;
        int fd;
        bool busy;
        char path[STORE_PATH];
};
struct folders { /* one a worker */
        struct disk *disk;
        struct folder_marks *marks;
        struct folder folder[STORE_FOLDERS];
};

void folder_marks_init(struct folder_marks *marks);
void folders_init(struct folders *f, struct disk *disk, struct folder_marks *marks);
void folders_close(struct folders *f); /* nothing may be under way */
/* An object was created in FOLDER, or removed from it. */
void folder_changed(struct folders *f, uint32_t folder);
/* True: every name made in FOLDER until now is durable. False: W->done() runs later. */
bool folder_sync(struct folders *f, uint32_t folder, struct folder_wait *w);
