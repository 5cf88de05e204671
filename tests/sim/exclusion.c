/* SPDX-License-Identifier: Apache-2.0 */
/* No two clients have what excludes the other, at any moment: see sim.h. What a client has it knows for
 * certain as long as its lease cannot have run out (RFC 8881 §8.3). */
#include "tests/sim/sim.h"

static void check_locks(const struct sim *sim, const struct actor *a, const struct actor *b)
{
        if (a->lock.held && b->lock.held && a->lock.from < b->lock.to && b->lock.from < a->lock.to)
                world_fail((struct world *)&sim->world, "%s and %s have the same lock", a->owner, b->owner);
}

static void check_shares(const struct sim *sim, const struct actor *a, const struct actor *b)
{
        if (a->deny & b->access)
                world_fail((struct world *)&sim->world, "%s has open what %s denies", b->owner, a->owner);
}

/* A is one that has it open; who has asked for it back and waited for a lease may go on without. */
static void check_delegation(const struct sim *sim, const struct actor *a, const struct actor *b)
{
        if (delegation_is_sure(b, a->file) && (b->delegation.writes || file_may_write(a)))
                world_fail((struct world *)&sim->world, "%s has open what is delegated to %s", a->owner,
                           b->owner);
}

void exclusion_check(const struct sim *sim)
{
        for (uint32_t i = 0; i < sim->actor_count; i++) {
                const struct actor *a = &sim->actors[i];

                if (!a->open || !file_is_sure(a, a->file))
                        continue;
                for (uint32_t j = 0; j < sim->actor_count; j++) {
                        const struct actor *b = &sim->actors[j];

                        if (a == b)
                                continue;
                        check_delegation(sim, a, b);
                        if (!file_is_sure(b, a->file))
                                continue;
                        check_locks(sim, a, b);
                        check_shares(sim, a, b);
                }
        }
}

void exclusion_check_write(const struct sim *sim, const struct actor *a, const struct event *e)
{
        for (uint32_t i = 0; i < sim->actor_count; i++) {
                const struct actor *b = &sim->actors[i];

                if (b != a && file_is_sure(b, a->file) && b->deny & OPEN4_SHARE_ACCESS_WRITE &&
                    b->granted < e->began)
                        world_fail((struct world *)&sim->world, "%u was written, which %s denies", e->number,
                                   b->owner);
        }
}
