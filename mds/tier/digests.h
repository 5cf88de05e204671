/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 of each part of an object that was uploaded in parts, as data servers have sent them: when its file
 * is sent again, parts that are still the same are copied inside S3 (parts_copy.c). Users own the bytes, and
 * may know two parts with one MD5; therefore S3's own ETags of parts do not do. In records 'y' beside what
 * backs the file, which count as long as that has the ETag that they name. */
#pragma once

#include "mds/mds.h"

struct digests {
        uint64_t size, part_bytes; /* of the object, of its parts but the last */
        unsigned count;            /* of parts */
        uint8_t (*list)[DIGEST_BYTES];
};

/* For COUNT parts of which nothing is known. False: no memory. */
bool digests_make(struct digests *d, uint64_t size, uint64_t part_bytes, unsigned count);
void digests_free(struct digests *d); /* one that is all zeros is fine */
static inline uint64_t digests_part_bytes(const struct digests *d, unsigned i)
{
        uint64_t rest = d->size - i * d->part_bytes;

        return rest < d->part_bytes ? rest : d->part_bytes;
}
/* Is anything known of part I (0..)? */
bool digests_has(const struct digests *d, unsigned i);

/* Those of the object ETAG, which backs FILEID; *RET is to be freed. False: there are none, *RET is zeros. */
bool digests_read(struct mds *mds, uint64_t fileid, const char *etag, struct digests *ret);
/* In T: ETAG backs FILEID, and has D; NULL: nothing is known of it. */
void digests_put(struct txn *t, uint64_t fileid, const char *etag, const struct digests *d);
