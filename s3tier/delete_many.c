/* SPDX-License-Identifier: Apache-2.0 */
/* DeleteObjects, quiet: the answer names only what was not deleted. */
#include <stdlib.h>

#include "base/check.h"
#include "s3tier/call.h"

enum { KEYS_AT_MOST = 1000 };

static struct s3_delete_many *many_of(struct s3_call *call)
{
        return CONTAINER(call, struct s3_delete_many, call);
}

static bool on_delete_element(struct s3_call *call, const char *path, const char *text, size_t length)
{
        struct s3_delete_many *d = many_of(call);
        size_t prefix = strlen(call->s3->conf.prefix);

        if (strcmp(path, "DeleteResult/Error/Key") == 0 && length >= prefix)
                text_cut(d->key, sizeof(d->key), text + prefix, length - prefix);
        else if (strcmp(path, "DeleteResult/Error/Code") == 0)
                text_cut(d->code, sizeof(d->code), text, length);
        else if (strcmp(path, "DeleteResult/Error/Message") == 0)
                text_cut(d->message, sizeof(d->message), text, length);
        if (strcmp(path, "DeleteResult/Error") != 0)
                return true;
        if (strcmp(d->code, "NoSuchKey") != 0)
                d->failed(d, d->key, d->code, d->message);
        d->key[0] = d->code[0] = d->message[0] = '\0';
        return true;
}

/* Nothing is told of a document that is not whole. */
static enum retry_class delete_many_finish(struct s3_call *call)
{
        struct s3_delete_many *d = many_of(call);
        enum retry_class class = RETRY_NEVER;

        d->key[0] = d->code[0] = d->message[0] = '\0';
        if (s3_read_answer(call, "DeleteResult", NULL, &class))
                s3_read_answer(call, "DeleteResult", on_delete_element, &class);
        return class;
}

static size_t body_bytes(const struct s3_delete_many *d, const char *prefix)
{
        size_t bytes = 256;

        for (unsigned i = 0; i < d->count; i++)
                bytes += 64 + 6 * (strlen(prefix) + strlen(d->keys[i]));
        return bytes;
}

static void write_body(struct s3_delete_many *d, const char *prefix, struct text *t)
{
        text_add(t, "<Delete><Quiet>true</Quiet>");
        for (unsigned i = 0; i < d->count; i++) {
                text_add(t, "<Object><Key>");
                text_add_xml(t, prefix, strlen(prefix));
                text_add_xml(t, d->keys[i], strlen(d->keys[i]));
                text_add(t, "</Key></Object>");
        }
        text_add(t, "</Delete>");
        CHECK(!t->full);
}

void s3_delete_many(struct s3 *s3, struct s3_delete_many *d)
{
        const char *prefix = s3->conf.prefix;
        size_t bytes = body_bytes(d, prefix);
        struct text text;
        char *body;

        CHECK(d->count > 0 && d->count <= KEYS_AT_MOST && d->failed);
        body = malloc(bytes);
        CHECK(body != NULL);
        text = text_of(body, bytes);
        write_body(d, prefix, &text);
        d->iov = (struct iovec){ body, (size_t)(text.at - body) };
        s3_begin(s3, &d->call, S3_KIND_DELETE, HTTP_POST, NULL);
        d->call.owned = body;
        s3_query(&d->call, "delete", "");
        s3_body(&d->call, &d->iov, 1);
        d->call.finish = delete_many_finish;
        s3_start(&d->call, 1024 * 1024);
}
