/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/store/fdcache.h"

#include <errno.h>
#include <fcntl.h>

#include "base/check.h"

bool objects_init(struct objects *s, struct disk *disk, struct folder_marks *marks, uint32_t fd_limit,
                  uint32_t in_use_limit)
{
        s->disk = disk;
        s->fd_limit = fd_limit;
        s->open_count = s->evicting = 0;
        s->opens = s->evictions = 0;
        list_init(&s->idle);
        folders_init(&s->folders, disk, marks);
        slab_init(&s->slab, sizeof(struct object), fd_limit + in_use_limit);
        return hashtab_init(&s->table, fd_limit);
}

static void drop(struct object *o)
{
        struct objects *s = o->objects;

        CHECK(o->refs == 0 && o->fd < 0 && list_empty(&o->openers) && list_empty(&o->held) &&
              list_empty(&o->announce_waits));
        if (o->residency)
                s->forget(o->residency);
        list_remove(&o->in_idle);
        hashtab_remove(&s->table, &o->node);
        slab_put(&s->slab, o);
}

static void close_fd(struct object *o)
{
        if (o->fd < 0)
                return;
        o->objects->disk->ops->close_fd(o->objects->disk, o->fd);
        o->objects->open_count--;
        o->fd = -1;
}

void objects_destroy(struct objects *s)
{
        uint32_t bucket = 0;

        while (!list_empty(&s->idle)) {
                struct object *o = CONTAINER(s->idle.next, struct object, in_idle);

                close_fd(o);
                drop(o);
        }
        CHECK(hashtab_walk(&s->table, &bucket, NULL) == NULL);
        folders_close(&s->folders);
        hashtab_destroy(&s->table);
        slab_destroy(&s->slab);
}

/* --- eviction */

static void trim(struct objects *s);

static void synced_for_eviction(struct disk_req *r)
{
        struct object *o = CONTAINER(r, struct object, req);
        struct objects *s = o->objects;

        s->evicting--;
        object_release(o);
        s->eviction_ended(s->arg, (int)r->result);
}

/* Closing loses the kernel's note of a failed write-back, so what was written is synced first. */
static void evict(struct object *o)
{
        struct objects *s = o->objects;

        s->evictions++;
        if (!o->unsynced) {
                close_fd(o);
                drop(o);
                return;
        }
        list_remove(&o->in_idle);
        o->refs = 1;
        o->unsynced = false;
        s->evicting++;
        o->req = (struct disk_req){ .op = DISK_SYNC, .fd = o->fd, .done = synced_for_eviction };
        disk_submit(s->disk, &o->req);
}

static void trim(struct objects *s)
{
        while (s->open_count - s->evicting > s->fd_limit && !list_empty(&s->idle))
                evict(CONTAINER(s->idle.next, struct object, in_idle));
}

/* --- references */

struct object *object_ref(struct object *o)
{
        if (o->refs++ == 0)
                list_remove(&o->in_idle);
        return o;
}

struct object *object_find(struct objects *s, uint64_t fileid, uint32_t generation)
{
        HASHTAB_FOR_EACH(node, &s->table, hash_u64(fileid)) {
                struct object *o = CONTAINER(node, struct object, node);

                if (o->fileid == fileid && o->generation == generation)
                        return object_ref(o);
        }
        return NULL;
}

struct object *object_hold(struct objects *s, uint64_t fileid, uint32_t generation)
{
        struct object *o = object_find(s, fileid, generation);

        if (o)
                return o;
        o = slab_get(&s->slab);
        if (!o)
                return NULL;
        o->objects = s;
        o->fileid = fileid;
        o->generation = generation;
        o->refs = 1;
        o->fd = -1;
        list_init(&o->in_idle);
        list_init(&o->openers);
        list_init(&o->idle_waits);
        list_init(&o->syncing);
        list_init(&o->sync_waits);
        list_init(&o->held);
        list_init(&o->announce_waits);
        object_path(fileid, generation, o->path);
        hashtab_insert(&s->table, &o->node, hash_u64(fileid));
        return o;
}

static void tell_idle(struct object *o)
{
        struct list ready = LIST_INIT(ready);

        list_splice(&ready, &o->idle_waits);
        for (struct list *node; (node = list_pop(&ready));) {
                struct idle_wait *w = CONTAINER(node, struct idle_wait, node);

                w->idle(w);
        }
}

void object_release(struct object *o)
{
        struct objects *s = o->objects;

        CHECK(o->refs > 0);
        if (--o->refs > 0) {
                if (o->refs == o->removers)
                        tell_idle(o);
                return;
        }
        if (o->fd < 0) {
                drop(o);
                return;
        }
        list_push(&s->idle, &o->in_idle);
        trim(s);
}

bool object_when_idle(struct object *o, struct idle_wait *w)
{
        o->removers++;
        if (o->refs == o->removers)
                return true;
        list_push(&o->idle_waits, &w->node);
        return false;
}

void object_close(struct object *o)
{
        CHECK(o->removers > 0 && o->refs == o->removers && !o->opening);
        o->removers--;
        close_fd(o);
        o->size = 0;
        o->unsynced = false;
        o->announced = 0;
        o->pushed = false;
}

void objects_forget_announced(struct objects *s)
{
        uint32_t bucket = 0;

        for (struct hnode *node = hashtab_walk(&s->table, &bucket, NULL); node;
             node = hashtab_walk(&s->table, &bucket, node))
                CONTAINER(node, struct object, node)->announced = 0;
}

/* --- opening */

static void start_open(struct object *o, bool create);

static void tell_openers(struct object *o, int error, bool creators_too)
{
        struct list ready = LIST_INIT(ready);

        LIST_FOR_EACH_SAFE(node, &o->openers) {
                if (!creators_too && CONTAINER(node, struct opener, node)->create)
                        continue;
                list_remove(node);
                list_push(&ready, node);
        }
        for (struct list *node; (node = list_pop(&ready));) {
                struct opener *opener = CONTAINER(node, struct opener, node);

                opener->opened(opener, error);
        }
}

/* What is empty and was opened to be created counts as created: its name may not be durable. */
static int take_fd(struct object *o, int fd)
{
        uint64_t allocated, mtime;
        int error;

        o->fd = fd;
        o->objects->open_count++;
        o->objects->opens++;
        error = object_stat(o, &allocated, &mtime);
        if (error) {
                close_fd(o);
                return error;
        }
        if (o->creating && o->size == 0) {
                o->objects->created++;
                folder_changed(&o->objects->folders, object_folder(o->fileid));
        }
        return 0;
}

static void open_done(struct disk_req *r)
{
        struct object *o = CONTAINER(r, struct object, req);
        int error = r->result < 0 ? (int)r->result : take_fd(o, (int)r->result);
        bool creators_wait = false;

        object_ref(o); /* while the openers are told */
        o->opening = false;
        LIST_FOR_EACH(node, &o->openers)
                creators_wait |= CONTAINER(node, struct opener, node)->create;
        if (error == -ENOENT && !o->creating && creators_wait) {
                start_open(o, true);
                tell_openers(o, error, false);
        } else {
                tell_openers(o, error, true);
        }
        trim(o->objects);
        object_release(o);
}

static void start_open(struct object *o, bool create)
{
        o->opening = true;
        o->creating = create;
        o->req = (struct disk_req){ .op = DISK_OPEN,
                                    .path = o->path,
                                    .open_flags = O_RDWR | O_NOFOLLOW | (create ? O_CREAT : 0),
                                    .mode = 0600,
                                    .done = open_done };
        disk_submit(o->objects->disk, &o->req);
}

int object_open(struct object *o, struct opener *opener)
{
        CHECK(o->refs > 0);
        if (o->fd >= 0)
                return 0;
        list_push(&o->openers, &opener->node);
        if (!o->opening)
                start_open(o, opener->create);
        return -EINPROGRESS;
}

/* --- syncing */

static void start_sync(struct object *o);

static void sync_done(struct disk_req *r)
{
        struct object *o = CONTAINER(r, struct object, req);
        struct list ready = LIST_INIT(ready);
        int error = (int)r->result;

        object_ref(o); /* while those who waited are told */
        list_splice(&ready, &o->syncing);
        if (error) {
                o->unsynced = true;
                list_splice(&ready, &o->sync_waits);
        } else if (!list_empty(&o->sync_waits)) {
                start_sync(o);
        }
        for (struct list *node; (node = list_pop(&ready));) {
                struct sync_wait *w = CONTAINER(node, struct sync_wait, node);

                w->synced(w, error);
        }
        object_release(o);
}

static void start_sync(struct object *o)
{
        list_splice(&o->syncing, &o->sync_waits);
        o->unsynced = false;
        o->req = (struct disk_req){ .op = DISK_SYNC, .fd = o->fd, .done = sync_done };
        disk_submit(o->objects->disk, &o->req);
}

void object_sync(struct object *o, struct sync_wait *w)
{
        CHECK(o->refs > 0 && o->fd >= 0);
        list_push(&o->sync_waits, &w->node);
        if (list_empty(&o->syncing))
                start_sync(o);
}

int object_stat(struct object *o, uint64_t *ret_allocated, uint64_t *ret_mtime_ns)
{
        uint64_t size;
        int error =
                o->objects->disk->ops->file_size(o->objects->disk, o->fd, &size, ret_allocated, ret_mtime_ns);

        if (!error)
                o->size = size;
        return error;
}
