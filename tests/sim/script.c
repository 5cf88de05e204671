/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/nfs.h"
#include "tests/sim/sim.h"

enum { ROUNDS = 12, REACH = 6 * ACTOR_IO };

/* May the shared folder not be made now, or has somebody made it? Then look again. */
static bool is_passing(const struct actor *c, int status, uint64_t since)
{
        return status == NFS_LOST || status == NFS4ERR_EXIST ||
               ((status == NFS4ERR_NOSPC || status == NFS4ERR_IO) && faults_excuse(&c->sim->faults, since));
}

/* Retried until it is answered: who has lost the answer just asks again. */
static void mount(struct actor *c)
{
        uint64_t since = c->sim->world.now;
        int status;

        do
                status = nfs_root(&c->main, &c->root);
        while (status == NFS_LOST);
        while ((status = nfs_lookup(&c->main, &c->root, "shared", &c->shared)) != NFS4_OK) {
                if (status == NFS4ERR_NOENT)
                        status = nfs_mkdir(&c->main, &c->root, "shared", &c->shared);
                if (status != NFS4_OK && !is_passing(c, status, since))
                        world_fail(&c->sim->world, "%s cannot mount: %s", c->owner, nfs_name(status));
                co_sleep(MS_NS);
        }
}

static void space(struct actor *c)
{
        switch (actor_random(c, 5)) {
        case 0: file_punch(c, REACH); break;
        case 1: file_allocate(c, REACH); break;
        case 2: file_seek(c, REACH); break;
        case 3:
        case 4: file_copy(c, REACH);
        }
}

/* With an open for reading only. */
static void one_look(struct actor *c)
{
        switch (actor_random(c, 10)) {
        case 0:
        case 1:
        case 2:
        case 3: file_io(c, false, 1 + (uint32_t)actor_random(c, 8), REACH); break;
        case 4: file_look(c); break;
        case 5: file_layout(c, false); break;
        case 6: file_seek(c, REACH); break;
        case 7: file_xattr(c); break;
        case 8: co_sleep(actor_random(c, SECOND_NS)); break;
        case 9: file_upgrade(c);
        }
}

static void one_thing(struct actor *c)
{
        switch (actor_random(c, 19)) {
        case 0:
        case 1:
        case 2:
        case 3: file_io(c, true, 1 + (uint32_t)actor_random(c, 8), REACH); break;
        case 4:
        case 5:
        case 6: file_io(c, false, 1 + (uint32_t)actor_random(c, 8), REACH); break;
        case 7: file_flush(c); break;
        case 8: file_truncate(c, actor_random(c, REACH / MODEL_WORD) * MODEL_WORD); break;
        case 9: file_look(c); break;
        case 10: file_layout(c, actor_random(c, 4) != 0); break;
        case 11: file_chmod(c, actor_random(c, 2) == 0 ? 0600 : 0666); break;
        case 12: file_lock(c, REACH); break;
        case 13:
                if (c->lock.held)
                        file_unlock(c);
                break;
        case 14:
        case 15: space(c); break;
        case 16: file_xattr(c); break;
        case 17: file_downgrade(c); break;
        case 18:
                if (actor_random(c, 3) == 0)
                        file_return_layout(c);
                else
                        co_sleep(actor_random(c, 2 * SECOND_NS));
        }
}

/* A repo's file rests for a while at times, so that it may be archived. */
static void tier(struct actor *c, uint32_t which)
{
        switch (actor_random(c, 6)) {
        case 0: co_sleep(actor_random(c, 8 * SECOND_NS)); break;
        case 1:
        case 2: file_verb(c, which); break;
        case 3: file_rename(c, which, (uint32_t)actor_random(c, NAMES)); break;
        case 4:
        case 5: file_link(c, (uint32_t)actor_random(c, NAMES), which);
        }
}

static void work(struct actor *c)
{
        uint32_t which = (uint32_t)actor_random(c, NAMES);

        if (c->sim->repo.s3 && actor_random(c, 2) == 0)
                tier(c, which);
        if (!file_open(c, which, true))
                return;
        if (actor_random(c, 4) != 0)
                file_layout(c, file_may_write(c));
        for (uint64_t i = actor_random(c, ROUNDS); i > 0 && !c->lost && !c->stopping; i--) {
                if (c->delegation.asked && c->delegation.is_open) {
                        delegation_claim(c);
                        co_wake(&c->returner.co);
                }
                (file_may_write(c) ? one_thing : one_look)(c);
        }
        file_flush(c);
        if (c->layout.held && actor_random(c, 2) == 0)
                file_return_layout(c);
        if (actor_random(c, 8) == 0)
                file_remove(c, which);
        file_close(c);
        if (actor_random(c, 12) == 0)
                file_remove(c, which);
}

/* All that is durable is there when everybody has come to rest. */
static void last_look(struct actor *c)
{
        for (uint32_t i = 0; i < NAMES; i++) {
                while (!file_open(c, i, true))
                        ;
                file_verify(c);
                file_close(c);
        }
}

void script_run(void *arg)
{
        struct actor *c = arg;

        mount(c);
        while (!c->stopping) {
                work(c);
                c->rounds++;
        }
        last_look(c);
        if (c->number == 1 && c->sim->repo.s3)
                repo_last_look(c);
        c->finished = true;
}
