/* SPDX-License-Identifier: Apache-2.0 */
/* From inodes to attributes: see inode.h. */
#include "mds/ns/inode.h"

#include "mds/fleet/fleet.h"
#include "mds/ns/acl.h"
#include "mds/state/delegation.h"

/* What its holder says of a file that is delegated for writing. */
static void told_values(const struct compound *c, uint64_t fileid, struct attr_values *v)
{
        const struct delegation *holder = delegation_answering(mds_of(c)->delegations, c->client, fileid);

        if (!holder)
                return;
        if (holder->size > v->size)
                v->size = holder->size;
        if (holder->said_times) {
                v->time_access = holder->time_access;
                v->time_modify = holder->time_modify;
        }
}

/* Inodes are limited by the metadata store's disk only; df -i wants a number. */
#define FILES_TOTAL (UINT64_C(1) << 40)
/* What a cold file uses at least: one that uses nothing is taken for a hole by tar and cp. */
#define COLD_USED 4096

static bool asks_any(const struct bitmap4 *asked, uint32_t word0, uint32_t word1)
{
        return (asked->word[0] & word0) != 0 || (asked->word[1] & word1) != 0;
}

#define BIT(attr) (1u << (FATTR4_##attr % 32))

bool attrs_need_size(const struct bitmap4 *asked)
{
        return asks_any(asked, BIT(SIZE) | BIT(CHANGE),
                        BIT(SPACE_USED) | BIT(TIME_ACCESS) | BIT(TIME_MODIFY) | BIT(TIME_METADATA));
}

static void file_system_values(const struct compound *c, const struct subject *s, const struct bitmap4 *asked,
                               struct attr_values *v)
{
        const struct mds *mds = mds_of(c);

        memcpy(&v->fsid_major, meta_fsid(mds->meta), sizeof(v->fsid_major));
        v->fsid_major = be64toh(v->fsid_major);
        v->fsid_minor = s->pseudo ? 0 : s->fh.export_id;
        v->lease_seconds = c->server->lease_seconds;
        v->pnfs = s->who.rule->pnfs;
        v->layout_blksize = (uint32_t)mds->conf->stripe_unit;
        v->supported = c->minor == 1 ? &attrs_minor1 : &attrs_supported;
        v->rdattr_error = NFS4_OK;
        if (bitmap_has(asked, FATTR4_FILEHANDLE))
                fh_encode(&s->fh, c->server->key, v->fh);
        if (!asks_any(asked, BIT(FILES_AVAIL) | BIT(FILES_FREE) | BIT(FILES_TOTAL),
                      BIT(SPACE_AVAIL) | BIT(SPACE_FREE) | BIT(SPACE_TOTAL) | BIT(QUOTA_AVAIL_HARD) |
                              BIT(QUOTA_AVAIL_SOFT) | BIT(QUOTA_USED)))
                return;
        fleet_space(mds->fleet, &v->space_total, &v->space_free);
        v->space_avail = v->space_free;
        v->files_total = v->files_free = v->files_avail = FILES_TOTAL;
}

static void inode_values(const struct compound *c, const struct subject *s, const struct bitmap4 *asked,
                         struct attr_values *v)
{
        const struct inode *i = s->inode;
        const struct pseudo_node *above = NULL;

        v->type = i->type;
        v->change = i->change;
        v->size = i->size;
        v->space_used = i->flags & INODE_COLD && i->used < COLD_USED ? COLD_USED : i->used;
        v->fileid = i->fileid;
        v->mode = i->mode;
        v->numlinks = i->nlink;
        v->uid = i->uid;
        v->gid = i->gid;
        v->rdev_major = i->rdev_major;
        v->rdev_minor = i->rdev_minor;
        v->time_access = i->atime;
        v->time_create = i->btime;
        v->time_metadata = i->ctime;
        v->time_modify = i->mtime;
        told_values(c, i->fileid, v);
        if (i->type == NF4DIR && bitmap_has(asked, FATTR4_MOUNTED_ON_FILEID))
                above = pseudo_above(mds_of(c), s->fh.export_id, i);
        v->mounted_on_fileid = above ? above->id : i->fileid;
        if (bitmap_has(asked, FATTR4_ACL))
                acl_of(mds_of(c)->meta, i, v->acl);
}

/* A node changes with the exports only: at a start or a reload. */
static uint64_t pseudo_change(const struct mds *mds)
{
        return (uint64_t)meta_boot(mds->meta) << 32 | mds->exports_loaded;
}

static void pseudo_values(const struct compound *c, const struct pseudo_node *node,
                          const struct bitmap4 *asked, struct attr_values *v)
{
        const struct mds *mds = mds_of(c);

        v->type = NF4DIR;
        v->change = pseudo_change(mds);
        v->size = v->numlinks = 0;
        for (const struct pseudo_node *child = node->first_child; child; child = child->next_sibling)
                v->size++;
        v->numlinks = 2 + (uint32_t)v->size;
        v->space_used = 0;
        v->fileid = v->mounted_on_fileid = node->id;
        v->mode = 0555;
        if (bitmap_has(asked, FATTR4_ACL))
                acl_of_mode((uint16_t)v->mode, NF4DIR, v->acl);
        v->uid = v->gid = 0;
        v->rdev_major = v->rdev_minor = 0;
        v->time_access = v->time_create = v->time_metadata = v->time_modify =
                (int64_t)meta_boot(mds->meta) * 1000000000;
}

void subject_values(const struct compound *c, const struct subject *s, const struct bitmap4 *asked,
                    struct attr_values *ret)
{
        file_system_values(c, s, asked, ret);
        if (s->pseudo)
                pseudo_values(c, s->pseudo, asked, ret);
        else
                inode_values(c, s, asked, ret);
}
