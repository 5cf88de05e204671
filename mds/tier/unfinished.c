/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/tier/unfinished.h"

#include "mds/tier/unfinished_private.h"

/* --- records */

bool note_parse(struct slice key, struct slice value, struct note *ret)
{
        uint64_t noted;

        if (!key_parse_u64_u64(key, 'u', &ret->fileid, &noted) || !upload_decode(value, &ret->record))
                return false;
        ret->noted = (int64_t)noted;
        return true;
}

void note_keep(struct note *n)
{
        slice_text(n->key, sizeof(n->key), n->record.key);
        slice_text(n->upload_id, sizeof(n->upload_id), n->record.upload_id);
        n->record.key = slice_str(n->key);
        n->record.upload_id = slice_str(n->upload_id);
}

bool note_is_heard(const struct note *n)
{
        return n->record.upload_id.length > 0;
}

void note_put(struct txn *t, uint64_t fileid, int64_t noted, const struct upload_record *u)
{
        uint8_t key[KEY_MAX], value[RECORD_MAX];

        txn_put(t, key_upload(key, fileid, noted), upload_encode(value, u));
}

void note_delete(struct txn *t, uint64_t fileid, int64_t noted)
{
        uint8_t key[KEY_MAX];

        txn_delete(t, key_upload(key, fileid, noted));
}

/* One of FILEID that has the time NOTED; of the same moment there may be another. */
static int64_t free_time(const struct archiver *a, uint64_t fileid)
{
        uint8_t key[KEY_MAX], space[RECORD_MAX];
        int64_t noted = unfinished_now(a);
        uint32_t length;

        while (meta_get(a->mds->meta, key_upload(key, fileid, noted), space, sizeof(space), &length) == 0)
                noted++;
        return noted;
}

/* --- attempts */

struct search {
        const struct send *send;
        bool heard; /* that is wanted */
        bool found;
        struct note *note; /* the result */
};

static bool match(void *arg, struct slice key, struct slice value)
{
        struct search *s = arg;
        const struct send *send = s->send;
        struct note *n = s->note;

        if (!note_parse(key, value, n) || note_is_heard(n) != s->heard ||
            n->record.repo != send->repo->number || !slice_equal(n->record.key, slice_str(send->key)) ||
            unfinished_is_being_ended(send->archiver, n->fileid, n->noted) ||
            (s->heard && (n->record.change != send->change || n->record.until != 0)))
                return true;
        note_keep(n);
        s->found = true;
        return false;
}

/* One of the file of S, for the same key. */
static bool search(const struct send *s, bool heard, struct note *ret)
{
        struct search search = { .send = s, .heard = heard, .note = ret };
        uint8_t prefix[KEY_MAX];

        return meta_scan(s->archiver->mds->meta, key_uploads(prefix, s->fileid), match, &search) == 0 &&
               search.found;
}

bool unfinished_find(struct send *s)
{
        struct note n;

        if (!search(s, true, &n) || n.record.upload_id.length >= sizeof(s->upload_id))
                return false;
        slice_text(s->upload_id, sizeof(s->upload_id), n.record.upload_id);
        s->noted = n.noted;
        s->part_bytes = n.record.part_bytes;
        return true;
}

/* What is to be noted of S. False: its file is gone. */
static bool record_of(const struct send *s, int64_t until, struct upload_record *ret)
{
        const struct inode *inode;

        if (meta_inode(s->archiver->mds->meta, s->fileid, &inode) < 0)
                return false;
        *ret = (struct upload_record){ .repo = s->repo->number,
                                       .generation = inode->generation,
                                       .change = s->change,
                                       .until = until,
                                       .part_bytes = s->part_bytes,
                                       .key = slice_str(s->key),
                                       .upload_id = slice_str(s->upload_id) };
        return true;
}

void unfinished_note(struct send *s, void (*then)(struct send *))
{
        struct archiver *a = s->archiver;
        struct upload_record u;
        struct txn *t;
        struct note n;

        s->upload_id[0] = '\0';
        if (!record_of(s, unfinished_now(a) + LATE_NS, &u)) {
                send_ended(s, ARCHIVE_AGAIN, "");
                return;
        }
        s->noted_before = search(s, false, &n);
        s->noted = s->noted_before ? n.noted : free_time(a, s->fileid);
        t = txn_begin(a->mds->meta);
        note_put(t, s->fileid, s->noted, &u);
        send_commit(s, t, then);
}

/* May there be one more than S3 has told of? */
static bool may_be_more(const struct send *s)
{
        return s->noted_before || s3_may_come_late(&s->call);
}

void unfinished_heard(struct send *s, void (*then)(struct send *))
{
        struct upload_record u;
        struct txn *t;

        snprintf(s->upload_id, sizeof(s->upload_id), "%s", s->call.upload_id);
        if (!record_of(s, 0, &u)) {
                send_ended(s, ARCHIVE_AGAIN, "");
                return;
        }
        if (may_be_more(s))
                s->noted = free_time(s->archiver, s->fileid);
        t = txn_begin(s->archiver->mds->meta);
        note_put(t, s->fileid, s->noted, &u);
        send_commit(s, t, then);
}

void unfinished_over(struct send *s, struct txn *t)
{
        if (s->noted)
                note_delete(t, s->fileid, s->noted);
        s->noted = 0;
}

void unfinished_refused(struct send *s)
{
        struct txn *t;
        uint64_t seq;

        if (!may_be_more(s)) {
                t = txn_begin(s->archiver->mds->meta);
                unfinished_over(s, t);
                txn_commit(t, &seq);
        }
        s->noted = 0;
}

/* Should that get lost in a crash: the next attempt finds out once more. */
void unfinished_give_up(struct send *s)
{
        struct upload_record u;
        struct txn *t;
        uint64_t seq;

        if (s->noted && s->upload_id[0] && record_of(s, 0, &u)) {
                u.change = 0;
                t = txn_begin(s->archiver->mds->meta);
                note_put(t, s->fileid, s->noted, &u);
                txn_commit(t, &seq);
        }
        s->noted = 0;
}
