/* SPDX-License-Identifier: Apache-2.0 */
/* UPLOAD: the MDS has a range of a file sent to S3 (ds/tier/upload.h). The bytes of one are in memory all at
 * once, so uploads wait here, in order, for their share: UPLOAD_BYTES for all of this data server (one that
 * is longer goes alone), and UPLOADS at a time. They are spread over the workers. A PUT of a whole object
 * waits for any other upload of that file: the MDS may ask again while one is under way that it has lost
 * sight of, and the older one must not land last. */
#include <stdlib.h>
#include <string.h>

#include "ds/ctl_client.h"
#include "ds/ctl_serve.h"
#include "ds/tier/upload.h"
#include "s3tier/multipart.h"

enum { UPLOADS = 256 };
#define UPLOAD_BYTES (64ull << 20)
#define UPLOAD_LONGEST (640ull << 20) /* a part of 5 TiB, the longest object that S3 has: s3_part_bytes() */

static const ctl_upload_args *args_of(const struct ctl_request *r)
{
        return &r->args.upload;
}

static struct upload_queue *queue_of(const struct ds *ds)
{
        return &ds->tier->uploads;
}

/* --- does it make sense? */

/* RFC 9110 §5.6.2 allows more; these go through every store. With a colon, a header of S3's own. */
static bool is_name(const char *s)
{
        if (s[0] == ':')
                return s3_is_description(s + 1);
        return s[0] != '\0' &&
               s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] == '\0';
}

static bool is_printable(const char *s)
{
        while (*s >= ' ' && *s <= '~')
                s++;
        return *s == '\0';
}

/* What others have given an object may be of more than ASCII. */
static bool is_text(const char *s)
{
        while ((uint8_t)*s >= ' ' && *s != 0x7f)
                s++;
        return *s == '\0';
}

static bool has_good_words(const ctl_upload_args *a)
{
        for (u_int i = 0; i < a->metadata.metadata_len; i++)
                if (!is_name(a->metadata.metadata_val[i].name) || !is_text(a->metadata.metadata_val[i].value))
                        return false;
        return a->key[0] != '\0' && is_printable(a->if_match) && is_printable(a->upload_id);
}

/* Is all of the range on data servers that are named? */
static bool has_good_range(const ctl_upload_args *a)
{
        struct stripe s = ctl_object_stripe(&a->object);
        uint32_t index = a->object.index;

        if (a->length > UPLOAD_LONGEST || a->offset > (uint64_t)INT64_MAX - UPLOAD_LONGEST)
                return false;
        if (a->members.members_len > 0)
                return a->members.members_len == s.width;
        return stripe_object_size(s, index, a->offset + a->length) -
                       stripe_object_size(s, index, a->offset) ==
               a->length;
}

static bool is_handle_of(const struct fh *fh, const ctl_object *o)
{
        return fh->kind == FH_DS && fh->fileid == o->fileid && fh->generation == o->generation &&
               fh->unit == o->unit && fh->width == o->width && fh->first == o->first;
}

static bool makes_sense(const struct ctl_request *r, struct fh *ret)
{
        const ctl_upload_args *a = args_of(r);

        return ctl_object_is_valid(&a->object) && has_good_range(a) && has_good_words(a) &&
               (a->upload_id[0] == '\0' ? !a->digest : a->part >= 1 && a->part <= S3_PARTS) &&
               (a->known.known_len == 0 || (a->digest && a->known.known_len == SHA256_BYTES)) &&
               fh_decode(a->handle.handle_val, a->handle.handle_len, r->ds->workers[0]->nfs.key, ret) &&
               is_handle_of(ret, &a->object);
}

/* --- the answer */

void ctl_upload_refuse(struct ctl_request *r, ctl_status status)
{
        char none[] = "";
        ctl_upload_res res = {
                .status = status, .etag = none, .version_id = none, .error = none, .message = none
        };

        ctl_serve_answer(r, (xdrproc_t)xdr_ctl_upload_res, &res);
}

static void answer(struct ctl_request *r)
{
        struct upload *u = r->upload;
        char error[64];
        ctl_upload_res res = { .status = u->status,
                               .etag = u->etag,
                               .version_id = u->version,
                               .error = error,
                               .message = u->message,
                               .same = u->same,
                               .late = u->late };

        snprintf(error, sizeof(error), "%s", u->error);
        if (u->status == CTL_OK && args_of(r)->digest) {
                res.digest.digest_len = SHA256_BYTES;
                res.digest.digest_val = (char *)u->digest;
        }
        ctl_serve_answer(r, (xdrproc_t)xdr_ctl_upload_res, &res);
        free(u);
}

/* --- whose turn it is */

static bool has_room(const struct upload_queue *q, const struct ctl_request *r)
{
        return q->count < UPLOADS && (q->count == 0 || q->bytes + args_of(r)->length <= UPLOAD_BYTES);
}

/* Parts are each other's equals: what counts is what the upload is completed with. */
static bool must_wait(const struct upload_queue *q, const struct ctl_request *r)
{
        const ctl_upload_args *a = args_of(r);

        LIST_FOR_EACH(node, &q->running) {
                const ctl_upload_args *other = args_of(CONTAINER(node, struct ctl_request, node));

                if (other->object.fileid == a->object.fileid && !(a->upload_id[0] && other->upload_id[0]))
                        return true;
        }
        return false;
}

static void ended(struct upload *u)
{
        struct ctl_request *r = u->request;
        struct upload_queue *q = queue_of(r->ds);

        list_remove(&r->node);
        q->count--;
        q->bytes -= args_of(r)->length;
        env_defer(r->ds->env, &q->pump);
        answer(r);
}

static void start(struct upload_queue *q, struct ctl_request *r)
{
        struct ds *ds = r->ds;

        list_remove(&r->node);
        list_push(&q->running, &r->node);
        q->count++;
        q->bytes += args_of(r)->length;
        upload_start(ds->workers[q->next_worker++ % ds->worker_count], r->upload);
}

/* Nobody hears the answer to who has called on a connection that is closed: the MDS asks again. */
static void pump(struct task *task)
{
        struct upload_queue *q = CONTAINER(task, struct upload_queue, pump);

        LIST_FOR_EACH_SAFE(node, &q->waiting) {
                struct ctl_request *r = CONTAINER(node, struct ctl_request, node);

                if (q->given_up || conn_is_closed(r->call.conn)) {
                        list_remove(&r->node);
                        r->upload->status = CTL_UNKNOWN;
                        answer(r);
                } else if (!has_room(q, r)) {
                        return;
                } else if (!must_wait(q, r)) {
                        start(q, r);
                }
        }
}

void ctl_serve_upload(struct ctl_request *r)
{
        struct upload_queue *q = queue_of(r->ds);
        struct fh fh;

        if (!makes_sense(r, &fh)) {
                ctl_client_nonsense(r->ds->ctl, "an upload");
                ctl_upload_refuse(r, CTL_INVAL);
                return;
        }
        r->upload = calloc(1, sizeof(*r->upload));
        if (!r->upload) {
                ctl_upload_refuse(r, CTL_IO);
                return;
        }
        *r->upload =
                (struct upload){ .request = r, .args = args_of(r), .fh = fh, .error = "", .done = ended };
        list_push(&q->waiting, &r->node);
        env_defer(r->ds->env, &q->pump);
}

/* --- the queue's life */

void upload_queue_init(struct upload_queue *q)
{
        list_init(&q->waiting);
        list_init(&q->running);
        list_init(&q->pump.node);
        q->pump.run = pump;
}

void upload_queue_give_up(struct upload_queue *q, struct env *env)
{
        q->given_up = true;
        env_defer(env, &q->pump);
}

void upload_queue_destroy(struct upload_queue *q)
{
        CHECK(list_empty(&q->waiting) && list_empty(&q->running));
        list_remove(&q->pump.node);
}
