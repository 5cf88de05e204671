/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_LIMIT = 32 };

static const char *skip_blanks(const char *p)
{
        return p + strspn(p, " \t\r\n");
}

/* P is at the first quote; returns what is behind the last, NULL when there is none. */
static const char *skip_string(const char *p)
{
        for (p++; *p != '"'; p++) {
                if ((unsigned char)*p < ' ')
                        return NULL;
                if (*p == '\\' && *++p == '\0')
                        return NULL;
        }
        return p + 1;
}

static const char *skip_word(const char *p)
{
        size_t length;

        for (const char *const *word = (const char *const[]){ "true", "false", "null", NULL }; *word; word++)
                if (strncmp(p, *word, strlen(*word)) == 0)
                        return p + strlen(*word);
        length = strspn(p, "+-.0123456789eE");
        return length > 0 && (*p == '-' || (*p >= '0' && *p <= '9')) ? p + length : NULL;
}

static const char *skip_value(const char *p, int depth);

/* The members of an object (with keys) or the items of an array; P is behind the bracket that opens. */
static const char *skip_members(const char *p, char end, int depth)
{
        p = skip_blanks(p);
        if (*p == end)
                return p + 1;
        for (;; p = skip_blanks(p + 1)) {
                if (end == '}') {
                        p = *p == '"' ? skip_string(p) : NULL;
                        p = p ? skip_blanks(p) : NULL;
                        if (!p || *p++ != ':')
                                return NULL;
                }
                p = skip_value(skip_blanks(p), depth);
                p = p ? skip_blanks(p) : NULL;
                if (!p || *p == end)
                        return p ? p + 1 : NULL;
                if (*p != ',')
                        return NULL;
        }
}

/* What is behind the value at P, or NULL. */
static const char *skip_value(const char *p, int depth)
{
        if (depth == 0)
                return NULL;
        switch (*p) {
        case '"': return skip_string(p);
        case '{': return skip_members(p + 1, '}', depth - 1);
        case '[': return skip_members(p + 1, ']', depth - 1);
        default: return skip_word(p);
        }
}

bool json_parse(const char *text, struct json *ret)
{
        const char *value = skip_blanks(text), *end = skip_value(value, DEPTH_LIMIT);

        if (!end || *skip_blanks(end) != '\0')
                return false;
        ret->at = value;
        return true;
}

size_t json_length(struct json value)
{
        return (size_t)(skip_value(value.at, DEPTH_LIMIT) - value.at);
}

bool json_member(struct json object, const char *key, struct json *ret)
{
        const char *p = object.at;
        size_t length = strlen(key);

        if (*p != '{')
                return false;
        p = skip_blanks(p + 1);
        while (*p == '"') {
                const char *name = p + 1, *end = skip_string(p), *value = skip_blanks(skip_blanks(end) + 1);

                if ((size_t)(end - 1 - name) == length && memcmp(name, key, length) == 0) {
                        ret->at = value;
                        return true;
                }
                p = skip_blanks(skip_value(value, DEPTH_LIMIT));
                if (*p == ',')
                        p = skip_blanks(p + 1);
        }
        return false;
}

bool json_first(struct json array, struct json *ret)
{
        if (*array.at != '[')
                return false;
        ret->at = skip_blanks(array.at + 1);
        return *ret->at != ']';
}

bool json_next(struct json *item)
{
        const char *p = skip_blanks(skip_value(item->at, DEPTH_LIMIT));

        if (*p != ',')
                return false;
        item->at = skip_blanks(p + 1);
        return true;
}

uint64_t json_u64(struct json object, const char *key)
{
        struct json value;

        if (!json_member(object, key, &value) || *value.at < '0' || *value.at > '9')
                return 0;
        return strtoull(value.at, NULL, 10);
}

bool json_true(struct json object, const char *key)
{
        struct json value;

        return json_member(object, key, &value) && *value.at == 't';
}

/* The character of an escape: what people should not see becomes '?'. *P is behind the backslash and moves to
 * its end. */
static char unescape(const char **p)
{
        char hex[5] = "";
        unsigned long code;

        if (**p != 'u')
                return strchr("bfnrt", *(*p)++) ? '?' : (*p)[-1];
        strncpy(hex, *p + 1, 4);
        code = strtoul(hex, NULL, 16);
        *p += 1 + strspn(hex, "0123456789abcdefABCDEF");
        return code >= ' ' && code < 0x7f ? (char)code : '?';
}

const char *json_text(struct json value, char *out, size_t out_bytes)
{
        const char *p = value.at;
        size_t used = 0;

        if (*p++ == '"')
                while (*p != '"' && used + 1 < out_bytes) {
                        char c = *p++;

                        if (c == '\\')
                                c = unescape(&p);
                        out[used++] = c == 0x7f ? '?' : c;
                }
        out[used] = '\0';
        return out;
}

const char *json_member_text(struct json object, const char *key, char *out, size_t out_bytes)
{
        struct json value;

        if (json_member(object, key, &value))
                return json_text(value, out, out_bytes);
        out[0] = '\0';
        return out;
}
