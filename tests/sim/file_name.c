/* SPDX-License-Identifier: Apache-2.0 */
/* How a scripted client opens, closes and removes files: see actor.h. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/nfs.h"
#include "tests/sim/sim.h"

#define SHARED_NS (500 * MS_NS)
#define FORGET_NS (300 * SECOND_NS) /* longer than anything is under way */

static uint64_t now(const struct actor *c)
{
        return c->sim->world.now;
}

void file_name(uint32_t which, char ret[FILE_NAME])
{
        snprintf(ret, FILE_NAME, "f%u", which);
}

/* RFC 8881 §8.3 */
bool file_is_sure(const struct actor *c, const struct model_file *file)
{
        uint64_t lease = LEASE_SECONDS * SECOND_NS;

        if (c->delegation.is_open && c->delegation.since + lease <= now(c))
                return false; /* it may have been taken */
        return c->running && file && c->open && !c->closing && !c->lost && !c->mds.doubtful &&
               c->file == file && c->mds.renewed_ns + lease > now(c);
}

bool file_may_write(const struct actor *c)
{
        return c->access & OPEN4_SHARE_ACCESS_WRITE;
}

/* Mostly for everything; at times for reading only, or so that others may not write. */
static void choose_shares(struct actor *c)
{
        c->access = actor_random(c, 6) == 0 ? OPEN4_SHARE_ACCESS_READ : OPEN4_SHARE_ACCESS_BOTH;
        c->deny = actor_random(c, 16) == 0 ? OPEN4_SHARE_DENY_WRITE : OPEN4_SHARE_DENY_NONE;
}

static void shares_granted(struct actor *c, uint32_t access)
{
        c->access = access;
        c->granted = now(c);
}

bool file_open(struct actor *c, uint32_t which, bool create)
{
        char name[FILE_NAME];
        uint64_t since = now(c);
        struct attributes a;
        int status;

        if (c->delegation.held && actor_random(c, 2) == 0)
                delegation_return(&c->main);
        file_name(which, name);
        c->file = NULL;
        c->name = which;
        c->opened = since;
        choose_shares(c);
        status = nfs_open(&c->main, &c->shared, name, create, &c->fh, &c->stateid);

        if (status == NFS4ERR_NOSPC && faults_no_room(&c->sim->faults, since))
                return false;
        if (status == NFS4ERR_SHARE_DENIED) {
                co_sleep(actor_random(c, SHARED_NS));
                return false;
        }
        if (status != NFS4_OK) {
                file_check_refusal(c, "OPEN", status, since);
                return false;
        }
        c->open = true;
        c->closing = false;
        shares_granted(c, c->access);
        c->lost = c->layout.held = c->lock.held = false;
        c->unstable_count = 0;
        status = nfs_getattr(&c->main, &c->fh, &a);
        if (status == NFS4_OK) {
                c->file = model_file(&c->sim->model, a.fileid);
                stranger_tell_origin(&c->sim->stranger, c->file);
                world_say(&c->sim->world, c->owner, "OPEN %s: file %llu", name, (unsigned long long)a.fileid);
                names_seen(&c->sim->names, which, since, c->file);
                if (c->delegation.held && memcmp(&c->delegation.fh, &c->fh, sizeof(c->fh)) == 0)
                        c->delegation.file = c->file;
                return true;
        }
        file_check_refusal(c, "GETATTR", status, since);
        file_close(c);
        return false;
}

void file_close(struct actor *c)
{
        uint64_t since = now(c);
        int status;

        if (c->lock.held)
                file_unlock(c);
        c->closing = true;
        status = c->lost || c->delegation.is_open ? NFS4_OK : nfs_close(&c->main, &c->fh, &c->stateid);

        if (status != NFS4_OK)
                file_check_refusal(c, "CLOSE", status, since);
        c->open = c->delegation.is_open = false;
        co_wake(&c->returner.co);
}

void file_upgrade(struct actor *c)
{
        uint64_t since = now(c);
        int status;

        delegation_claim(c);
        if (c->lost)
                return;
        status = nfs_upgrade(&c->main, OPEN4_SHARE_ACCESS_BOTH, &c->stateid);

        world_say(&c->sim->world, c->owner, "OPEN for more: %s", nfs_name(status));
        if (status == NFS4_OK)
                shares_granted(c, OPEN4_SHARE_ACCESS_BOTH);
        else if (status == NFS_LOST)
                c->lost = true; /* or not: nobody knows its sequence id */
        else if (status != NFS4ERR_SHARE_DENIED)
                file_check_refusal(c, "OPEN", status, since);
}

/* Only what was opened for less before: RFC 8881 §18.18.3. */
void file_downgrade(struct actor *c)
{
        uint64_t since = now(c);
        int status;

        delegation_claim(c);
        file_flush(c);
        if (c->lost)
                return;
        c->access = OPEN4_SHARE_ACCESS_READ;
        status = nfs_downgrade(&c->main, c->access, &c->stateid);
        world_say(&c->sim->world, c->owner, "OPEN_DOWNGRADE: %s", nfs_name(status));
        if (status == NFS4ERR_INVAL)
                c->access = OPEN4_SHARE_ACCESS_BOTH;
        else if (status == NFS_LOST)
                c->lost = true;
        else if (status != NFS4_OK)
                file_check_refusal(c, "OPEN_DOWNGRADE", status, since);
}

/* --- removing */

static bool is_used(void *arg, const struct model_file *f)
{
        const struct sim *sim = arg;

        for (uint32_t i = 0; i < sim->actor_count; i++) {
                const struct actor *c = &sim->actors[i];

                if (c->file == f || (c->delegation.held && c->delegation.file == f))
                        return true;
        }
        return false;
}

void file_remove(struct actor *c, uint32_t which)
{
        char name[FILE_NAME];
        struct names *names = &c->sim->names;
        uint64_t since = now(c);
        int status;

        file_name(which, name);
        names_removing(names, which);
        status = nfs_remove(&c->main, &c->shared, name);
        world_say(&c->sim->world, c->owner, "REMOVE %s: %s", name, nfs_name(status));
        if (status == NFS4_OK && names_certain(names, which, since))
                delegation_check_removed(c, names_certain(names, which, since));
        if (status >= 0)
                names_removed(names, which, since, status == NFS4_OK);
        if (status != NFS4_OK && status != NFS4ERR_NOENT)
                file_check_refusal(c, "REMOVE", status, since);
        model_forget(&c->sim->model, FORGET_NS, is_used, c->sim);
}
