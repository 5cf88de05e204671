/* SPDX-License-Identifier: Apache-2.0 */
/* A scripted client's NFSv4.2 work on its open file: see actor.h. */
#include <string.h>

#include "tests/sim/nfs.h"
#include "tests/sim/sim.h"

static uint64_t now(const struct actor *c)
{
        return c->sim->world.now;
}

static bool random_range(struct actor *c, uint64_t limit, uint64_t *ret_from, uint64_t *ret_to)
{
        uint64_t a = file_random_offset(c, limit), b = file_random_offset(c, limit);

        *ret_from = a < b ? a : b;
        *ret_to = a < b ? b : a;
        return a != b;
}

/* What E came to, which the MDS did or did not do. */
static void settle(struct actor *c, const char *what, struct event *e, int status, uint64_t since)
{
        world_say(&c->sim->world, c->owner, "%s %u %llu..%lld: %s", what, e->number,
                  (unsigned long long)e->from, (long long)e->to, nfs_name(status));
        if (status == NFS4_OK)
                model_acked(c->file, e, true);
        else if (status >= 0)
                model_refused(c->file, e);
        else
                model_given_up(c->file, e);
        if (status != NFS4_OK)
                file_check_refusal(c, what, status, since);
}

/* --- ALLOCATE, DEALLOCATE, SEEK */

void file_allocate(struct actor *c, uint64_t limit)
{
        uint64_t from, to, since = now(c);
        struct event *e;

        if (!random_range(c, limit, &from, &to))
                return;
        e = model_room(c->file, to, c->number);
        settle(c, "ALLOCATE", e, nfs_allocate(&c->main, from, to), since);
}

/* What was written before comes before. */
void file_punch(struct actor *c, uint64_t limit)
{
        uint64_t from, to, since;
        struct event *e;
        int status;

        file_flush(c);
        if (c->lost || !random_range(c, limit, &from, &to))
                return;
        since = now(c);
        e = model_punch(c->file, from, to, c->number);
        status = nfs_deallocate(&c->main, from, to);
        if (status == NFS4ERR_NOTSUPP && c->sim->repo.s3)
                model_refused(c->file, e); /* of a cold file */
        else
                settle(c, "DEALLOCATE", e, status, since);
}

/* There is a hole from PLACE on, or the end; or data, and a hole before. */
static void check_place(struct actor *c, uint64_t since, bool hole, uint64_t offset, bool end, uint64_t place)
{
        if (!hole && place > offset)
                model_zeros(c->file, since, offset, place);
        if (end) {
                model_missing(c->file, since, place);
                return;
        }
        model_exists(c->file, since, place);
        if (hole)
                model_zeros(c->file, since, place, place + MODEL_WORD);
}

void file_seek(struct actor *c, uint64_t limit)
{
        uint64_t offset = file_random_offset(c, limit), since = now(c), place = 0;
        bool hole = actor_random(c, 2) == 0, end = false;
        int status = nfs_seek(&c->main, offset, hole ? NFS4_CONTENT_HOLE : NFS4_CONTENT_DATA, &end, &place);

        world_say(&c->sim->world, c->owner, "SEEK of a %s from %llu: %s, %llu%s", hole ? "hole" : "byte",
                  (unsigned long long)offset, nfs_name(status), (unsigned long long)place,
                  end ? ", the end" : "");
        if (status == NFS4_OK)
                check_place(c, since, hole, offset, end, place);
        else if (status == NFS4ERR_NXIO)
                model_missing(c->file, since, offset);
        else
                file_check_refusal(c, "SEEK", status, since);
}

/* --- COPY, CLONE */

/* Another file, without an open of it; or the open one. */
static bool find_source(struct actor *c, struct copy_from *ret, struct model_file **ret_file)
{
        uint32_t which = (uint32_t)actor_random(c, NAMES);
        char name[FILE_NAME];
        uint64_t since = now(c);
        struct attributes a;
        int status;

        *ret = (struct copy_from){ .fh = c->fh, .stateid = c->stateid };
        *ret_file = c->file;
        if (actor_random(c, 2) == 0)
                return true;
        memset(&ret->stateid, 0, sizeof(ret->stateid));
        file_name(which, name);
        status = nfs_lookup(&c->main, &c->shared, name, &ret->fh);
        if (status == NFS4ERR_NOENT)
                return false;
        if (status == NFS4_OK)
                status = nfs_getattr(&c->main, &ret->fh, &a);
        if (status == NFS4_OK) {
                *ret_file = model_file(&c->sim->model, a.fileid);
                stranger_tell_origin(&c->sim->stranger, *ret_file);
                names_seen(&c->sim->names, which, since, *ret_file);
                return true;
        }
        if (status != NFS4ERR_STALE)
                file_check_refusal(c, "LOOKUP", status, since);
        return false;
}

/* Often such that the data servers can do it among themselves. */
static bool choose_range(struct actor *c, uint64_t limit, struct copy_from *from, uint64_t *ret_to,
                         uint64_t *ret_count, bool same_file)
{
        uint64_t to, end, shift;

        if (!random_range(c, limit, &to, &end))
                return false;
        shift = actor_random(c, 4) * STRIPE_UNIT * (actor_random(c, 2) == 0 ? CLUSTER_DS : 1);
        if (actor_random(c, 4) == 0)
                shift += actor_random(c, STRIPE_UNIT / MODEL_WORD) * MODEL_WORD;
        from->offset = actor_random(c, 2) == 0 || to < shift ? to + shift : to - shift;
        *ret_to = to;
        *ret_count = end - to;
        return !same_file || from->offset >= to + *ret_count || from->offset + *ret_count <= to;
}

static void copied(struct actor *c, struct event *e, int status, uint64_t count, uint64_t since)
{
        bool is_whole = status != NFS4_OK || count == e->to - e->from;

        if (status == NFS4_OK && (count == 0 || count > e->to - e->from))
                world_fail(&c->sim->world, "COPY of %llu bytes copies %llu",
                           (unsigned long long)(e->to - e->from), (unsigned long long)count);
        if (is_whole)
                settle(c, "COPY", e, status, since);
        else
                model_copied(c->file, e, count);
}

void file_copy(struct actor *c, uint64_t limit)
{
        struct copy_from from;
        struct model_file *source;
        struct event *e;
        uint64_t to, count, done, since;
        bool clone = actor_random(c, 4) == 0;
        int status;

        file_flush(c);
        if (c->lost || !find_source(c, &from, &source) ||
            !choose_range(c, limit, &from, &to, &count, source == c->file))
                return;
        since = now(c);
        done = count;
        e = model_copy(c->file, to, to + count, c->number, source, from.offset);
        world_say(&c->sim->world, c->owner, "%s from file %llu, %llu", clone ? "CLONE" : "COPY",
                  (unsigned long long)source->fileid, (unsigned long long)from.offset);
        status = clone ? nfs_clone(&c->main, &from, to, count) : nfs_copy(&c->main, &from, to, count, &done);
        if (!clone && status == NFS4ERR_INVAL)
                model_missing(source, since, from.offset + count - 1);
        if (status == NFS4ERR_INVAL || (clone && (status == NFS4ERR_XDEV || status == NFS4ERR_NOTSUPP)) ||
            status == NFS4ERR_STALE)
                model_refused(c->file, e);
        else
                copied(c, e, status, done, since);
}

/* --- extended attributes: each is a file of one word for the model */

static struct model_file *xattr_of(struct actor *c, uint64_t which)
{
        return model_file(&c->sim->model, model_part(c->file->fileid, which + 1));
}

static void get_xattr(struct actor *c, struct model_file *f, const char *name)
{
        uint64_t since = now(c);
        uint8_t value[MODEL_WORD];
        int status = nfs_getxattr(&c->main, name, value, sizeof(value));

        world_say(&c->sim->world, c->owner, "GETXATTR %s: %s", name, nfs_name(status));
        if (status == NFS4_OK)
                model_read(f, since, 0, value, sizeof(value), true);
        else if (status == NFS4ERR_NOXATTR)
                model_size(f, since, 0);
        else
                file_check_refusal(c, "GETXATTR", status, since);
}

void file_xattr(struct actor *c)
{
        uint64_t which = actor_random(c, XATTRS), since = now(c);
        const char *name = which == 0 ? "one" : "two";
        struct model_file *file = c->file, *f = xattr_of(c, which);
        uint8_t value[MODEL_WORD];
        struct event *e;
        int status;

        switch (actor_random(c, 6)) {
        case 0:
                e = model_cut(f, 0, c->number);
                status = nfs_removexattr(&c->main, name);
                break;
        case 1:
        case 2:
                e = model_write(f, 0, sizeof(value), c->number, value);
                e->ds = -1;
                status = nfs_setxattr(&c->main, &c->fh, name, value, sizeof(value));
                break;
        default: get_xattr(c, f, name); return;
        }
        if (status == NFS4ERR_NOXATTR && e->kind == EVENT_CUT) {
                model_refused(f, e);
                model_size(f, since, 0);
                return;
        }
        c->file = f;
        settle(c, "SETXATTR", e, status, since);
        c->file = file;
}
