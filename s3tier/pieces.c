/* SPDX-License-Identifier: Apache-2.0 */
#include "s3tier/pieces.h"

#include <stdlib.h>
#include <string.h>

#include "s3tier/http.h"

/* The next piece of at most WANTED bytes; 0 at the end. */
static size_t next(struct pieces *p, size_t wanted, char **ret)
{
        while (p->left > 0 && p->offset == p->at->iov_len) {
                p->at++;
                p->left--;
                p->offset = 0;
        }
        if (p->left <= 0)
                return 0;
        if (wanted > p->at->iov_len - p->offset)
                wanted = p->at->iov_len - p->offset;
        *ret = (char *)p->at->iov_base + p->offset;
        p->offset += wanted;
        return wanted;
}

size_t pieces_bytes(const struct iovec *pieces, int count)
{
        size_t bytes = 0;

        for (int i = 0; i < count; i++)
                bytes += pieces[i].iov_len;
        return bytes;
}

size_t pieces_read(struct pieces *p, char *out, size_t length)
{
        size_t done = 0, n;
        char *from;

        while (done < length && (n = next(p, length - done, &from)) > 0) {
                memcpy(out + done, from, n);
                done += n;
        }
        return done;
}

bool pieces_write(struct pieces *p, const char *data, size_t length)
{
        size_t done = 0, n;
        char *to;

        while (done < length && (n = next(p, length - done, &to)) > 0) {
                memcpy(to, data + done, n);
                done += n;
        }
        return done == length;
}

/* --- growing texts */

bool http_text_append(struct http_text *text, const void *data, size_t length)
{
        uint64_t needed = (uint64_t)text->length + length;

        if (needed > text->limit)
                return false;
        if (needed + 1 > text->capacity) {
                uint64_t capacity = 2 * needed < 4096 ? 4096 : 2 * needed;
                char *grown;

                if (capacity > (uint64_t)text->limit + 1)
                        capacity = (uint64_t)text->limit + 1;
                grown = realloc(text->data, capacity);
                if (!grown)
                        return false;
                text->data = grown;
                text->capacity = (uint32_t)capacity;
        }
        if (length > 0)
                memcpy(text->data + text->length, data, length);
        text->length = (uint32_t)needed;
        text->data[needed] = '\0';
        return true;
}

void http_text_free(struct http_text *text)
{
        free(text->data);
        text->data = NULL;
        text->length = text->capacity = 0;
}
