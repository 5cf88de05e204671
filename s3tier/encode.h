/* SPDX-License-Identifier: Apache-2.0 */
/* Text for requests: escaping, numbers, dates. Writers append to a bounded text that remembers when it was
 * full. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct text {
        char *at, *end; /* end: the last byte, kept for the NUL */
        bool full;      /* something did not fit: what stands there is no good */
};

static inline struct text text_of(char *space, size_t bytes)
{
        return (struct text){ space, space + bytes - 1, false };
}
void text_put(struct text *t, const char *bytes, size_t length);
void text_add(struct text *t, const char *s);
void text_add_u64(struct text *t, uint64_t n);
/* Percent-escape all but the unreserved characters of RFC 3986 §2.3, upper-case hex, as SigV4 has it; '/'
 * stays where KEEP_SLASH. */
void text_add_escaped(struct text *t, const char *s, bool keep_slash);
/* The same for XML's text: & < > " and control characters. */
void text_add_xml(struct text *t, const char *s, size_t length);
char *text_end(struct text *t); /* write the NUL; returns where it stands */

/* FROM into OUT, with a NUL: all of it, or false and OUT as it was; as much as fits. */
bool text_copy(char *out, size_t out_bytes, const void *from, size_t length);
void text_cut(char *out, size_t out_bytes, const void *from, size_t length);

/* Undo percent-escapes, in place or to elsewhere; '+' stays (it is '+' in S3's answers that escape a blank as
 * %20; where PLUS_IS_BLANK it is one). The length, or -1 for a '%' without two digits. OUT may be TEXT. */
int64_t url_decode(const char *text, size_t length, bool plus_is_blank, char *out);

/* Decimal, nothing else, no overflow. */
bool parse_u64(const char *text, size_t length, uint64_t *ret);
/* "2009-10-12T17:50:30.000Z", RFC 3339 in UTC: ns since 1970. */
bool parse_iso8601(const char *text, uint64_t *ret_ns);
/* "Wed, 12 Oct 2009 17:50:00 GMT", RFC 9110 §5.6.7's preferred form. */
bool parse_http_date(const char *text, uint64_t *ret_ns);
