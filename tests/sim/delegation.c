/* SPDX-License-Identifier: Apache-2.0 */
/* A scripted client's delegation, which is one at the most: see actor.h. It is kept beyond CLOSE,
 * given back now and then or when it is asked for (back.h), and while it is certain nobody else has the file
 * open, or for writing when it is one for reading. Half of them come instead of an open (RFC 9754): that
 * follows when it is needed. */
#include <string.h>

#include "tests/sim/nfs.h"
#include "tests/sim/sim.h"

static uint64_t now(const struct actor *c)
{
        return c->sim->world.now;
}

uint32_t delegation_want(struct actor *c)
{
        if (c->delegation.held)
                return OPEN4_SHARE_ACCESS_WANT_NO_DELEG;
        return OPEN4_SHARE_ACCESS_WANT_ANY_DELEG |
               (actor_random(c, 2) == 0 ? OPEN4_SHARE_ACCESS_WANT_OPEN_XOR_DELEGATION : 0);
}

uint32_t nfs_get_delegation(struct xdr_in *x, struct stateid *ret)
{
        uint32_t type = xdr_get_u32(x), why;

        if (type == OPEN_DELEGATE_NONE_EXT) {
                why = xdr_get_u32(x);
                if (why == WND4_RESOURCE || why == WND4_CONTENTION)
                        xdr_get_bool(x);
        }
        if (type != OPEN_DELEGATE_READ && type != OPEN_DELEGATE_WRITE)
                return OPEN_DELEGATE_NONE;
        get_stateid(x, ret);
        xdr_get_bool(x); /* recall */
        if (type == OPEN_DELEGATE_WRITE)
                xdr_get_bytes(x, 12); /* limit */
        xdr_get_bytes(x, 12);         /* the entry but for who */
        xdr_get_opaque(x, NFS4_OPAQUE_LIMIT);
        CHECK(!x->bad);
        return type;
}

void delegation_given(struct actor *c, const struct fhandle *fh, const struct stateid *s, uint32_t type,
                      uint64_t since, struct stateid *open)
{
        c->delegation.is_open = stateid_is_anonymous(open);
        if (c->delegation.is_open)
                *open = *s;
        c->delegation.held = true;
        c->delegation.writes = type == OPEN_DELEGATE_WRITE;
        c->delegation.asked = false;
        c->delegation.fh = *fh;
        c->delegation.stateid = *s;
        c->delegation.file = NULL;
        c->delegation.since = since;
}

static int claim(struct actor *c, struct stateid *ret)
{
        struct ask *k = nfs_begin(&c->main, &c->fh);
        int status;

        nfs_put_open(k, c->mds.clientid, c->owner, false, c->access, c->deny);
        xdr_put_u32(&k->x, CLAIM_DELEG_CUR_FH);
        put_stateid(&k->x, &c->delegation.stateid);
        status = nfs_run(&c->main);
        if (status == NFS4_OK) {
                CHECK(ask_result(k, OP_PUTFH) == NFS4_OK && ask_result(k, OP_OPEN) == NFS4_OK);
                get_stateid(&k->in, ret);
        }
        return status;
}

void delegation_claim(struct actor *c)
{
        struct stateid open;
        int status = NFS_LOST;

        while (c->delegation.is_open && !c->lost && status == NFS_LOST)
                status = claim(c, &open);
        if (!c->delegation.is_open || c->lost)
                return; /* after a restart of the MDS it has reclaimed an open */
        world_say(&c->sim->world, c->owner, "OPEN by its delegation: %s", nfs_name(status));
        c->delegation.is_open = false;
        c->lost = status != NFS4_OK;
        switch (status) {
        case NFS4_OK: c->stateid = open; return;
        case NFS4ERR_BAD_STATEID:
        case NFS4ERR_EXPIRED:
        case NFS4ERR_STALE: /* removed since it was lost */
        case NFS4ERR_DELEG_REVOKED: return;
        default:
                world_fail(&c->sim->world, "%s: OPEN by its delegation answers %s", c->owner,
                           nfs_name(status));
        }
}

bool delegation_is_wanted(const struct actor *c)
{
        return c->delegation.asked && !c->delegation.is_open;
}

static int delegreturn(struct hand *w, const struct fhandle *fh, const struct stateid *s)
{
        struct ask *k = nfs_begin(w, fh);

        put_stateid(ask_op(k, OP_DELEGRETURN), s);
        return nfs_run(w);
}

void delegation_return(struct hand *w)
{
        struct actor *c = w->actor;
        uint64_t since = now(c);
        int status;

        c->delegation.asked = false;
        if (!c->delegation.held)
                return;
        c->delegation.held = false;
        status = delegreturn(w, &c->delegation.fh, &c->delegation.stateid);
        world_say(&c->sim->world, c->owner, "DELEGRETURN: %s", nfs_name(status));
        switch (status) {
        case NFS4_OK:
        case NFS_LOST:
        case NFS4ERR_BAD_STATEID:
        case NFS4ERR_EXPIRED:
        case NFS4ERR_STALE: /* removed since it was lost */
        case NFS4ERR_DELEG_REVOKED: return;
        case NFS4ERR_NOSPC:
        case NFS4ERR_IO:
                if (faults_excuse(&c->sim->faults, since))
                        return;
        }
        world_fail(&c->sim->world, "%s: DELEGRETURN answers %s", c->owner, nfs_name(status));
}

/* Its lease cannot have run out, and it cannot have been asked for it for a whole one: nobody else has it
 * open. */
bool delegation_is_sure(const struct actor *c, const struct model_file *file)
{
        uint64_t lease = LEASE_SECONDS * SECOND_NS;

        return c->running && c->delegation.held && !c->mds.doubtful && c->delegation.file == file &&
               c->mds.renewed_ns + lease > now(c) && c->delegation.since + lease > now(c);
}

/* Nor does anybody take its name away. */
void delegation_check_removed(struct actor *c, const struct model_file *file)
{
        for (uint32_t i = 0; i < c->sim->actor_count; i++) {
                const struct actor *other = &c->sim->actors[i];

                if (other != c && delegation_is_sure(other, file))
                        world_fail(&c->sim->world, "%s removes what is delegated to %s", c->owner,
                                   other->owner);
        }
}
