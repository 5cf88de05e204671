/* SPDX-License-Identifier: Apache-2.0 */
/* Reading JSON (RFC 8259), what the daemons answer for one: a value is a place in a text that json_parse()
 * found whole. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json {
        const char *at; /* the value's first byte */
};

/* False unless all of TEXT (NUL-terminated) is one value, nested at most 32 deep. TEXT must outlive *ret. */
bool json_parse(const char *text, struct json *ret);
/* Member KEY of an object: false when VALUE is none or has none. */
bool json_member(struct json object, const char *key, struct json *ret);
/* The items of an array: for (bool more = json_first(array, &item); more; more = json_next(&item)). */
bool json_first(struct json array, struct json *ret);
bool json_next(struct json *item);
/* Bytes of VALUE's text. */
size_t json_length(struct json value);

/* Member KEY as a number, 0 unless it is one; as a truth, false unless it is true. */
uint64_t json_u64(struct json object, const char *key);
bool json_true(struct json object, const char *key);
/* A string as people may see it, control characters as '?'; cut to OUT_BYTES; "" unless it is one. */
const char *json_text(struct json value, char *out, size_t out_bytes);
const char *json_member_text(struct json object, const char *key, char *out, size_t out_bytes);
