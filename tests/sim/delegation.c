/* SPDX-License-Identifier: Apache-2.0 */
/* A scripted client's delegation, which is one for writing at the most: see actor.h. It is kept beyond CLOSE,
 * given back now and then or when it is asked for (back.h), and while it is certain nobody else has the file
 * open. */
#include <string.h>

#include "tests/sim/nfs.h"
#include "tests/sim/sim.h"

static uint64_t now(const struct actor *c)
{
        return c->sim->world.now;
}

uint32_t delegation_want(const struct actor *c)
{
        return c->delegation.held ? OPEN4_SHARE_ACCESS_WANT_NO_DELEG : OPEN4_SHARE_ACCESS_WANT_ANY_DELEG;
}

bool nfs_get_delegation(struct xdr_in *x, struct stateid *ret)
{
        uint32_t type = xdr_get_u32(x), why;

        if (type == OPEN_DELEGATE_NONE_EXT) {
                why = xdr_get_u32(x);
                if (why == WND4_RESOURCE || why == WND4_CONTENTION)
                        xdr_get_bool(x);
        }
        if (type != OPEN_DELEGATE_WRITE)
                return false;
        get_stateid(x, ret);
        xdr_get_bytes(x, 4 + 12 + 12); /* recall, limit, the entry but for who */
        xdr_get_opaque(x, NFS4_OPAQUE_LIMIT);
        return true;
}

void delegation_given(struct actor *c, const struct fhandle *fh, const struct stateid *s, uint64_t since)
{
        c->delegation.held = true;
        c->delegation.asked = false;
        c->delegation.fh = *fh;
        c->delegation.stateid = *s;
        c->delegation.file = NULL;
        c->delegation.since = since;
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
static bool is_delegated(const struct actor *c, const struct model_file *file)
{
        uint64_t lease = LEASE_SECONDS * SECOND_NS;

        return c->running && c->delegation.held && c->delegation.file == file &&
               c->mds.renewed_ns + lease > now(c) && c->delegation.since + lease > now(c);
}

void delegation_check_others(struct actor *c)
{
        for (uint32_t i = 0; i < c->sim->actor_count; i++) {
                const struct actor *other = &c->sim->actors[i];

                if (other != c && is_delegated(other, c->file) && !c->lost &&
                    c->mds.renewed_ns + LEASE_SECONDS * SECOND_NS > now(c))
                        world_fail(&c->sim->world, "%s opens what is delegated to %s", c->owner,
                                   other->owner);
        }
}
