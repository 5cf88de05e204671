/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/upload_lab.h"

enum { WAIT_MS = 250000 };

void upload_whole(struct ds_lab *lab, struct lab_upload *u, const struct fh *fh, const char *key,
                  uint64_t length)
{
        char *none = (char *)(uintptr_t) "";

        *u = (struct lab_upload){ .lab = lab };
        fh_encode(fh, lab->handle_key, u->handle);
        u->args = (ctl_upload_args){ .object = { .fileid = fh->fileid,
                                                 .generation = fh->generation,
                                                 .unit = fh->unit,
                                                 .width = fh->width,
                                                 .first = fh->first },
                                     .handle = { FH_BYTES, (char *)u->handle },
                                     .repo = 1,
                                     .revision = lab->mds.repo.revision,
                                     .key = (char *)(uintptr_t)key,
                                     .length = length,
                                     .upload_id = none,
                                     .if_match = none };
}

void upload_start_call(struct lab_upload *u)
{
        struct conn *conn = u->second ? u->lab->mds.other : u->lab->mds.conn;

        CHECK(conn != NULL);
        u->args.object.index = u->second;
        memset(&u->res, 0, sizeof(u->res));
        ctl_lab_call(conn, &u->call, NACRE_CTL_DS, CTL_UPLOAD, (xdrproc_t)xdr_ctl_upload_args, &u->args,
                     (xdrproc_t)xdr_ctl_upload_res, &u->res);
}

bool upload_wait(struct lab_upload *u, uint32_t ms)
{
        return lab_fake_call_wait(u->lab, &u->call, ms);
}

ctl_status upload_run(struct lab_upload *u)
{
        upload_start_call(u);
        CHECK(upload_wait(u, WAIT_MS) && u->call.ok);
        return u->res.status;
}

void upload_end(struct lab_upload *u)
{
        xdr_free((xdrproc_t)xdr_ctl_upload_res, (char *)&u->res);
}
