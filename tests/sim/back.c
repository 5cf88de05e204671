/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/back.h"

#include <string.h>

#include "tests/sim/nfs.h"
#include "tests/sim/sim.h"

/* --- the layout */

/* New I/O comes through the MDS; what is under way may end as it likes, before or after the return. Until it
 * is returned no other is asked for. */
static void give_back(struct actor *c, const struct stateid *s)
{
        c->layout.stateid = *s;
        if (c->returning.busy)
                return;
        c->returning.busy = true;
        c->returning.fh = c->fh;
        c->returning.layout = c->layout;
        c->layout.recalled = true;
        co_wake(&c->returner.co);
}

/* What Linux does, most of the time. */
static enum nfsstat4 take_recall(struct actor *c, const struct stateid *s)
{
        struct layout *l = &c->layout;

        if (!l->held || memcmp(s->other, l->stateid.other, sizeof(s->other)) != 0)
                return NFS4ERR_NOMATCHING_LAYOUT;
        if (s->seqid < l->stateid.seqid && !l->recalled)
                return NFS4ERR_OLD_STATEID; /* it was put off, or overtaken by a LAYOUTGET's answer */
        if (s->seqid == l->stateid.seqid && !l->recalled)
                world_fail(&c->sim->world, "CB_LAYOUTRECALL with sequence id %u after %u", s->seqid,
                           l->stateid.seqid);
        switch (actor_random(c, 8)) {
        case 0: l->held = false; return NFS4ERR_NOMATCHING_LAYOUT;
        case 1: return NFS4ERR_DELAY;
        case 2: return NFS4ERR_SERVERFAULT;
        default: give_back(c, s); return NFS4_OK;
        }
}

/* The MDS may have taken it meanwhile, with all that we had, or ask once more. */
static void check_returned(struct actor *c, int status, uint64_t since)
{
        switch (status) {
        case NFS4_OK:
        case NFS_LOST:
        case NFS4ERR_BAD_STATEID:
        case NFS4ERR_OLD_STATEID:
        case NFS4ERR_STALE: /* closed, and removed */
        case NFS4ERR_EXPIRED: return;
        case NFS4ERR_NOSPC:
        case NFS4ERR_IO:
                if (faults_excuse(&c->sim->faults, since))
                        return;
        }
        world_fail(&c->sim->world, "%s: LAYOUTRETURN answers %s", c->owner, nfs_name(status));
}

static void return_layout(struct actor *c)
{
        struct layout l = c->returning.layout;
        uint64_t since = c->sim->world.now;
        int status = nfs_layoutreturn(&c->returner, &c->returning.fh, &l);

        world_say(&c->sim->world, c->owner, "LAYOUTRETURN as asked: %s", nfs_name(status));
        check_returned(c, status, since);
        if (memcmp(c->layout.stateid.other, l.stateid.other, sizeof(l.stateid.other)) == 0 &&
            c->layout.recalled)
                c->layout.held = false;
        c->returning.busy = false;
}

void back_return(void *arg)
{
        struct actor *c = arg;

        for (;;) {
                while (!c->returning.busy && !delegation_is_wanted(c))
                        co_wait(UINT64_MAX);
                co_sleep(actor_random(c, 2 * SECOND_NS));
                if (c->returning.busy)
                        return_layout(c);
                if (delegation_is_wanted(c))
                        delegation_return(&c->returner);
        }
}

/* --- the delegation */

static enum nfsstat4 take_delegation_recall(struct actor *c, const struct stateid *s)
{
        if (!c->delegation.held || memcmp(s, &c->delegation.stateid, sizeof(*s)) != 0)
                return NFS4ERR_BAD_STATEID;
        switch (actor_random(c, 8)) {
        case 0: return NFS4ERR_DELAY;
        case 1: return NFS4ERR_SERVERFAULT;
        default: break;
        }
        c->delegation.asked = true;
        co_wake(&c->returner.co);
        return NFS4_OK;
}

/* It has nothing in a cache. */
static void put_attributes(struct xdr_out *x)
{
        const struct bitmap4 mask = { .word = { 1u << FATTR4_CHANGE | 1u << FATTR4_SIZE } };

        put_bitmap(x, &mask);
        xdr_put_u32(x, 16);
        xdr_put_u64(x, 0);
        xdr_put_u64(x, 0);
}

/* --- calls */

/* Is an answer still on its way that this callback refers to? RFC 8881 §2.10.6.3. */
static bool get_referring_calls(const struct mount *s, struct xdr_in *x)
{
        bool outstanding = false;

        for (uint32_t lists = xdr_get_u32(x); lists > 0 && !x->bad; lists--) {
                const uint8_t *session = xdr_get_bytes(x, NFS4_SESSIONID_SIZE);

                for (uint32_t calls = xdr_get_u32(x); calls > 0 && !x->bad; calls--) {
                        uint32_t seqid = xdr_get_u32(x), slot = xdr_get_u32(x);

                        outstanding |= session && memcmp(session, s->id, NFS4_SESSIONID_SIZE) == 0 &&
                                       slot < MOUNT_SLOTS && seqid == s->seqid[slot] + 1;
                }
        }
        return outstanding;
}

/* What CB_SEQUENCE comes to. */
static enum nfsstat4 get_sequence(struct actor *c, struct xdr_in *x, bool *ret_again)
{
        struct back *b = &c->back;
        const uint8_t *session;
        uint32_t seqid;
        bool early;

        if (xdr_get_u32(x) != OP_CB_SEQUENCE)
                return NFS4ERR_OP_NOT_IN_SESSION;
        session = xdr_get_bytes(x, NFS4_SESSIONID_SIZE);
        seqid = xdr_get_u32(x);
        CHECK(xdr_get_u32(x) == 0 && xdr_get_u32(x) == 0); /* one slot */
        xdr_get_bool(x);
        early = get_referring_calls(&c->mds, x);
        CHECK(!x->bad);
        if (!c->mds.up || memcmp(session, c->mds.id, NFS4_SESSIONID_SIZE) != 0)
                return NFS4ERR_BADSESSION;
        if (memcmp(session, b->session, NFS4_SESSIONID_SIZE) != 0) {
                memcpy(b->session, session, NFS4_SESSIONID_SIZE);
                b->seqid = 0;
                b->silent = false;
        }
        *ret_again = seqid == b->seqid && seqid != 0;
        if (*ret_again && b->silent)
                return NFS4ERR_DELAY;
        if (seqid < b->seqid)
                return NFS4ERR_SEQ_MISORDERED; /* it was sent again since, and comes late on a connection that
                                                  was left */
        if (!*ret_again && seqid != b->seqid + 1)
                world_fail(&c->sim->world, "CB_SEQUENCE with sequence id %u after %u", seqid, b->seqid);
        if (early && !*ret_again)
                return NFS4ERR_DELAY;
        b->seqid = seqid;
        return NFS4_OK;
}

static void get_fh(struct xdr_in *x)
{
        CHECK(xdr_get_opaque(x, NFS4_FHSIZE).length == FH_BYTES);
}

static enum nfsstat4 get_recall(struct actor *c, struct xdr_in *x)
{
        struct stateid s;

        get_stateid(x, &s);
        xdr_get_bool(x); /* truncate */
        get_fh(x);
        CHECK(!x->bad && xdr_left(x) == 0);
        return take_delegation_recall(c, &s);
}

static enum nfsstat4 get_getattr(struct actor *c, struct xdr_in *x)
{
        struct bitmap4 asked;

        get_fh(x);
        get_bitmap(x, &asked);
        CHECK(!x->bad && xdr_left(x) == 0);
        return actor_random(c, 4) == 0 ? NFS4ERR_BADHANDLE : NFS4_OK;
}

static enum nfsstat4 get_layoutrecall(struct actor *c, struct xdr_in *x)
{
        struct stateid s;

        CHECK(xdr_get_u32(x) == LAYOUT4_NFSV4_1_FILES);
        xdr_get_u32(x);
        xdr_get_bool(x);
        CHECK(xdr_get_u32(x) == LAYOUTRECALL4_FILE);
        get_fh(x);
        CHECK(xdr_get_u64(x) == 0 && xdr_get_u64(x) == NFS4_UINT64_MAX);
        get_stateid(x, &s);
        CHECK(!x->bad && xdr_left(x) == 0);
        return take_recall(c, &s);
}

static enum nfsstat4 get_operation(struct actor *c, struct xdr_in *x)
{
        c->back.opnum = xdr_get_u32(x);
        switch (c->back.opnum) {
        case OP_CB_LAYOUTRECALL: return get_layoutrecall(c, x);
        case OP_CB_RECALL: return get_recall(c, x);
        case OP_CB_GETATTR: return get_getattr(c, x);
        default: world_fail(&c->sim->world, "callback %u", c->back.opnum);
        }
}

static void answer(struct actor *c, struct call *call, enum nfsstat4 sequence)
{
        struct xdr_out *x = &call->out;
        bool refused = sequence != NFS4_OK;

        bool probe = c->back.opnum == 0;

        xdr_put_u32(x, refused ? sequence : probe ? NFS4_OK : c->back.answer);
        xdr_put_u32(x, 0); /* tag */
        xdr_put_u32(x, refused || probe ? 1 : 2);
        xdr_put_u32(x, OP_CB_SEQUENCE);
        xdr_put_u32(x, sequence);
        if (!refused) {
                xdr_put_fixed(x, c->back.session, NFS4_SESSIONID_SIZE);
                xdr_put_u32(x, c->back.seqid);
                for (int i = 0; i < 3; i++)
                        xdr_put_u32(x, 0); /* slot, highest, target */
        }
        if (!refused && !probe) {
                xdr_put_u32(x, c->back.opnum);
                xdr_put_u32(x, c->back.answer);
                if (c->back.opnum == OP_CB_GETATTR && c->back.answer == NFS4_OK)
                        put_attributes(x);
        }
        call_reply(call);
}

static void serve(void *service, struct call *call)
{
        struct actor *c = service;
        struct back *b = &c->back;
        struct xdr_in *x = &call->args;
        enum nfsstat4 sequence;
        bool again = false;
        uint32_t ops;

        xdr_get_opaque(x, NFS4_OPAQUE_LIMIT);
        xdr_get_u32(x); /* minor version */
        xdr_get_u32(x); /* callback_ident */
        ops = xdr_get_u32(x);
        CHECK(ops == 1 || ops == 2); /* 1: is it there? */
        sequence = get_sequence(c, x, &again);
        if (sequence == NFS4_OK && !again) {
                b->opnum = 0;
                b->answer = ops == 2 ? get_operation(c, x) : NFS4_OK;
                b->silent = b->answer == NFS4_OK && b->held_count < BACK_HELD && actor_random(c, 6) == 0;
                world_say(&c->sim->world, c->owner, "callback %u: %s%s", b->opnum, nfs_name((int)b->answer),
                          b->silent ? ", but says nothing" : "");
        }
        if (sequence == NFS4_OK && b->silent)
                b->held[b->held_count++] = call;
        else
                answer(c, call, sequence);
}

struct rpc_program back_program(struct actor *c)
{
        return (struct rpc_program){ .prog = MOUNT_CB_PROGRAM,
                                     .vers = 1,
                                     .call_bytes = sizeof(struct call),
                                     .dispatch = serve,
                                     .service = c };
}

void back_end(struct actor *c)
{
        while (c->back.held_count > 0)
                answer(c, c->back.held[--c->back.held_count], NFS4ERR_DELAY);
        c->back = (struct back){ .held_count = 0 };
}
