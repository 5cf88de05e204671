/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/pnfs/proxy.h"

#include <stdlib.h>

#include "base/slab.h"
#include "mds/fleet/fleet.h"
#include "nfs4/peer.h"

enum { PIECES_MAX = 65536, IOS_MAX = 16384, PEER_SLOTS = 64, PEER_TIMEOUT_SECONDS = 60 };

struct proxy {
        struct mds *mds;
        struct slab ios, pieces;
        struct list under_way;                   /* struct proxy_io */
        struct proxy_peer *peers[FLEET_MAX + 1]; /* by server id */
        struct metric bytes_in, bytes_out;
};

struct proxy_peer {
        struct peer *peer;
        struct netaddr addr;
};

/* The I/O of one operation. */
struct proxy_io {
        struct list node; /* in proxy->under_way */
        struct proxy *proxy;
        struct proxy_caller *caller;
        struct fh handle, from; /* COPY, CLONE: from there */
        uint32_t opnum, pending;
        uint8_t *out;                /* READ */
        uint64_t offset;             /* of the whole */
        uint64_t from_offset, count; /* COPY, CLONE */
        struct buf *record;          /* WRITE */
        enum nfsstat4 status;
};

/* The part of it that one data server does. */
struct piece {
        struct peer_call call;
        struct proxy_io *io;
        uint64_t offset;
        uint32_t length, done;
        const uint8_t *data; /* WRITE */
};

static void wake_compound(void *arg)
{
        compound_wake(arg);
}

struct proxy_caller *proxy_caller(struct compound *c)
{
        struct proxy_caller *who = OP_WAIT(c, struct proxy_caller);

        who->mds = mds_of(c);
        who->export_id = c->fh.export_id;
        who->wake = wake_compound;
        who->arg = c;
        return who;
}

void proxy_drop_server(struct proxy *p, uint32_t server_id)
{
        struct proxy_peer *pp = p->peers[server_id];

        p->peers[server_id] = NULL;
        if (pp)
                peer_free(pp->peer);
        free(pp);
}

static struct peer *peer_for(struct proxy *p, const struct server *server)
{
        struct proxy_peer *pp = p->peers[server->id];
        struct mds *mds = p->mds;
        struct peer_conf conf = { .minor = 2,
                                  .exchange_flags = EXCHGID4_FLAG_USE_PNFS_DS,
                                  .slots = PEER_SLOTS,
                                  .timeout_ns = PEER_TIMEOUT_SECONDS * 1000000000ull,
                                  .cred.flavor = RPC_AUTH_SYS };

        if (pp && !netaddr_equal(&pp->addr, &server->addrs[0])) {
                proxy_drop_server(p, server->id);
                pp = NULL;
        }
        if (pp)
                return pp->peer;
        pp = calloc(1, sizeof(*pp));
        if (!pp)
                return NULL;
        pp->addr = conf.addr = server->addrs[0];
        conf.owner = slice_str(mds->nfs.owner_major);
        memcpy(conf.verifier, mds->nfs.write_verifier, NFS4_VERIFIER_SIZE);
        pp->peer = peer_new(mds->rpc, mds->env, &conf, NULL, NULL);
        if (!pp->peer) {
                free(pp);
                return NULL;
        }
        p->peers[server->id] = pp;
        return pp->peer;
}

/* An open stateid as any client would send it; data servers only refuse the special ones. */
static void put_own_stateid(struct xdr_out *x, const struct mds *mds)
{
        struct stateid s;

        stateid_make(mds, STATEID_OPEN, 0, &s);
        put_stateid(x, &s);
}

static bool is_copy(const struct proxy_io *io)
{
        return io->opnum == OP_COPY || io->opnum == OP_CLONE;
}

static void put_handle(struct xdr_out *x, const struct proxy_io *io, const struct fh *fh)
{
        uint8_t bytes[FH_BYTES];

        fh_encode(fh, io->proxy->mds->nfs.key, bytes);
        xdr_put_u32(x, OP_PUTFH);
        xdr_put_opaque(x, bytes, FH_BYTES);
}

static void encode_copy(struct peer_call *call, const struct proxy_io *io, struct xdr_out *x)
{
        call->ops = 4;
        put_handle(x, io, &io->from);
        xdr_put_u32(x, OP_SAVEFH);
        put_handle(x, io, &io->handle);
        xdr_put_u32(x, io->opnum);
        put_own_stateid(x, io->proxy->mds);
        put_own_stateid(x, io->proxy->mds);
        xdr_put_u64(x, io->from_offset);
        xdr_put_u64(x, io->offset);
        xdr_put_u64(x, io->count);
        if (io->opnum == OP_CLONE)
                return;
        xdr_put_bool(x, true);
        xdr_put_bool(x, true);
        xdr_put_u32(x, 0);
}

static void encode_piece(struct peer_call *call, struct xdr_out *x)
{
        struct piece *piece = CONTAINER(call, struct piece, call);
        const struct proxy_io *io = piece->io;

        if (is_copy(io)) {
                encode_copy(call, io, x);
                return;
        }
        call->ops = 2;
        put_handle(x, io, &io->handle);
        xdr_put_u32(x, io->opnum);
        if (io->opnum == OP_COMMIT) {
                xdr_put_u64(x, 0);
                xdr_put_u32(x, 0);
                return;
        }
        put_own_stateid(x, io->proxy->mds);
        xdr_put_u64(x, piece->offset + piece->done);
        if (io->opnum == OP_READ) {
                xdr_put_u32(x, piece->length - piece->done);
                return;
        }
        xdr_put_u32(x, FILE_SYNC4);
        xdr_put_u32(x, piece->length - piece->done);
        xdr_put_ref(x, buf_ref(io->record), piece->data + piece->done, piece->length - piece->done);
}

static void finish_piece(struct piece *piece, enum nfsstat4 status)
{
        struct proxy_io *io = piece->io;
        struct proxy_caller *who = io->caller;

        if (status != NFS4_OK && io->status == NFS4_OK)
                io->status = status;
        slab_put(&io->proxy->pieces, piece);
        if (--io->pending == 0)
                who->wake(who->arg);
}

/* What a data server's refusal of our own handle means for the client: come again (we will use a newer
 * epoch). */
static enum nfsstat4 translate(enum rpc_result result, enum nfsstat4 status)
{
        if (result != RPC_DONE)
                return NFS4ERR_DELAY;
        switch (status) {
        case NFS4_OK:
        case NFS4ERR_NOSPC:
        case NFS4ERR_DQUOT:
        case NFS4ERR_FBIG:
        case NFS4ERR_STALE: /* removed */
        case NFS4ERR_INVAL: /* CLONE */
        case NFS4ERR_NOTSUPP: return status;
        case NFS4ERR_BAD_STATEID:
        case NFS4ERR_PNFS_NO_LAYOUT:
        case NFS4ERR_DELAY: return NFS4ERR_DELAY;
        default: return NFS4ERR_IO;
        }
}

static void take_read(struct piece *piece, struct xdr_in *x)
{
        struct proxy_io *io = piece->io;
        bool eof = xdr_get_bool(x);
        struct slice data = xdr_get_opaque(x, piece->length - piece->done);
        uint8_t *to = io->out + (piece->offset - io->offset) + piece->done;

        if (data.length > 0)
                memcpy(to, data.data, data.length);
        piece->done += data.length;
        if (eof && piece->done < piece->length) {
                memset(to + data.length, 0, piece->length - piece->done);
                piece->done = piece->length;
        } else if (data.length == 0) {
                x->bad = true;
        }
}

static void run_piece(struct piece *piece, const struct server *server);

static void piece_done(struct peer_call *call, enum rpc_result result, enum nfsstat4 status, struct xdr_in *x)
{
        struct piece *piece = CONTAINER(call, struct piece, call);
        struct proxy_io *io = piece->io;

        status = translate(result, status);
        if (is_copy(io)) {
                finish_piece(piece, status);
                return;
        }
        if (status == NFS4_OK &&
            (peer_result(x, OP_PUTFH) != NFS4_OK || peer_result(x, io->opnum) != NFS4_OK))
                status = NFS4ERR_SERVERFAULT;
        if (status == NFS4_OK && io->opnum == OP_READ)
                take_read(piece, x);
        if (status == NFS4_OK && io->opnum == OP_WRITE)
                piece->done += xdr_get_u32(x);
        if (status == NFS4_OK && (x->bad || piece->done < piece->length))
                status = NFS4ERR_DELAY; /* a short answer: the client sends it again */
        finish_piece(piece, status);
}

static void run_piece(struct piece *piece, const struct server *server)
{
        struct proxy_io *io = piece->io;
        struct peer *peer = server && server->addr_count > 0 ? peer_for(io->proxy, server) : NULL;

        piece->call.done = piece_done;
        piece->call.encode = encode_piece;
        if (!peer || peer_run(peer, &piece->call, !server->up) < 0)
                finish_piece(piece, NFS4ERR_DELAY);
}

static struct fh handle_for(const struct proxy_caller *who, const struct inode *file)
{
        return (struct fh){ .kind = FH_DS,
                            .flags = (uint8_t)(FH_WRITE | FH_PROXY |
                                               (file->flags & INODE_COLD ? FH_TIERED : 0)),
                            .export_id = who->export_id,
                            .fileid = file->fileid,
                            .generation = file->generation,
                            .epoch = meta_epoch(who->mds->meta),
                            .unit = file->unit,
                            .width = file->width,
                            .first = file->first,
                            .pool = file->pool,
                            .start = file->start };
}

static struct proxy_io *begin(struct proxy_caller *who, const struct inode *file, uint32_t opnum)
{
        struct proxy *p = who->mds->proxy;
        struct proxy_io *io = p ? slab_get(&p->ios) : NULL; /* none: we stop */

        who->io = io;
        if (!io)
                return NULL;
        io->proxy = p;
        io->caller = who;
        io->opnum = opnum;
        io->pending = 1; /* ours, until everything is started */
        io->handle = handle_for(who, file);
        list_push(&p->under_way, &io->node);
        return io;
}

static struct piece *new_piece(struct proxy_io *io, uint64_t offset, uint32_t length)
{
        struct piece *piece = slab_get(&io->proxy->pieces);

        if (!piece) {
                io->status = NFS4ERR_DELAY;
                return NULL;
        }
        piece->io = io;
        piece->offset = offset;
        piece->length = length;
        io->pending++;
        return piece;
}

/* Everything is started: wait, unless it all ended already. */
static enum nfsstat4 started(struct proxy_io *io)
{
        if (--io->pending == 0)
                io->caller->wake(io->caller->arg);
        return NFS4_WAIT;
}

static void split(struct proxy_io *io, const struct inode *file, uint64_t offset, uint32_t count,
                  const uint8_t *data)
{
        struct stripe stripe = inode_stripe(file);
        struct inode copy = *file;

        while (count > 0) {
                uint64_t left = stripe_unit_left(stripe, offset);
                uint32_t n = count < left ? count : (uint32_t)left;
                struct piece *piece = new_piece(io, offset, n);

                if (!piece)
                        return;
                piece->data = data;
                piece->call.large = false;
                run_piece(piece,
                          fleet_file_server(io->proxy->mds->fleet, &copy, stripe_index(stripe, offset)));
                offset += n;
                count -= n;
                data = data ? data + n : NULL;
        }
}

enum nfsstat4 proxy_read(struct proxy_caller *who, const struct inode *file, uint64_t offset, uint32_t count,
                         uint8_t *out)
{
        struct proxy_io *io = begin(who, file, OP_READ);

        if (!io)
                return NFS4ERR_DELAY;
        io->out = out;
        io->offset = offset;
        metric_add(&io->proxy->bytes_out, count);
        split(io, file, offset, count, NULL);
        return started(io);
}

enum nfsstat4 proxy_write(struct proxy_caller *who, const struct inode *file, uint64_t offset,
                          struct slice data, struct buf *record)
{
        struct proxy_io *io = begin(who, file, OP_WRITE);

        if (!io)
                return NFS4ERR_DELAY;
        io->record = record;
        metric_add(&io->proxy->bytes_in, data.length);
        split(io, file, offset, data.length, data.data);
        return started(io);
}

enum nfsstat4 proxy_commit(struct proxy_caller *who, const struct inode *file)
{
        struct proxy_io *io = begin(who, file, OP_COMMIT);
        struct inode copy = *file;

        if (!io)
                return NFS4ERR_DELAY;
        for (uint32_t i = 0; i < copy.width; i++) {
                struct piece *piece = new_piece(io, 0, 0);

                if (piece)
                        run_piece(piece, fleet_file_server(io->proxy->mds->fleet, &copy, i));
        }
        return started(io);
}

/* The data server that byte OFFSET of FILE lies on; NULL: none. */
static const struct server *server_at(struct mds *mds, const struct inode *file, uint64_t offset)
{
        return fleet_file_server(mds->fleet, file, stripe_index(inode_stripe(file), offset));
}

bool proxy_can_copy(struct mds *mds, const struct inode *from, uint64_t from_offset, const struct inode *file,
                    uint64_t offset)
{
        if ((from->flags | file->flags) & INODE_COLD)
                return false; /* what is not there cannot be copied there */
        if (from->unit != file->unit || from->width != file->width ||
            from_offset % from->unit != offset % file->unit)
                return false;
        for (uint64_t i = 0; i < from->width; i++)
                if (server_at(mds, from, from_offset + i * from->unit) !=
                    server_at(mds, file, offset + i * file->unit))
                        return false;
        return true;
}

enum nfsstat4 proxy_copy(struct proxy_caller *who, const struct inode *from, uint64_t from_offset,
                         const struct inode *file, uint64_t offset, uint64_t count, bool share)
{
        struct proxy_io *io = begin(who, file, share ? OP_CLONE : OP_COPY);
        struct stripe stripe = inode_stripe(file);
        struct inode copy = *file;

        if (!io)
                return NFS4ERR_DELAY;
        io->from = handle_for(who, from);
        io->from_offset = from_offset;
        io->offset = offset;
        io->count = count;
        for (uint32_t i = 0; i < copy.width; i++) {
                struct piece *piece;

                if (stripe_object_size(stripe, i, offset) == stripe_object_size(stripe, i, offset + count))
                        continue;
                piece = new_piece(io, offset, 0);
                if (piece)
                        run_piece(piece, fleet_file_server(io->proxy->mds->fleet, &copy, i));
        }
        return started(io);
}

enum nfsstat4 proxy_result(struct proxy_caller *who)
{
        struct proxy_io *io = who->io;
        enum nfsstat4 status = io->status;

        list_remove(&io->node);
        slab_put(&io->proxy->ios, io);
        who->io = NULL;
        return status;
}

enum nfsstat4 proxy_resume(struct compound *c)
{
        return proxy_result(proxy_caller(c));
}

bool proxy_is_busy(const struct proxy *p, uint64_t fileid)
{
        if (!p)
                return true;
        LIST_FOR_EACH(node, &p->under_way) {
                const struct proxy_io *io = CONTAINER(node, struct proxy_io, node);

                if (io->handle.fileid == fileid || (is_copy(io) && io->from.fileid == fileid))
                        return true;
        }
        return false;
}

void proxy_handle(struct mds *mds, const struct inode *file, uint8_t out[FH_BYTES])
{
        struct fh fh = handle_for(&(const struct proxy_caller){ .mds = mds }, file);

        fh_encode(&fh, mds->nfs.key, out);
}

uint64_t proxy_bytes(const struct proxy *p)
{
        return p->bytes_in.value + p->bytes_out.value;
}

struct proxy *proxy_new(struct mds *mds)
{
        struct proxy *p = calloc(1, sizeof(*p));

        if (!p)
                return NULL;
        p->mds = mds;
        list_init(&p->under_way);
        slab_init(&p->ios, sizeof(struct proxy_io), IOS_MAX);
        slab_init(&p->pieces, sizeof(struct piece), PIECES_MAX);
        metric_counter(&mds->metrics, &p->bytes_in, "nacre_mds_data_written_bytes_total",
                       "File data written through the metadata server");
        metric_counter(&mds->metrics, &p->bytes_out, "nacre_mds_data_read_bytes_total",
                       "File data read through the metadata server");
        return p;
}

void proxy_free(struct proxy *p)
{
        if (!p)
                return;
        for (uint32_t i = 0; i <= FLEET_MAX; i++)
                proxy_drop_server(p, i);
        slab_destroy(&p->ios);
        slab_destroy(&p->pieces);
        free(p);
}
