/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as what a store answers: the first byte says to which request, the rest is the body. No call may
 * end without done(), tell an entry out of order, or believe a page that it cannot continue from. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "s3tier/listing.h"
#include "s3tier/multipart.h"
#include "tests/lab/virtual_env.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
        struct http http; /* first */
        struct virtual_env env;
        struct http_call *call;
        struct task task;
        const uint8_t *body;
        size_t length;
} fake;

static bool is_done;
static char last_key[S3_KEY_BYTES], last_prefix[S3_KEY_BYTES];
static bool had_key, had_prefix;
static unsigned last_part;

static void answer(struct task *task)
{
        struct http_call *call = fake.call;

        (void)task;
        fake.call = NULL;
        call->status = 200;
        if (http_text_append(&call->text, fake.body, fake.length))
                call->done(call, HTTP_ANSWERED);
        else
                call->done(call, HTTP_TOO_LONG);
}

static void fake_send(struct http *http, struct http_call *call)
{
        call->text.length = 0;
        fake.call = call;
        env_defer(http->env, &fake.task);
}

static void fake_cancel(struct http *http, struct http_call *call)
{
        (void)http, (void)call;
        fake.call = NULL;
        list_remove(&fake.task.node);
}

static void on_done(struct s3_call *call)
{
        CHECK(call->result.error < S3_ERRORS && !is_done);
        is_done = true;
}

static void on_entry(struct s3_list *list, const struct s3_entry *e)
{
        char *last = e->is_prefix ? last_prefix : last_key;
        bool *had = e->is_prefix ? &had_prefix : &had_key;

        (void)list;
        CHECK(strlen(e->key) < S3_KEY_BYTES && (!*had || strcmp(e->key, last) > 0));
        strcpy(last, e->key);
        *had = true;
}

static void on_part(struct s3_part_list *list, const struct s3_part *part)
{
        (void)list;
        CHECK(part->number > last_part && part->number <= S3_PARTS);
        last_part = part->number;
}

static void on_upload(struct s3_upload_list *list, const struct s3_upload *u)
{
        (void)list;
        CHECK(strlen(u->key) < S3_KEY_BYTES && strlen(u->upload_id) < S3_UPLOAD_ID_BYTES);
}

static void on_failed(struct s3_delete_many *d, const char *key, const char *code, const char *message)
{
        (void)d;
        CHECK(strlen(key) < S3_KEY_BYTES && code && message);
}

static void start(struct s3 *s3, unsigned which)
{
        static struct s3_call call;
        static struct s3_list list;
        static struct s3_part_list parts;
        static struct s3_upload_list uploads;
        static struct s3_delete_many many;
        static const char *const keys[] = { "a", "b" };
        static const struct s3_put_args args;

        switch (which) {
        case 0:
                list = (struct s3_list){
                        .prefix = "", .delimiter = "/", .start_after = "", .page = 1000, .entry = on_entry
                };
                list.call.done = on_done;
                s3_list_first(s3, &list);
                break;
        case 1:
                parts = (struct s3_part_list){ .part = on_part };
                parts.call.done = on_done;
                s3_upload_parts(s3, &parts, "k", "id");
                break;
        case 2:
                uploads = (struct s3_upload_list){ .upload = on_upload };
                uploads.call.done = on_done;
                s3_uploads(s3, &uploads);
                break;
        case 3:
                many = (struct s3_delete_many){ .keys = keys, .count = 2, .failed = on_failed };
                many.call.done = on_done;
                s3_delete_many(s3, &many);
                break;
        default:
                call.done = on_done;
                if (which == 4)
                        s3_copy(s3, &call, "a", NULL, "b", &args);
                else
                        s3_upload_create(s3, &call, "a", &args);
                break;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const struct http_ops ops = { fake_send, fake_cancel, NULL };
        struct s3_conf conf = { .endpoint = "http://s",
                                .bucket = "b",
                                .prefix = "",
                                .retry = { .attempts = 1, .cap_ms = 1, .deadline_ms = 1000 } };
        struct creds_provider *creds;
        const char *why;
        struct s3 *s3;

        if (size == 0)
                return 0;
        virtual_env_init(&fake.env, 1);
        fake.http = (struct http){ &ops, &fake.env.env };
        fake.task.run = answer;
        list_init(&fake.task.node);
        fake.body = data + 1;
        fake.length = size - 1;
        is_done = had_key = had_prefix = false;
        last_part = 0;
        creds = creds_given("key", "secret");
        s3 = s3_new(&fake.http, creds, &conf, &why);
        CHECK(s3 != NULL);
        start(s3, data[0] % 6);
        virtual_env_run(&fake.env, 2000000000);
        CHECK(is_done);
        s3_free(s3);
        creds_free(creds);
        virtual_env_destroy(&fake.env);
        return 0;
}
