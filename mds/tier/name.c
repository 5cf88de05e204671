/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/tier/name.h"

#include <stdio.h>
#include <string.h>

#include "base/siphash.h"
#include "nfs4/codec.h"

static const char mark[] = "%s3%";
enum { MARK_BYTES = sizeof(mark) - 1, HASH_BYTES = 2 + 16 /* "%~" and digits */ };

static bool is_dots(struct slice s)
{
        return (s.length == 1 || s.length == 2) && memcmp(s.data, "..", s.length) == 0;
}

bool tier_name_is_escaped(struct slice name)
{
        return name.length >= MARK_BYTES && memcmp(name.data, mark, MARK_BYTES) == 0;
}

static bool is_plain(struct slice s)
{
        return s.length > 0 && s.length <= TIER_NAME_BYTES && !is_dots(s) && !tier_name_is_escaped(s) &&
               is_utf8(s) && !memchr(s.data, 0, s.length);
}

/* One character of PART, escaped when it must be. Bytes into OUT (12). *AT moves on. */
static unsigned put_one(const uint8_t **at, const uint8_t *end, bool dots, char *out)
{
        unsigned length = utf8_length(*at, end);
        uint8_t b = **at;

        if (length == 0 || b == 0 || b == '%' || b == '=' || (dots && b == '.')) {
                ++*at;
                return (unsigned)snprintf(out, 12, "%%%02x", b);
        }
        memcpy(out, *at, length);
        *at += length;
        return length;
}

uint32_t tier_name(struct slice part, bool second, char *out)
{
        static const uint8_t key[16] = "names from S3";
        const uint8_t *at = part.data, *end = part.data + part.length;
        uint32_t length = MARK_BYTES, whole = 0; /* up to where a cut name may go */
        char one[12], hash[HASH_BYTES + 1];

        if (!second && is_plain(part)) {
                memcpy(out, part.data, part.length);
                return part.length;
        }
        memcpy(out, mark, MARK_BYTES);
        if (second)
                out[length++] = '=';
        while (at < end) {
                unsigned more = put_one(&at, end, is_dots(part), one);

                if (length <= TIER_NAME_BYTES - HASH_BYTES)
                        whole = length;
                if (length + more > TIER_NAME_BYTES) {
                        snprintf(hash, sizeof(hash), "%%~%016llx",
                                 (unsigned long long)siphash(part.data, part.length, key));
                        memcpy(out + whole, hash, HASH_BYTES);
                        return whole + HASH_BYTES;
                }
                memcpy(out + length, one, more);
                length += more;
        }
        return length;
}
