/* SPDX-License-Identifier: Apache-2.0 */
/* `nacre client list` and `nacre client revoke`: what clients hold, and taking it away from one.
 *
 * A client that is revoked has its handles refused at every data server first; then its record goes, so that
 * it reclaims nothing after a restart, and its states, whose stateids are ADMIN_REVOKED until it lets go of
 * them by FREE_STATEID (RFC 8881 §8.2.4). It learns so by SEQ4_STATUS_ADMIN_STATE_REVOKED (§18.46.3), and may
 * open its files anew: who is to stay out is a matter of the export policy. */
#include "mds/admin_clients.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "mds/fleet/fences.h"
#include "mds/state/client.h"
#include "mds/state/delegation.h"
#include "mds/state/layout.h"
#include "mds/state/lock.h"
#include "mds/state/open.h"
#include "mds/state/recovery.h"

enum { OWNER_SHOWN = 256 };

int admin_error(FILE *out, int status, const char *why)
{
        fputs("{\"error\":", out);
        json_string(out, why);
        fputc('}', out);
        return status;
}

void admin_say_error(struct admin_reply *reply, int status, const char *why)
{
        CLEANUP_FREE char *text = NULL;
        size_t length = 0;
        FILE *out = open_memstream(&text, &length);

        CHECK(out != NULL);
        admin_error(out, status, why);
        fclose(out);
        admin_answer(reply, status, text);
}

void admin_print_client(FILE *out, const struct client *client)
{
        char address[NETADDR_TEXT], owner[OWNER_SHOWN + 1];
        uint32_t length = client->owner_length < OWNER_SHOWN ? client->owner_length : OWNER_SHOWN;

        for (uint32_t i = 0; i < length; i++)
                owner[i] = client->owner[i] >= ' ' && client->owner[i] <= '~' ? (char)client->owner[i] : '?';
        owner[length] = '\0';
        fprintf(out, "\"client\":\"%016" PRIx64 "\",\"address\":\"%s\",\"owner\":", client->clientid,
                netaddr_format(&client->address, address));
        json_string(out, owner);
}

/* --- client-list */

static uint32_t length_of(const struct list *list)
{
        uint32_t n = 0;

        LIST_FOR_EACH(node, list)
                n++;
        return n;
}

static bool count_one(void *arg, struct layout_state *state)
{
        (void)state;
        ++*(uint32_t *)arg;
        return true;
}

static void print_row(FILE *out, struct mds *mds, const struct client *client)
{
        const struct mds_client *m = client->role;
        uint32_t layouts = 0;

        layouts_each(mds->layouts, client, count_one, &layouts);
        fputc('{', out);
        admin_print_client(out, client);
        fprintf(out,
                ",\"minor\":%u,\"confirmed\":%s,\"courteous\":%s,\"renewed_seconds\":%" PRIu64
                ",\"sessions\":%u,\"opens\":%u,\"locks\":%u,\"layouts\":%u,\"delegations\":%u}",
                client->minor, client->confirmed ? "true" : "false",
                client_lapsed(&mds->nfs, client) ? "true" : "false",
                (env_now(mds->env) - client->renewed_ns) / 1000000000, client->session_count,
                m ? length_of(&m->opens) : 0, locks_of_client(client), layouts,
                m ? length_of(&m->delegations) : 0);
}

static int list_clients(void *arg, const char *body, FILE *out)
{
        struct mds *mds = arg;
        const struct list *lists[] = { &mds->nfs.clients.lru, &mds->nfs.clients.courtesy };
        const char *before = "";

        (void)body;
        fprintf(out, "{\"lease_seconds\":%u,\"clients\":[", mds->nfs.lease_seconds);
        for (unsigned i = 0; i < 2; i++)
                LIST_FOR_EACH(node, lists[i]) {
                        fputs(before, out);
                        print_row(out, mds, CONTAINER(node, struct client, in_lru));
                        before = ",";
                }
        fputs("]}", out);
        return 200;
}

/* --- client-revoke */

struct revoking {
        struct fence_wait fence;
        struct mds *mds;
        struct admin_reply *reply;
        uint64_t clientid;
        uint32_t below;                       /* handles below this epoch are refused */
        uint32_t opens, layouts, delegations; /* that it has lost */
        struct layout_state *found;
};

/* Layouts that it was given meanwhile, under newer handles, are none of those. */
static bool pick_layout(void *arg, struct layout_state *state)
{
        struct revoking *r = arg;

        r->found = state->epoch < r->below ? state : NULL;
        return !r->found;
}

static bool find_layout(struct revoking *r, const struct client *client)
{
        r->found = NULL;
        layouts_each(r->mds->layouts, client, pick_layout, r);
        return r->found != NULL;
}

static void take_away(struct revoking *r, struct client *client)
{
        struct mds *mds = r->mds;
        struct mds_client *m = client->role;

        while (find_layout(r, client)) {
                layout_drop(mds->layouts, r->found);
                r->layouts++;
        }
        while (m && !list_empty(&m->delegations)) {
                const struct delegation *d = CONTAINER(m->delegations.next, struct delegation, in_client);

                delegation_revoke(mds->delegations, client, d->fileid, NFS4ERR_ADMIN_REVOKED);
                r->delegations++;
        }
        while (m && !list_empty(&m->opens)) {
                const struct open_state *o = CONTAINER(m->opens.next, struct open_state, in_client);

                opens_revoke(mds->opens, client, o->fileid, NFS4ERR_ADMIN_REVOKED);
                r->opens++;
        }
}

static void answer(struct revoking *r)
{
        char text[160];

        snprintf(text, sizeof(text), "{\"opens\":%u,\"layouts\":%u,\"delegations\":%u}", r->opens, r->layouts,
                 r->delegations);
        admin_answer(r->reply, 200, text);
        free(r);
}

static void fenced(struct fence_wait *wait)
{
        struct revoking *r = CONTAINER(wait, struct revoking, fence);
        struct client *client = client_by_id(&r->mds->nfs, r->clientid);

        if (wait->given_up) {
                admin_answer(r->reply, 503, "{\"error\":\"the server stops; ask again when it is back\"}");
                free(r);
                return;
        }
        if (client)
                take_away(r, client);
        log_info("client-revoked", "clientid=%016" PRIx64 " opens=%u layouts=%u delegations=%u", r->clientid,
                 r->opens, r->layouts, r->delegations);
        answer(r);
}

static void revoke_client(void *arg, const char *body, struct admin_reply *reply)
{
        struct mds *mds = arg;
        char *end;
        uint64_t clientid = strtoull(body, &end, 16);
        struct client *client = *end == '\0' && end != body ? client_by_id(&mds->nfs, clientid) : NULL;
        struct revoking *r;

        if (!client) {
                admin_answer(
                        reply, 404,
                        "{\"error\":\"no client has this id; allowed: one that `nacre client list` shows\"}");
                return;
        }
        if (recovery_revoke(mds->recovery, client) < 0) {
                admin_answer(reply, 503,
                             "{\"error\":\"the metadata store does not take it; its log says why\"}");
                return;
        }
        r = calloc(1, sizeof(*r));
        CHECK(r != NULL);
        *r = (struct revoking){
                .mds = mds, .reply = reply, .clientid = clientid, .below = UINT32_MAX, .fence.done = fenced
        };
        if (fence_raise_client(mds->fleet, client->tag, &r->fence))
                r->below = meta_epoch(mds->meta);
        else
                fenced(&r->fence);
}

void admin_clients_register(struct mds *mds)
{
        admin_command(mds->admin, "client-list", list_clients, mds);
        admin_command_later(mds->admin, "client-revoke", revoke_client, mds);
}
