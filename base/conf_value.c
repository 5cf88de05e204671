/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/conf_value.h"

/* Decimal digits only: strtoull alone would take signs, blanks and nothing. */
static bool parse_digits(const char *text, const char **ret_end, uint64_t *ret)
{
        char *end;

        if (*text < '0' || *text > '9')
                return false;
        errno = 0;
        *ret = strtoull(text, &end, 10);
        *ret_end = end;
        return errno == 0;
}

static bool parse_u64(const char *text, uint64_t *ret)
{
        const char *end;

        return parse_digits(text, &end, ret) && *end == '\0';
}

bool conf_parse_size(const char *text, uint64_t *ret)
{
        static const char units[] = "KMGT";
        const char *end, *unit;
        unsigned shift = 0;
        uint64_t number;

        if (!parse_digits(text, &end, &number))
                return false;
        if (*end != '\0') {
                unit = strchr(units, *end);
                if (!unit || end[1] != '\0')
                        return false;
                shift = 10 * (unsigned)(unit - units + 1);
        }
        if (number > UINT64_MAX >> shift)
                return false;
        *ret = number << shift;
        return true;
}

static bool in_range(const struct conf_field *field, uint64_t number)
{
        if (number < field->min || (field->max != 0 && number > field->max))
                return false;
        return !field->valid || field->valid(&number);
}

static bool set_number(const struct conf_field *field, const char *text, uint64_t *member)
{
        uint64_t number;

        if (!(field->kind == CONF_SIZE ? conf_parse_size : parse_u64)(text, &number) ||
            !in_range(field, number))
                return false;
        *member = number;
        return true;
}

static bool set_bool(const char *text, bool *member)
{
        static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };

        for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
                if (strcmp(text, words[i]) == 0) {
                        *member = i % 2 != 0;
                        return true;
                }
        return false;
}

/* Of the LENGTH bytes at WORD among the names; -1: it is none. */
static int index_of(const struct conf_field *field, const char *word, size_t length)
{
        for (int i = 0; field->names[i]; i++)
                if (strlen(field->names[i]) == length && memcmp(field->names[i], word, length) == 0)
                        return i;
        return -1;
}

static bool set_enum(const struct conf_field *field, const char *text, int *member)
{
        int i = index_of(field, text, strlen(text));

        if (i >= 0)
                *member = i;
        return i >= 0;
}

/* Words with commas between them; blanks are fine. */
static bool set_set(const struct conf_field *field, const char *text, unsigned *member)
{
        unsigned set = 0;

        if (strcmp(text, "none") == 0) {
                *member = 0;
                return true;
        }
        do {
                const char *word = text + strspn(text, " ");
                size_t length = strcspn(word, " ,");
                int i = index_of(field, word, length);

                if (i < 0)
                        return false;
                set |= 1u << i;
                text = word + length;
                text += strspn(text, " ");
        } while (*text++ == ',');
        if (text[-1] != '\0')
                return false;
        *member = set;
        return true;
}

static bool set_string(const struct conf_field *field, const char *text, char **member)
{
        bool is_list = field->kind == CONF_STRINGS;
        char *copy;

        if (*text == '\0' || (!is_list && field->max != 0 && strlen(text) > field->max))
                return false;
        if (field->valid && !field->valid(text))
                return false;
        copy = strdup(text);
        CHECK(copy != NULL);
        *member = copy;
        return true;
}

static bool set_addr(const struct conf_field *field, const char *text, struct netaddr *member)
{
        struct netaddr addr;

        if (netaddr_parse(text, (uint16_t)field->min, &addr) < 0 || (field->valid && !field->valid(&addr)))
                return false;
        *member = addr;
        return true;
}

size_t conf_value_bytes(enum conf_kind kind)
{
        switch (kind) {
        case CONF_STRING:
        case CONF_STRINGS: return sizeof(char *);
        case CONF_PATH: return sizeof(struct conf_path);
        case CONF_U64:
        case CONF_SIZE: return sizeof(uint64_t);
        case CONF_BOOL: return sizeof(bool);
        case CONF_ENUM: return sizeof(int);
        case CONF_SET: return sizeof(unsigned);
        case CONF_ADDR:
        case CONF_ADDRS: return sizeof(struct netaddr);
        case CONF_LIST:
        case CONF_RECORD: break;
        }
        return 0;
}

bool conf_value_set(const struct conf_field *field, const char *text, void *member)
{
        switch (field->kind) {
        case CONF_STRING:
        case CONF_STRINGS: return set_string(field, text, member);
        case CONF_PATH: return set_string(field, text, &((struct conf_path *)member)->text);
        case CONF_U64:
        case CONF_SIZE: return set_number(field, text, member);
        case CONF_BOOL: return set_bool(text, member);
        case CONF_ENUM: return set_enum(field, text, member);
        case CONF_SET: return set_set(field, text, member);
        case CONF_ADDR:
        case CONF_ADDRS: return set_addr(field, text, member);
        case CONF_LIST:
        case CONF_RECORD: break;
        }
        return false;
}

static void allowed_names(const struct conf_field *field, char *out, size_t out_bytes)
{
        size_t used = 0;

        out[0] = '\0';
        if (field->kind == CONF_SET)
                used = (size_t)snprintf(out, out_bytes, "none, or some of ");
        for (int i = 0; field->names[i] && used < out_bytes; i++)
                used += (size_t)snprintf(out + used, out_bytes - used, "%s%s", i > 0 ? ", " : "",
                                         field->names[i]);
}

/* 1048576 as "1M": the way people write it back. */
static const char *size_text(uint64_t bytes, char out[32])
{
        static const char units[] = "KMGT";
        int unit = -1;

        while (unit < 3 && bytes != 0 && bytes % 1024 == 0) {
                bytes /= 1024;
                unit++;
        }
        snprintf(out, 32, "%" PRIu64 "%.*s", bytes, unit >= 0, unit >= 0 ? units + unit : "");
        return out;
}

static void allowed_number(const struct conf_field *field, char *out, size_t out_bytes)
{
        bool is_size = field->kind == CONF_SIZE;
        const char *what = is_size ? "a size (K, M, G, T)" : "a number";
        char min[32], max[32];

        if (is_size) {
                size_text(field->min, min);
                size_text(field->max, max);
        } else {
                snprintf(min, sizeof min, "%" PRIu64, field->min);
                snprintf(max, sizeof max, "%" PRIu64, field->max);
        }
        if (field->max != 0)
                snprintf(out, out_bytes, "%s from %s to %s", what, min, max);
        else
                snprintf(out, out_bytes, "%s of at least %s", what, min);
}

static const char *allowed_in_general(enum conf_kind kind)
{
        switch (kind) {
        case CONF_STRING: return "a text";
        case CONF_PATH: return "a path";
        case CONF_STRINGS: return "a text or a list of texts";
        case CONF_BOOL: return "on, off, yes, no, true, false";
        case CONF_ADDR: return "an address like 192.0.2.1:2049 or [2001:db8::1]:2049";
        case CONF_ADDRS: return "addresses like 192.0.2.1:2049 or [2001:db8::1]:2049";
        case CONF_LIST: return "a list";
        case CONF_RECORD: return "a mapping of keys to values";
        case CONF_U64:
        case CONF_SIZE:
        case CONF_ENUM:
        case CONF_SET: break;
        }
        return "";
}

void conf_value_allowed(const struct conf_field *field, char *out, size_t out_bytes)
{
        if (field->help)
                snprintf(out, out_bytes, "%s", field->help);
        else if (field->kind == CONF_ENUM || field->kind == CONF_SET)
                allowed_names(field, out, out_bytes);
        else if (field->kind == CONF_U64 || field->kind == CONF_SIZE)
                allowed_number(field, out, out_bytes);
        else
                snprintf(out, out_bytes, "%s", allowed_in_general(field->kind));
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

static bool key_from_hex(const char *text, size_t length, uint8_t ret_key[CONF_KEY_BYTES])
{
        uint8_t key[CONF_KEY_BYTES];

        if (length == 2 * CONF_KEY_BYTES + 1 && text[length - 1] == '\n')
                length--;
        if (length != 2 * CONF_KEY_BYTES)
                return false;
        for (unsigned i = 0; i < CONF_KEY_BYTES; i++) {
                int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

                if (high < 0 || low < 0)
                        return false;
                key[i] = (uint8_t)(high << 4 | low);
        }
        memcpy(ret_key, key, sizeof key);
        return true;
}

static const char allowed_key[] = "a file of 64 hexadecimal digits, mode 0600 or 0400";

int conf_load_key(const char *file, uint8_t ret_key[CONF_KEY_BYTES], char *error, size_t error_bytes)
{
        CLEANUP_CLOSE int fd = open(file, O_RDONLY | O_CLOEXEC);
        char text[2 * CONF_KEY_BYTES + 2];
        struct stat st;
        ssize_t length;

        if (fd < 0 || fstat(fd, &st) < 0 || (length = read(fd, text, sizeof text)) < 0) {
                snprintf(error, error_bytes, "%s: %s; allowed: %s", file, strerror(errno), allowed_key);
                return -1;
        }
        if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
                snprintf(error, error_bytes, "%s: others may read it; allowed: %s", file, allowed_key);
                return -1;
        }
        if (!key_from_hex(text, (size_t)length, ret_key)) {
                snprintf(error, error_bytes, "%s: not a cluster key; allowed: %s", file, allowed_key);
                return -1;
        }
        return 0;
}
