/* SPDX-License-Identifier: Apache-2.0 */
/* Compounds of a scripted client: one call each. DELAY and GRACE of the MDS are waited out. */
#pragma once

#include "tests/sim/actor.h"

/* A compound on FH (NULL: the root) begins; it is run until it is not put off any more. */
struct ask *nfs_begin(struct hand *w, const struct fhandle *fh);
int nfs_run(struct hand *w);

struct xdr_in *nfs_result(struct ask *k, uint32_t opnum); /* of one that was OK */
int nfs_run_for_fh(struct hand *w);                       /* with GETFH at the end */
void nfs_get_fh(struct ask *k, struct fhandle *ret);
void nfs_put_attr(struct xdr_out *x, uint32_t attribute, uint64_t value);

int nfs_root(struct hand *w, struct fhandle *ret);
int nfs_lookup(struct hand *w, const struct fhandle *dir, const char *name, struct fhandle *ret);
int nfs_mkdir(struct hand *w, const struct fhandle *dir, const char *name, struct fhandle *ret);
int nfs_remove(struct hand *w, const struct fhandle *dir, const char *name);
int nfs_rename(struct hand *w, const struct fhandle *dir, const char *from, const char *to);
/* The file FROM of DIR gets the name TO as well, there. */
int nfs_link(struct hand *w, const struct fhandle *dir, const char *from, const char *to);

/* nfs_open.c. OPEN up to its claim. */
void nfs_put_open(struct ask *k, uint64_t clientid, const char *owner, bool create, uint32_t access,
                  uint32_t deny);
/* By the actor's access and deny. */
int nfs_open(struct hand *w, const struct fhandle *dir, const char *name, bool create, struct fhandle *ret,
             struct stateid *ret_stateid);
/* Within the session's set-up, in its slot 0: the open file as before the MDS restarted. */
int nfs_reclaim(struct actor *c, struct stateid *ret_stateid);
/* The open file once more, with more ACCESS; with less. */
int nfs_upgrade(struct hand *w, uint32_t access, struct stateid *ret_stateid);
int nfs_downgrade(struct hand *w, uint32_t access, struct stateid *stateid);
int nfs_close(struct hand *w, const struct fhandle *fh, const struct stateid *s);

/* open_delegation4: OPEN_DELEGATE_READ, _WRITE or _NONE. (delegation.c) */
uint32_t nfs_get_delegation(struct xdr_in *x, struct stateid *ret);

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

/* nfs_space.c: of the open file. *RET_COUNT bytes were copied; what is read is LENGTH bytes long. */
struct copy_from {
        struct fhandle fh;
        struct stateid stateid;
        uint64_t offset;
};
int nfs_allocate(struct hand *w, uint64_t from, uint64_t to);
int nfs_deallocate(struct hand *w, uint64_t from, uint64_t to);
int nfs_seek(struct hand *w, uint64_t offset, uint32_t what, bool *ret_end, uint64_t *ret_offset);
int nfs_copy(struct hand *w, const struct copy_from *from, uint64_t to, uint64_t count, uint64_t *ret_count);
int nfs_clone(struct hand *w, const struct copy_from *from, uint64_t to, uint64_t count);
int nfs_setxattr(struct hand *w, const struct fhandle *fh, const char *name, const void *value,
                 uint32_t length);
int nfs_removexattr(struct hand *w, const char *name);
int nfs_getxattr(struct hand *w, const char *name, void *value, uint32_t length);

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
