/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/tier/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "ds/worker.h"

/* --- snapshots */

bool keep_snapshot(struct worker *w, struct residency *r, struct keep *k)
{
        bool wanted;

        k->worker = w;
        k->residency = NULL;
        k->bits = NULL;
        k->error = 0;
        list_init(&k->node);
        pthread_mutex_lock(&r->tier->lock);
        k->changes = r->changes;
        wanted = r->state == RESIDENCY_READY && r->changes != r->kept_changes && !atomic_load(&r->gone);
        if (wanted && !(k->bits = malloc(r->words * 8 + 8)))
                k->error = -ENOMEM;
        for (uint64_t i = 0; k->bits && i < r->words; i++)
                k->bits[i] = atomic_load(&r->here[i]);
        pthread_mutex_unlock(&r->tier->lock);
        if (k->bits)
                k->residency = residency_ref(r);
        return k->bits != NULL;
}

void keep_forget(struct keep *k)
{
        free(k->bits);
        k->bits = NULL;
        if (k->residency)
                residency_release(k->residency);
        k->residency = NULL;
}

/* --- the writer of the units' file */

struct keeper {
        struct worker *worker;
        struct residency *residency; /* the first keep's reference, then its own */
        struct list round;           /* struct keep that this round is for */
        struct disk_req disk;
        struct folder_wait folder;
        int fd;
        uint64_t changes;
        uint8_t *bytes;
        uint32_t length;
        char path[STORE_PATH];
};

static void begin_round(struct keeper *p);

static void arrive(struct message *msg)
{
        struct keep *k = CONTAINER(msg, struct keep, msg);

        keep_forget(k);
        k->done(k);
}

static void tell(struct keeper *p, struct list *round, int error)
{
        for (struct list *node; (node = list_pop(round));) {
                struct keep *k = CONTAINER(node, struct keep, node);

                k->error = error;
                k->msg.run = arrive;
                worker_post(p->worker, k->worker, &k->msg);
        }
}

static void end(struct keeper *p)
{
        struct worker *w = p->worker;

        residency_release(p->residency);
        free(p->bytes);
        free(p);
        w->busy--;
        worker_note_end(w);
}

static void end_round(struct keeper *p, int error)
{
        struct residency *r = p->residency;
        struct list round = LIST_INIT(round);
        bool more;

        if (p->fd >= 0)
                p->worker->disk->ops->close_fd(p->worker->disk, p->fd);
        p->fd = -1;
        pthread_mutex_lock(&r->tier->lock);
        list_splice(&round, &p->round);
        if (!error) {
                r->has_file = true;
                r->kept_changes = p->changes > r->kept_changes ? p->changes : r->kept_changes;
        }
        more = !list_empty(&r->keeping);
        if (!more)
                r->keeper = NULL;
        pthread_mutex_unlock(&r->tier->lock);
        if (error)
                tier_disk_error(p->worker, error);
        else
                keep_tell_if_all(p->worker, r);
        tell(p, &round, error);
        if (more)
                begin_round(p);
        else
                end(p);
}

static void named(struct folder_wait *folder, int error)
{
        end_round(CONTAINER(folder, struct keeper, folder), error);
}

static void synced(struct disk_req *disk)
{
        struct keeper *p = CONTAINER(disk, struct keeper, disk);
        struct folders *folders = &p->worker->objects.folders;
        uint32_t folder = object_folder(p->residency->fileid);

        if (disk->result < 0 || p->residency->has_file) {
                end_round(p, (int)disk->result);
                return;
        }
        folder_changed(folders, folder);
        p->folder.done = named;
        if (folder_sync(folders, folder, &p->folder))
                end_round(p, 0);
}

static void written(struct disk_req *disk)
{
        struct keeper *p = CONTAINER(disk, struct keeper, disk);

        if (disk->result < 0) {
                end_round(p, (int)disk->result);
                return;
        }
        p->disk = (struct disk_req){ .op = DISK_SYNC, .fd = p->fd, .done = synced };
        disk_submit(p->worker->disk, &p->disk);
}

static void opened(struct disk_req *disk)
{
        struct keeper *p = CONTAINER(disk, struct keeper, disk);

        if (disk->result < 0) {
                end_round(p, (int)disk->result);
                return;
        }
        p->fd = (int)disk->result;
        p->disk = (struct disk_req){
                .op = DISK_WRITE, .fd = p->fd, .data = p->bytes, .length = p->length, .done = written
        };
        disk_submit(p->worker->disk, &p->disk);
}

/* Before the first units' file of a store: what removes objects must look for them from now on. */
static int note_use(struct worker *w)
{
        struct ds_tier *t = w->ds->tier;
        int error = atomic_load(&t->used) ? 0 : w->disk->ops->mkdir(w->disk, "tiered");

        if (!error)
                atomic_store(&t->used, true);
        return error;
}

/* What waits is joined to what was kept before. */
static bool collect(struct keeper *p)
{
        struct residency *r = p->residency;
        struct units_of of = { .unit = r->stripe.unit };
        bool alive;

        pthread_mutex_lock(&r->tier->lock);
        list_splice(&p->round, &r->keeping);
        LIST_FOR_EACH(node, &p->round) {
                const struct keep *k = CONTAINER(node, struct keep, node);

                for (uint64_t i = 0; i < r->words; i++)
                        r->kept[i] |= k->bits[i];
                p->changes = k->changes > p->changes ? k->changes : p->changes;
        }
        of.units = r->words * 64;
        memcpy(of.etag, r->source.etag, sizeof(of.etag));
        units_encode(&of, r->kept, p->bytes);
        alive = !atomic_load(&r->gone);
        pthread_mutex_unlock(&r->tier->lock);
        return alive;
}

static void begin_round(struct keeper *p)
{
        struct worker *w = p->worker;
        int error = note_use(w);

        if (!collect(p) || error) { /* a removed object's units need no file */
                end_round(p, error);
                return;
        }
        p->disk = (struct disk_req){ .op = DISK_OPEN,
                                     .path = p->path,
                                     .open_flags = O_RDWR | O_CREAT | O_NOFOLLOW,
                                     .mode = 0600,
                                     .done = opened };
        disk_submit(w->disk, &p->disk);
}

static struct keeper *new_keeper(struct keep *k)
{
        struct residency *r = k->residency;
        struct keeper *p = calloc(1, sizeof(*p));

        CHECK(p != NULL);
        p->length = units_file_bytes(r->words * 64);
        p->bytes = malloc(p->length);
        CHECK(p->bytes != NULL); /* the size of the snapshot, for which there was memory */
        p->worker = k->worker;
        p->residency = residency_ref(r);
        p->fd = -1;
        list_init(&p->round);
        units_path(r->fileid, r->generation, p->path);
        p->worker->busy++;
        return p;
}

void keep_write(struct keep *k)
{
        struct residency *r = k->residency;
        struct keeper *p = new_keeper(k);
        bool first;

        pthread_mutex_lock(&r->tier->lock);
        list_push(&r->keeping, &k->node);
        first = !r->keeper;
        if (first)
                r->keeper = p;
        pthread_mutex_unlock(&r->tier->lock);
        if (first)
                begin_round(p);
        else
                end(p);
}

/* In the next round, which writes nothing. */
bool keep_wait_for_writer(struct worker *w, struct residency *r, struct keep *k)
{
        bool waits;

        CHECK(atomic_load(&r->gone));
        *k = (struct keep){ .done = k->done, .worker = w, .bits = calloc(r->words + 1, 8) };
        CHECK(k->bits != NULL);
        list_init(&k->node);
        k->residency = residency_ref(r);
        pthread_mutex_lock(&r->tier->lock);
        waits = r->keeper != NULL;
        if (waits)
                list_push(&r->keeping, &k->node);
        pthread_mutex_unlock(&r->tier->lock);
        if (!waits)
                keep_forget(k);
        return waits;
}

/* --- what was fetched, in the background */

struct settling {
        struct keep keep;
        struct worker *worker;
        struct residency *residency;
        struct object *object;
        struct sync_wait data;
        struct folder_wait folder;
        uint32_t pending;
        int error;
};

static void settled(struct settling *s)
{
        struct residency *r = s->residency;
        struct worker *w = s->worker;
        bool again;

        pthread_mutex_lock(&r->tier->lock);
        r->settling = false;
        again = s->error == 0 && r->busy_count == 0 && r->changes != r->kept_changes;
        pthread_mutex_unlock(&r->tier->lock);
        object_release(s->object);
        free(s);
        w->tier->settles--;
        if (again && !w->turned_away)
                keep_settle(w, r);
        residency_release(r);
        w->busy--;
        worker_note_end(w);
}

static void settle_kept(struct keep *k)
{
        struct settling *s = CONTAINER(k, struct settling, keep);

        s->error = k->error;
        settled(s);
}

static void settle_step(struct settling *s, int error)
{
        if (s->error == 0)
                s->error = error;
        if (--s->pending > 0)
                return;
        if (s->error) {
                keep_forget(&s->keep);
                settled(s);
        } else {
                keep_write(&s->keep);
        }
}

static void data_synced(struct sync_wait *data, int error)
{
        struct settling *s = CONTAINER(data, struct settling, data);

        if (error)
                ds_disk_failed(s->worker->ds, error, true);
        settle_step(s, error);
}

static void name_synced(struct folder_wait *folder, int error)
{
        settle_step(CONTAINER(folder, struct settling, folder), error);
}

static void start_settling(struct settling *s)
{
        struct worker *w = s->worker;

        s->keep.done = settle_kept;
        if (s->object->fd < 0 || !keep_snapshot(w, s->residency, &s->keep)) {
                s->error = s->keep.error ? s->keep.error : -ENOENT;
                settled(s);
                return;
        }
        s->pending = 2;
        s->data.synced = data_synced;
        s->folder.done = name_synced;
        object_sync(s->object, &s->data);
        if (folder_sync(&w->objects.folders, object_folder(s->residency->fileid), &s->folder))
                settle_step(s, 0);
}

void keep_settle(struct worker *w, struct residency *r)
{
        struct object *o = object_find(&w->objects, r->fileid, r->generation);
        struct settling *s = o ? calloc(1, sizeof(*s)) : NULL;
        bool go;

        pthread_mutex_lock(&r->tier->lock);
        go = s && !r->settling && !atomic_load(&r->gone) && r->changes != r->kept_changes;
        if (go)
                r->settling = true;
        pthread_mutex_unlock(&r->tier->lock);
        if (!go) {
                if (o)
                        object_release(o);
                free(s);
                return;
        }
        s->worker = w;
        s->residency = residency_ref(r);
        s->object = o;
        w->tier->settles++;
        w->busy++;
        start_settling(s);
}

/* --- the MDS */

struct telling {
        struct tier_ask ask;
        struct residency *residency;
        char etag[UNITS_ETAG];
};

static void told(struct tier_ask *ask)
{
        struct telling *t = CONTAINER(ask, struct telling, ask);
        struct residency *r = t->residency;
        struct list woken = LIST_INIT(woken);

        pthread_mutex_lock(&r->tier->lock);
        r->telling = false;
        r->told = ask->status == CTL_OK || ask->status == CTL_NOENT;
        residency_collect(r, UNIT_TOLD, false, TIER_AGAIN, &woken);
        pthread_mutex_unlock(&r->tier->lock);
        residency_tell(ask->worker, &woken);
        tier_ask_forget(ask);
        free(t);
        residency_release(r);
}

/* Bits that are not kept may be of units that were written after all had been here: none of those is absent.
 */
static bool all_durable(const struct residency *r)
{
        uint64_t units = atomic_load(&r->units);

        return r->state == RESIDENCY_READY && r->kept_changes == r->changes &&
               units_absent(r->kept, units) == 0;
}

void keep_tell_if_all(struct worker *w, struct residency *r)
{
        struct telling *t = NULL;
        bool go;

        pthread_mutex_lock(&r->tier->lock);
        go = !r->told && !r->telling && !atomic_load(&r->gone) && all_durable(r);
        if (go)
                r->telling = true;
        pthread_mutex_unlock(&r->tier->lock);
        if (!go)
                return;
        t = calloc(1, sizeof(*t));
        CHECK(t != NULL);
        t->residency = residency_ref(r);
        memcpy(t->etag, r->source.etag, sizeof(t->etag));
        t->ask = (struct tier_ask){ .proc = CTL_RESIDENT,
                                    .args.resident = { .file = { .fileid = r->fileid,
                                                                 .generation = r->generation },
                                                       .etag = t->etag },
                                    .status = ASK_LOST,
                                    .done = told };
        tier_ask(w, &t->ask);
}
