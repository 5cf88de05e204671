/* SPDX-License-Identifier: Apache-2.0 */
/* CTL_UPLOAD to a data server of a lab. */
#pragma once

#include "tests/lab/ds_lab.h"

struct lab_upload { /* zero it; fill in args, or begin with upload_whole(); then upload_run() */
        ctl_upload_args args;
        uint8_t handle[FH_BYTES];
        struct ds_lab *lab;
        bool second; /* to the data server of mds.other */
        struct fake_call call;
        ctl_upload_res res; /* once call.done; freed by upload_end() */
};
/* [0, LENGTH) of the file under FH as object "data/KEY" of repo 1. */
void upload_whole(struct ds_lab *lab, struct lab_upload *u, const struct fh *fh, const char *key,
                  uint64_t length);
void upload_start_call(struct lab_upload *u);
bool upload_wait(struct lab_upload *u, uint32_t ms); /* false: not answered in time */
/* Both; it must be answered. The status. */
ctl_status upload_run(struct lab_upload *u);
void upload_end(struct lab_upload *u);
