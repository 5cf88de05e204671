/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions and the connections that serve them: RFC 8881 §2.10. */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "nfs4/callback.h"

static uint64_t id_hash(const uint8_t id[NFS4_SESSIONID_SIZE])
{
        uint64_t low;

        memcpy(&low, id + 8, sizeof(low));
        return hash_u64(low);
}

struct session *session_by_id(struct nfs4_server *s, const uint8_t id[NFS4_SESSIONID_SIZE])
{
        HASHTAB_FOR_EACH(node, &s->clients.sessions, id_hash(id)) {
                struct session *session = CONTAINER(node, struct session, by_id);

                if (memcmp(session->id, id, NFS4_SESSIONID_SIZE) == 0)
                        return session;
        }
        return NULL;
}

/* client id ‖ random: unique, and not to be guessed by who knows others. Whoever says it has the session,
 * when there is no state protection (§2.10.3.1). */
static void make_id(struct nfs4_server *s, struct session *session)
{
        uint64_t clientid = htobe64(session->client->clientid);

        memcpy(session->id, &clientid, 8);
        do
                env_random(s->env, session->id + 8, NFS4_SESSIONID_SIZE - 8);
        while (session_by_id(s, session->id));
}

struct session *session_new(struct nfs4_server *s, struct client *client, const struct channel_attrs *fore,
                            const struct channel_attrs *back)
{
        struct session *session;

        if (s->clients.session_count >= s->limits.sessions)
                return NULL;
        session = calloc(1, sizeof(*session));
        if (!session)
                return NULL;
        session->slots = calloc(s->limits.slots_per_session, sizeof(*session->slots));
        if (!session->slots) {
                free(session);
                return NULL;
        }
        session->client = client;
        session->fore = *fore;
        session->back = *back;
        session->slot_count = session->target_slots = fore->max_requests;
        list_init(&session->conns);
        list_init(&session->callbacks);
        make_id(s, session);
        hashtab_insert(&s->clients.sessions, &session->by_id, id_hash(session->id));
        list_push(&client->sessions, &session->in_client);
        client->session_count++;
        s->clients.session_count++;
        client_hold(client);
        return session;
}

static void session_free(struct nfs4_server *s, struct session *session)
{
        for (uint32_t i = 0; i < s->limits.slots_per_session; i++)
                free(session->slots[i].reply);
        free(session->slots);
        free(session);
}

void session_release(struct nfs4_server *s, struct session *session)
{
        if (session->destroyed && session->executing == 0)
                session_free(s, session);
}

static void unlink_from_conn(struct session_conn *sc)
{
        struct session_conn *first = conn_data(sc->conn);

        if (first == sc) {
                conn_set_data(sc->conn, sc->next_in_conn);
                return;
        }
        while (first->next_in_conn != sc)
                first = first->next_in_conn;
        first->next_in_conn = sc->next_in_conn;
}

static void drop_binding(struct session_conn *sc)
{
        unlink_from_conn(sc);
        list_remove(&sc->in_session);
        free(sc);
}

/* Compounds inside go on to their end; nobody finds the session any more. */
void session_destroy(struct nfs4_server *s, struct session *session)
{
        struct client *client = session->client;

        CHECK(!session->destroyed);
        session->destroyed = true;
        LIST_FOR_EACH_SAFE(node, &session->conns)
                drop_binding(CONTAINER(node, struct session_conn, in_session));
        callbacks_session_gone(session);
        hashtab_remove(&s->clients.sessions, &session->by_id);
        list_remove(&session->in_client);
        client->session_count--;
        s->clients.session_count--;
        session_release(s, session);
        client_release(s, client);
}

static struct session_conn *find_binding(const struct session *session, struct conn *conn)
{
        for (struct session_conn *sc = conn_data(conn); sc; sc = sc->next_in_conn)
                if (sc->session == session)
                        return sc;
        return NULL;
}

int session_bind(struct session *session, struct conn *conn, bool fore, bool back)
{
        struct session_conn *sc = find_binding(session, conn);

        if (!sc) {
                sc = calloc(1, sizeof(*sc));
                if (!sc)
                        return -ENOMEM;
                sc->session = session;
                sc->conn = conn;
                sc->next_in_conn = conn_data(conn);
                conn_set_data(conn, sc);
                list_push(&session->conns, &sc->in_session);
        }
        sc->fore |= fore;
        sc->back |= back;
        return 0;
}

void session_unbind(struct session *session, struct conn *conn)
{
        struct session_conn *sc = find_binding(session, conn);

        if (sc)
                drop_binding(sc);
}

void sessions_conn_closed(void *service, struct conn *conn)
{
        (void)service;
        for (struct session_conn *sc = conn_data(conn); sc; sc = conn_data(conn))
                drop_binding(sc);
}

struct conn *session_back_conn(const struct session *session)
{
        LIST_FOR_EACH(node, &session->conns) {
                struct session_conn *sc = CONTAINER(node, struct session_conn, in_session);

                if (sc->back && !conn_is_closed(sc->conn))
                        return sc->conn;
        }
        return NULL;
}

void session_back_down(struct session *session, struct conn *conn)
{
        LIST_FOR_EACH(node, &session->conns) {
                struct session_conn *sc = CONTAINER(node, struct session_conn, in_session);

                if (sc->conn == conn)
                        sc->back = false;
        }
}
