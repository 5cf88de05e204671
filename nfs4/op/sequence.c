/* SPDX-License-Identifier: Apache-2.0 */
/* SEQUENCE, RFC 8881 §18.46, and the replay cache, §2.10.6.1.
 *
 * The RFC: the first operation of every compound but a few; claims a slot. Same sequence id as the last
 * request: a retry, answered from the cache, byte for byte; one more: a new request; anything else
 * SEQ_MISORDERED. It renews the lease. We: cache only when asked (sa_cachethis) or when SEQUENCE was alone,
 * and then always: the engine ends a reply that grows beyond what is cached with REP_TOO_BIG_TO_CACHE. A
 * retry of what is still being executed is DELAY; a different request under the old sequence id is
 * SEQ_FALSE_RETRY (told apart by a hash of what follows SEQUENCE and the caller). The slot table starts at
 * what was negotiated and grows when the client uses its highest slot. Connections of a session without state
 * protection are associated by using them (§2.10.3.1): that is how nconnect works. */
#include <stdlib.h>

#include "nfs4/callback.h"
#include "nfs4/codec.h"
#include "nfs4/ops.h"
#include "nfs4/server.h"

struct sequence_args {
        uint8_t session[NFS4_SESSIONID_SIZE];
        uint32_t seqid, slot, highest_slot;
        bool cache_this;
};
struct sequence_res {
        uint32_t status_flags;
};

enum { HASHED_BYTES = 256, ARGS_BYTES = 36, RESULT_BYTES = 44, ERROR_BYTES = 8 /* opnum and status */ };

static void decode(struct compound *c, struct xdr_in *x)
{
        struct sequence_args *a = OP_ARGS(c, struct sequence_args);

        xdr_get_fixed(x, a->session, sizeof(a->session));
        a->seqid = xdr_get_u32(x);
        a->slot = xdr_get_u32(x);
        a->highest_slot = xdr_get_u32(x);
        a->cache_this = xdr_get_bool(x);
}

/* Of the operations behind SEQUENCE and of who calls; the slot numbers may differ in a retry. */
static uint32_t request_hash(const struct compound *c)
{
        const struct xdr_in *x = &c->call.args;
        uint32_t length = xdr_left(x), n = length < HASHED_BYTES ? length : HASHED_BYTES;
        uint64_t h = hash_u64((uint64_t)length << 32 | c->op_count) ^ compound_cred(c)->uid;

        for (uint32_t at = 0; at + 4 <= n; at += 4) {
                uint32_t word;

                memcpy(&word, x->p + at, 4);
                h = (h ^ word) * 0x9e3779b97f4a7c15u;
        }
        return (uint32_t)(h >> 32);
}

/* §2.10.6.1.2: what a sequence id means for its slot. */
static enum nfsstat4 claim(struct compound *c, struct session *session, const struct sequence_args *a)
{
        struct slot *slot = &session->slots[a->slot];
        uint32_t hash = request_hash(c);

        if (a->seqid == slot->seqid + 1) {
                if (slot->busy)
                        return NFS4ERR_SEQ_MISORDERED;
                slot->seqid = a->seqid;
                slot->used = true;
                slot->busy = true;
                slot->cached = false;
                slot->request_hash = hash;
                return NFS4_OK;
        }
        if (a->seqid != slot->seqid || !slot->used)
                return NFS4ERR_SEQ_MISORDERED;
        if (slot->busy)
                return NFS4ERR_DELAY;
        if (slot->request_hash != hash)
                return NFS4ERR_SEQ_FALSE_RETRY;
        if (!slot->cached)
                return NFS4ERR_RETRY_UNCACHED_REP;
        c->abandoned_reply = true;
        return NFS4_OK;
}

static uint32_t status_flags(const struct compound *c)
{
        const struct nfs4_hooks *hooks = c->server->hooks;

        return callback_status_flags(c->session) |
               (hooks->status_flags ? hooks->status_flags(c->server, c->client) : 0);
}

/* A client that uses its highest slot may have twice as many, up to the limit. */
static void grow_slots(struct nfs4_server *s, struct session *session, const struct sequence_args *a)
{
        if (a->slot + 1 == session->slot_count && session->slot_count < s->limits.slots_per_session &&
            session->fore.max_requests >= SESSION_FIRST_SLOTS) {
                session->slot_count *= 2;
                if (session->slot_count > s->limits.slots_per_session)
                        session->slot_count = s->limits.slots_per_session;
        }
        session->target_slots = session->slot_count;
}

static enum nfsstat4 check(const struct compound *c, const struct session *session,
                           const struct sequence_args *a)
{
        if (a->slot >= session->slot_count)
                return NFS4ERR_BADSLOT;
        if (a->highest_slot < a->slot || a->highest_slot >= session->slot_count)
                return NFS4ERR_BAD_HIGH_SLOT;
        if (c->op_count > session->fore.max_ops)
                return NFS4ERR_TOO_MANY_OPS;
        if (xdr_left(&c->call.args) + ARGS_BYTES > session->fore.max_request)
                return NFS4ERR_REQ_TOO_BIG;
        if (a->cache_this &&
            xdr_out_length(&c->call.out) - c->body_at + RESULT_BYTES > session->fore.max_response_cached)
                return NFS4ERR_REP_TOO_BIG_TO_CACHE; /* not even SEQUENCE's own result fits */
        return NFS4_OK;
}

static enum nfsstat4 execute(struct compound *c)
{
        const struct sequence_args *a = OP_ARGS(c, struct sequence_args);
        struct session *session = session_by_id(c->server, a->session);
        enum nfsstat4 status;

        if (!session)
                return NFS4ERR_BADSESSION;
        status = check(c, session, a);
        if (status != NFS4_OK)
                return status;
        if (session_bind(session, c->call.conn, true, false) < 0)
                return NFS4ERR_DELAY;
        status = claim(c, session, a);
        if (status != NFS4_OK)
                return status;
        c->session = session;
        c->client = session->client;
        c->slot = &session->slots[a->slot];
        c->cache_this = a->cache_this;
        session->executing++;
        if (!session->used && session->has_back_channel)
                callbacks_path_up(c->server, c->client);
        session->used = true;
        client_hold(c->client);
        client_renew(c->server, c->client);
        grow_slots(c->server, session, a);
        OP_RES(c, struct sequence_res)->status_flags = status_flags(c);
        return NFS4_OK;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct sequence_args *a = OP_ARGS(c, struct sequence_args);

        (void)status;
        xdr_put_fixed(x, a->session, sizeof(a->session));
        xdr_put_u32(x, a->seqid);
        xdr_put_u32(x, a->slot);
        xdr_put_u32(x, c->session->slot_count - 1);
        xdr_put_u32(x, c->session->target_slots - 1);
        xdr_put_u32(x, OP_RES(c, struct sequence_res)->status_flags);
}

/* Keep the COMPOUND4res for a retry. Payloads by reference are copied: such replies are small when they are
 * cached. */
static void remember(struct compound *c)
{
        struct slot *slot = c->slot;
        const struct xdr_out *x = &c->call.out;
        uint32_t length = xdr_out_length(x) - c->body_at, at = 0, head = c->body_at;
        enum { LONGEST = SESSION_MAX_CACHED + ERROR_BYTES };

        CHECK(length <= LONGEST);
        if (length > slot->reply_capacity) {
                uint32_t capacity = length <= 256 ? 256 : length <= 1024 ? 1024 : LONGEST;
                uint8_t *bigger = realloc(slot->reply, capacity);

                if (!bigger)
                        return;
                slot->reply = bigger;
                slot->reply_capacity = capacity;
        }
        for (uint32_t i = 0; i < x->ref_count; i++) {
                memcpy(slot->reply + at, x->start + head, x->refs[i].head_offset - head);
                at += x->refs[i].head_offset - head;
                head = x->refs[i].head_offset;
                memcpy(slot->reply + at, x->refs[i].data, x->refs[i].length);
                at += x->refs[i].length;
        }
        memcpy(slot->reply + at, x->start + head, xdr_head_length(x) - head);
        slot->reply_length = length;
        slot->cached = true;
}

/* The retry's answer: what was answered the first time. */
static void replay(struct compound *c)
{
        struct xdr_out *x = &c->call.out;

        metric_add(&c->server->replays, 1);
        xdr_truncate(x, c->body_at);
        call_need_head(&c->call, c->slot->reply_length);
        xdr_put_fixed(x, c->slot->reply, c->slot->reply_length);
}

void slot_finish(struct compound *c)
{
        struct session *session = c->session;

        if (!session)
                return;
        if (c->abandoned_reply) {
                replay(c);
        } else {
                if (c->cache_this || c->op_count == 1)
                        remember(c);
                c->slot->busy = false;
        }
        session->executing--;
        client_release(c->server, c->client);
        session_release(c->server, session);
        c->session = NULL;
}

const struct nfs4_op op_sequence = {
        .name = "SEQUENCE",
        .flags = OP_NO_SEQUENCE,
        .reply_max = RESULT_BYTES,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
