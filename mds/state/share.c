/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/state/share.h"

bool shares_init(struct shares *s, uint32_t limit)
{
        slab_init(&s->slab, sizeof(struct file_state), limit);
        return hashtab_init(&s->files, 1024);
}

void shares_destroy(struct shares *s)
{
        hashtab_destroy(&s->files);
        slab_destroy(&s->slab);
}

struct file_state *share_find(const struct shares *s, uint64_t fileid)
{
        HASHTAB_FOR_EACH(node, &s->files, hash_u64(fileid)) {
                struct file_state *file = CONTAINER(node, struct file_state, by_fileid);

                if (file->fileid == fileid)
                        return file;
        }
        return NULL;
}

struct file_state *share_get(struct shares *s, uint64_t fileid)
{
        struct file_state *file = share_find(s, fileid);

        if (file || !(file = slab_get(&s->slab)))
                return file;
        file->fileid = fileid;
        list_init(&file->opens);
        hashtab_insert(&s->files, &file->by_fileid, hash_u64(fileid));
        return file;
}

void share_put(struct shares *s, struct file_state *file)
{
        if (!file || !list_empty(&file->opens))
                return;
        hashtab_remove(&s->files, &file->by_fileid);
        slab_put(&s->slab, file);
}

static void count_kinds(uint32_t counts[SHARE_KINDS], uint8_t share, int by)
{
        for (unsigned i = 0; i < SHARE_KINDS; i++)
                if (share & 1u << i)
                        counts[i] += (uint32_t)by;
}

void share_set(struct file_state *file, struct open_state *state, uint8_t access, uint8_t deny)
{
        count_kinds(file->allows, state->access, -1);
        count_kinds(file->denies, state->deny, -1);
        state->access = access;
        state->deny = deny;
        count_kinds(file->allows, access, 1);
        count_kinds(file->denies, deny, 1);
}

/* Is one of the kinds in WANTED counted for anybody but who has OWN? */
static bool counted(const uint32_t counts[SHARE_KINDS], uint8_t own, uint8_t wanted)
{
        for (unsigned i = 0; i < SHARE_KINDS; i++)
                if (wanted & 1u << i && counts[i] > (own >> i & 1u))
                        return true;
        return false;
}

bool share_conflicts(const struct file_state *file, const struct open_state *except, uint8_t access,
                     uint8_t deny)
{
        return counted(file->denies, except ? except->deny : 0, access) ||
               counted(file->allows, except ? except->access : 0, deny);
}
