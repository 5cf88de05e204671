/* SPDX-License-Identifier: Apache-2.0 */
/* What a data server is told to send (CTL_UPLOAD), and what it answers. */
#include <errno.h>
#include <stdlib.h>

#include "include/stripe.h"
#include "mds/pnfs/proxy.h"
#include "mds/tier/archive_private.h"

enum { METADATA_MAX = 40 };

/* All that the arguments point to. */
struct upload_args {
        ctl_upload_args args;
        ctl_metadata metadata[METADATA_MAX];
        ctl_member members[DEVICE_WIDTH_MAX];
        ctl_addr addrs[DEVICE_WIDTH_MAX];
        uint8_t handle[FH_BYTES];
        char uaddrs[DEVICE_WIDTH_MAX][NETADDR_TEXT];
};

static char *text(const char *s)
{
        return (char *)(uintptr_t)s; /* XDR's types know no const */
}

/* Does INDEX alone have all of the range? */
static bool is_on_one(const struct inode *file, const struct upload *u)
{
        const struct stripe stripe = inode_stripe(file);

        for (uint32_t i = 0; i < stripe.width; i++)
                if (i != u->index && stripe_object_size(stripe, i, u->offset + u->length) !=
                                             stripe_object_size(stripe, i, u->offset))
                        return false;
        return true;
}

static bool put_members(struct fleet *f, const struct inode *file, struct upload_args *x)
{
        for (uint32_t i = 0; i < file->width; i++) {
                struct server *server = fleet_file_server(f, file, i);

                if (!server || server->addr_count == 0)
                        return false;
                x->addrs[i] = (ctl_addr){ .netid = text(netaddr_netid(&server->addrs[0])),
                                          .uaddr = netaddr_universal(&server->addrs[0], x->uaddrs[i]) };
                x->members[i].addrs.addrs_len = 1;
                x->members[i].addrs.addrs_val = &x->addrs[i];
        }
        x->args.members.members_len = file->width;
        x->args.members.members_val = x->members;
        return true;
}

static void put_conditions(const struct send *s, struct upload_args *x)
{
        const struct s3_put_args args = send_put_args(s);
        const char *name = NULL, *value;
        u_int count = 0;

        x->args.if_none_match = args.if_none_match;
        if (args.if_match)
                x->args.if_match = text(args.if_match);
        while (count < METADATA_MAX && s3_metadata_next(&s->metadata, &name, &value))
                x->metadata[count++] = (ctl_metadata){ .name = text(name), .value = text(value) };
        x->args.metadata.metadata_len = count;
        x->args.metadata.metadata_val = x->metadata;
}

static bool fill(struct send *s, const struct upload *u, struct upload_args *x)
{
        const struct inode *file = u->file;

        x->args = (ctl_upload_args){ .object = { .fileid = file->fileid,
                                                 .generation = file->generation,
                                                 .unit = file->unit,
                                                 .width = file->width,
                                                 .first = file->first,
                                                 .index = u->index },
                                     .repo = s->repo->number,
                                     .revision = s->repo->revision,
                                     .key = s->key,
                                     .offset = u->offset,
                                     .length = u->length,
                                     .change = s->change,
                                     .upload_id = text(u->upload_id ? u->upload_id : ""),
                                     .part = u->part,
                                     .digest = u->digest,
                                     .if_match = text("") };
        if (u->known) {
                x->args.known.known_len = DIGEST_BYTES;
                x->args.known.known_val = (char *)(uintptr_t)u->known;
        }
        proxy_handle(s->archiver->mds, file, x->handle);
        x->args.handle.handle_len = FH_BYTES;
        x->args.handle.handle_val = (char *)x->handle;
        if (!u->upload_id)
                put_conditions(s, x);
        return is_on_one(file, u) || put_members(s->archiver->mds->fleet, file, x);
}

int upload_call(struct send *s, const struct upload *u,
                void (*done)(void *arg, struct server *, void *result), void *arg)
{
        struct server *server = fleet_file_server(s->archiver->mds->fleet, u->file, u->index);
        struct upload_args *x = calloc(1, sizeof(*x));
        int r = x ? -ENOTCONN : -ENOMEM;

        if (x && server && server->up && fill(s, u, x))
                r = ctl_call(server, CTL_UPLOAD, (xdrproc_t)xdr_ctl_upload_args, &x->args,
                             (xdrproc_t)xdr_ctl_upload_res, sizeof(ctl_upload_res), done, arg);
        free(x);
        return r;
}

enum archive_error upload_error(const ctl_upload_res *r, char *message)
{
        snprintf(message, 256, "%s", r ? r->message : "the data server has not answered");
        if (!r)
                return ARCHIVE_NO_SERVER;
        if (r->status == CTL_OK)
                return r->etag[0] && strlen(r->etag) <= BACKING_ETAG_BYTES ? ARCHIVE_OK : ARCHIVE_UNREADABLE;
        for (unsigned e = S3_OK + 1; e < S3_ERRORS; e++)
                if (strcmp(r->error, s3_error_name((enum s3_error)e)) == 0)
                        return (enum archive_error)e;
        if (r->status == CTL_CHANGED)
                return ARCHIVE_AGAIN;
        if (r->status == CTL_INVAL) {
                snprintf(message, 256, "a data server cannot make sense of what it is told: see its log");
                return ARCHIVE_NONSENSE;
        }
        return r->status == CTL_IO ? ARCHIVE_UNREADABLE : ARCHIVE_NO_SERVER;
}
