/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/state/client.h"

#include <stdlib.h>

struct mds_client *mds_client_of(struct client *client)
{
        struct mds_client *m = client->role;

        if (m || !(m = calloc(1, sizeof(*m))))
                return m;
        list_init(&m->opens);
        list_init(&m->delegations);
        list_init(&m->offloads);
        list_init(&m->devices);
        list_init(&m->revoked);
        client->role = m;
        return m;
}

bool mds_client_holds(const struct client *client)
{
        const struct mds_client *m = client->role;

        return m && !(list_empty(&m->opens) && list_empty(&m->delegations));
}

void mds_client_free(struct client *client)
{
        const struct mds_client *m = client->role;

        CHECK(!m || (list_empty(&m->opens) && list_empty(&m->delegations) && list_empty(&m->offloads) &&
                     list_empty(&m->devices) && list_empty(&m->revoked) && m->locks == 0 && !m->survivor));
        free(client->role);
        client->role = NULL;
}
