/* SPDX-License-Identifier: Apache-2.0 */
/* What an endpoint can do, found by trying it with small objects under PREFIX/.nacre-probe-RANDOM that are
 * deleted again; uploads that a probe before this one was kept from aborting, an hour ago or earlier, go too.
 * What documents say is not believed: stores differ, and change. */
#pragma once

#include <stdio.h>

#include "s3tier/multipart.h"

enum s3_ability {
        S3_CAN_READ,              /* GET, HEAD and LIST are allowed */
        S3_CAN_WRITE,             /* PUT and DELETE are allowed */
        S3_CAN_PUT_IF_NONE_MATCH, /* a second put of a key is refused */
        S3_CAN_PUT_IF_MATCH, /* one with the right ETag succeeds (with or without quotes), one with a wrong
                                ETag is refused */
        S3_WANTS_BARE_ETAGS, /* … but only without quotes */
        S3_CAN_CONTENT_MD5,  /* a body that does not fit it is refused */
        S3_CAN_CRC32C,       /* likewise x-amz-checksum-crc32c */
        S3_CAN_CRC64NVME,    /* likewise x-amz-checksum-crc64nvme */
        S3_ETAG_IS_MD5,      /* of what is put whole */
        S3_CAN_COPY,
        S3_CAN_COPY_IF_MATCH, /* a copy of a source that is another one is refused */
        S3_CAN_METADATA,      /* user metadata comes back unchanged */
        S3_CAN_MULTIPART,
        S3_CAN_PART_COPY,
        S3_CAN_COMPLETE_IF_NONE_MATCH,
        S3_CAN_DELETE_IF_MATCH, /* one with a wrong ETag is refused */
        S3_HAS_VERSIONS,        /* the bucket keeps them */
        S3_ABILITIES,
};
enum s3_answer { S3_UNKNOWN, S3_NO, S3_YES }; /* unknown: it could not be tried */

struct s3_abilities {
        enum s3_answer can[S3_ABILITIES];
        /* the first thing that keeps the bucket from being used at all; S3_OK: it can be */
        struct s3_result trouble;
};
extern const char *const s3_ability_names[];

struct s3_probe {
        struct s3_call call; /* set priority and done */
        struct s3_abilities found;
        /* private */
        struct s3_probe_run *run;
};
/* No other calls on S3 meanwhile: it is reset to knowing nothing of the endpoint, and put back afterwards. */
void s3_probe(struct s3 *s3, struct s3_probe *probe);
void s3_probe_cancel(struct s3_probe *probe);
/* Have S3 work as FOUND says. */
void s3_probe_use(struct s3 *s3, const struct s3_abilities *found);
/* A line for each ability, "multipart uploads    yes", and one for what is in the way. */
void s3_probe_print(const struct s3_abilities *found, FILE *out);
