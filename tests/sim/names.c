/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/names.h"

#include <inttypes.h>

/* By a client. */
static bool was_removed(const struct names *n, uint32_t which, uint64_t since)
{
        return n->names[which].removing > 0 || n->names[which].removed_until >= since;
}

bool names_may_be_removed(const struct names *n, uint32_t which, uint64_t since)
{
        return n->vanished || was_removed(n, which, since);
}

void names_seen(struct names *n, uint32_t which, uint64_t since, struct model_file *f)
{
        struct name *name = &n->names[which];
        struct world *w = n->model->world;
        uint64_t first = since < name->seen_since ? since : name->seen_since;

        if (name->file && name->file != f && n->vanished && !was_removed(n, which, first))
                n->vanished(n->arg, name->file, name->seen_since);
        if (name->file && name->file != f && !names_may_be_removed(n, which, first))
                world_fail(w, "f%u was file %" PRIu64 " and is file %" PRIu64 ", which nobody has removed",
                           which, name->file->fileid, f->fileid);
        if (!n->moves && name->removed > 0 && name->removed < since && f->seen > 0 &&
            f->seen < name->removed_since)
                world_fail(w, "f%u is file %" PRIu64 " again, which was removed", which, f->fileid);
        if (f->seen == 0) {
                f->seen = w->now;
                f->found = since;
        }
        if (!n->moves && name->file && name->file != f && name->file->seen < since)
                name->file->gone = w->now;
        if (since >= name->seen_since) {
                name->file = f;
                name->seen_since = since;
        }
}

const struct model_file *names_certain(const struct names *n, uint32_t which, uint64_t since)
{
        const struct name *name = &n->names[which];
        const struct model_file *f = name->file;

        return f && !n->vanished && f->seen < since && name->removing == 1 && name->removed_until < f->found
                       ? f
                       : NULL;
}

void names_removing(struct names *n, uint32_t which)
{
        n->names[which].removing++;
}

void names_removed(struct names *n, uint32_t which, uint64_t since, bool ok)
{
        struct name *name = &n->names[which];

        name->removing--;
        name->removed_until = n->model->world->now;
        if (ok && since >= name->removed_since) {
                name->removed_since = since;
                name->removed = n->model->world->now;
        }
}
