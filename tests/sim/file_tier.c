/* SPDX-License-Identifier: Apache-2.0 */
/* What a scripted client does in a folder that is linked to a bucket: see actor.h. */
#include <string.h>

#include "tests/sim/nfs.h"
#include "tests/sim/sim.h"

static uint64_t now(const struct actor *c)
{
        return c->sim->world.now;
}

void file_verb(struct actor *c, uint32_t which)
{
        static const char *const verbs[] = { "archive", "release", "release", "restore" };
        const char *verb = verbs[actor_random(c, sizeof(verbs) / sizeof(verbs[0]))];
        struct fhandle fh;
        char name[FILE_NAME];
        uint64_t since = now(c);
        int status;

        file_name(which, name);
        status = nfs_lookup(&c->main, &c->shared, name, &fh);
        if (status == NFS4_OK)
                status = nfs_setxattr(&c->main, &fh, "nacre.hsm", verb, (uint32_t)strlen(verb));
        world_say(&c->sim->world, c->owner, "%s %s: %s", verb, name, nfs_name(status));
        switch (status) {
        case NFS4_OK:
        case NFS4ERR_NOENT:
        case NFS4ERR_STALE:
        case NFS4ERR_NOXATTR:    /* it was never archived */
        case NFS4ERR_PERM:       /* dirty */
        case NFS4ERR_FILE_OPEN:  /* in use */
        case NFS4ERR_IO: return; /* S3 does not answer */
        default: file_check_refusal(c, "SETXATTR of a verb", status, since);
        }
}

void file_rename(struct actor *c, uint32_t from, uint32_t to)
{
        struct names *names = &c->sim->names;
        char old[FILE_NAME], new[FILE_NAME];
        uint64_t since = now(c);
        int status;

        if (from == to)
                return;
        file_name(from, old);
        file_name(to, new);
        names->moves = true;
        names_removing(names, from);
        names_removing(names, to);
        status = nfs_rename(&c->main, &c->shared, old, new);
        world_say(&c->sim->world, c->owner, "RENAME %s to %s: %s", old, new, nfs_name(status));
        if (status >= 0) {
                names_removed(names, from, since, false);
                names_removed(names, to, since, false);
        }
        if (status != NFS4_OK && status != NFS4ERR_NOENT)
                file_check_refusal(c, "RENAME", status, since);
}

/* What has the name goes before, mostly. */
void file_link(struct actor *c, uint32_t from, uint32_t which)
{
        struct names *names = &c->sim->names;
        char old[FILE_NAME], new[FILE_NAME];
        uint64_t since;
        int status;

        if (from == which)
                return;
        file_name(from, old);
        file_name(which, new);
        names->moves = true;
        if (actor_random(c, 4) != 0)
                file_remove(c, which);
        since = now(c);
        names_removing(names, which);
        status = nfs_link(&c->main, &c->shared, old, new);
        world_say(&c->sim->world, c->owner, "LINK %s, also %s: %s", old, new, nfs_name(status));
        if (status >= 0)
                names_removed(names, which, since, false);
        if (status != NFS4_OK && status != NFS4ERR_NOENT && status != NFS4ERR_STALE &&
            status != NFS4ERR_EXIST)
                file_check_refusal(c, "LINK", status, since);
}
