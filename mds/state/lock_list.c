/* SPDX-License-Identifier: Apache-2.0 */
/* Who has locked what, for people. */
#include "mds/state/lock_private.h"

struct listing {
        lock_each_fn *each;
        void *arg;
};

static bool tell(void *arg, struct span *span)
{
        const struct listing *l = arg;
        const struct range *r = CONTAINER(span, struct range, in_file);

        l->each(l->arg, lock_owner_of(r)->client, r->kind == RANGE_WRITE, span->first, span->last);
        return true;
}

void locks_each_of_file(const struct locks *l, uint64_t fileid, lock_each_fn *each, void *arg)
{
        struct listing listing = { .each = each, .arg = arg };

        HASHTAB_FOR_EACH(node, &l->files, hash_u64(fileid)) {
                const struct lock_file *file = CONTAINER(node, struct lock_file, by_fileid);

                if (file->fileid != fileid)
                        continue;
                span_each(file->ranges.reads, 0, UINT64_MAX, tell, &listing);
                span_each(file->ranges.writes, 0, UINT64_MAX, tell, &listing);
        }
}

/* A lock-owner may have states under several opens: it counts with the first of them. */
uint32_t locks_of_client(const struct client *client)
{
        const struct mds_client *m = client->role;
        uint32_t count = 0;

        if (!m)
                return 0;
        LIST_FOR_EACH(o, &m->opens)
                LIST_FOR_EACH(s, &CONTAINER(o, struct open_state, in_client)->locks) {
                        const struct lock_state *state = CONTAINER(s, struct lock_state, in_open);

                        if (state->owner->states.next == &state->in_owner)
                                count += state->owner->ranges.count;
                }
        return count;
}
