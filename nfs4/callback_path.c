/* SPDX-License-Identifier: Apache-2.0 */
/* Can a client be called? See callback.h. */
#include "nfs4/callback.h"

/* Not before its client has used the session: the answer to CREATE_SESSION may be on its way. */
struct conn *callback_path(const struct session *session)
{
        return session->has_back_channel && session->used ? session_back_conn(session) : NULL;
}

bool callback_has_path(const struct client *client)
{
        LIST_FOR_EACH(node, &client->sessions)
                if (callback_path(CONTAINER(node, struct session, in_client)))
                        return true;
        return false;
}

bool callback_possible(const struct client *client)
{
        LIST_FOR_EACH(node, &client->sessions)
                if (CONTAINER(node, struct session, in_client)->has_back_channel)
                        return true;
        return false;
}

bool callback_proven(const struct client *client)
{
        return client->callbacks_answered && callback_has_path(client);
}

uint32_t callback_status_flags(const struct session *session)
{
        uint32_t flags = session->back_fault ? SEQ4_STATUS_BACKCHANNEL_FAULT : 0;

        if (!session->has_back_channel || session_back_conn(session))
                return flags;
        flags |= SEQ4_STATUS_CB_PATH_DOWN_SESSION;
        return callback_has_path(session->client) ? flags : flags | SEQ4_STATUS_CB_PATH_DOWN;
}

struct referring referring_of(const struct compound *c)
{
        struct referring r = { .slot = (uint32_t)(c->slot - c->session->slots), .seqid = c->slot->seqid };

        memcpy(r.session, c->session->id, sizeof(r.session));
        return r;
}
