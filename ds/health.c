/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/health.h"

#include <string.h>

#include "base/log.h"
#include "ds/ctl_client.h"
#include "ds/space.h"

enum { FAILING_SECONDS = 60 }; /* an EIO is told for so long */

void ds_disk_failed(struct ds *ds, int error, bool data_lost)
{
        uint64_t verifier;

        log_error("disk-failed", "error=%s data_lost=%d", strerror(-error), data_lost);
        atomic_store(&ds->disk_failed_ns, env_now(ds->env));
        if (!data_lost)
                return;
        env_random(ds->env, &verifier, sizeof(verifier));
        atomic_store(&ds->write_verifier, verifier);
}

static bool disk_fails(const struct ds *ds)
{
        uint64_t failed = atomic_load(&ds->disk_failed_ns);

        return failed != 0 && env_now(ds->env) - failed < FAILING_SECONDS * 1000000000ull;
}

const char *ds_health(const struct ds *ds)
{
        if (ds->stopping)
                return "stopping";
        if (disk_fails(ds))
                return "the disk answers with errors";
        if (ds->trust.state == TRUST_HELD)
                return NULL;
        return ds->ctl && ctl_client_problem(ds->ctl)[0] != '\0' ? ctl_client_problem(ds->ctl)
                                                                 : "not joined yet";
}

ctl_space ds_space(struct ds *ds)
{
        const struct worker *w = ds->workers[0];
        uint64_t total = 0, left = 0, made = 0, removed = atomic_load(&ds->counts.removed.value);

        space_for_data(w, &total, &left);
        for (uint32_t i = 0; i < ds->worker_count; i++)
                made += atomic_load(&ds->workers[i]->objects.created);
        made += ds->objects_at_start;
        return (ctl_space){ .total = total,
                            .free = left,
                            .used = total - left,
                            .objects = made > removed ? made - removed : 0 };
}

unsigned ds_flags(const struct ds *ds, const ctl_space *space)
{
        unsigned flags = 0;

        if (space->free < ds->conf->reserve_bytes)
                flags |= CTL_HB_FULL;
        if (disk_fails(ds))
                flags |= CTL_HB_FAILING;
        return flags;
}
