/* SPDX-License-Identifier: Apache-2.0 */
#include "s3tier/encode.h"

#include <stdio.h>
#include <time.h>

void text_put(struct text *t, const char *bytes, size_t length)
{
        if (t->full || length > (size_t)(t->end - t->at)) {
                t->full = true;
                return;
        }
        if (length > 0) /* of nothing BYTES may be NULL */
                memcpy(t->at, bytes, length);
        t->at += length;
}

void text_add(struct text *t, const char *s)
{
        text_put(t, s, strlen(s));
}

void text_add_u64(struct text *t, uint64_t n)
{
        char digits[24];
        int length = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);

        text_put(t, digits, (size_t)length);
}

static bool is_unreserved(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '.' || c == '_' || c == '~';
}

void text_add_escaped(struct text *t, const char *s, bool keep_slash)
{
        for (; *s; s++) {
                uint8_t byte = (uint8_t)*s;
                char escaped[3] = { '%', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15] };

                if (is_unreserved(*s) || (*s == '/' && keep_slash))
                        text_put(t, s, 1);
                else
                        text_put(t, escaped, sizeof(escaped));
        }
}

void text_add_xml(struct text *t, const char *s, size_t length)
{
        for (size_t i = 0; i < length; i++) {
                uint8_t c = (uint8_t)s[i];

                if (c == '&' || c == '<' || c == '>' || c == '"' || c < ' ') {
                        text_add(t, "&#");
                        text_add_u64(t, c);
                        text_add(t, ";");
                } else {
                        text_put(t, s + i, 1);
                }
        }
}

char *text_end(struct text *t)
{
        *t->at = '\0';
        return t->at;
}

bool text_copy(char *out, size_t out_bytes, const void *from, size_t length)
{
        if (length >= out_bytes)
                return false;
        text_cut(out, out_bytes, from, length);
        return true;
}

void text_cut(char *out, size_t out_bytes, const void *from, size_t length)
{
        if (length >= out_bytes)
                length = out_bytes - 1;
        memcpy(out, from, length);
        out[length] = '\0';
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int64_t url_decode(const char *text, size_t length, bool plus_is_blank, char *out)
{
        char *at = out;

        for (size_t i = 0; i < length; i++) {
                if (text[i] != '%') {
                        *at++ = text[i] == '+' && plus_is_blank ? ' ' : text[i];
                        continue;
                }
                if (length - i < 3 || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0)
                        return -1;
                *at++ = (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
                i += 2;
        }
        return at - out;
}

bool parse_u64(const char *text, size_t length, uint64_t *ret)
{
        uint64_t n = 0;

        if (length == 0 || length > 20)
                return false;
        for (size_t i = 0; i < length; i++) {
                uint64_t digit = (uint64_t)(text[i] - '0');

                if (text[i] < '0' || text[i] > '9' || n > (UINT64_MAX - digit) / 10)
                        return false;
                n = n * 10 + digit;
        }
        *ret = n;
        return true;
}

/* FORMAT as strptime(3); the rest of TEXT is *REST. */
static bool parse_date(const char *text, const char *format, uint64_t *ret_ns, const char **rest)
{
        struct tm tm = { 0 };
        time_t seconds;

        *rest = strptime(text, format, &tm);
        if (!*rest)
                return false;
        seconds = timegm(&tm);
        if (seconds < 0 || (uint64_t)seconds > UINT64_MAX / 1000000000 - 1)
                return false;
        *ret_ns = (uint64_t)seconds * 1000000000;
        return true;
}

bool parse_iso8601(const char *text, uint64_t *ret_ns)
{
        uint64_t ns, unit = 100000000;
        const char *rest;

        if (!parse_date(text, "%Y-%m-%dT%H:%M:%S", &ns, &rest))
                return false;
        if (*rest == '.')
                for (rest++; *rest >= '0' && *rest <= '9'; rest++, unit /= 10)
                        ns += (uint64_t)(*rest - '0') * unit;
        if (strcmp(rest, "Z") != 0 && strcmp(rest, "+00:00") != 0 && *rest != '\0')
                return false;
        *ret_ns = ns;
        return true;
}

bool parse_http_date(const char *text, uint64_t *ret_ns)
{
        const char *rest;

        return parse_date(text, "%a, %d %b %Y %H:%M:%S GMT", ret_ns, &rest) && *rest == '\0';
}
