/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a stateid (RFC 8881 §8.2): what a server puts into `other`, and the special values.
 * other = boot (u32, the MDS's start number) ‖ kind (u8) ‖ 0 (u8) ‖ salt (u16) ‖ index (u32), big-endian. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "include/nfs4.h"

enum stateid_kind { STATEID_OPEN = 1, STATEID_LOCK, STATEID_DELEG, STATEID_LAYOUT, STATEID_COPY };

struct stateid {
        uint32_t seqid;
        uint8_t other[NFS4_OTHER_SIZE];
};

/* §8.2.3: anonymous (all 0), READ bypass (all 1), current ({1, 0}), invalid ({2^32-1, 0}). */
static inline bool stateid_other_is(const struct stateid *s, uint8_t byte)
{
        for (int i = 0; i < NFS4_OTHER_SIZE; i++)
                if (s->other[i] != byte)
                        return false;
        return true;
}
static inline bool stateid_is_anonymous(const struct stateid *s)
{
        return s->seqid == 0 && stateid_other_is(s, 0);
}
static inline bool stateid_is_bypass(const struct stateid *s)
{
        return s->seqid == UINT32_MAX && stateid_other_is(s, 0xff);
}
static inline bool stateid_is_current(const struct stateid *s)
{
        return s->seqid == 1 && stateid_other_is(s, 0);
}
static inline bool stateid_is_special(const struct stateid *s)
{
        return stateid_other_is(s, 0) || stateid_other_is(s, 0xff);
}
