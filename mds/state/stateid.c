/* SPDX-License-Identifier: Apache-2.0 */
/* The MDS's stateids: include/stateid.h says what stands in `other`. The salt is a MAC, so that a stateid
 * that was not made by this start of this server is told apart without looking anything up. */
#include "base/siphash.h"
#include "mds/mds.h"

static uint16_t salt(const struct mds *mds, uint32_t boot, uint8_t kind, uint32_t index)
{
        struct {
                uint32_t boot, index, kind;
        } what = { boot, index, kind };

        return (uint16_t)siphash(&what, sizeof(what), mds->nfs.key);
}

static void make(const struct mds *mds, uint32_t boot, enum stateid_kind kind, uint32_t index,
                 struct stateid *ret)
{
        uint32_t start = htobe32(boot), number = htobe32(index);
        uint16_t mac = htobe16(salt(mds, boot, (uint8_t)kind, index));

        *ret = (struct stateid){ 0 };
        memcpy(ret->other, &start, 4);
        ret->other[4] = (uint8_t)kind;
        memcpy(ret->other + 6, &mac, 2);
        memcpy(ret->other + 8, &number, 4);
}

void stateid_make(const struct mds *mds, enum stateid_kind kind, uint32_t index, struct stateid *ret)
{
        make(mds, meta_boot(mds->meta), kind, index, ret);
}

bool stateid_parse(const struct mds *mds, const struct stateid *s, enum stateid_kind kind,
                   uint32_t *ret_index)
{
        struct stateid expected;
        uint32_t index;

        memcpy(&index, s->other + 8, 4);
        index = be32toh(index);
        stateid_make(mds, kind, index, &expected);
        if (memcmp(expected.other, s->other, NFS4_OTHER_SIZE) != 0)
                return false;
        *ret_index = index;
        return true;
}

bool stateid_was_made(const struct mds *mds, const struct stateid *s, enum stateid_kind kind)
{
        struct stateid expected;
        uint32_t boot, index;

        memcpy(&boot, s->other, 4);
        memcpy(&index, s->other + 8, 4);
        make(mds, be32toh(boot), kind, be32toh(index), &expected);
        return memcmp(expected.other, s->other, NFS4_OTHER_SIZE) == 0;
}

enum nfsstat4 stateid_check(const struct stateid *given, const struct stateid *now)
{
        if (given->seqid == 0 || given->seqid == now->seqid)
                return NFS4_OK;
        return (int32_t)(given->seqid - now->seqid) > 0 ? NFS4ERR_BAD_STATEID : NFS4ERR_OLD_STATEID;
}

void stateid_bump(struct stateid *s)
{
        s->seqid = s->seqid == UINT32_MAX ? 1 : s->seqid + 1;
}
