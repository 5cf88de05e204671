/* SPDX-License-Identifier: Apache-2.0 */
/* A phase: every slot of every client does one operation after the other until the time or the files are
 * over. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/load/load.h"
#include "nfs4/server.h"

#define DELAY_NS 10000000u /* before what the server put off is sent again */
enum { LOCK_BYTES = 4096 };

struct phase {
        struct load *load;
        enum load_op op;
        struct load_result *result;
        struct timer end;
        bool over;
        bool once;     /* each file has one turn */
        uint32_t next; /* file */
        uint32_t busy; /* workers */
        uint64_t random;
};

struct worker {
        struct peer_call call;
        struct phase *phase;
        struct load_client *client;
        struct timer again;
        struct peer *peer; /* of the call */
        uint64_t began_ns;
        uint32_t file;
        bool second; /* half: the CLOSE of create and open-close, the LOCKU of lock */
        struct load_fh fh;
        struct stateid stateid; /* of the open that is to be closed, or of the lock owner */
        uint64_t offset;
        char lock_owner[32]; /* empty: the server knows it */
};

static void begin(struct worker *w);

static bool is_data(enum load_op op)
{
        return op == LOAD_READ || op == LOAD_WRITE;
}

bool load_needs_data(enum load_op op)
{
        return is_data(op) || op == LOAD_LOCK || op == LOAD_HOLD;
}

/* --- encoding */

static void put_io(struct worker *w, struct load_ops *o)
{
        struct load *l = w->phase->load;
        const struct load_file *f = &l->data[w->file];
        struct stateid s = f->stateid;

        s.seqid = 0; /* §13.9.1: data servers do not count */
        put_fh(o, f->has_layout ? &f->ds_fh : &f->fh);
        put_op(o, w->phase->op == LOAD_READ ? OP_READ : OP_WRITE);
        put_stateid(o->x, &s);
        xdr_put_u64(o->x, w->offset);
        if (w->phase->op == LOAD_WRITE)
                xdr_put_u32(o->x, UNSTABLE4);
        xdr_put_u32(o->x, l->o.block);
        if (w->phase->op == LOAD_WRITE)
                xdr_put_ref(o->x, buf_ref(l->payload), l->payload->data, l->o.block);
}

static void put_lock_ops(struct worker *w, struct load_ops *o)
{
        const struct load_file *f = &w->phase->load->data[w->file];
        struct load_lock lock = { .open = *w->lock_owner ? &f->stateid : NULL,
                                  .s = &w->stateid,
                                  .clientid = peer_clientid(w->peer),
                                  .owner = w->lock_owner,
                                  .offset = w->offset,
                                  .length = LOCK_BYTES };

        put_fh(o, &f->fh);
        if (w->second)
                put_unlock(o, &lock);
        else
                put_lock(o, &lock);
}

static void put_open_ops(struct worker *w, struct load_ops *o, const char *name)
{
        bool create = w->phase->op == LOAD_CREATE;

        put_open(o, w->client->owner, name, create ? OPEN4_SHARE_ACCESS_WRITE : OPEN4_SHARE_ACCESS_READ,
                 create);
        put_op(o, OP_GETFH);
        put_op(o, OP_ACCESS);
        xdr_put_u32(o->x, 0x2d);
        put_getattr(o);
}

static void put_file(struct worker *w, struct load_ops *o)
{
        char name[32];

        if (w->second) {
                put_fh(o, &w->fh);
                put_close(o, &w->stateid);
                return;
        }
        load_file_name(w->file, name);
        put_fh(o, &w->phase->load->directory[w->file % w->phase->load->o.directories]);
        switch (w->phase->op) {
        case LOAD_CREATE:
        case LOAD_OPEN_CLOSE: put_open_ops(w, o, name); break;
        case LOAD_STAT:
                put_lookup(o, name);
                put_op(o, OP_GETFH);
                put_getattr(o);
                break;
        default: put_op(o, OP_REMOVE); xdr_put_string(o->x, name);
        }
}

static void encode(struct peer_call *call, struct xdr_out *x)
{
        struct worker *w = CONTAINER(call, struct worker, call);
        struct load_ops o = { .x = x };

        if (is_data(w->phase->op))
                put_io(w, &o);
        else if (w->phase->op == LOAD_LOCK)
                put_lock_ops(w, &o);
        else
                put_file(w, &o);
        call->ops = o.count;
}

/* --- answers */

static void retire(struct worker *w)
{
        if (--w->phase->busy == 0)
                loop_stop(w->phase->load->loop);
}

static void failed(struct worker *w, const char *why)
{
        struct load *l = w->phase->load;

        w->phase->result->errors++;
        if (!l->problem[0])
                snprintf(l->problem, sizeof(l->problem), "%s: %s", load_op_names[w->phase->op], why);
}

static void finished(struct worker *w, uint64_t bytes)
{
        result_add(w->phase->result, env_now(w->phase->load->env) - w->began_ns, bytes);
}

/* A short answer is an error: the files are as long as they should be, and the servers ours alone. */
static void take_io(struct worker *w, struct xdr_in *x)
{
        struct load *l = w->phase->load;
        bool read = w->phase->op == LOAD_READ;
        uint32_t count;

        peer_result(x, OP_PUTFH);
        peer_result(x, read ? OP_READ : OP_WRITE);
        if (read)
                xdr_get_bool(x); /* eof */
        count = xdr_get_u32(x);
        if (x->bad || count != l->o.block)
                failed(w, "a short answer");
        else
                finished(w, count);
        if (!read)
                l->data[w->file].written = true;
}

/* True: there is a CLOSE to send. */
static bool take_file(struct worker *w, struct xdr_in *x)
{
        bool opens = w->phase->op == LOAD_CREATE || w->phase->op == LOAD_OPEN_CLOSE;

        if (!opens || w->second) {
                w->second = false;
                finished(w, 0);
                return false;
        }
        peer_result(x, OP_PUTFH);
        w->second = get_open(x, &w->stateid) && get_fh(x, &w->fh);
        if (!w->second)
                failed(w, "an answer that makes no sense");
        return w->second;
}

/* True: there is a LOCKU to send. */
static bool take_lock(struct worker *w, struct xdr_in *x)
{
        peer_result(x, OP_PUTFH);
        if (!get_lock(x, w->second ? OP_LOCKU : OP_LOCK, &w->stateid)) {
                w->second = false;
                failed(w, "an answer that makes no sense");
                return false;
        }
        *w->lock_owner = 0;
        w->second = !w->second;
        if (!w->second)
                finished(w, 0);
        return w->second;
}

static void send(struct worker *w)
{
        w->call = (struct peer_call){ .done = w->call.done, .encode = encode };
        if (peer_run(w->peer, &w->call, false) == 0)
                return;
        failed(w, "the session is lost");
        retire(w);
}

static void on_again(struct timer *t)
{
        struct worker *w = CONTAINER(t, struct worker, again);

        if (w->phase->over)
                retire(w);
        else
                send(w);
}

static void on_done(struct peer_call *call, enum rpc_result result, enum nfsstat4 status, struct xdr_in *x)
{
        struct worker *w = CONTAINER(call, struct worker, call);

        if (result == RPC_DONE && (status == NFS4ERR_DELAY || status == NFS4ERR_GRACE)) {
                timer_start(w->phase->load->env, &w->again, DELAY_NS);
                return;
        }
        if (result != RPC_DONE || status != NFS4_OK) {
                failed(w, result == RPC_DONE ? nfs4_status_name(status) : "no answer");
                w->second = false;
        } else if (is_data(w->phase->op)) {
                take_io(w, x);
        } else if (w->phase->op == LOAD_LOCK ? take_lock(w, x) : take_file(w, x)) {
                send(w);
                return;
        }
        begin(w);
}

/* --- what is next */

static bool next_file(struct worker *w)
{
        struct phase *p = w->phase;

        if (p->next == p->load->o.files) {
                if (p->once)
                        return false;
                p->next = 0;
        }
        w->file = p->next++;
        w->peer = w->client->mds;
        return true;
}

/* A client's own files in turn, block by block, each to its end before the next. */
static bool next_block(struct worker *w)
{
        struct load *l = w->phase->load;
        uint32_t me = (uint32_t)(w->client - l->clients);
        uint64_t files = (l->o.data_files - me + l->o.clients - 1) / l->o.clients,
                 blocks = l->o.first ? 1 : l->o.size / l->o.block;
        uint64_t block = w->client->next_block++;
        const struct load_file *f;

        if (w->phase->once && block >= files * blocks)
                return false;
        if (l->o.random)
                block = hash_u64(++w->phase->random);
        block %= files * blocks;
        w->file = me + l->o.clients * (uint32_t)(block / blocks);
        w->offset = block % blocks * l->o.block;
        f = &l->data[w->file];
        w->peer = f->has_layout ? w->client->ds[f->device->servers[stripe_index(f->stripe, w->offset)]]
                                : w->client->mds;
        return true;
}

static bool next(struct worker *w)
{
        if (w->phase->op == LOAD_LOCK)
                return true; /* always the same range */
        return is_data(w->phase->op) ? next_block(w) : next_file(w);
}

static void begin(struct worker *w)
{
        struct phase *p = w->phase;

        if (p->over || !next(w)) {
                retire(w);
                return;
        }
        w->began_ns = env_now(p->load->env);
        send(w);
}

static void on_end(struct timer *t)
{
        CONTAINER(t, struct phase, end)->over = true;
}

/* Every client has a session with every data server of its layouts before the clock runs. */
static bool reach_servers(struct load *l)
{
        for (uint32_t i = 0; i < l->o.data_files; i++) {
                const struct load_file *f = &l->data[i];

                for (uint32_t j = 0; f->has_layout && j < f->device->width; j++)
                        if (!load_ds_peer(&l->clients[i % l->o.clients], f->device->servers[j])) {
                                snprintf(l->problem, sizeof(l->problem), "a data server cannot be reached");
                                return false;
                        }
        }
        return true;
}

/* A range of its own in one of its client's files, for each slot. */
static void take_place(struct worker *w, uint32_t slot)
{
        const struct load *l = w->phase->load;
        uint32_t me = (uint32_t)(w->client - l->clients);
        uint32_t files = (l->o.data_files - me + l->o.clients - 1) / l->o.clients;

        w->peer = w->client->mds;
        w->file = me + l->o.clients * (slot % files);
        w->offset = (uint64_t)slot * LOCK_BYTES;
        snprintf(w->lock_owner, sizeof(w->lock_owner), "slot %u", slot);
}

bool load_phase(struct load *l, enum load_op op, uint32_t seconds, struct load_result *ret)
{
        uint32_t count = l->o.clients * l->o.slots;
        struct phase p = { .load = l, .op = op, .result = ret, .end.fire = on_end, .busy = count };
        struct worker *workers = calloc(count, sizeof(*workers));
        uint64_t began;

        *ret = (struct load_result){ 0 };
        if (!workers || (is_data(op) && !reach_servers(l))) {
                free(workers);
                return false;
        }
        p.once = l->o.once || seconds == 0 || op == LOAD_CREATE || op == LOAD_UNLINK;
        p.random = env_random_u64(l->env);
        if (seconds > 0)
                timer_start(l->env, &p.end, seconds * 1000000000ull);
        began = env_now(l->env);
        for (uint32_t i = 0; i < l->o.clients; i++)
                l->clients[i].next_block = 0;
        for (uint32_t slot = 0, i = 0; slot < l->o.slots; slot++)
                for (uint32_t client = 0; client < l->o.clients; client++, i++) {
                        workers[i] = (struct worker){ .call.done = on_done,
                                                      .phase = &p,
                                                      .client = &l->clients[client],
                                                      .again.fire = on_again };
                        if (op == LOAD_LOCK)
                                take_place(&workers[i], slot);
                        begin(&workers[i]);
                }
        while (p.busy > 0)
                loop_run(l->loop);
        ret->elapsed_ns = env_now(l->env) - began;
        timer_stop(&p.end);
        free(workers);
        return true;
}
