/* SPDX-License-Identifier: Apache-2.0 */
/* Parts that are what they were are copied inside S3 (UploadPartCopy) from the object that is written over
 * or left, if it is still the one with the ETag that its digests are of. A data server has read such a part
 * like any other, between the two looks at the change attribute, and what it has read is durable: so what is
 * completed is the file here as well. Not every store heeds the condition of a copy (radosgw 16), or knows it
 * for an object of parts (Swift): when the look before the end finds another object there, nothing that was
 * copied is used. */
#include <stdlib.h>

#include "mds/tier/parts_private.h"

enum { COPY_SECONDS = 60 /* for S3 to make one, and */, COPY_SLOWEST = 256 * 1024 /* bytes a second */ };

#define PART_MOST ((uint64_t)512 << 20) /* unless they have to be longer */

struct part_copy {
        struct list node; /* in parts->copies */
        struct part *part;
        struct s3_call call;
};

/* Where they begin they begin again, as long as there are not too many; then they are twice as long, so that
 * a file that grows is not sent as a whole after each few per cent. */
uint64_t parts_length(uint64_t size, uint64_t unit, uint64_t before)
{
        uint64_t least = s3_part_bytes(size, unit);

        if (before == 0 || before % unit != 0)
                return least;
        if ((size + before - 1) / before <= S3_PARTS)
                return before;
        return 2 * before > least && 2 * before <= PART_MOST ? 2 * before : least;
}

void parts_look_back(struct send *s, struct parts *p)
{
        if (s->etag[0] && !send_is_second(s) && !s->whole && !s->repo->no_part_copies &&
            (parts_is_renamed(s) || strcmp(s->expected, s->etag) == 0))
                digests_read(s->archiver->mds, s->fileid, s->etag, &p->old);
}

const uint8_t *parts_known(const struct send *s, unsigned i)
{
        const struct parts *p = s->parts;

        if (s->whole || s->repo->no_part_copies || p->old.part_bytes != p->part_bytes ||
            !digests_has(&p->old, i) || digests_part_bytes(&p->old, i) != p->list[i].size)
                return NULL;
        return p->old.list[i];
}

/* The part is sent instead. */
static void send_it(struct part *part)
{
        struct parts *p = part->send->parts;

        if (p->begun >= part->number)
                p->begun = part->number - 1;
}

static void refused(struct part *part, const struct s3_result *r)
{
        struct send *s = part->send;
        struct parts *p = s->parts;

        switch (r->error) {
        case S3_OBJECT_NOT_FOUND: /* or the upload: then all of it is sent again, too */
                s->whole = true;
                /* fall through */
        case S3_OBJECT_CHANGED:
        case S3_PRECONDITION_FAILED:
                p->doubted = true;
                send_it(part);
                break;
        case S3_SLOW_DOWN:
        case S3_TIMED_OUT:
        case S3_UNREACHABLE:
        case S3_CLOCK_SKEW:
        case S3_INTERNAL:
                if (p->error != ARCHIVE_OK)
                        break;
                p->error = (enum archive_error)r->error;
                snprintf(p->message, sizeof(p->message), "%s", r->message);
                break;
        case S3_NOT_IMPLEMENTED:
                s->repo->no_part_copies = true;
                send_it(part);
                break;
        default: s->whole = true; send_it(part);
        }
}

static void copied(struct s3_call *call)
{
        struct part_copy *c = CONTAINER(call, struct part_copy, call);
        struct part *part = c->part;
        struct send *s = part->send;
        struct parts *p = s->parts;

        if (s->archiver->stopping)
                return;
        part->under_way = false;
        p->copying--;
        if (call->result.error == S3_OK) {
                p->copied = true;
                snprintf(p->list[part->number - 1].etag, S3_ETAG_BYTES, "%s", call->object.etag);
                metric_add(&s->archiver->copied_bytes, p->list[part->number - 1].size);
        } else {
                refused(part, &call->result);
        }
        list_remove(&c->node);
        free(c);
        parts_go_on(s);
}

void parts_copy(struct part *part)
{
        struct send *s = part->send;
        struct parts *p = s->parts;
        struct part_copy *c = calloc(1, sizeof(*c));
        uint64_t bytes = p->list[part->number - 1].size;

        if (!c) {
                part->under_way = false;
                s->whole = true;
                send_it(part);
                parts_go_on(s);
                return;
        }
        c->part = part;
        c->call.priority = S3_EXPORT;
        c->call.deadline_ms = 1000 * (COPY_SECONDS + (uint32_t)(bytes / COPY_SLOWEST));
        c->call.done = copied;
        list_push(&p->copies, &c->node);
        p->copying++;
        s3_upload_part_copy(s->repo->s3, &c->call, s->key, s->upload_id, part->number, s->old_key,
                            s->repo->no_copy_conditions ? NULL : s->etag, (part->number - 1) * p->part_bytes,
                            bytes);
}

void parts_cancel_copies(struct parts *p)
{
        for (struct list *node; (node = list_pop(&p->copies));) {
                struct part_copy *c = CONTAINER(node, struct part_copy, node);

                s3_cancel(&c->call);
                free(c);
        }
        p->copying = 0;
}
