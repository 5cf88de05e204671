/* SPDX-License-Identifier: Apache-2.0 */
/* A page of a manifest: lines of fields with tabs between them, percent-escaped.
 *
 *   nacre-manifest  1  NUMBER  KEY-OF-THE-DIRECTORY
 *   NAME  ETAG  SIZE  LAST-MODIFIED (ns since 1970)  TARGET-OF-SYMLINK  METADATA=VALUE …
 *   end  NAME-UP-TO-WHICH-IT-TELLS  more or last  CRC32C of all before, in hex */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "mds/tier/manifest.h"

static const char reserved[] = ".nacre/", magic[] = "nacre-manifest\t1\t", end_mark[] = "end\t";
enum { HASH_BYTES = 16, CRC_DIGITS = 8, END_BYTES = 3 * S3_KEY_BYTES + 32 };

bool manifest_is_reserved(const char *key)
{
        return strncmp(key, reserved, sizeof(reserved) - 1) == 0;
}

bool manifest_is_reserved_name(struct slice name)
{
        return slice_equal(name, slice_of(reserved, sizeof(reserved) - 2));
}

void manifest_key(const char *prefix, unsigned page, char out[MANIFEST_KEY_BYTES])
{
        uint8_t hash[SHA256_BYTES];
        char hex[2 * HASH_BYTES + 1];

        sha256(prefix, strlen(prefix), hash);
        hex_of(hash, HASH_BYTES, hex);
        snprintf(out, MANIFEST_KEY_BYTES, "%s%s/%08x", MANIFEST_FOLDER, hex, page);
}

/* --- written */

static void add_field(struct text *t, const char *value)
{
        text_add(t, "\t");
        text_add_escaped(t, value, false);
}

static void add_number(struct text *t, uint64_t n)
{
        text_add(t, "\t");
        text_add_u64(t, n);
}

void manifest_page_begin(struct manifest_page *p, const char *prefix, unsigned number)
{
        p->text = text_of(p->space, MANIFEST_PAGE_BYTES - END_BYTES);
        p->count = 0;
        text_add(&p->text, magic);
        text_add_u64(&p->text, number);
        add_field(&p->text, prefix);
        text_add(&p->text, "\n");
}

bool manifest_page_add(struct manifest_page *p, const char *name, const struct manifest_entry *e)
{
        const char *key = NULL, *value;
        char target[NFS4_MAXPATH + 1];
        struct text was = p->text;

        if (p->count == MANIFEST_PAGE_ENTRIES)
                return false;
        memcpy(target, e->target, e->target_length);
        target[e->target_length] = '\0';
        text_add_escaped(&p->text, name, false);
        add_field(&p->text, e->etag);
        add_number(&p->text, e->size);
        add_number(&p->text, e->modified_ns);
        add_field(&p->text, target);
        while (s3_metadata_next(&e->metadata, &key, &value)) {
                add_field(&p->text, key);
                text_add(&p->text, "=");
                text_add_escaped(&p->text, value, false);
        }
        text_add(&p->text, "\n");
        if (p->text.full) {
                p->text = was;
                return false;
        }
        p->count++;
        return true;
}

struct slice manifest_page_end(struct manifest_page *p, const char *through, bool more)
{
        char crc[CRC_DIGITS + 2];

        p->text.end = p->space + MANIFEST_PAGE_BYTES - 1;
        text_add(&p->text, "end");
        add_field(&p->text, through);
        text_add(&p->text, more ? "\tmore\t" : "\tlast\t");
        snprintf(crc, sizeof(crc), "%08x\n", crc32c(0, p->space, (size_t)(p->text.at - p->space)));
        text_add(&p->text, crc);
        return slice_of(p->space, (uint32_t)(p->text.at - p->space));
}

/* --- read */

/* The field at *AT of a line that ends with a NUL; *AT moves behind it. NULL: there is none. */
static const char *next_field(const char **at, size_t *ret_length)
{
        const char *field = *at;

        if (!field)
                return NULL;
        *ret_length = strcspn(field, "\t");
        *at = field[*ret_length] ? field + *ret_length + 1 : NULL;
        return field;
}

/* FIELD, of LENGTH, into OUT (BYTES), with a NUL; none is in it. */
static bool decode(const char *field, size_t length, char *out, size_t bytes)
{
        char plain[3 * S3_METADATA_BYTES];
        int64_t n = field && length < sizeof(plain) ? url_decode(field, length, false, plain) : -1;

        return n >= 0 && !memchr(plain, 0, (size_t)n) && text_copy(out, bytes, plain, (size_t)n);
}

static bool next_text(const char **at, char *out, size_t bytes)
{
        size_t length = 0;
        const char *field = next_field(at, &length);

        return decode(field, length, out, bytes);
}

static bool next_number(const char **at, uint64_t *ret)
{
        size_t length = 0;
        const char *field = next_field(at, &length);

        return field && parse_u64(field, length, ret);
}

/* Line by line, each with a NUL at its end from now on; NULL: that was all. */
static char *next_line(char **at)
{
        char *line = *at, *end = strchr(line, '\n');

        if (!end)
                return NULL;
        *end = '\0';
        *at = end + 1;
        return line;
}

/* The last line, which begins at LINE; TEXT: of all of it. */
static bool read_end(struct manifest_index *m, const char *text, const char *line)
{
        const char *at = line + sizeof(end_mark) - 1;
        char more[8], crc[CRC_DIGITS + 2], is[CRC_DIGITS + 1];
        size_t before;

        if (strncmp(line, end_mark, sizeof(end_mark) - 1) != 0 ||
            !next_text(&at, m->through, sizeof(m->through)) || !next_text(&at, more, sizeof(more)) || !at)
                return false;
        before = (size_t)(at - text);
        text_cut(crc, sizeof(crc), at, strlen(at));
        snprintf(is, sizeof(is), "%08x", crc32c(0, text, before));
        m->more = strcmp(more, "more") == 0;
        return strncmp(crc, is, CRC_DIGITS) == 0 && strcmp(crc + CRC_DIGITS, "\n") == 0;
}

/* Where the last line begins, of a TEXT that ends with a line's end; NULL: there is none. */
static char *last_line(char *text, uint32_t length)
{
        char *at = length > 0 && text[length - 1] == '\n' ? memrchr(text, '\n', length - 1) : NULL;

        return at ? at + 1 : NULL;
}

static bool read_begin(const char *line, const char *prefix, unsigned number)
{
        const char *at = line + sizeof(magic) - 1;
        char is[S3_KEY_BYTES];
        uint64_t n;

        return strncmp(line, magic, sizeof(magic) - 1) == 0 && next_number(&at, &n) && n == number &&
               next_text(&at, is, sizeof(is)) && !at && strcmp(is, prefix) == 0;
}

static int by_name(const void *one, const void *two, void *text)
{
        const uint32_t *a = one, *b = two; /* a line begins with its name */

        return strcmp((const char *)text + *a, (const char *)text + *b);
}

/* LINE is one more; its name is decoded where it stands. */
static bool read_line(struct manifest_index *m, char *line)
{
        const char *at = line;
        char name[S3_KEY_BYTES];
        size_t length;

        if (m->count == MANIFEST_PAGE_ENTRIES || !next_field(&at, &length) || !at ||
            !decode(line, length, name, sizeof(name)))
                return false;
        m->lines[m->count].name = (uint32_t)(line - m->text);
        m->lines[m->count].rest = (uint32_t)(at - m->text);
        m->count++;
        strcpy(line, name); /* it is not longer */
        return true;
}

bool manifest_page_read(struct manifest_index *m, uint32_t length, const char *prefix, unsigned number)
{
        char *end, *at = m->text;

        m->text[length] = '\0';
        m->count = 0;
        m->more = false;
        if (memchr(m->text, 0, length) || !(end = last_line(m->text, length)) || !read_end(m, m->text, end))
                return false;
        *end = '\0';
        if (!(end = next_line(&at)) || !read_begin(end, prefix, number))
                return false;
        while ((end = next_line(&at)))
                if (!read_line(m, end))
                        return false;
        qsort_r(m->lines, m->count, sizeof(m->lines[0]), by_name, m->text);
        return true;
}

static const char *find_rest(const struct manifest_index *m, const char *name)
{
        unsigned from = 0, to = m->count;

        while (from < to) {
                unsigned middle = (from + to) / 2;
                int order = strcmp(name, m->text + m->lines[middle].name);

                if (order == 0)
                        return m->text + m->lines[middle].rest;
                if (order < 0)
                        to = middle;
                else
                        from = middle + 1;
        }
        return NULL;
}

/* As a header could say it. */
static bool is_plain(const char *value)
{
        while ((uint8_t)*value >= ' ' && *value != 0x7f)
                value++;
        return *value == '\0';
}

/* NAME=VALUE */
static bool read_metadata(const char *field, size_t length, struct s3_metadata *m)
{
        const char *equals = memchr(field, '=', length);
        char name[S3_METADATA_BYTES], value[S3_METADATA_BYTES];

        return equals && decode(field, (size_t)(equals - field), name, sizeof(name)) &&
               decode(equals + 1, length - (size_t)(equals + 1 - field), value, sizeof(value)) && name[0] &&
               is_plain(name) && is_plain(value) && s3_metadata_put(m, name, value);
}

bool manifest_page_find(const struct manifest_index *m, const char *name, struct manifest_entry *ret)
{
        const char *at = find_rest(m, name), *field;
        char target[NFS4_MAXPATH + 1];
        size_t length = 0;

        if (!at || !next_text(&at, ret->etag, sizeof(ret->etag)) || !next_number(&at, &ret->size) ||
            !next_number(&at, &ret->modified_ns) || !next_text(&at, target, sizeof(target)))
                return false;
        ret->target_length = (uint32_t)strlen(target);
        memcpy(ret->target, target, ret->target_length);
        ret->metadata.bytes = 0;
        ret->metadata.full = false;
        while ((field = next_field(&at, &length)))
                if (!read_metadata(field, length, &ret->metadata))
                        return false;
        return true;
}
