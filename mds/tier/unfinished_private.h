/* SPDX-License-Identifier: Apache-2.0 */
/* Private to unfinished.c (records, and what attempts make of them) and unfinished_end.c (what becomes of
 * those that nobody goes on with). */
#pragma once

#include "mds/tier/unfinished.h"

/* A record 'u'; RECORD's slices point into the store's, or with note_keep() to KEY and UPLOAD_ID. */
struct note {
        uint64_t fileid;
        int64_t noted;
        struct upload_record record;
        char key[BACKING_KEY_BYTES + 1], upload_id[UPLOAD_ID_BYTES + 1];
};

/* False: it is damaged (fsck tells). */
bool note_parse(struct slice key, struct slice value, struct note *ret);
void note_keep(struct note *n);
bool note_is_heard(const struct note *n);
void note_put(struct txn *t, uint64_t fileid, int64_t noted, const struct upload_record *u);
void note_delete(struct txn *t, uint64_t fileid, int64_t noted);

static inline int64_t unfinished_now(const struct archiver *a) /* as records have it */
{
        return (int64_t)env_wall(a->mds->env);
}
bool unfinished_is_being_ended(const struct archiver *a, uint64_t fileid, int64_t noted);
