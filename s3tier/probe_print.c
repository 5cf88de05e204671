/* SPDX-License-Identifier: Apache-2.0 */
#include "s3tier/probe.h"

const char *const s3_ability_names[S3_ABILITIES] = {
        [S3_CAN_READ] = "read and list",
        [S3_CAN_WRITE] = "write and delete",
        [S3_CAN_PUT_IF_NONE_MATCH] = "conditional put of a new key",
        [S3_CAN_PUT_IF_MATCH] = "conditional put over an object",
        [S3_WANTS_BARE_ETAGS] = "ETags of conditions without quotes",
        [S3_CAN_CONTENT_MD5] = "Content-MD5 is checked",
        [S3_CAN_CRC32C] = "x-amz-checksum-crc32c is checked",
        [S3_CAN_CRC64NVME] = "x-amz-checksum-crc64nvme is checked",
        [S3_ETAG_IS_MD5] = "the ETag is the MD5",
        [S3_CAN_COPY] = "copy",
        [S3_CAN_COPY_IF_MATCH] = "conditional copy",
        [S3_CAN_METADATA] = "user metadata",
        [S3_CAN_MULTIPART] = "multipart uploads",
        [S3_CAN_PART_COPY] = "parts copied by the server",
        [S3_CAN_COMPLETE_IF_NONE_MATCH] = "conditional complete of an upload",
        [S3_CAN_DELETE_IF_MATCH] = "conditional delete",
        [S3_HAS_VERSIONS] = "keeps versions",
};

void s3_probe_print(const struct s3_abilities *found, FILE *out)
{
        static const char *const answers[] = { [S3_UNKNOWN] = "unknown", [S3_NO] = "no", [S3_YES] = "yes" };

        for (int i = 0; i < S3_ABILITIES; i++)
                fprintf(out, "%-36s%s\n", s3_ability_names[i], answers[found->can[i]]);
        if (found->trouble.error != S3_OK)
                fprintf(out, "%s: %s%s%s\n", s3_error_name(found->trouble.error), found->trouble.code,
                        found->trouble.code[0] ? ": " : "", found->trouble.message);
}
