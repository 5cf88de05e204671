/* SPDX-License-Identifier: Apache-2.0 */
/* How a data server differs from an MDS as an NFS server: what a handle is, and what a client leaves behind
 * (nothing). */
#include "ds/ds.h"

/* A handle is believed because of its MAC, from the one client that it was given to (DESIGN: trust between
 * MDS and DS). STALE and BADHANDLE make Linux drop the layout and ask again. */
static enum nfsstat4 resolve_fh(struct compound *c, struct slice bytes, struct fh *ret)
{
        struct fh fh;

        if (!fh_decode(bytes.data, bytes.length, c->server->key, &fh))
                return NFS4ERR_BADHANDLE;
        if (fh.kind != FH_DS)
                return NFS4ERR_BADHANDLE;
        if (!(fh.flags & FH_PROXY) && fh.client != c->client->tag)
                return NFS4ERR_STALE;
        *ret = fh;
        return NFS4_OK;
}

/* Only for SECINFO_NO_NAME: there is nothing in it. */
static enum nfsstat4 root_fh(struct compound *c, struct fh *ret)
{
        (void)c;
        *ret = (struct fh){ .kind = FH_MDS, .flags = FH_PSEUDO };
        return NFS4_OK;
}

static bool client_has_state(struct nfs4_server *s, const struct client *client)
{
        (void)s, (void)client;
        return false;
}

const struct nfs4_hooks ds_hooks = {
        .resolve_fh = resolve_fh,
        .root_fh = root_fh,
        .client_has_state = client_has_state,
};
