/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/tier/gather.h"

#include <errno.h>

#include "base/check.h"
#include "ds/io.h"
#include "ds/tier/peers.h"
#include "ds/tier/residency.h"
#include "nfs4/codec.h"

enum { PAUSE_MS = 100 /* before somebody is asked again who could not answer */ };

static void advance(struct gather *g);

static uint64_t end_of(const struct gather *g)
{
        return g->offset + g->length;
}

static uint8_t *room_of(const struct gather_piece *p)
{
        return p->gather->out + (p->offset - p->gather->offset) + p->done;
}

static void end_piece(struct gather_piece *p, const char *why)
{
        struct gather *g = p->gather;

        if (why && !g->why)
                g->why = why;
        p->state = PIECE_IDLE;
        g->under_way--;
}

/* What is not there is zeros. */
static void fill_up(struct gather_piece *p)
{
        memset(room_of(p), 0, p->length - p->done);
        p->done = p->length;
}

/* --- from the object */

static void end_reading(struct gather_piece *p, int error)
{
        object_release(p->object);
        p->object = NULL;
        if (error)
                tier_disk_error(p->gather->worker, error);
        else
                fill_up(p);
        end_piece(p, error ? "the disk of the data server failed" : NULL);
}

static void have_read(struct disk_req *disk)
{
        struct gather_piece *p = CONTAINER(disk, struct gather_piece, disk);
        struct gather *g = p->gather;

        if (disk->result > 0)
                p->done += (uint32_t)disk->result;
        end_reading(p, disk->result < 0 ? (int)disk->result : 0);
        advance(g);
}

static void read_object(struct gather_piece *p)
{
        struct gather *g = p->gather;
        struct disk *disk = g->worker->disk;
        uint64_t at = stripe_object_offset(io_stripe(&g->fh), p->offset);
        int fd = p->object->fd;

        p->done = disk_read_now(disk, fd, room_of(p), p->length, at);
        if (p->done == p->length) {
                end_reading(p, 0);
                return;
        }
        p->disk = (struct disk_req){ .op = DISK_READ,
                                     .fd = fd,
                                     .data = room_of(p),
                                     .length = p->length - p->done,
                                     .offset = at + p->done,
                                     .done = have_read };
        disk_submit(disk, &p->disk);
}

static void opened(struct opener *opener, int error)
{
        struct gather_piece *p = CONTAINER(opener, struct gather_piece, opener);
        struct gather *g = p->gather;

        if (error)
                end_reading(p, error == -ENOENT ? 0 : error);
        else
                read_object(p);
        advance(g);
}

static void open_object(struct gather_piece *p)
{
        struct gather *g = p->gather;

        p->state = PIECE_DISK;
        p->object = object_hold(&g->worker->objects, g->fh.fileid, g->fh.generation);
        if (!p->object) {
                end_piece(p, "too many objects are in use");
                return;
        }
        p->opener = (struct opener){ .opened = opened };
        if (object_open(p->object, &p->opener) == 0)
                read_object(p);
}

/* --- from a data server */

static void ask(struct gather_piece *p);

static void on_pause(struct timer *t)
{
        struct gather_piece *p = CONTAINER(t, struct gather_piece, again);
        struct gather *g = p->gather;

        ask(p);
        advance(g);
}

static void ask_again(struct gather_piece *p)
{
        struct gather *g = p->gather;
        struct env *env = g->worker->env;

        if (g->why || env_now(env) >= g->until_ns) {
                end_piece(p, "a data server of the file does not answer");
                return;
        }
        p->state = PIECE_PAUSE;
        p->again.fire = on_pause;
        timer_start(env, &p->again, PAUSE_MS * 1000000ull);
}

static void encode(struct peer_call *call, struct xdr_out *x)
{
        struct gather_piece *p = CONTAINER(call, struct gather_piece, call);
        const struct stateid anybody = { 0 }; /* the MDS's handles need none */

        call->ops = 3;
        xdr_put_u32(x, OP_PUTFH);
        xdr_put_opaque(x, p->gather->handle, FH_BYTES);
        xdr_put_u32(x, OP_READ);
        put_stateid(x, &anybody);
        xdr_put_u64(x, p->offset + p->done);
        xdr_put_u32(x, p->length - p->done);
        xdr_put_u32(x, OP_COMMIT);
        xdr_put_u64(x, 0);
        xdr_put_u32(x, 0);
}

/* False: no READ and COMMIT are answered so. */
static bool take(struct gather_piece *p, struct xdr_in *x)
{
        struct slice data;
        bool eof;

        if (peer_result(x, OP_PUTFH) != NFS4_OK || peer_result(x, OP_READ) != NFS4_OK)
                return false;
        eof = xdr_get_bool(x);
        data = xdr_get_opaque(x, p->length - p->done);
        if (x->bad || (data.length == 0 && !eof) || peer_result(x, OP_COMMIT) != NFS4_OK)
                return false;
        if (data.length > 0)
                memcpy(room_of(p), data.data, data.length);
        p->done += data.length;
        p->gather->from_others += data.length;
        if (eof)
                fill_up(p);
        return true;
}

static void answered(struct peer_call *call, enum rpc_result result, enum nfsstat4 status, struct xdr_in *x)
{
        struct gather_piece *p = CONTAINER(call, struct gather_piece, call);
        struct gather *g = p->gather;

        if (result != RPC_DONE || status == NFS4ERR_DELAY)
                ask_again(p);
        else if (status != NFS4_OK)
                end_piece(p, "a data server of the file refuses to read it");
        else if (!take(p, x))
                end_piece(p, "a data server of the file makes no sense");
        else if (p->done < p->length)
                ask(p);
        else
                end_piece(p, NULL);
        advance(g);
}

/* The data server with P; ourselves, by the door that we told the MDS of, when no members are named. */
static bool address_of(const struct gather_piece *p, struct netaddr *ret)
{
        const struct gather *g = p->gather;
        const ctl_member *m = g->members;

        if (!m) {
                *ret = g->worker->ds->front.addrs[0];
                return true;
        }
        m += stripe_index(io_stripe(&g->fh), p->offset);
        return m->addrs.addrs_len > 0 &&
               netaddr_from_universal(m->addrs.addrs_val[0].netid, m->addrs.addrs_val[0].uaddr, ret) == 0;
}

static void ask(struct gather_piece *p)
{
        struct netaddr addr;
        struct peer *peer;

        if (p->gather->why || !address_of(p, &addr)) {
                end_piece(p, "a data server of the file is not known");
                return;
        }
        peer = tier_peer(p->gather->worker, &addr);
        p->state = PIECE_PEER;
        p->call = (struct peer_call){ .done = answered, .encode = encode };
        if (!peer || peer_run(peer, &p->call, false) < 0)
                ask_again(p);
}

/* --- the range */

static struct gather_piece *idle_piece(struct gather *g)
{
        for (int i = 0; i < GATHER_PIECES; i++)
                if (g->pieces[i].state == PIECE_IDLE)
                        return &g->pieces[i];
        return NULL;
}

static uint32_t piece_length(const struct gather *g)
{
        uint64_t left = end_of(g) - g->next, unit_left = stripe_unit_left(io_stripe(&g->fh), g->next);

        if (g->fh.width > 1 && left > unit_left)
                left = unit_left;
        return left < IO_MAX ? (uint32_t)left : IO_MAX;
}

static void start_piece(struct gather *g, struct gather_piece *p)
{
        bool here = !(g->fh.flags & FH_TIERED) && stripe_index(io_stripe(&g->fh), g->next) == g->index;

        p->gather = g;
        p->offset = g->next;
        p->length = piece_length(g);
        p->done = 0;
        g->next += p->length;
        g->under_way++;
        if (here) {
                g->own = true;
                open_object(p);
        } else {
                ask(p);
        }
}

/* What was read of an object that was being emptied meanwhile is nothing. */
static void finish(struct gather *g)
{
        if (!g->why && !(g->fh.flags & FH_TIERED) &&
            residency_was_released(g->worker->ds->tier, g->fh.fileid, g->fh.generation, g->fh.epoch))
                g->why = "the file was released meanwhile";
        g->done(g);
}

/* --- our object becomes durable, with its name */

static void sync_step(struct gather *g, int error)
{
        if (error && !g->why) {
                ds_disk_failed(g->worker->ds, error, true);
                g->why = "the disk of the data server failed";
        }
        if (--g->syncing > 0)
                return;
        object_release(g->object);
        g->under_way--;
        finish(g);
}

static void data_synced(struct sync_wait *sync, int error)
{
        sync_step(CONTAINER(sync, struct gather, sync), error);
}

static void name_synced(struct folder_wait *folder, int error)
{
        sync_step(CONTAINER(folder, struct gather, folder), error);
}

static void sync_opened(struct opener *opener, int error)
{
        struct gather *g = CONTAINER(opener, struct gather, opener);
        struct worker *w = g->worker;

        g->syncing = 1;
        if (error) { /* nothing was written here */
                sync_step(g, error == -ENOENT ? 0 : error);
                return;
        }
        g->syncing = 2;
        g->sync.synced = data_synced;
        g->folder.done = name_synced;
        object_sync(g->object, &g->sync);
        if (folder_sync(&w->objects.folders, object_folder(g->fh.fileid), &g->folder))
                sync_step(g, 0);
}

static void sync_own(struct gather *g)
{
        g->object = object_hold(&g->worker->objects, g->fh.fileid, g->fh.generation);
        if (!g->object) {
                g->why = "too many objects are in use";
                finish(g);
                return;
        }
        g->synced = true;
        g->under_way++;
        g->opener = (struct opener){ .opened = sync_opened };
        if (object_open(g->object, &g->opener) == 0)
                sync_opened(&g->opener, 0);
}

/* Start what may be; the end, when that was all. */
static void advance(struct gather *g)
{
        struct gather_piece *p;

        while (!g->why && g->next < end_of(g) && (p = idle_piece(g)))
                start_piece(g, p);
        if (g->under_way > 0)
                return;
        if (g->own && !g->synced && !g->why)
                sync_own(g);
        else
                finish(g);
}

void gather_start(struct gather *g)
{
        struct worker *w = g->worker;
        uint32_t index;

        g->next = g->offset;
        g->until_ns = env_now(w->env) + GATHER_SECONDS * 1000000000ull;
        if (fence_check(&w->fences, &g->fh, &index) != NFS4_OK || index != g->index)
                g->why = "the handle is not good any more";
        advance(g);
}

void gather_give_up(struct gather *g, const char *why)
{
        bool last = false;

        if (!g->why)
                g->why = why;
        for (int i = 0; i < GATHER_PIECES; i++) {
                struct gather_piece *p = &g->pieces[i];

                if (p->state != PIECE_PAUSE)
                        continue;
                timer_stop(&p->again);
                end_piece(p, why);
                last = g->under_way == 0;
        }
        if (last)
                finish(g);
}
