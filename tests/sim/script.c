/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "tests/sim/nfs.h"
#include "tests/sim/sim.h"

enum { SHARED_FILES = 4, ROUNDS = 12, REACH = 6 * ACTOR_IO };

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

static void one_thing(struct actor *c)
{
        switch (actor_random(c, 15)) {
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
                if (actor_random(c, 3) == 0)
                        file_return_layout(c);
                else
                        co_sleep(actor_random(c, 2 * SECOND_NS));
        }
}

static void work(struct actor *c)
{
        char name[16];

        snprintf(name, sizeof(name), "f%u", (unsigned)actor_random(c, SHARED_FILES));
        if (!file_open(c, name, true))
                return;
        if (actor_random(c, 4) != 0)
                file_layout(c, true);
        for (uint64_t i = actor_random(c, ROUNDS); i > 0 && !c->lost && !c->stopping; i--)
                one_thing(c);
        file_flush(c);
        if (c->layout.held && actor_random(c, 2) == 0)
                file_return_layout(c);
        file_close(c);
}

/* All that is durable is there when everybody has come to rest. */
static void last_look(struct actor *c)
{
        for (unsigned i = 0; i < SHARED_FILES; i++) {
                char name[16];

                snprintf(name, sizeof(name), "f%u", i);
                while (!file_open(c, name, true))
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
        c->finished = true;
}
