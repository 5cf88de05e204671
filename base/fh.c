/* SPDX-License-Identifier: Apache-2.0 */
#include "include/fh.h"

#include <endian.h>
#include <string.h>

#include "base/check.h"
#include "base/siphash.h"
#include "include/nfs4.h"

enum { FH_SIGNED_BYTES = 32, FH_LONGEST_UNIT = 65535 * FH_UNIT_GRAIN };

static inline void put16(uint8_t *at, uint16_t value)
{
        value = htobe16(value);
        memcpy(at, &value, sizeof(value));
}

static inline void put32(uint8_t *at, uint32_t value)
{
        value = htobe32(value);
        memcpy(at, &value, sizeof(value));
}

static inline void put64(uint8_t *at, uint64_t value)
{
        value = htobe64(value);
        memcpy(at, &value, sizeof(value));
}

static inline uint16_t get16(const uint8_t *at)
{
        uint16_t value;

        memcpy(&value, at, sizeof(value));
        return be16toh(value);
}

static inline uint32_t get32(const uint8_t *at)
{
        uint32_t value;

        memcpy(&value, at, sizeof(value));
        return be32toh(value);
}

static inline uint64_t get64(const uint8_t *at)
{
        uint64_t value;

        memcpy(&value, at, sizeof(value));
        return be64toh(value);
}

static bool mds_in_range(const struct fh *fh)
{
        return (fh->flags & ~FH_PSEUDO) == 0 && fh->epoch == 0 && fh->client == 0 && fh->unit == 0 &&
               fh->width == 0 && fh->first == 0 && fh->pool == 0 && fh->start == 0;
}

static bool ds_in_range(const struct fh *fh)
{
        return (fh->flags & ~(FH_WRITE | FH_TIERED | FH_PROXY)) == 0 && fh->unit >= FH_UNIT_GRAIN &&
               fh->unit <= FH_LONGEST_UNIT && fh->unit % FH_UNIT_GRAIN == 0 && fh->width >= 1 &&
               fh->width <= 256 && fh->first < fh->width;
}

static bool in_range(const struct fh *fh)
{
        return fh->kind == FH_MDS ? mds_in_range(fh) : fh->kind == FH_DS && ds_in_range(fh);
}

void fh_encode(const struct fh *fh, const uint8_t key[16], uint8_t out[FH_BYTES])
{
        CHECK(in_range(fh));
        out[0] = fh->kind;
        out[1] = fh->flags;
        put16(out + 2, fh->export_id);
        put64(out + 4, fh->fileid);
        put32(out + 12, fh->generation);
        put32(out + 16, fh->epoch);
        put32(out + 20, fh->client);
        put16(out + 24, (uint16_t)(fh->unit / FH_UNIT_GRAIN));
        out[26] = (uint8_t)(fh->kind == FH_DS ? fh->width - 1 : 0);
        out[27] = fh->first;
        put16(out + 28, fh->pool);
        out[30] = fh->start;
        out[31] = 0;
        put64(out + FH_SIGNED_BYTES, siphash(out, FH_SIGNED_BYTES, key));
}

bool fh_decode(const void *bytes, uint32_t length, const uint8_t key[16], struct fh *ret)
{
        const uint8_t *in = bytes;
        struct fh fh;

        if (length != FH_BYTES || get64(in + FH_SIGNED_BYTES) != siphash(in, FH_SIGNED_BYTES, key))
                return false;
        fh = (struct fh){
                .kind = in[0],
                .flags = in[1],
                .export_id = get16(in + 2),
                .fileid = get64(in + 4),
                .generation = get32(in + 12),
                .epoch = get32(in + 16),
                .client = get32(in + 20),
                .unit = (uint32_t)get16(in + 24) * FH_UNIT_GRAIN,
                .width = (uint16_t)(in[0] == FH_DS ? in[26] + 1 : in[26]),
                .first = in[27],
                .pool = get16(in + 28),
                .start = in[30],
        };
        if (in[31] != 0 || !in_range(&fh))
                return false;
        *ret = fh;
        return true;
}

uint32_t client_tag(const void *owner, uint32_t length, const uint8_t verifier[8], const uint8_t key[16])
{
        uint8_t name[NFS4_OPAQUE_LIMIT + NFS4_VERIFIER_SIZE];
        uint32_t tag;

        CHECK(length <= NFS4_OPAQUE_LIMIT);
        if (length > 0)
                memcpy(name, owner, length);
        memcpy(name + length, verifier, NFS4_VERIFIER_SIZE);
        tag = (uint32_t)siphash(name, length + NFS4_VERIFIER_SIZE, key);
        return tag == 0 ? 1 : tag;
}
