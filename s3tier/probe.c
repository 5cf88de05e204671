/* SPDX-License-Identifier: Apache-2.0 */
/* A list of steps, each one request and what its answer says; one after the other. */
#include "s3tier/probe.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/digest.h"
#include "s3tier/call.h"
#include "s3tier/listing.h"

enum { KEYS = 3, DEADLINE_MS = 15000, KEY_BYTES = 64, LEFT_MAX = 16 /* aborted by one probe */ };
#define LEFT_NS 3600000000000ull /* no probe takes so long, however far S3's clock is from ours */
#define FOLDER ".nacre-probe-"
static const char body_text[] = "what an endpoint can do is found by trying it\n";
static const char wrong_etag[] = "00000000000000000000000000000000";

struct s3_probe_run {
        struct s3 *s3;
        struct s3_probe *probe;
        unsigned step;
        struct s3_conf before;      /* what the bucket's configuration said */
        char keys[KEYS][KEY_BYTES]; /* put, copied, uploaded */
        char etag[S3_ETAG_BYTES], upload_id[S3_UPLOAD_ID_BYTES];
        struct iovec body;
        struct s3_metadata metadata;
        struct s3_part part;
        struct s3_call call;
        struct s3_list list;
        struct s3_complete complete;
        struct s3_upload_list uploads;
        struct left {
                char key[KEY_BYTES], upload_id[S3_UPLOAD_ID_BYTES];
        } left[LEFT_MAX]; /* by probes that were interrupted */
        unsigned left_count, left_at, sum, deleted;
};

struct step {
        void (*start)(struct s3_probe_run *r);
        void (*judge)(struct s3_probe_run *r, const struct s3_call *call); /* NULL: whatever it was */
};

static void set(struct s3_probe_run *r, enum s3_ability ability, bool can)
{
        r->probe->found.can[ability] = can ? S3_YES : S3_NO;
}

static bool is_ok(const struct s3_call *call)
{
        return call->result.error == S3_OK;
}

static void put(struct s3_probe_run *r, bool if_none_match, const char *if_match)
{
        const struct s3_put_args args = { &r->body, 1, if_none_match, if_match, .metadata = &r->metadata };

        s3_put(r->s3, &r->call, r->keys[0], &args);
}

/* --- reading and writing at all */

static void no_entry(struct s3_list *list, const struct s3_entry *entry)
{
        (void)list, (void)entry;
}

static void start_list(struct s3_probe_run *r)
{
        r->list.prefix = r->list.delimiter = r->list.start_after = "";
        r->list.page = 1;
        r->list.entry = no_entry;
        s3_list_first(r->s3, &r->list);
}

static void note_trouble(struct s3_probe_run *r, const struct s3_call *call)
{
        if (!is_ok(call) && r->probe->found.trouble.error == S3_OK)
                r->probe->found.trouble = call->result;
}

static void judge_list(struct s3_probe_run *r, const struct s3_call *call)
{
        set(r, S3_CAN_READ, is_ok(call));
        note_trouble(r, call);
}

static void start_put(struct s3_probe_run *r)
{
        put(r, false, NULL);
}

static void judge_put(struct s3_probe_run *r, const struct s3_call *call)
{
        set(r, S3_CAN_WRITE, is_ok(call));
        note_trouble(r, call);
        if (!is_ok(call))
                return;
        strcpy(r->etag, call->object.etag);
        set(r, S3_ETAG_IS_MD5, strcmp(call->object.etag, call->md5_hex) == 0);
        set(r, S3_HAS_VERSIONS, call->object.version_id[0] != '\0');
}

static void start_head(struct s3_probe_run *r)
{
        s3_head(r->s3, &r->call, r->keys[0]);
}

static void judge_head(struct s3_probe_run *r, const struct s3_call *call)
{
        const char *value = s3_metadata_get(&call->object.metadata, "nacre-probe");

        note_trouble(r, call);
        if (!is_ok(call)) {
                set(r, S3_CAN_READ, false);
                return;
        }
        set(r, S3_CAN_METADATA, value && strcmp(value, "kept") == 0);
}

/* --- conditions */

static void start_put_new(struct s3_probe_run *r)
{
        put(r, true, NULL);
}

static void judge_put_new(struct s3_probe_run *r, const struct s3_call *call)
{
        set(r, S3_CAN_PUT_IF_NONE_MATCH, call->result.error == S3_PRECONDITION_FAILED);
}

static void start_put_wrong(struct s3_probe_run *r)
{
        put(r, false, wrong_etag);
}

/* Refused is half of it: the right one must be taken, too. */
static void judge_put_wrong(struct s3_probe_run *r, const struct s3_call *call)
{
        set(r, S3_CAN_PUT_IF_MATCH, call->result.error == S3_PRECONDITION_FAILED);
        if (is_ok(call))
                strcpy(r->etag, call->object.etag);
}

static void start_put_right(struct s3_probe_run *r)
{
        put(r, false, r->etag);
}

static void judge_put_right(struct s3_probe_run *r, const struct s3_call *call)
{
        if (!is_ok(call))
                set(r, S3_CAN_PUT_IF_MATCH, false);
        if (r->probe->found.can[S3_CAN_PUT_IF_MATCH] == S3_YES)
                set(r, S3_WANTS_BARE_ETAGS, r->s3->conf.bare_etags);
}

/* --- checksums: a header that does not fit the body must be refused */

static const struct wrong {
        const char *header, *value;
        enum s3_checksum checksum;
        enum s3_ability ability;
} wrong_sums[] = {
        { "content-md5", "AAAAAAAAAAAAAAAAAAAAAA==", S3_SUM_NONE, S3_CAN_CONTENT_MD5 },
        { "x-amz-checksum-crc32c", "AAAAAA==", S3_SUM_CRC32C, S3_CAN_CRC32C },
        { "x-amz-checksum-crc64nvme", "AAAAAAAAAAA=", S3_SUM_CRC64NVME, S3_CAN_CRC64NVME },
};
enum { SUMS = sizeof(wrong_sums) / sizeof(*wrong_sums) };

static void start_wrong_sum(struct s3_probe_run *r)
{
        const struct wrong *w = &wrong_sums[r->sum];

        s3_begin(r->s3, &r->call, S3_KIND_PUT, HTTP_PUT, r->keys[0]);
        s3_put_raw(&r->call, &r->body, 1);
        if (w->checksum != S3_SUM_NONE)
                s3_header(&r->call, "x-amz-sdk-checksum-algorithm", s3_sum_algorithm(w->checksum));
        s3_header(&r->call, w->header, w->value);
        s3_start(&r->call, S3_SMALL_ANSWER);
}

static void judge_wrong_sum(struct s3_probe_run *r, const struct s3_call *call)
{
        enum s3_error e = call->result.error;

        set(r, wrong_sums[r->sum].ability, e == S3_CHECKSUM || (e == S3_ERROR && call->result.status == 400));
        if (++r->sum < SUMS)
                r->step--; /* the next one */
}

/* --- copies */

static void start_copy(struct s3_probe_run *r)
{
        s3_copy(r->s3, &r->call, r->keys[0], NULL, r->keys[1], &(struct s3_put_args){ .metadata = NULL });
}

static void judge_copy(struct s3_probe_run *r, const struct s3_call *call)
{
        set(r, S3_CAN_COPY, is_ok(call));
}

static void start_copy_wrong(struct s3_probe_run *r)
{
        s3_copy(r->s3, &r->call, r->keys[0], wrong_etag, r->keys[1],
                &(struct s3_put_args){ .metadata = NULL });
}

static void judge_copy_wrong(struct s3_probe_run *r, const struct s3_call *call)
{
        set(r, S3_CAN_COPY_IF_MATCH, call->result.error == S3_OBJECT_CHANGED && call->result.status == 412);
}

/* --- uploads */

static void start_upload(struct s3_probe_run *r)
{
        s3_upload_create(r->s3, &r->call, r->keys[2], &(struct s3_put_args){ .metadata = NULL });
}

static void judge_upload(struct s3_probe_run *r, const struct s3_call *call)
{
        set(r, S3_CAN_MULTIPART, is_ok(call));
        strcpy(r->upload_id, call->upload_id);
}

static void start_part_copy(struct s3_probe_run *r)
{
        s3_upload_part_copy(r->s3, &r->call, r->keys[2], r->upload_id, 1, r->keys[0], NULL, 0,
                            r->body.iov_len);
}

static void judge_part_copy(struct s3_probe_run *r, const struct s3_call *call)
{
        set(r, S3_CAN_PART_COPY, is_ok(call));
}

static void start_part(struct s3_probe_run *r)
{
        s3_upload_part(r->s3, &r->call, r->keys[2], r->upload_id, 1, &r->body, 1);
}

static void judge_part(struct s3_probe_run *r, const struct s3_call *call)
{
        if (!is_ok(call))
                set(r, S3_CAN_MULTIPART, false);
        r->part = (struct s3_part){ .number = 1, .size = r->body.iov_len };
        strcpy(r->part.etag, call->object.etag);
}

/* Over the object that is there already: the condition must fail. */
static void start_complete(struct s3_probe_run *r)
{
        r->complete.parts = &r->part;
        r->complete.count = 1;
        r->complete.size = r->body.iov_len;
        r->complete.if_none_match = true;
        s3_upload_complete(r->s3, &r->complete, r->keys[2], r->upload_id);
}

static void judge_complete(struct s3_probe_run *r, const struct s3_call *call)
{
        set(r, S3_CAN_COMPLETE_IF_NONE_MATCH, call->result.error == S3_PRECONDITION_FAILED);
        if (!is_ok(call) && call->result.error != S3_PRECONDITION_FAILED)
                set(r, S3_CAN_MULTIPART, false);
}

static void start_abort(struct s3_probe_run *r)
{
        s3_upload_abort(r->s3, &r->call, r->keys[2], r->upload_id);
}

/* --- uploads of probes that were interrupted: this one's own is over by now */

/* Is KEY one that a probe has made up for an upload? */
static bool is_of_probe(const char *key)
{
        unsigned long long random;
        char again[KEY_BYTES];

        if (sscanf(key, FOLDER "%16llx/", &random) != 1)
                return false;
        snprintf(again, sizeof(again), FOLDER "%016llx/uploaded", random);
        return strcmp(key, again) == 0;
}

static void on_left(struct s3_upload_list *list, const struct s3_upload *u)
{
        struct s3_probe_run *r = CONTAINER(list, struct s3_probe_run, uploads);
        struct left *left;

        if (r->left_count == LEFT_MAX || !is_of_probe(u->key) ||
            u->initiated_ns + LEFT_NS > env_wall(r->s3->http->env))
                return;
        left = &r->left[r->left_count++];
        strcpy(left->key, u->key);
        strcpy(left->upload_id, u->upload_id);
}

static void start_list_left(struct s3_probe_run *r)
{
        r->uploads.prefix = FOLDER;
        r->uploads.upload = on_left;
        s3_uploads(r->s3, &r->uploads);
}

static void judge_list_left(struct s3_probe_run *r, const struct s3_call *call)
{
        if (is_ok(call) && r->uploads.more && r->left_count < LEFT_MAX)
                r->step--; /* the next page */
        else if (r->left_count == 0)
                r->step++; /* nothing is to be aborted */
}

static void start_abort_left(struct s3_probe_run *r)
{
        s3_upload_abort(r->s3, &r->call, r->left[r->left_at].key, r->left[r->left_at].upload_id);
}

static void judge_abort_left(struct s3_probe_run *r, const struct s3_call *call)
{
        (void)call;
        if (++r->left_at < r->left_count)
                r->step--; /* the next one */
}

/* --- what is left behind goes */

static void start_put_third(struct s3_probe_run *r)
{
        s3_put(r->s3, &r->call, r->keys[2], &(struct s3_put_args){ .body = &r->body, .body_count = 1 });
}

static void start_delete_wrong(struct s3_probe_run *r)
{
        s3_delete(r->s3, &r->call, r->keys[0], wrong_etag);
}

static void judge_delete_wrong(struct s3_probe_run *r, const struct s3_call *call)
{
        set(r, S3_CAN_DELETE_IF_MATCH, call->result.error == S3_PRECONDITION_FAILED);
}

static void start_delete(struct s3_probe_run *r)
{
        s3_delete(r->s3, &r->call, r->keys[r->deleted], NULL);
}

static void judge_delete(struct s3_probe_run *r, const struct s3_call *call)
{
        note_trouble(r, call);
        if (!is_ok(call))
                set(r, S3_CAN_WRITE, false);
        if (++r->deleted < KEYS)
                r->step--; /* the next one */
}

static const struct step steps[] = {
        { start_list, judge_list },
        { start_put, judge_put },
        { start_head, judge_head },
        { start_put_new, judge_put_new },
        { start_put_wrong, judge_put_wrong },
        { start_put_right, judge_put_right },
        { start_wrong_sum, judge_wrong_sum },
        { start_copy, judge_copy },
        { start_copy_wrong, judge_copy_wrong },
        { start_upload, judge_upload },
        { start_part_copy, judge_part_copy },
        { start_part, judge_part },
        { start_put_third, NULL },
        { start_complete, judge_complete },
        { start_abort, NULL },
        { start_list_left, judge_list_left },
        { start_abort_left, judge_abort_left },
        { start_delete_wrong, judge_delete_wrong },
        { start_delete, judge_delete },
};
enum { STEPS = sizeof(steps) / sizeof(*steps), FIRST_PUT = 1, FIRST_UPLOAD = 9, LAST_UPLOAD = 14 };

/* --- one after the other */

static void next(struct s3_probe_run *r);

/* The bucket is used as its configuration said. */
static void end(struct s3_probe_run *r)
{
        r->s3->conf.retry = r->before.retry;
        s3_set_abilities(r->s3, r->before.checksum, r->before.bare_etags, r->before.etags_are_md5);
        r->probe->run = NULL;
        free(r);
}

static void finish(struct s3_probe_run *r)
{
        struct s3_probe *probe = r->probe;

        end(r);
        probe->call.result = (struct s3_result){ .error = S3_OK };
        probe->call.done(&probe->call);
}

static void on_step(struct s3_probe_run *r, const struct s3_call *call)
{
        bool nobody = call->result.error == S3_UNREACHABLE || call->result.error == S3_TIMED_OUT;

        if (steps[r->step].judge)
                steps[r->step].judge(r, call);
        /* Without a put there is nothing else to try, nor to delete; nor at an endpoint that is not there. */
        if ((r->step == FIRST_PUT && !is_ok(call)) || (r->step == 0 && nobody))
                r->step = STEPS - 1;
        else if (r->step == FIRST_UPLOAD && !is_ok(call))
                r->step = LAST_UPLOAD;
        r->step++;
        next(r);
}

static void on_call(struct s3_call *call)
{
        on_step(CONTAINER(call, struct s3_probe_run, call), call);
}

static void on_list(struct s3_call *call)
{
        on_step(CONTAINER(call, struct s3_probe_run, list.call), call);
}

static void on_complete(struct s3_call *call)
{
        on_step(CONTAINER(call, struct s3_probe_run, complete.call), call);
}

static void next(struct s3_probe_run *r)
{
        if (r->step == STEPS)
                finish(r);
        else
                steps[r->step].start(r);
}

static void on_uploads(struct s3_call *call)
{
        on_step(CONTAINER(call, struct s3_probe_run, uploads.call), call);
}

static void prepare_call(struct s3_call *call, enum s3_priority priority, void (*done)(struct s3_call *))
{
        call->priority = priority;
        call->deadline_ms = DEADLINE_MS;
        call->done = done;
}

void s3_probe(struct s3 *s3, struct s3_probe *probe)
{
        static const char *const ends[KEYS] = { "put", "copied", "uploaded" };
        struct s3_probe_run *r = calloc(1, sizeof(*r));
        unsigned long long random = env_random_u64(s3->http->env);

        CHECK(r != NULL && probe->call.done);
        r->s3 = s3;
        r->probe = probe;
        r->before = s3->conf;
        r->body = (struct iovec){ (void *)body_text, sizeof(body_text) - 1 };
        for (int i = 0; i < KEYS; i++)
                snprintf(r->keys[i], sizeof(r->keys[i]), FOLDER "%016llx/%s", random, ends[i]);
        s3_metadata_put(&r->metadata, "nacre-probe", "kept");
        prepare_call(&r->call, probe->call.priority, on_call);
        prepare_call(&r->list.call, probe->call.priority, on_list);
        prepare_call(&r->complete.call, probe->call.priority, on_complete);
        prepare_call(&r->uploads.call, probe->call.priority, on_uploads);
        memset(&probe->found, 0, sizeof(probe->found));
        probe->run = r;
        s3->conf.retry.attempts = 3;
        s3_set_abilities(s3, S3_SUM_NONE, false, false);
        next(r);
}

void s3_probe_cancel(struct s3_probe *probe)
{
        struct s3_probe_run *r = probe->run;

        if (!r)
                return;
        s3_cancel(&r->call);
        s3_cancel(&r->list.call);
        s3_cancel(&r->complete.call);
        s3_cancel(&r->uploads.call);
        end(r);
}

void s3_probe_use(struct s3 *s3, const struct s3_abilities *found)
{
        enum s3_checksum checksum = found->can[S3_CAN_CRC64NVME] == S3_YES ? S3_SUM_CRC64NVME
                                    : found->can[S3_CAN_CRC32C] == S3_YES  ? S3_SUM_CRC32C
                                                                           : S3_SUM_NONE;

        s3_set_abilities(s3, checksum, found->can[S3_WANTS_BARE_ETAGS] == S3_YES,
                         found->can[S3_ETAG_IS_MD5] == S3_YES);
}
