/* SPDX-License-Identifier: Apache-2.0 */
#include "nfs4/codec.h"

#include "base/check.h"

enum { BITMAP_WORDS_MAX = 64 };

void get_bitmap(struct xdr_in *x, struct bitmap4 *b)
{
        uint32_t words = xdr_get_count(x, BITMAP_WORDS_MAX, 4);

        *b = (struct bitmap4){ 0 };
        for (uint32_t i = 0; i < words; i++) {
                uint32_t word = xdr_get_u32(x);

                if (i < 3)
                        b->word[i] = word;
                else if (word != 0)
                        b->beyond = true;
        }
}

void put_bitmap(struct xdr_out *x, const struct bitmap4 *b)
{
        uint32_t words = b->word[2] ? 3 : b->word[1] ? 2 : b->word[0] ? 1 : 0;

        xdr_put_u32(x, words);
        for (uint32_t i = 0; i < words; i++)
                xdr_put_u32(x, b->word[i]);
}

unsigned utf8_length(const uint8_t *at, const uint8_t *end)
{
        uint8_t b = at[0];
        unsigned length = b < 0x80 ? 1 : b < 0xc2 ? 0 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : b < 0xf5 ? 4 : 0;

        if (length == 0 || (size_t)(end - at) < length)
                return 0;
        for (unsigned i = 1; i < length; i++)
                if ((at[i] & 0xc0) != 0x80)
                        return 0;
        if ((b == 0xe0 && at[1] < 0xa0) || (b == 0xed && at[1] > 0x9f) || (b == 0xf0 && at[1] < 0x90) ||
            (b == 0xf4 && at[1] > 0x8f))
                return 0;
        return length;
}

bool is_utf8(struct slice text)
{
        const uint8_t *end = text.data + text.length;
        unsigned length;

        for (const uint8_t *at = text.data; at < end; at += length)
                if ((length = utf8_length(at, end)) == 0)
                        return false;
        return true;
}

enum nfsstat4 check_name(struct slice name)
{
        if (name.length == 0)
                return NFS4ERR_INVAL;
        if (name.length > NFS4_MAXNAME)
                return NFS4ERR_NAMETOOLONG;
        if (memchr(name.data, '/', name.length) || memchr(name.data, '\0', name.length))
                return NFS4ERR_BADCHAR;
        if (name.data[0] == '.' && (name.length == 1 || (name.length == 2 && name.data[1] == '.')))
                return NFS4ERR_BADNAME;
        return NFS4_OK;
}

bool parse_numeric_owner(struct slice text, uint32_t *ret)
{
        uint64_t id = 0;

        if (text.length == 0 || text.length > 10 || (text.length > 1 && text.data[0] == '0'))
                return false;
        for (uint32_t i = 0; i < text.length; i++) {
                if (text.data[i] < '0' || text.data[i] > '9')
                        return false;
                id = id * 10 + (uint64_t)(text.data[i] - '0');
        }
        *ret = (uint32_t)id;
        return id < UINT32_MAX;
}

/* Made by hand because every GETATTR has two. */
void put_numeric_owner(struct xdr_out *x, uint32_t id)
{
        char text[10];
        uint32_t at = sizeof(text);

        do
                text[--at] = (char)('0' + id % 10);
        while ((id /= 10) > 0);
        xdr_put_opaque(x, text + at, (uint32_t)sizeof(text) - at);
}
