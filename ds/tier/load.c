/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/tier/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ds/ctl_client.h"
#include "ds/tier/keep.h"
#include "ds/worker.h"

struct load {
        struct worker *worker;
        struct residency *residency; /* referenced */
        uint32_t epoch;
        struct tier_ask ask;
        struct object *object; /* held */
        struct opener opener;
        struct disk_req disk;
        struct folder_wait folder;
        uint64_t units, mtime_ns;
        bool has_object, has_file;
        int fd;
        uint8_t *bytes; /* of the units' file */
        uint64_t *bits; /* in it, or NULL */
        char path[STORE_PATH];
};

/* --- the end */

static bool take(struct load *l)
{
        struct residency *r = l->residency;
        const ctl_source *s = &l->ask.res.source.ctl_source_res_u.source;
        bool tiered = l->ask.status == CTL_OK;

        atomic_store(&r->asked_epoch, l->epoch);
        r->mtime_ns = l->mtime_ns;
        r->has_file = l->has_file;
        if (tiered) {
                r->source.repo = s->repo;
                atomic_store(&r->source.revision, s->revision);
                r->source.size = s->size;
                snprintf(r->source.version, sizeof(r->source.version), "%s", s->version_id);
                r->source.key = strdup(s->key);
                snprintf(r->source.etag, sizeof(r->source.etag), "%s", s->etag);
                if (!r->source.key)
                        return false;
        } else {
                r->told = true;
        }
        return residency_make_units(r, tiered ? s->valid : 0, l->bits);
}

static void finish(struct load *l, enum tier_outcome outcome)
{
        struct residency *r = l->residency;
        struct worker *w = l->worker;
        struct list woken = LIST_INIT(woken);

        if (l->fd >= 0)
                w->disk->ops->close_fd(w->disk, l->fd);
        if (l->object)
                object_release(l->object);
        pthread_mutex_lock(&r->tier->lock);
        if (outcome == TIER_AGAIN && !take(l)) {
                residency_drop_units(r);
                outcome = TIER_LATER;
        }
        r->state = outcome == TIER_AGAIN ? RESIDENCY_READY : RESIDENCY_NEW;
        residency_failed(r, outcome, env_now(w->env));
        residency_collect(r, UNIT_LOAD, true, outcome, &woken);
        pthread_mutex_unlock(&r->tier->lock);
        if (outcome == TIER_AGAIN)
                keep_tell_if_all(w, r);
        residency_tell(w, &woken);
        tier_ask_forget(&l->ask);
        free(l->bits);
        free(l->bytes);
        free(l);
        residency_release(r);
        w->busy--;
        worker_note_end(w);
}

static void disk_failed(struct load *l, int error)
{
        finish(l, tier_disk_error(l->worker, error));
}

/* --- the units' file */

static void name_gone(struct folder_wait *folder, int error)
{
        struct load *l = CONTAINER(folder, struct load, folder);

        if (error)
                disk_failed(l, error);
        else
                finish(l, TIER_AGAIN);
}

static void unlinked(struct disk_req *disk)
{
        struct load *l = CONTAINER(disk, struct load, disk);
        struct folders *folders = &l->worker->objects.folders;
        uint32_t folder = object_folder(l->residency->fileid);

        if (disk->result < 0 && disk->result != -ENOENT) {
                disk_failed(l, (int)disk->result);
                return;
        }
        folder_changed(folders, folder);
        l->folder.done = name_gone;
        if (folder_sync(folders, folder, &l->folder))
                finish(l, TIER_AGAIN);
}

static void discard_file(struct load *l)
{
        struct worker *w = l->worker;

        w->disk->ops->close_fd(w->disk, l->fd);
        l->fd = -1;
        l->disk = (struct disk_req){ .op = DISK_UNLINK, .path = l->path, .done = unlinked };
        disk_submit(w->disk, &l->disk);
}

static void have_read(struct disk_req *disk)
{
        struct load *l = CONTAINER(disk, struct load, disk);
        const ctl_source *s = &l->ask.res.source.ctl_source_res_u.source;
        struct units_of of = { .unit = l->residency->stripe.unit, .units = l->units };
        uint64_t *bits;

        if (disk->result < 0) {
                disk_failed(l, (int)disk->result);
                return;
        }
        bits = calloc(units_words(of.units) + 1, 8);
        if (!bits) {
                finish(l, TIER_LATER);
                return;
        }
        snprintf(of.etag, sizeof(of.etag), "%s", s->etag);
        if (l->has_object && units_decode(l->bytes, (uint64_t)disk->result, &of, bits) == UNITS_FOUND) {
                l->bits = bits;
                l->has_file = true;
                finish(l, TIER_AGAIN);
        } else {
                free(bits);
                discard_file(l);
        }
}

static void file_opened(struct disk_req *disk)
{
        struct load *l = CONTAINER(disk, struct load, disk);

        if (disk->result == -ENOENT) {
                finish(l, TIER_AGAIN);
                return;
        }
        if (disk->result < 0) {
                disk_failed(l, (int)disk->result);
                return;
        }
        l->fd = (int)disk->result;
        l->bytes = malloc(units_file_bytes(l->units));
        if (!l->bytes) {
                finish(l, TIER_LATER);
                return;
        }
        l->disk = (struct disk_req){ .op = DISK_READ,
                                     .fd = l->fd,
                                     .data = l->bytes,
                                     .length = units_file_bytes(l->units),
                                     .done = have_read };
        disk_submit(l->worker->disk, &l->disk);
}

/* --- the object */

static void opened(struct opener *opener, int error)
{
        struct load *l = CONTAINER(opener, struct load, opener);
        uint64_t allocated;

        if (!error)
                error = object_stat(l->object, &allocated, &l->mtime_ns);
        if (error && error != -ENOENT) {
                disk_failed(l, error);
                return;
        }
        l->has_object = error == 0;
        l->disk = (struct disk_req){
                .op = DISK_OPEN, .path = l->path, .open_flags = O_RDWR | O_NOFOLLOW, .done = file_opened
        };
        disk_submit(l->worker->disk, &l->disk);
}

/* --- the source */

static bool is_sane(const ctl_source *s, uint64_t units)
{
        return s->valid <= s->size && s->size <= INT64_MAX && units <= UNITS_MAX && s->etag[0] != '\0';
}

static void answered(struct tier_ask *ask)
{
        struct load *l = CONTAINER(ask, struct load, ask);
        const ctl_source *s = &ask->res.source.ctl_source_res_u.source;
        struct residency *r = l->residency;

        if (ask->status == CTL_NOENT) {
                finish(l, TIER_AGAIN); /* nothing is absent */
                return;
        }
        if (ask->status != CTL_OK) {
                finish(l, TIER_LATER);
                return;
        }
        l->units = residency_units_below(r, s->valid);
        if (!is_sane(s, l->units)) {
                log_warn("tier-source", "file=%llu what=%s", (unsigned long long)r->fileid,
                         "the MDS named a source that cannot be");
                finish(l, TIER_NEVER);
                return;
        }
        l->object = object_hold(&l->worker->objects, r->fileid, r->generation);
        if (!l->object) {
                finish(l, TIER_LATER);
                return;
        }
        l->opener = (struct opener){ .opened = opened };
        if (object_open(l->object, &l->opener) == 0)
                opened(&l->opener, 0);
}

void residency_load(struct worker *w, struct residency *r, uint32_t epoch)
{
        struct load *l = calloc(1, sizeof(*l));

        CHECK(l != NULL);
        l->worker = w;
        l->epoch = epoch;
        l->residency = residency_ref(r);
        l->fd = -1;
        units_path(r->fileid, r->generation, l->path);
        l->ask = (struct tier_ask){ .proc = CTL_SOURCE,
                                    .args.file = { .fileid = r->fileid, .generation = r->generation },
                                    .status = ASK_LOST,
                                    .done = answered };
        w->busy++;
        tier_ask(w, &l->ask);
}

/* --- the same source still? */

struct check {
        struct tier_ask ask;
        struct residency *residency; /* referenced */
        uint32_t epoch;
};

/* With the lock. NOENT: nothing is absent anywhere; then it is so here. More of the object may be the file's
 * when it was cut, written again and archived. */
static bool is_same(const struct residency *r, const struct tier_ask *ask)
{
        const ctl_source *s = &ask->res.source.ctl_source_res_u.source;

        return ask->status == CTL_NOENT || (strcmp(r->source.etag, s->etag) == 0 && s->valid <= r->valid);
}

/* With the lock. */
static void renew_source(struct residency *r, const ctl_source *s)
{
        atomic_store(&r->source.revision, s->revision);
        snprintf(r->source.version, sizeof(r->source.version), "%s", s->version_id);
}

/* With the lock. What still writes to the object or the units' file ends first: who waits asks again. */
static enum tier_outcome take_check(struct check *k)
{
        struct residency *r = k->residency;

        r->asking = false;
        if (k->ask.status != CTL_OK && k->ask.status != CTL_NOENT)
                return TIER_LATER;
        if (is_same(r, &k->ask)) {
                atomic_store(&r->asked_epoch, k->epoch);
                if (k->ask.status == CTL_OK)
                        renew_source(r, &k->ask.res.source.ctl_source_res_u.source);
                r->told &= k->ask.status == CTL_NOENT;
                return TIER_AGAIN;
        }
        if (r->busy_count > 0 || r->keeper)
                return TIER_LATER;
        residency_remove(r);
        return TIER_AGAIN;
}

static void checked(struct tier_ask *ask)
{
        struct check *k = CONTAINER(ask, struct check, ask);
        struct residency *r = k->residency;
        struct worker *w = ask->worker;
        struct list woken = LIST_INIT(woken);
        enum tier_outcome outcome;

        pthread_mutex_lock(&r->tier->lock);
        outcome = take_check(k);
        residency_collect(r, UNIT_LOAD, false, outcome, &woken);
        pthread_mutex_unlock(&r->tier->lock);
        keep_tell_if_all(w, r);
        residency_tell(w, &woken);
        tier_ask_forget(ask);
        free(k);
        residency_release(r);
}

void residency_check(struct worker *w, struct residency *r, uint32_t epoch)
{
        struct check *k = calloc(1, sizeof(*k));

        CHECK(k != NULL);
        k->residency = residency_ref(r);
        k->epoch = epoch;
        k->ask = (struct tier_ask){ .proc = CTL_SOURCE,
                                    .args.file = { .fileid = r->fileid, .generation = r->generation },
                                    .status = ASK_LOST,
                                    .done = checked };
        tier_ask(w, &k->ask);
}
