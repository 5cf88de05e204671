/* SPDX-License-Identifier: Apache-2.0 */
/* `nacre file show`: one file by its path in the cluster's name space: where its bytes are, and who holds
 * what of it. */
#include <inttypes.h>
#include <string.h>

#include "mds/admin_clients.h"
#include "mds/fleet/fleet.h"
#include "mds/pnfs/size.h"
#include "mds/state/delegation.h"
#include "mds/state/layout.h"
#include "mds/state/lock.h"
#include "mds/state/open.h"
#include "mds/state/returned.h"
#include "mds/store/record.h"

/* The file at PATH; 0, or -errno. */
static int find(struct mds *mds, const char *path, const struct inode **ret)
{
        uint64_t fileid = ROOT_FILEID;
        int r = 0;

        while (r == 0) {
                size_t length;

                path += strspn(path, "/");
                length = strcspn(path, "/");
                if (length == 0)
                        return meta_inode(mds->meta, fileid, ret);
                r = meta_lookup(mds->meta, fileid, slice_of(path, (uint32_t)length), &fileid);
                path += length;
        }
        return r;
}

static const char *type_name(uint32_t type)
{
        switch (type) {
        case NF4REG: return "file";
        case NF4DIR: return "directory";
        case NF4LNK: return "symlink";
        default: return "special";
        }
}

struct listing {
        FILE *out;
        const char *before;
};

static void begin_row(struct listing *l, const struct client *client)
{
        fprintf(l->out, "%s{", l->before);
        l->before = ",";
        admin_print_client(l->out, client);
}

static const char *share_name(uint8_t share)
{
        static const char *const names[] = { "none", "read", "write", "both" };

        return names[share & OPEN4_SHARE_ACCESS_BOTH];
}

static void print_open(void *arg, const struct open_state *state)
{
        struct listing *l = arg;

        begin_row(l, state->client);
        fprintf(l->out, ",\"access\":\"%s\",\"deny\":\"%s\"}", share_name(state->access),
                share_name(state->deny));
}

/* Both inside; what reaches to the end of the file has no last. */
static void print_lock(void *arg, const struct client *client, bool write, uint64_t first, uint64_t last)
{
        struct listing *l = arg;

        begin_row(l, client);
        fprintf(l->out, ",\"kind\":\"%s\",\"first\":%" PRIu64, write ? "write" : "read", first);
        if (last != UINT64_MAX)
                fprintf(l->out, ",\"last\":%" PRIu64, last);
        fputc('}', l->out);
}

static void print_layout(void *arg, struct layout_state *state)
{
        struct listing *l = arg;

        begin_row(l, state->client);
        fprintf(l->out, ",\"iomode\":\"%s\",\"recalled\":%s}",
                state->iomodes & 1u << LAYOUTIOMODE4_RW ? "rw" : "read", state->recall ? "true" : "false");
}

static void print_delegations(struct mds *mds, uint64_t fileid, struct listing *l)
{
        const struct list *lists[] = { &mds->nfs.clients.lru, &mds->nfs.clients.courtesy };

        for (unsigned i = 0; i < 2; i++)
                LIST_FOR_EACH(node, lists[i]) {
                        const struct client *client = CONTAINER(node, struct client, in_lru);
                        const struct delegation *d = delegation_of(mds->delegations, client, fileid);

                        if (!d)
                                continue;
                        begin_row(l, client);
                        fprintf(l->out, ",\"type\":\"%s\",\"recalled\":%s}",
                                d->type == OPEN_DELEGATE_WRITE ? "write" : "read",
                                d->recalled ? "true" : "false");
                }
}

static void print_holders(struct mds *mds, uint64_t fileid, FILE *out)
{
        struct listing l = { .out = out, .before = "" };

        fputs(",\"opens\":[", out);
        opens_each_of_file(mds->opens, fileid, print_open, &l);
        fputs("],\"locks\":[", out);
        l.before = "";
        locks_each_of_file(mds->locks, fileid, print_lock, &l);
        fputs("],\"layouts\":[", out);
        l.before = "";
        layouts_each_holder(mds->layouts, fileid, print_layout, &l);
        fputs("],\"delegations\":[", out);
        l.before = "";
        print_delegations(mds, fileid, &l);
        fprintf(out, "],\"returned_layouts\":%u",
                returned_tags(mds->returned, fileid, UINT8_MAX, 0, 0, NULL, 0));
}

static void print_place(struct mds *mds, const struct inode *file, FILE *out)
{
        uint64_t now = env_now(mds->env);

        fprintf(out,
                ",\"dirty\":%s,\"stripe_unit\":%u,\"stripe_count\":%u,\"first\":%u,\"pool\":%u,\"data_servers\":[",
                size_is_current(mds->sizes, file->fileid) ? "false" : "true", file->unit, file->width,
                file->first, file->pool);
        for (uint32_t i = 0; i < file->width; i++) {
                const struct server *s = fleet_file_server(mds->fleet, file, i);

                fprintf(out, "%s{\"name\":", i > 0 ? "," : "");
                json_string(out, s ? s->name : "");
                fprintf(out, ",\"state\":\"%s\"}", s ? server_state(s, now) : "unknown");
        }
        fputc(']', out);
}

static int show(void *arg, const char *body, FILE *out)
{
        struct mds *mds = arg;
        const struct inode *found = NULL;
        struct inode file;

        if (body[0] != '/' || find(mds, body, &found) < 0 || !found)
                return admin_error(out, 404,
                                   "no such file; allowed: a path from the root of the name space, "
                                   "as clients see it that mount the server's /");
        file = *found;
        fprintf(out, "{\"path\":");
        json_string(out, body);
        fprintf(out,
                ",\"fileid\":%" PRIu64
                ",\"type\":\"%s\",\"mode\":\"%04o\",\"uid\":%u,\"gid\":%u,\"size\":%" PRIu64,
                file.fileid, type_name(file.type), file.mode, file.uid, file.gid, file.size);
        if (file.type == NF4REG) {
                print_place(mds, &file, out);
                print_holders(mds, file.fileid, out);
        }
        fputc('}', out);
        return 200;
}

void admin_file_register(struct mds *mds)
{
        admin_command(mds->admin, "file-show", show, mds);
}
