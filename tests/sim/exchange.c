/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/exchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "s3tier/encode.h"

/* --- lines */

void lines_add(struct lines *l, const char *name, const char *value)
{
        int n = snprintf(l->text + l->length, LINES_BYTES - l->length, "%s: %s\n", name, value);

        CHECK(n > 0 && l->length + (uint32_t)n < LINES_BYTES);
        l->length += (uint32_t)n;
}

bool lines_next(const struct lines *l, uint32_t *at, char out[LINES_BYTES], char **ret_value)
{
        const char *from = l->text + *at, *end;

        if (*at >= l->length)
                return false;
        end = memchr(from, '\n', l->length - *at);
        memcpy(out, from, (size_t)(end - from));
        out[end - from] = '\0';
        *at += (uint32_t)(end - from) + 1;
        *ret_value = strstr(out, ": ");
        CHECK(*ret_value != NULL);
        **ret_value = '\0';
        *ret_value += 2;
        return true;
}

bool lines_get(const struct lines *l, const char *name, char *out, size_t out_bytes)
{
        char line[LINES_BYTES], *value;
        uint32_t at = 0;

        while (lines_next(l, &at, line, &value))
                if (strcasecmp(line, name) == 0) {
                        snprintf(out, out_bytes, "%s", value);
                        return true;
                }
        return false;
}

/* --- */

void exchange_answer(struct exchange *x, int status, const char *text)
{
        char length[24];

        x->status = status;
        free(x->data);
        x->data_bytes = strlen(text);
        x->data = malloc(x->data_bytes + 1);
        CHECK(x->data != NULL);
        memcpy(x->data, text, x->data_bytes);
        snprintf(length, sizeof(length), "%" PRIu64, x->data_bytes);
        lines_add(&x->answer, "Content-Length", length);
}

void exchange_refuse(struct exchange *x, int status, const char *code)
{
        char text[256];

        snprintf(text, sizeof(text), "<Error><Code>%s</Code><Message>says the simulator</Message></Error>",
                 code);
        exchange_answer(x, status, x->method == HTTP_HEAD ? "" : text);
}

void exchange_free(struct exchange *x)
{
        free(x->body);
        free(x->data);
}

bool exchange_parameter(const char *query, const char *name, char *out, size_t out_bytes)
{
        size_t length = strlen(name);
        const char *end;

        out[0] = '\0';
        for (const char *at = query; at && *at; at = *end ? end + 1 : NULL) {
                end = strchrnul(at, '&');
                if (strncmp(at, name, length) != 0 || (at[length] != '=' && at + length != end))
                        continue;
                if (at[length] == '=') {
                        at += length + 1;
                        CHECK((size_t)(end - at) < out_bytes);
                        out[url_decode(at, (size_t)(end - at), false, out)] = '\0';
                }
                return true;
        }
        return false;
}
