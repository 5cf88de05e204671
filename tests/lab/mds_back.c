/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of the lab as the MDS calls them back: see mds_lab.h. RFC 8881 §20. */
#include "nfs4/codec.h"
#include "tests/lab/mds_lab.h"

static void get_sequence(struct user_back *b, struct xdr_in *x)
{
        CHECK(xdr_get_u32(x) == OP_CB_SEQUENCE);
        xdr_get_bytes(x, NFS4_SESSIONID_SIZE);
        b->seqid = xdr_get_u32(x);
        xdr_get_u32(x); /* slot */
        xdr_get_u32(x);
        CHECK(!xdr_get_bool(x));
        b->refers = (struct referring){ 0 };
        if (xdr_get_u32(x) == 0)
                return;
        xdr_get_fixed(x, b->refers.session, NFS4_SESSIONID_SIZE);
        CHECK(xdr_get_u32(x) == 1);
        b->refers.seqid = xdr_get_u32(x);
        b->refers.slot = xdr_get_u32(x);
}

static void get_fh(struct user_back *b, struct xdr_in *x)
{
        struct slice fh = xdr_get_opaque(x, NFS4_FHSIZE);

        CHECK(fh.length == USER_FH);
        memcpy(b->fh.bytes, fh.data, USER_FH);
}

static void get_layoutrecall(struct user_back *b, struct xdr_in *x)
{
        CHECK(xdr_get_u32(x) == LAYOUT4_NFSV4_1_FILES);
        b->iomode = xdr_get_u32(x);
        b->changed = xdr_get_bool(x);
        CHECK(xdr_get_u32(x) == LAYOUTRECALL4_FILE);
        get_fh(b, x);
        CHECK(xdr_get_u64(x) == 0 && xdr_get_u64(x) == NFS4_UINT64_MAX);
        get_stateid(x, &b->stateid);
}

static void get_notify_lock(struct user_back *b, struct xdr_in *x)
{
        struct slice owner;

        get_fh(b, x);
        b->clientid = xdr_get_u64(x);
        owner = xdr_get_opaque(x, sizeof(b->lock_owner) - 1);
        CHECK(!x->bad);
        memcpy(b->lock_owner, owner.data, owner.length);
        b->lock_owner[owner.length] = '\0';
}

static void get_recall(struct user_back *b, struct xdr_in *x)
{
        get_stateid(x, &b->stateid);
        CHECK(!xdr_get_bool(x)); /* truncate */
        get_fh(b, x);
}

static void get_recall_any(struct user_back *b, struct xdr_in *x)
{
        struct bitmap4 types;

        b->keep = xdr_get_u32(x);
        get_bitmap(x, &types);
        CHECK(types.word[0] == 3 && types.word[1] == 0); /* delegations of files */
}

static void get_notify_deviceid(struct user_back *b, struct xdr_in *x)
{
        struct bitmap4 mask;

        CHECK(xdr_get_u32(x) == 1);
        get_bitmap(x, &mask);
        CHECK(mask.word[0] == 1u << NOTIFY_DEVICEID4_DELETE && mask.word[1] == 0);
        CHECK(xdr_get_u32(x) == 4 + NFS4_DEVICEID_SIZE);
        CHECK(xdr_get_u32(x) == LAYOUT4_NFSV4_1_FILES);
        xdr_get_fixed(x, b->device, NFS4_DEVICEID_SIZE);
}

enum { TIMES = 1u << (FATTR4_TIME_DELEG_ACCESS - 64) | 1u << (FATTR4_TIME_DELEG_MODIFY - 64) };

static void get_getattr(struct user_back *b, struct xdr_in *x)
{
        struct bitmap4 asked;

        get_fh(b, x);
        get_bitmap(x, &asked);
        CHECK(asked.word[0] == (1u << FATTR4_CHANGE | 1u << FATTR4_SIZE) && asked.word[1] == 0);
        b->asked_times = asked.word[2] != 0;
        CHECK(!b->asked_times || asked.word[2] == TIMES);
}

static void put_attrs(struct xdr_out *x, const struct user_back *b)
{
        const struct bitmap4 mask = { .word = { 1u << FATTR4_CHANGE | 1u << FATTR4_SIZE, 0,
                                                b->asked_times ? TIMES : 0 } };

        put_bitmap(x, &mask);
        xdr_put_u32(x, b->asked_times ? 40 : 16);
        xdr_put_u64(x, b->change);
        xdr_put_u64(x, b->size);
        if (b->asked_times) {
                put_time(x, b->atime);
                put_time(x, b->mtime);
        }
}

static void get_call(struct user_back *b, struct xdr_in *x)
{
        xdr_get_opaque(x, 100);
        xdr_get_u32(x);
        xdr_get_u32(x);
        b->ops = xdr_get_u32(x);
        get_sequence(b, x);
        if (b->ops == 1) {
                b->probes++;
                CHECK(!x->bad && xdr_left(x) == 0);
                return;
        }
        CHECK(b->ops == 2);
        b->calls++;
        b->opnum = xdr_get_u32(x);
        switch (b->opnum) {
        case OP_CB_GETATTR: get_getattr(b, x); break;
        case OP_CB_RECALL_ANY: get_recall_any(b, x); break;
        case OP_CB_RECALL: get_recall(b, x); break;
        case OP_CB_LAYOUTRECALL: get_layoutrecall(b, x); break;
        case OP_CB_NOTIFY_DEVICEID: get_notify_deviceid(b, x); break;
        case OP_CB_NOTIFY_LOCK: get_notify_lock(b, x); break;
        default: CHECK(false); /* the lab knows no other */
        }
        CHECK(!x->bad && xdr_left(x) == 0);
}

static void answer(struct user *u, struct call *call)
{
        struct user_back *b = &u->back;
        struct xdr_out *x = &call->out;
        bool refused = b->sequence != NFS4_OK, probe = b->ops == 1;

        xdr_put_u32(x, refused ? b->sequence : probe ? NFS4_OK : b->answer);
        xdr_put_u32(x, 0);
        xdr_put_u32(x, refused ? 1 : b->garbage ? 7 : b->ops);
        xdr_put_u32(x, OP_CB_SEQUENCE);
        xdr_put_u32(x, b->sequence);
        if (!refused) {
                xdr_put_fixed(x, u->session, NFS4_SESSIONID_SIZE);
                for (int i = 0; i < 4; i++)
                        xdr_put_u32(x, 0);
        }
        if (!refused && !probe) {
                xdr_put_u32(x, b->garbage ? 4711 : b->opnum);
                if (!b->garbage)
                        xdr_put_u32(x, b->answer);
                if (!b->garbage && b->answer == NFS4_OK && b->opnum == OP_CB_GETATTR)
                        put_attrs(x, b);
        }
        if (!probe && b->times > 0 && --b->times == 0)
                b->sequence = b->answer = NFS4_OK;
        call_reply(call);
}

void user_serve_callback(void *service, struct call *call)
{
        struct user *u = conn_data(call->conn);
        struct user_back *b = &u->back;

        (void)service;
        get_call(b, &call->args);
        if (b->mute) {
                CHECK(b->held_count < sizeof(b->held) / sizeof(b->held[0]));
                b->held[b->held_count++] = call;
        } else {
                answer(u, call);
        }
}

void user_answer_held(struct user *u)
{
        while (u->back.held_count > 0)
                answer(u, u->back.held[--u->back.held_count]);
}
