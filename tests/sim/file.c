/* SPDX-License-Identifier: Apache-2.0 */
/* A scripted client's work on its open file: see actor.h. */
#include <string.h>

#include "tests/sim/nfs.h"
#include "tests/sim/sim.h"

static uint64_t now(const struct actor *c)
{
        return c->sim->world.now;
}

/* --- what an answer means */

/* The MDS does not know our open any more. */
static bool note_lost(struct actor *c, int status)
{
        switch (status) {
        case NFS4ERR_BAD_STATEID:
        case NFS4ERR_STALE_STATEID:
        case NFS4ERR_OLD_STATEID:
        case NFS4ERR_DELEG_REVOKED: /* it was long about what it did when it was called back */
        case NFS4ERR_EXPIRED: c->lost = true; return true;
        case NFS4ERR_STALE: /* and since nobody else had it open, it is gone */
                c->lost = names_may_be_removed(&c->sim->names, c->name, c->opened);
                return c->lost;
        default: return false;
        }
}

void file_check_refusal(struct actor *c, const char *what, int status, uint64_t since)
{
        bool trouble = status == NFS4ERR_NOSPC || status == NFS4ERR_IO;

        if (status == NFS_LOST || note_lost(c, status) || (trouble && faults_excuse(&c->sim->faults, since)))
                return;
        if (status == NFS4ERR_IO && c->sim->stranger.acts > 0)
                return; /* its bytes were in an object that is another now */
        world_fail(&c->sim->world, "%s: %s answers %s", c->owner, what, nfs_name(status));
}

/* --- layouts */

void file_layout(struct actor *c, bool writes)
{
        uint64_t since = now(c);
        bool more = c->layout.held && actor_random(c, 2) == 0; /* else the old one is forgotten */
        int status;

        if (c->returning.busy)
                return;
        status = nfs_layoutget(&c->main, &c->fh, more ? &c->layout.stateid : &c->stateid, writes, &c->layout);
        world_say(&c->sim->world, c->owner, "LAYOUTGET %s: %s", writes ? "rw" : "read", nfs_name(status));
        if (more && (status == NFS4ERR_RECALLCONFLICT || status == NFS4ERR_OLD_STATEID))
                return;
        if (more && status == NFS4ERR_BAD_STATEID)
                c->layout.held = false;
        else if (status != NFS4_OK && status != NFS4ERR_LAYOUTUNAVAILABLE && status != NFS4ERR_NOENT)
                file_check_refusal(c, "LAYOUTGET", status, since);
}

void file_return_layout(struct actor *c)
{
        uint64_t since = now(c);
        int status = c->layout.held ? nfs_layoutreturn(&c->main, &c->fh, &c->layout) : NFS4_OK;

        if (status != NFS4_OK && status != NFS4ERR_BAD_STATEID && status != NFS4ERR_OLD_STATEID)
                file_check_refusal(c, "LAYOUTRETURN", status, since);
        c->layout.held = false;
}

/* --- pieces */

/* The data server of the layout that has byte OFFSET; -1: the MDS. */
static int ds_of(const struct actor *c, uint64_t offset, bool for_writing)
{
        const struct layout *l = &c->layout;
        const struct stripe s = { l->unit, l->width, l->first };

        return l->held && !l->recalled && (l->writes || !for_writing) ? l->ds[stripe_index(s, offset)] : -1;
}

/* How a READ, WRITE or COMMIT ended; after a refusal by a data server: what that means for the layout (RFC
 * 8881 §13.11, and what Linux does). */
enum end { DONE, TRY_MDS, AGAIN, GIVE_UP };
static enum end judge(struct actor *c, const char *what, int ds, int status, uint64_t since)
{
        switch (status) {
        case NFS4_OK: return DONE;
        case NFS4ERR_BAD_STATEID:
        case NFS4ERR_DELAY:
                if (ds >= 0)
                        return TRY_MDS; /* this one goes through the MDS */
                break;
        case NFS_LOST:
                if (ds >= 0 && actor_random(c, 2) == 0)
                        return AGAIN; /* in a new session, by the same layout */
                /* fall through */
        case NFS4ERR_PNFS_NO_LAYOUT:
        case NFS4ERR_STALE:
        case NFS_UNREACHABLE:
                if (ds >= 0)
                        c->layout.held = false;
                if (ds >= 0 || status == NFS_LOST)
                        return TRY_MDS;
                break;
        }
        file_check_refusal(c, what, status, since);
        return GIVE_UP;
}

static void note_unstable(struct actor *c, const struct piece *p, struct event *e, uint64_t verifier)
{
        CHECK(c->unstable_count < ACTOR_UNSTABLE);
        c->unstable[c->unstable_count++] = (struct unstable){
                .event = e, .from = p->from, .to = p->to, .verifier = verifier, .ds = e->ds
        };
}

static void take_written(struct actor *c, const struct piece *p, struct event *e, const struct written *r)
{
        if (r->count != p->to - p->from || r->committed < p->stable)
                world_fail(&c->sim->world, "WRITE of %llu bytes answers %u, committed %u",
                           (unsigned long long)(p->to - p->from), r->count, r->committed);
        model_acked(c->file, e, r->committed == FILE_SYNC4);
        if (r->committed != FILE_SYNC4)
                note_unstable(c, p, e, r->verifier);
}

static enum end try_write(struct actor *c, struct hand *w, const struct piece *p, int ds)
{
        struct model_file *file = c->file;
        struct event *e = model_write(file, p->from, p->to, c->number, w->data);
        uint64_t since = now(c);
        struct written r;
        int status;

        e->ds = ds;
        e->granted = c->layout.granted_ns;
        if (ds >= 0)
                e->session = c->ds[ds].number + (c->ds[ds].up ? 0 : 1);
        status = nfs_write(w, ds, ds < 0 ? &c->fh : &c->layout.fh, &c->stateid, p->from, w->data,
                           (uint32_t)(p->to - p->from), p->stable, &r);
        world_say(&c->sim->world, c->owner, "WRITE %u %llu..%llu to %d stable %u: %s", e->number,
                  (unsigned long long)p->from, (unsigned long long)p->to, ds, p->stable, nfs_name(status));
        if (status == NFS4_OK)
                exclusion_check_write(c->sim, c, e);
        if (status == NFS4_OK)
                take_written(c, p, e, &r);
        else if (status >= 0)
                model_refused(file, e);
        else
                model_given_up(file, e);
        return judge(c, "WRITE", ds, status, since);
}

static enum end try_read(struct actor *c, struct hand *w, const struct piece *p, int ds)
{
        uint64_t since = now(c);
        uint32_t length;
        bool end;
        int status = nfs_read(w, ds, ds < 0 ? &c->fh : &c->layout.fh, &c->stateid, p->from,
                              (uint32_t)(p->to - p->from), w->data, &length, &end);

        world_say(&c->sim->world, c->owner, "READ %llu..%llu from %d: %s", (unsigned long long)p->from,
                  (unsigned long long)p->to, ds, nfs_name(status));
        if (status == NFS4_OK && length < p->to - p->from && !end)
                world_fail(&c->sim->world, "READ of %llu bytes answers %u and no end",
                           (unsigned long long)(p->to - p->from), length);
        if (status == NFS4_OK)
                model_read(c->file, since, p->from, w->data, length, end);
        return judge(c, "READ", ds, status, since);
}

/* At the data server when there is a layout, else or after a refusal at the MDS. */
static void run_piece(struct actor *c, struct hand *w, const struct piece *p)
{
        enum end (*try)(struct actor *, struct hand *, const struct piece *, int) =
                p->is_write ? try_write : try_read;

        while (!c->lost) {
                int ds = ds_of(c, p->from, p->is_write);
                enum end end = try(c, w, p, ds);

                if (end == TRY_MDS && ds >= 0)
                        end = try(c, w, p, -1);
                if (end != TRY_MDS && end != AGAIN)
                        return;
        }
}

void file_worker(void *arg)
{
        struct hand *w = arg;
        struct actor *c = w->actor;

        for (;;) {
                while (c->next_piece == c->piece_count)
                        co_wait(UINT64_MAX);
                while (c->next_piece < c->piece_count) {
                        struct piece p = c->pieces[c->next_piece++];

                        run_piece(c, w, &p);
                        c->busy--;
                }
                co_wake(&c->main.co);
        }
}

static void run_pieces(struct actor *c)
{
        c->busy = c->piece_count;
        c->next_piece = 0;
        for (uint32_t i = 0; i < ACTOR_WORKERS; i++)
                co_wake(&c->workers[i].co);
        while (c->busy > 0)
                co_wait(UINT64_MAX);
        c->piece_count = c->next_piece = 0;
}

/* Cut at stripe units, as Linux does. */
static void add_pieces(struct actor *c, const struct piece *whole)
{
        struct piece p = *whole;

        while (p.from < whole->to && c->piece_count < ACTOR_PIECES) {
                p.to = (p.from / STRIPE_UNIT + 1) * STRIPE_UNIT;
                if (p.to > whole->to)
                        p.to = whole->to;
                c->pieces[c->piece_count++] = p;
                p.from = p.to;
        }
}

/* Whole words; the ends are often those of stripe units. */
uint64_t file_random_offset(struct actor *c, uint64_t limit)
{
        uint64_t grain = actor_random(c, 3) == 0 ? STRIPE_UNIT : MODEL_WORD;

        return actor_random(c, limit / grain + 1) * grain;
}

void file_io(struct actor *c, bool is_write, uint32_t count, uint64_t limit)
{
        if (!c->layout.held && actor_random(c, 3) != 0)
                file_layout(c, file_may_write(c));
        while (count-- > 0) {
                uint64_t a = file_random_offset(c, limit), b = file_random_offset(c, limit);
                struct piece p = { .from = a < b ? a : b, .to = a < b ? b : a, .is_write = is_write };

                if (p.to - p.from > ACTOR_IO)
                        p.to = p.from + ACTOR_IO;
                p.stable = is_write && actor_random(c, 3) == 0 ? FILE_SYNC4 : UNSTABLE4;
                add_pieces(c, &p);
        }
        run_pieces(c);
}

/* --- durability */

static bool has_unstable(const struct actor *c, int ds)
{
        for (uint32_t i = 0; i < c->unstable_count; i++)
                if (c->unstable[i].ds == ds)
                        return true;
        return false;
}

/* DS has answered COMMIT with VERIFIER, or not (NULL): what of it is not durable is written again. */
static void take_commit(struct actor *c, int ds, const uint64_t *verifier)
{
        uint32_t kept = 0;

        for (uint32_t i = 0; i < c->unstable_count; i++) {
                struct unstable u = c->unstable[i];
                struct piece again = { .from = u.from, .to = u.to, .is_write = true, .stable = FILE_SYNC4 };

                if (u.ds != ds)
                        c->unstable[kept++] = u;
                else if (verifier && *verifier == u.verifier)
                        u.event->durable = now(c);
                else if (c->piece_count < ACTOR_PIECES)
                        c->pieces[c->piece_count++] = again;
                else
                        c->unstable[kept++] = u;
        }
        c->unstable_count = kept;
        run_pieces(c);
}

static void commit_ds(struct actor *c, int ds)
{
        uint64_t verifier, since = now(c);
        int status = c->layout.held ? nfs_commit(&c->main, ds, &c->layout.fh, &verifier) : NFS_UNREACHABLE;

        world_say(&c->sim->world, c->owner, "COMMIT to %d: %s", ds, nfs_name(status));
        judge(c, "COMMIT", ds, status, since);
        take_commit(c, ds, status == NFS4_OK ? &verifier : NULL);
}

void file_flush(struct actor *c)
{
        for (int ds = 0; ds < CLUSTER_DS; ds++)
                while (has_unstable(c, ds) && !c->lost)
                        commit_ds(c, ds);
        if (c->lost)
                c->unstable_count = 0;
}

/* --- locks */

void file_lock(struct actor *c, uint64_t limit)
{
        uint64_t since = now(c), a = file_random_offset(c, limit), b = file_random_offset(c, limit);
        int status;

        if (c->lock.held || a == b)
                return;
        delegation_claim(c);
        if (c->lost)
                return;
        c->lock.from = a < b ? a : b;
        c->lock.to = a < b ? b : a;
        do /* once more to know what came of it */
                status = nfs_lock(&c->main, c->lock.from, c->lock.to, &c->lock.stateid);
        while (status == NFS_LOST && !c->lost);
        world_say(&c->sim->world, c->owner, "LOCK %llu..%llu: %s", (unsigned long long)c->lock.from,
                  (unsigned long long)c->lock.to, nfs_name(status));
        c->lock.held = status == NFS4_OK;
        if (status != NFS4_OK && status != NFS4ERR_DENIED)
                file_check_refusal(c, "LOCK", status, since);
}

void file_unlock(struct actor *c)
{
        uint64_t since = now(c);
        bool again = false;
        int status = NFS4_OK;

        for (c->lock.held = false; !c->lost; again = true) {
                status = nfs_unlock(&c->main, &c->lock.stateid, c->lock.from, c->lock.to);
                if (status != NFS_LOST)
                        break;
        }
        world_say(&c->sim->world, c->owner, "LOCKU: %s", nfs_name(status));
        if (status != NFS4_OK && !(again && status == NFS4ERR_BAD_STATEID)) /* it went with a restart */
                file_check_refusal(c, "LOCKU", status, since);
}

/* --- size */

void file_truncate(struct actor *c, uint64_t size)
{
        uint64_t since = now(c);
        struct event *cut;
        int status;

        file_flush(c);
        if (c->lost)
                return;
        cut = model_cut(c->file, size, c->number);
        status = nfs_setsize(&c->main, &c->fh, &c->stateid, size);
        world_say(&c->sim->world, c->owner, "SETATTR %u size %llu: %s", cut->number, (unsigned long long)size,
                  nfs_name(status));
        if (status == NFS4_OK) {
                model_acked(c->file, cut, true);
                model_fenced(c->file, cut);
                return;
        }
        if (status >= 0)
                model_refused(c->file, cut);
        file_check_refusal(c, "SETATTR", status, since);
}

void file_chmod(struct actor *c, uint32_t mode)
{
        uint64_t since = now(c);
        int status = nfs_setmode(&c->main, &c->fh, mode);

        world_say(&c->sim->world, c->owner, "SETATTR mode %o: %s", mode, nfs_name(status));
        if (status != NFS4_OK)
                file_check_refusal(c, "SETATTR", status, since);
}

void file_look(struct actor *c)
{
        uint64_t since = now(c);
        struct attributes a;
        int status = nfs_getattr(&c->main, &c->fh, &a);

        if (status != NFS4_OK) {
                file_check_refusal(c, "GETATTR", status, since);
                return;
        }
        world_say(&c->sim->world, c->owner, "GETATTR size %llu change %llu", (unsigned long long)a.size,
                  (unsigned long long)a.change);
        model_size(c->file, since, a.size);
        model_change(c->file, since, a.change);
}

void file_verify(struct actor *c)
{
        struct attributes a;

        file_look(c);
        if (nfs_getattr(&c->main, &c->fh, &a) != NFS4_OK)
                return;
        for (uint64_t at = 0; at <= a.size && !c->lost; at += ACTOR_PIECES * STRIPE_UNIT) {
                add_pieces(c, &(struct piece){ .from = at, .to = at + ACTOR_PIECES * STRIPE_UNIT });
                run_pieces(c);
        }
}
