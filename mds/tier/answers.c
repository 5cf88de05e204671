/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/tier/answers.h"

#include <errno.h>
#include <string.h>

#include "include/stripe.h"
#include "mds/tier/archive.h"
#include "mds/tier/release.h"

static ctl_status find(struct mds *mds, const ctl_file *file, const struct inode **ret_inode, uint8_t *record,
                       struct backing *ret)
{
        int r = meta_inode(mds->meta, file->fileid, ret_inode);

        if (r < 0 && r != -ENOENT)
                return CTL_IO; /* NOENT would be: it lacks nothing */
        if (r < 0 || (*ret_inode)->generation != file->generation)
                return CTL_NOENT;
        if ((*ret_inode)->type != NF4REG || !((*ret_inode)->flags & INODE_COLD))
                return CTL_NOENT;
        return tier_backing(mds, *ret_inode, record, ret) == 0 ? CTL_OK : CTL_IO;
}

ctl_status tier_source(struct mds *mds, const ctl_file *file, struct source_text *text, ctl_source *ret)
{
        uint8_t record[RECORD_MAX];
        const struct inode *inode;
        struct backing b;
        ctl_status status = find(mds, file, &inode, record, &b);

        if (status != CTL_OK)
                return status;
        slice_text(text->key, sizeof(text->key), b.key);
        slice_text(text->etag, sizeof(text->etag), b.etag);
        slice_text(text->version, sizeof(text->version), b.version);
        *ret = (ctl_source){ .repo = b.repo,
                             .key = text->key,
                             .etag = text->etag,
                             .version_id = text->version,
                             .size = b.size,
                             .valid = b.valid };
        if (repo_by_number(mds->tier, b.repo))
                ret->revision = repo_by_number(mds->tier, b.repo)->revision;
        return CTL_OK;
}

_Static_assert((int)REPO_CA_BYTES <= (int)CTL_CA_LENGTH, "it is passed on");

ctl_status tier_repo(struct mds *mds, uint32_t number, ctl_repo *ret)
{
        static char nothing[1];
        const struct repo *r = repo_by_number(mds->tier, number);
        const struct creds *creds;

        if (!r)
                return CTL_NOENT;
        creds = creds_now(r->creds);
        if (!creds)
                return CTL_REFUSED;
        *ret = (ctl_repo){ .revision = r->revision,
                           .endpoint = r->conf.endpoint,
                           .bucket = (char *)(uintptr_t)r->conf.bucket,
                           .prefix = (char *)(uintptr_t)r->conf.prefix,
                           .region = r->conf.region ? r->conf.region : nothing,
                           .virtual_host = r->conf.addressing == 1,
                           .ca = r->conf.ca ? r->conf.ca : nothing,
                           .checksum = (u_int)r->conf.checksum,
                           .access_key = (char *)(uintptr_t)creds->access_key,
                           .secret_key = (char *)(uintptr_t)creds->secret,
                           .session_token = (char *)(uintptr_t)creds->token,
                           .expires_ns = creds->expires_wall_ns,
                           .requests_per_second = (u_int)r->conf.requests_per_second,
                           .bytes_per_second = r->conf.bytes_per_second };
        return CTL_OK;
}

ctl_status tier_same(struct mds *mds, const ctl_same_args *args)
{
        return archive_is_same(mds, args->file.fileid, args->file.generation, args->change,
                               slice_str(args->key))
                       ? CTL_OK
                       : CTL_CHANGED;
}

/* Have all data servers that have a part of FILE's object said that it is here? */
static bool is_here(const struct backing *b, const struct inode *file)
{
        const struct stripe stripe = { file->unit, file->width, file->first };

        for (uint32_t i = 0; i < stripe.width; i++)
                if (!(b->here[i / 8] >> i % 8 & 1) && stripe_object_size(stripe, i, b->valid) > 0)
                        return false;
        return true;
}

ctl_status tier_resident(struct mds *mds, const struct server *server, const ctl_resident_args *args,
                         uint64_t *seq)
{
        uint8_t record[RECORD_MAX];
        const struct inode *inode;
        struct inode *edit;
        struct backing b;
        ctl_status status = find(mds, &args->file, &inode, record, &b);
        uint32_t index = 0;
        struct txn *t;

        if (status != CTL_OK)
                return status;
        if (release_is_under_way(mds, args->file.fileid))
                return CTL_REFUSED; /* it may be of before that */
        if (!slice_equal(b.etag, slice_str(args->etag)))
                return CTL_NOENT; /* of another content than is recorded now */
        while (index < inode->width && fleet_file_server(mds->fleet, inode, index) != server)
                index++;
        if (index == inode->width)
                return CTL_INVAL;
        t = txn_begin(mds->meta);
        edit = txn_edit(t, args->file.fileid);
        if (!edit) {
                txn_abort(t);
                return CTL_IO;
        }
        b.here[index / 8] |= (uint8_t)(1u << index % 8);
        if (is_here(&b, edit))
                edit->flags &= (uint8_t)~INODE_COLD;
        edit->flags |= INODE_USED_OLD;
        tier_put_backing(t, edit, &b);
        return txn_commit(t, seq) < 0 ? CTL_IO : CTL_OK;
}

void tier_look_if_here(struct mds *mds, uint64_t fileid)
{
        uint8_t record[RECORD_MAX];
        const struct inode *inode;
        struct inode *edit;
        struct backing b;
        struct txn *t;
        uint64_t seq;

        if (meta_inode(mds->meta, fileid, &inode) < 0 || !(inode->flags & INODE_COLD) ||
            release_is_under_way(mds, fileid) || tier_backing(mds, inode, record, &b) < 0 ||
            !is_here(&b, inode))
                return;
        t = txn_begin(mds->meta);
        edit = txn_edit(t, fileid);
        if (!edit) {
                txn_abort(t);
                return;
        }
        edit->flags &= (uint8_t)~INODE_COLD;
        txn_commit(t, &seq);
}
