/* SPDX-License-Identifier: Apache-2.0 */
/* What is at the key where something is to be written? Nothing, what we expect, or what we wrote ourselves
 * and did not hear of: then it goes on. Else somebody else was there, and the repo's `conflict:` decides. */
#include <string.h>

#include "base/log.h"
#include "mds/tier/archive_private.h"
#include "mds/tier/keys.h"
#include "mds/tier/second.h"
#include "mds/tier/sweep.h"
#include "mds/tier/unfinished.h"

enum { LOOKS_MAX = 4, ETAG_SHOWN = 8 };

static void go_over(struct send *s)
{
        memcpy(s->expected, s->call.object.etag, sizeof(s->expected));
        s->unconditional = s->repo->unconditional || s->call.object.etag[0] == '\0';
        s->go(s);
}

/* --- names of objects here */

/* The place of E, whose key is beside S's, or is that; its directory. False: there is no such directory. */
static bool find_place(const struct send *s, const struct s3_entry *e, uint64_t *ret_directory,
                       struct key_place *ret)
{
        struct tier *t = s->archiver->tier;
        char prefix[BACKING_KEY_BYTES + 1] = "", key[BACKING_KEY_BYTES + 1];
        const struct s3_entry part = { .key = key, .is_prefix = true, .etag = "", .storage_class = "" };
        const char *slash = s->key;

        *ret_directory = s->repo->directory;
        while ((slash = strchr(slash, '/'))) {
                slash++;
                snprintf(key, sizeof(key), "%.*s", (int)(slash - s->key), s->key);
                key_find(t, *ret_directory, prefix, &part, ret);
                if (!ret->there)
                        return false;
                *ret_directory = ret->inode->fileid;
                memcpy(prefix, key, sizeof(prefix));
        }
        key_find(t, *ret_directory, prefix, e, ret);
        return true;
}

/* The place of S's file, or second name, whose name here is that of E, S's key; its own key may be another
 * yet. */
static bool find_own(const struct send *s, const struct s3_entry *e, uint64_t *ret_directory,
                     struct key_place *ret)
{
        struct mds *mds = s->archiver->mds;
        const char *slash = strrchr(s->key, '/'), *name = slash ? slash + 1 : s->key;
        uint8_t record[RECORD_MAX];
        struct backing b;
        uint64_t fileid;

        if (!find_place(s, e, ret_directory, ret))
                return false;
        if (!ret->there && strlen(name) <= sizeof(ret->text) &&
            meta_lookup(mds->meta, *ret_directory, slice_str(name), &fileid) == 0 &&
            meta_inode(mds->meta, fileid, &ret->inode) == 0 &&
            second_backing(mds, ret->inode, *ret_directory, slice_str(name), record, &b, &ret->member) == 0) {
                memcpy(ret->text, name, strlen(name));
                ret->name = slice_of(ret->text, (uint32_t)strlen(name));
                ret->there = true;
        }
        return ret->there && ret->member == s->fileid;
}

/* --- s3-wins: what is here goes; who has it open keeps it */

/* Nobody needs what S3 has of the file under its old key, once the file is gone; if it stays, it says so. */
static bool leave_old_key(const struct send *s)
{
        struct txn *t;
        uint64_t seq;

        if (strcmp(s->key, s->old_key) == 0)
                return true;
        t = txn_begin(s->archiver->mds->meta);
        tomb_ripen(s->archiver, t, s->repo->number, slice_str(s->old_key), s->fileid);
        return txn_commit(t, &seq) == 0;
}

static void take_theirs(struct send *s)
{
        const struct s3_object *o = &s->call.object;
        const struct s3_entry e = { .key = s->key,
                                    .size = o->size,
                                    .modified_ns = o->modified_ns,
                                    .etag = o->etag,
                                    .storage_class = o->storage_class };
        const struct inode *file;
        struct key_place place;
        uint64_t directory;

        if (meta_inode(s->archiver->mds->meta, s->file, &file) < 0 || file->change != s->change) {
                send_ended(s, ARCHIVE_AGAIN, ""); /* renamed, perhaps: then it goes elsewhere */
                return;
        }
        if (!find_own(s, &e, &directory, &place)) {
                send_ended(s, ARCHIVE_CONFLICT, "it was changed in S3 as well, and has another name here");
                return;
        }
        sweep_heard(s->repo, s->key);
        if (leave_old_key(s) && key_replace(s->archiver->tier, s->repo, directory, &place, &e) == 0)
                send_ended(s, ARCHIVE_OK, "");
        else
                send_ended(s, ARCHIVE_AGAIN, "");
}

/* --- keep-both: theirs gets a name of its own, beside ours */

/* Also here, at once; else the next sweep makes it. */
static void show_other(struct send *s)
{
        const struct s3_entry e = { .key = s->other_key,
                                    .size = s->other_size,
                                    .modified_ns = env_wall(s->archiver->mds->env),
                                    .etag = s->call.object.etag,
                                    .storage_class = "" };
        struct key_place place;
        uint64_t directory;

        if (find_place(s, &e, &directory, &place) && !place.there)
                key_make_name(s->archiver->tier, s->repo, directory, &place, &e, true);
}

static void kept(struct send *s)
{
        const struct s3_result *r = &s->call.result;

        if (r->error != S3_OK) {
                send_ended(s, (enum archive_error)r->error, r->message);
                return;
        }
        show_other(s);
        memcpy(s->expected, s->other, sizeof(s->expected));
        s->go(s);
}

static void keep_both(struct send *s)
{
        static const struct s3_put_args as_it_is;
        int length;

        memcpy(s->other, s->call.object.etag, sizeof(s->other));
        s->other_size = s->call.object.size;
        length = snprintf(s->other_key, sizeof(s->other_key), "%s.s3-conflict-%.*s", s->key, ETAG_SHOWN,
                          s->other);
        if (length > BACKING_KEY_BYTES)
                send_ended(s, ARCHIVE_TOO_LONG, "the name of the other one would be too long");
        else
                s3_copy(s->repo->s3, send_call(s, kept), s->key, s->other, s->other_key, &as_it_is);
}

static void settle(struct send *s)
{
        log_warn("archive-conflict", "repo=%s key=%s etag=%s expected=%s", s->repo->name, s->key,
                 s->call.object.etag, s->expected[0] ? s->expected : "nothing");
        metric_add(&s->archiver->conflicts, 1);
        switch (s->repo->conf.conflict) {
        case REPO_KEEP_BOTH: keep_both(s); break;
        case REPO_FS_WINS: go_over(s); break;
        case REPO_S3_WINS: take_theirs(s); break;
        default: send_ended(s, ARCHIVE_CONFLICT, "it was changed in S3 as well"); break;
        }
}

/* --- who is it? */

/* One that we wrote there: of this file, with the content that is to be written or an earlier one; of one
 * that was removed, or has left the key. */
static bool is_ours(const struct send *s, struct describe_id *id)
{
        return describe_read_ours(s->archiver->mds, &s->call.object.metadata, slice_str(s->key), id);
}

static void looked(struct send *s)
{
        const struct s3_object *object = &s->call.object;
        enum s3_error error = s->call.result.error;
        struct describe_id id;

        if (error == S3_OBJECT_NOT_FOUND) {
                s->call.object.etag[0] = '\0'; /* also when it was there: it was deleted in S3, not here */
                s->expected[0] = '\0';
                s->unconditional = s->repo->unconditional;
                s->go(s);
        } else if (error != S3_OK) {
                send_ended(s, (enum archive_error)error, s->call.result.message);
        } else if (s->expected[0] && strcmp(object->etag, s->expected) == 0) {
                /* As it should be; a condition that has failed nevertheless is worth nothing, any other keeps
                 * away who comes from now on. */
                s->unconditional = s->refused || s->repo->unconditional;
                s->go(s);
        } else if (!is_ours(s, &id)) {
                settle(s);
        } else if (id.fileid != s->fileid && send_needs_key(s->archiver, id.fileid, s->key)) {
                send_ended(s, ARCHIVE_AGAIN, "");
        } else if (id.fileid == s->fileid && id.change == s->change && object->size == s->bytes) {
                unfinished_give_up(s);
                send_arrived_as(s, object->etag, object->version_id);
        } else {
                go_over(s);
        }
}

void conflict_look(struct send *s)
{
        if (++s->looks > LOOKS_MAX)
                send_ended(s, ARCHIVE_CONFLICT, "it changes in S3 all the time");
        else
                s3_head(s->repo->s3, send_call(s, looked), s->key);
}
