/* SPDX-License-Identifier: Apache-2.0 */
/* A repo in the MDS lab, linked to nothing, with its bucket in the model: files become its own one by one. */
#pragma once

#include "mds/tier/tier.h"
#include "tests/lab/mds_lab.h"
#include "tests/lab/s3_model.h"

void repo_lab_link(struct mds_lab *lab, struct s3_model *s3);
/* FILEID has BYTES bytes of zeros on its data servers, and S3 has them as /bucket/p/KEY, "etag-1". KEY is
 * kept.
 */
void repo_lab_archive(struct mds_lab *lab, struct s3_model *s3, uint64_t fileid, const char *key,
                      uint64_t bytes);
