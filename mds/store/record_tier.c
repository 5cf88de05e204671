/* SPDX-License-Identifier: Apache-2.0 */
/* The records of the S3 tier. */
#include "base/check.h"
#include "mds/store/record.h"
#include "mds/store/record_bytes.h"

enum {
        BACKING_OLDEST = 3,
        BACKING_VERSION =
                5, /* 1 had no flags, 2 kept nothing, 3 knew of nothing that comes late, 4 of no versions */
        REPO_VERSION = 2,   /* 1 did not know what was adopted */
        QUEUE_VERSION = 2,  /* 1 had the id of an upload in parts */
        TOMB_VERSION = 3,   /* 1 was over when nothing was there, 2 did not know what was heard */
        UPLOAD_VERSION = 2, /* 1 did not know how long parts are */
        DIGESTS_VERSION = 1,
        HEAD_VERSION = 1,
        GROUP_VERSION = 1,
        MANIFEST_VERSION = 1,
        PAGES_VERSION = 1
};

/* --- what backs a file or directory; repos */

struct slice backing_encode(uint8_t *out, const struct backing *b)
{
        uint8_t *at = put(put(put(out, BACKING_VERSION, 1), b->repo, 4), b->size, 8);

        CHECK(b->key.length <= BACKING_KEY_BYTES && b->etag.length <= BACKING_ETAG_BYTES);
        CHECK(b->version.length <= BACKING_OBJECT_VERSION_BYTES && b->kept.length <= BACKING_KEPT_BYTES);
        at = put(put(put(at, b->valid, 8), (uint64_t)b->modified, 8), b->change, 8);
        at = put(put_bytes(at, b->here, BACKING_HERE_BYTES), b->flags, 1);
        at = put(put(at, (uint64_t)b->late, 8), (uint64_t)b->again, 8);
        at = put_bytes(put(at, b->key.length, 2), b->key.data, b->key.length);
        at = put_bytes(put(at, b->etag.length, 1), b->etag.data, b->etag.length);
        at = put_bytes(put(at, b->version.length, 1), b->version.data, b->version.length);
        return written(out, put_bytes(put(at, b->kept.length, 2), b->kept.data, b->kept.length));
}

/* Names and values, each with its NUL. */
static bool is_kept(struct slice kept)
{
        uint32_t nuls = 0;

        for (uint32_t i = 0; i < kept.length; i++)
                nuls += kept.data[i] == 0;
        return nuls % 2 == 0 && (kept.length == 0 || kept.data[kept.length - 1] == 0);
}

bool backing_decode(struct slice value, struct backing *ret)
{
        uint8_t version = value.length > 0 ? value.data[0] : 0;
        bool known = version >= BACKING_OLDEST && version <= BACKING_VERSION;
        struct reader r = read_value(value, known ? version : BACKING_VERSION);

        ret->repo = (uint32_t)take(&r, 4);
        ret->size = take(&r, 8);
        ret->valid = take(&r, 8);
        ret->modified = (int64_t)take(&r, 8);
        ret->change = take(&r, 8);
        take_bytes(&r, ret->here, BACKING_HERE_BYTES);
        ret->flags = (uint8_t)take(&r, 1);
        ret->late = version < 4 ? 0 : (int64_t)take(&r, 8);
        ret->again = version < 4 ? 0 : (int64_t)take(&r, 8);
        ret->key = take_slice(&r, (uint32_t)take(&r, 2));
        ret->etag = take_slice(&r, (uint32_t)take(&r, 1));
        ret->version = version < 5 ? slice_of(NULL, 0) : take_slice(&r, (uint32_t)take(&r, 1));
        ret->kept = take_slice(&r, (uint32_t)take(&r, 2));
        return whole(&r) && ret->valid <= ret->size && ret->key.length <= BACKING_KEY_BYTES &&
               ret->etag.length <= BACKING_ETAG_BYTES &&
               ret->version.length <= BACKING_OBJECT_VERSION_BYTES &&
               ret->kept.length <= BACKING_KEPT_BYTES && is_kept(ret->kept);
}

struct slice repo_encode(uint8_t *out, const struct repo_record *p)
{
        uint8_t *at = put(put(out, REPO_VERSION, 1), p->directory, 8);

        CHECK(p->name.length <= REPO_NAME_BYTES);
        at = put_bytes(put(at, p->name.length, 1), p->name.data, p->name.length);
        at = put_bytes(put(at, p->url.length, 2), p->url.data, p->url.length);
        return written(out, put(at, p->adopted, 1));
}

bool repo_decode(struct slice value, struct repo_record *ret)
{
        bool old = value.length > 0 && value.data[0] == 1;
        struct reader r = read_value(value, old ? 1 : REPO_VERSION);

        ret->directory = take(&r, 8);
        ret->name = take_slice(&r, (uint32_t)take(&r, 1));
        ret->url = take_slice(&r, (uint32_t)take(&r, 2));
        ret->adopted = !old && take(&r, 1) != 0;
        return whole(&r) && ret->name.length <= REPO_NAME_BYTES;
}

/* --- what is queued for S3, what is to be deleted there */

struct slice queue_encode(uint8_t *out, const struct queue_record *q)
{
        uint8_t *at = put(put(out, QUEUE_VERSION, 1), (uint64_t)q->since, 8);

        CHECK(q->key.length <= BACKING_KEY_BYTES && q->sent_key.length <= BACKING_KEY_BYTES);
        at = put(put(at, q->what, 1), q->failed, 1);
        at = put_bytes(put(at, q->key.length, 2), q->key.data, q->key.length);
        return written(out, put_bytes(put(at, q->sent_key.length, 2), q->sent_key.data, q->sent_key.length));
}

bool queue_decode(struct slice value, struct queue_record *ret)
{
        bool old = value.length > 0 && value.data[0] == 1;
        struct reader r = read_value(value, old ? 1 : QUEUE_VERSION);

        ret->since = (int64_t)take(&r, 8);
        ret->what = (uint8_t)take(&r, 1);
        ret->failed = (uint8_t)take(&r, 1);
        ret->key = take_slice(&r, (uint32_t)take(&r, 2));
        if (old)
                take_slice(&r, (uint32_t)take(&r, 2));
        ret->sent_key = take_slice(&r, (uint32_t)take(&r, 2));
        return whole(&r) && ret->key.length <= BACKING_KEY_BYTES && ret->sent_key.length <= BACKING_KEY_BYTES;
}

enum { TOMB_GONE = 1, TOMB_REMOVED = 2 };

struct slice tomb_encode(uint8_t *out, const struct tomb_record *z)
{
        uint8_t marks = (uint8_t)((z->gone ? TOMB_GONE : 0) | (z->removed ? TOMB_REMOVED : 0));
        uint8_t *at = put(put(put(out, TOMB_VERSION, 1), (uint64_t)z->due, 8), (uint64_t)z->late, 8);

        at = put(put(put(at, (uint64_t)z->unheard, 8), (uint64_t)z->deleting, 8), marks, 1);
        at = put(at, z->fileid, 8);
        CHECK(z->etag.length <= BACKING_ETAG_BYTES);
        return written(out, put_bytes(put(at, z->etag.length, 1), z->etag.data, z->etag.length));
}

bool tomb_decode(struct slice value, struct tomb_record *ret)
{
        uint8_t version = value.length > 0 && value.data[0] < TOMB_VERSION ? value.data[0] : TOMB_VERSION;
        struct reader r = read_value(value, version);
        uint8_t marks;

        ret->due = (int64_t)take(&r, 8);
        ret->late = version < 2 ? 0 : (int64_t)take(&r, 8);
        ret->unheard = version < 3 ? ret->late : (int64_t)take(&r, 8);
        ret->deleting = version < 2 ? 0 : (int64_t)take(&r, 8);
        marks = version < 2 ? 0 : (uint8_t)take(&r, 1);
        ret->gone = marks & TOMB_GONE;
        ret->removed = marks & TOMB_REMOVED;
        ret->fileid = take(&r, 8);
        ret->etag = take_slice(&r, (uint32_t)take(&r, 1));
        return whole(&r) && ret->etag.length <= BACKING_ETAG_BYTES;
}

struct slice upload_encode(uint8_t *out, const struct upload_record *u)
{
        uint8_t *at = put(put(put(out, UPLOAD_VERSION, 1), u->repo, 4), u->generation, 4);

        CHECK(u->key.length <= BACKING_KEY_BYTES && u->upload_id.length <= UPLOAD_ID_BYTES);
        at = put(put(put(at, u->change, 8), (uint64_t)u->until, 8), u->part_bytes, 8);
        at = put_bytes(put(at, u->key.length, 2), u->key.data, u->key.length);
        return written(out,
                       put_bytes(put(at, u->upload_id.length, 2), u->upload_id.data, u->upload_id.length));
}

bool upload_decode(struct slice value, struct upload_record *ret)
{
        bool old = value.length > 0 && value.data[0] == 1;
        struct reader r = read_value(value, old ? 1 : UPLOAD_VERSION);

        ret->repo = (uint32_t)take(&r, 4);
        ret->generation = (uint32_t)take(&r, 4);
        ret->change = take(&r, 8);
        ret->until = (int64_t)take(&r, 8);
        ret->part_bytes = old ? 0 : take(&r, 8);
        ret->key = take_slice(&r, (uint32_t)take(&r, 2));
        ret->upload_id = take_slice(&r, (uint32_t)take(&r, 2));
        return whole(&r) && ret->key.length <= BACKING_KEY_BYTES && ret->upload_id.length <= UPLOAD_ID_BYTES;
}

struct slice key_all_digests(uint8_t *out, uint64_t fileid)
{
        out[0] = 'y';
        return written(out, put(out + 1, fileid, 8));
}

struct slice key_digests(uint8_t *out, uint64_t fileid, uint64_t first)
{
        out[0] = 'y';
        return written(out, put(put(out + 1, fileid, 8), first, 8));
}

struct slice digests_encode(uint8_t *out, const struct digests_record *d)
{
        uint8_t *at = put(put(put(out, DIGESTS_VERSION, 1), d->size, 8), d->part_bytes, 8);

        CHECK(d->etag.length <= BACKING_ETAG_BYTES && d->digests.length % DIGEST_BYTES == 0);
        CHECK(d->digests.length <= DIGESTS_A_RECORD * DIGEST_BYTES && d->part_bytes > 0);
        at = put_bytes(put(at, d->etag.length, 1), d->etag.data, d->etag.length);
        return written(out, put_bytes(put(at, d->digests.length, 2), d->digests.data, d->digests.length));
}

bool digests_decode(struct slice value, struct digests_record *ret)
{
        struct reader r = read_value(value, DIGESTS_VERSION);

        ret->size = take(&r, 8);
        ret->part_bytes = take(&r, 8);
        ret->etag = take_slice(&r, (uint32_t)take(&r, 1));
        ret->digests = take_slice(&r, (uint32_t)take(&r, 2));
        return whole(&r) && ret->part_bytes > 0 && ret->etag.length <= BACKING_ETAG_BYTES &&
               ret->digests.length % DIGEST_BYTES == 0 &&
               ret->digests.length <= DIGESTS_A_RECORD * DIGEST_BYTES;
}

/* --- what S3 has still to be asked about, and second names: the name is the rest of the value */

struct slice head_encode(uint8_t *out, const struct head_record *h)
{
        uint8_t *at = put(put(out, HEAD_VERSION, 1), h->directory, 8);

        CHECK(h->name.length > 0 && h->name.length <= NFS4_MAXNAME);
        return written(out, put_bytes(at, h->name.data, h->name.length));
}

bool head_decode(struct slice value, struct head_record *ret)
{
        struct reader r = read_value(value, HEAD_VERSION);

        ret->directory = take(&r, 8);
        ret->name = slice_of(r.at, (uint32_t)(r.end - r.at));
        return !r.failed && ret->name.length > 0 && ret->name.length <= NFS4_MAXNAME;
}

/* --- names that are to be one file */

struct slice key_groups(uint8_t *out, const struct group_key *g)
{
        out[0] = 'k';
        return written(out, put(put(put(put(out + 1, g->repo, 4), g->cluster, 8), g->fileid, 8),
                                g->generation, 4));
}

struct slice key_group(uint8_t *out, const struct group_key *g)
{
        struct slice prefix = key_groups(out, g);

        return written(out, put(out + prefix.length, g->number, 8));
}

bool key_parse_group(struct slice key, struct group_key *ret)
{
        struct reader r = { key.data, key.data + key.length, false };
        bool is_one = take(&r, 1) == 'k';

        ret->repo = (uint32_t)take(&r, 4);
        ret->cluster = take(&r, 8);
        ret->fileid = take(&r, 8);
        ret->generation = (uint32_t)take(&r, 4);
        ret->number = take(&r, 8);
        return is_one && whole(&r);
}

struct slice group_encode(uint8_t *out, uint32_t generation)
{
        return written(out, put(put(out, GROUP_VERSION, 1), generation, 4));
}

bool group_decode(struct slice value, uint32_t *ret_generation)
{
        struct reader r = read_value(value, GROUP_VERSION);

        *ret_generation = (uint32_t)take(&r, 4);
        return whole(&r);
}

/* --- manifests */

struct slice key_manifest(uint8_t *out, uint32_t repo, struct slice key)
{
        return key_object(out, 'e', repo, key);
}

struct slice key_pages(uint8_t *out, uint32_t repo, struct slice key)
{
        return key_object(out, 'g', repo, key);
}

bool key_parse_manifest(struct slice key, uint32_t *ret_repo, struct slice *ret_key)
{
        return key_parse_object(key, 'e', ret_repo, ret_key);
}

bool key_parse_pages(struct slice key, uint32_t *ret_repo, struct slice *ret_key)
{
        return key_parse_object(key, 'g', ret_repo, ret_key);
}

struct slice manifest_encode(uint8_t *out, int64_t due)
{
        return written(out, put(put(out, MANIFEST_VERSION, 1), (uint64_t)due, 8));
}

bool manifest_decode(struct slice value, int64_t *ret_due)
{
        struct reader r = read_value(value, MANIFEST_VERSION);

        *ret_due = (int64_t)take(&r, 8);
        return whole(&r);
}

struct slice pages_encode(uint8_t *out, uint32_t count)
{
        return written(out, put(put(out, PAGES_VERSION, 1), count, 4));
}

bool pages_decode(struct slice value, uint32_t *ret_count)
{
        struct reader r = read_value(value, PAGES_VERSION);

        *ret_count = (uint32_t)take(&r, 4);
        return whole(&r);
}
