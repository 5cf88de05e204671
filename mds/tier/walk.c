/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/tier/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool enter(struct walk *w, uint64_t directory)
{
        if (w->depth == w->room) {
                unsigned room = w->room ? 2 * w->room : 16;
                struct walk_level *levels = realloc(w->levels, room * sizeof(*levels));

                if (!levels) {
                        w->error = -ENOMEM;
                        return false;
                }
                w->levels = levels;
                w->room = room;
        }
        w->levels[w->depth++] = (struct walk_level){ .directory = directory };
        w->at = w->count = 0;
        return true;
}

void walk_begin(struct walk *w, struct meta *meta, uint64_t directory)
{
        memset(w, 0, sizeof(*w));
        w->meta = meta;
        enter(w, directory);
}

void walk_resume(struct walk *w, struct meta *meta, const struct walk_level *levels, unsigned depth)
{
        walk_begin(w, meta, levels[0].directory);
        for (unsigned i = 1; i < depth && w->error == 0; i++)
                enter(w, levels[i].directory);
        if (w->error == 0)
                memcpy(w->levels, levels, depth * sizeof(*levels));
}

static bool take(void *arg, uint64_t cookie, const struct dirent_record *entry)
{
        struct walk *w = arg;

        w->page[w->count++] = (struct walk_entry){ entry->fileid, cookie, entry->type };
        return w->count < WALK_PAGE;
}

/* Have something in the page, of the innermost directory that has more. */
static bool fill(struct walk *w)
{
        while (w->depth > 0) {
                const struct walk_level *level = &w->levels[w->depth - 1];

                w->at = w->count = 0;
                w->error = meta_readdir(w->meta, level->directory, level->cookie, take, w);
                if (w->error < 0 && w->error != -ENOENT) /* removed meanwhile */
                        return false;
                w->error = 0;
                if (w->count > 0)
                        return true;
                w->depth--;
        }
        return false;
}

bool walk_next(struct walk *w, struct walk_entry *ret)
{
        if (w->error < 0 || (w->at == w->count && !fill(w)))
                return false;
        *ret = w->page[w->at++];
        w->levels[w->depth - 1].cookie = ret->cookie;
        return ret->type != NF4DIR || enter(w, ret->fileid);
}

/* --- the path of what was taken last */

struct finding {
        uint64_t cookie;
        bool found;
        struct dirent_record entry;
};

static bool take_first(void *arg, uint64_t cookie, const struct dirent_record *entry)
{
        struct finding *f = arg;

        f->found = cookie == f->cookie;
        f->entry = *entry;
        return false;
}

bool walk_path(const struct walk *w, char *out, size_t bytes)
{
        size_t length = 0;

        for (unsigned i = 0; i < w->depth && w->levels[i].cookie > 0; i++) {
                const struct walk_level *level = &w->levels[i];
                struct finding f = { .cookie = level->cookie };

                if (meta_readdir(w->meta, level->directory, f.cookie - 1, take_first, &f) < 0 || !f.found ||
                    (i + 1 < w->depth && f.entry.fileid != level[1].directory) ||
                    length + 1 + f.entry.name_length >= bytes)
                        return false;
                if (length > 0)
                        out[length++] = '/';
                memcpy(out + length, f.entry.name, f.entry.name_length);
                length += f.entry.name_length;
        }
        out[length] = '\0';
        return true;
}

void walk_end(struct walk *w)
{
        free(w->levels);
        w->levels = NULL;
        w->depth = w->room = w->at = w->count = 0;
}
