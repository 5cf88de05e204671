/* SPDX-License-Identifier: Apache-2.0 */
/* Compounds of a scripted client: one call each. DELAY and GRACE of the MDS are waited out. */
#pragma once

#include "tests/sim/actor.h"

/* A compound on FH (NULL: the root) begins; it is run until it is not put off any more. */
struct ask *nfs_begin(struct hand *w, const struct fhandle *fh);
int nfs_run(struct hand *w);

int nfs_root(struct hand *w, struct fhandle *ret);
int nfs_lookup(struct hand *w, const struct fhandle *dir, const char *name, struct fhandle *ret);
int nfs_mkdir(struct hand *w, const struct fhandle *dir, const char *name, struct fhandle *ret);
int nfs_open(struct hand *w, const struct fhandle *dir, const char *name, bool create, struct fhandle *ret,
             struct stateid *ret_stateid);
/* Within the session's set-up, in its slot 0: the open of FH as before the MDS restarted. */
int nfs_reclaim(struct mount *s, const struct fhandle *fh, const char *owner, struct stateid *ret_stateid);
int nfs_close(struct hand *w, const struct fhandle *fh, const struct stateid *s);
int nfs_remove(struct hand *w, const struct fhandle *dir, const char *name);

/* open_delegation4: true, when there is one. (delegation.c) */
bool nfs_get_delegation(struct xdr_in *x, struct stateid *ret);

struct attributes {
        uint64_t change, size, fileid;
};
int nfs_getattr(struct hand *w, const struct fhandle *fh, struct attributes *ret);
int nfs_setsize(struct hand *w, const struct fhandle *fh, const struct stateid *s, uint64_t size);
int nfs_setmode(struct hand *w, const struct fhandle *fh, uint32_t mode);

/* nfs_lock.c: [FROM, TO) of the open file; reclaimed within the session's set-up, as nfs_reclaim(). */
int nfs_lock(struct hand *w, uint64_t from, uint64_t to, struct stateid *ret);
int nfs_reclaim_lock(struct actor *c, uint64_t from, uint64_t to, struct stateid *ret);
int nfs_unlock(struct hand *w, const struct stateid *s, uint64_t from, uint64_t to);

/* LAYOUTGET, and GETDEVICEINFO for where its data servers are. */
int nfs_layoutget(struct hand *w, const struct fhandle *fh, const struct stateid *s, bool writes,
                  struct layout *ret);
int nfs_layoutreturn(struct hand *w, const struct fhandle *fh, const struct layout *l);
int nfs_layoutcommit(struct hand *w, const struct fhandle *fh, const struct layout *l, uint64_t last);

/* At the MDS (DS -1) or a data server. */
int nfs_read(struct hand *w, int ds, const struct fhandle *fh, const struct stateid *s, uint64_t offset,
             uint32_t count, uint8_t *data, uint32_t *ret_length, bool *ret_end);
struct written {
        uint32_t count, committed;
        uint64_t verifier;
};
int nfs_write(struct hand *w, int ds, const struct fhandle *fh, const struct stateid *s, uint64_t offset,
              const uint8_t *data, uint32_t length, uint32_t stable, struct written *ret);
int nfs_commit(struct hand *w, int ds, const struct fhandle *fh, uint64_t *ret_verifier);
int nfs_renew(struct hand *w); /* a lonely SEQUENCE at the MDS */
const char *nfs_name(int status);
