/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/space.h"

enum {
        KEPT_BACK = 256 << 20,
        PARTS = 16,
        UNASKED = 64 << 20, /* bytes that a worker uses before it asks again */
};

static uint64_t kept_back(const struct worker *w, uint64_t total)
{
        if (w->ds->conf->reserve_bytes == 0)
                return 0;
        return total / PARTS < KEPT_BACK ? total / PARTS : KEPT_BACK;
}

int space_for_data(const struct worker *w, uint64_t *ret_total, uint64_t *ret_free)
{
        uint64_t available, kept;
        int error = w->disk->ops->space(w->disk, ret_total, &available);

        if (error < 0)
                return error;
        kept = kept_back(w, *ret_total);
        *ret_free = available > kept ? available - kept : 0;
        return 0;
}

/* False: BYTES would be of what is kept back. The disk is asked rarely. */
static bool take(struct worker *w, uint64_t bytes)
{
        uint64_t total, left;

        if (w->ds->conf->reserve_bytes == 0)
                return true;
        if (bytes <= w->room) {
                w->room -= bytes;
                return true;
        }
        if (space_for_data(w, &total, &left) < 0)
                return true; /* the disk itself will tell */
        if (bytes > left)
                return false;
        w->room = (left - bytes) / (2 * w->ds->worker_count); /* others take from it too */
        if (w->room > UNASKED)
                w->room = UNASKED;
        return true;
}

bool space_take_beyond(struct worker *w, uint64_t size, uint64_t begin, uint64_t end)
{
        return end <= size || take(w, end - (begin > size ? begin : size));
}
