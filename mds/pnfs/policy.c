/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/pnfs/policy.h"

#include <stdio.h>

#include "include/stripe.h"
#include "mds/fleet/fleet.h"

enum { KIB = 1024, MIB = 1024 * KIB, UNIT_MAX = 255 * MIB };

/* What stands before the comma, or all; TEXT goes on behind it. *ret_more: there was a comma. */
static struct slice cut_word(struct slice *text, bool *ret_more)
{
        const uint8_t *comma = text->length > 0 ? memchr(text->data, ',', text->length) : NULL;
        struct slice word = slice_of(text->data, comma ? (uint32_t)(comma - text->data) : text->length);
        uint32_t used = word.length + (comma ? 1 : 0);

        *text = slice_of(text->data + used, text->length - used);
        *ret_more = comma != NULL;
        return word;
}

/* Digits up to LIMIT at the start of TEXT, which goes on behind them; 0: none, or too many. */
static uint32_t cut_number(struct slice *text, uint32_t limit)
{
        uint64_t number = 0;
        uint32_t at = 0;

        for (; at < text->length && text->data[at] >= '0' && text->data[at] <= '9'; at++) {
                number = number * 10 + (uint64_t)(text->data[at] - '0');
                if (number > limit)
                        return 0;
        }
        *text = slice_of(text->data + at, text->length - at);
        return (uint32_t)number;
}

static bool parse_unit(struct slice text, uint32_t *ret)
{
        uint64_t unit = cut_number(&text, UNIT_MAX);

        if (slice_equal(text, slice_str("K")))
                unit *= KIB;
        else if (slice_equal(text, slice_str("M")))
                unit *= MIB;
        else if (text.length > 0)
                return false;
        *ret = (uint32_t)unit;
        return unit > 0 && unit % STRIPE_GRAIN == 0 && unit <= UNIT_MAX;
}

static bool parse_width(struct slice text, uint16_t *ret)
{
        *ret = (uint16_t)cut_number(&text, DEVICE_WIDTH_MAX);
        return *ret > 0 && text.length == 0;
}

static bool cut_key(struct slice *word, const char *key)
{
        uint32_t length = (uint32_t)strlen(key);

        if (word->length < length || memcmp(word->data, key, length) != 0)
                return false;
        *word = slice_of(word->data + length, word->length - length);
        return true;
}

bool layout_policy_parse(struct slice text, struct layout_policy *ret)
{
        struct layout_policy p = { 0 };
        bool more;

        if (text.length > 0 && text.data[text.length - 1] == '\n')
                text.length--;
        do {
                struct slice word = cut_word(&text, &more);
                bool good = cut_key(&word, "unit=")    ? p.unit == 0 && parse_unit(word, &p.unit)
                            : cut_key(&word, "width=") ? p.width == 0 && parse_width(word, &p.width)
                                                       : false;

                if (!good)
                        return false;
        } while (more);
        *ret = p;
        return true;
}

uint32_t layout_policy_print(const struct layout_policy *p, char out[LAYOUT_TEXT])
{
        bool mib = p->unit % MIB == 0;
        int length = 0;

        if (p->unit > 0)
                length =
                        snprintf(out, LAYOUT_TEXT, "unit=%u%c", p->unit / (mib ? MIB : KIB), mib ? 'M' : 'K');
        if (p->width > 0)
                length += snprintf(out + length, LAYOUT_TEXT - (size_t)length, "%swidth=%u",
                                   p->unit > 0 ? "," : "", p->width);
        return (uint32_t)length;
}
