/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/pnfs/reports.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { SEEN_MAX = 64 /* the oldest is forgotten, and may be told again */ };

struct seen {
        uint8_t device[NFS4_DEVICEID_SIZE];
        uint32_t status;
};

struct reports {
        struct metric errors, stats;
        struct seen seen[SEEN_MAX];
        uint32_t count; /* ever */
};

struct reports *reports_new(struct mds *mds)
{
        struct reports *r = calloc(1, sizeof(*r));

        if (!r)
                return NULL;
        metric_counter(&mds->metrics, &r->errors, "nacre_layout_errors_total",
                       "Errors of data servers that clients reported (LAYOUTERROR)");
        metric_counter(&mds->metrics, &r->stats, "nacre_layout_stats_total",
                       "Reports of clients on their I/O with data servers (LAYOUTSTATS)");
        return r;
}

void reports_free(struct reports *r)
{
        free(r);
}

static bool is_new(struct reports *r, const uint8_t device[NFS4_DEVICEID_SIZE], uint32_t status)
{
        struct seen *slot = &r->seen[r->count % SEEN_MAX];

        for (uint32_t i = 0; i < SEEN_MAX && i < r->count; i++)
                if (r->seen[i].status == status && memcmp(r->seen[i].device, device, NFS4_DEVICEID_SIZE) == 0)
                        return false;
        memcpy(slot->device, device, NFS4_DEVICEID_SIZE);
        slot->status = status;
        r->count++;
        return true;
}

void report_error(struct reports *r, const struct client *client, const uint8_t device[NFS4_DEVICEID_SIZE],
                  uint32_t status, uint32_t opnum)
{
        char hex[2 * NFS4_DEVICEID_SIZE + 1];

        metric_add(&r->errors, 1);
        if (!is_new(r, device, status))
                return;
        for (int i = 0; i < NFS4_DEVICEID_SIZE; i++)
                snprintf(hex + 2 * i, 3, "%02x", device[i]);
        log_warn("layout-error", "device=%s status=%s operation=%" PRIu32 " clientid=%016" PRIx64, hex,
                 nfs4_status_name((enum nfsstat4)status), opnum, client->clientid);
}

void report_stats(struct reports *r)
{
        metric_add(&r->stats, 1);
}
