/* SPDX-License-Identifier: Apache-2.0 */
/* What is done with a record once it is loaded: compare it, free it. */
#include <inttypes.h>
#include <string.h>

#include "base/admin.h"
#include "base/cleanup.h"
#include "base/conf_value.h"

static bool same_text(const char *a, const char *b)
{
        return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_strings(const struct conf_strings *a, const struct conf_strings *b)
{
        bool same = a->count == b->count;

        for (unsigned i = 0; same && i < a->count; i++)
                same = strcmp(a->items[i], b->items[i]) == 0;
        return same;
}

static bool same_addrs(const struct conf_addrs *a, const struct conf_addrs *b)
{
        bool same = a->count == b->count;

        for (unsigned i = 0; same && i < a->count; i++)
                same = netaddr_equal(&a->items[i], &b->items[i]);
        return same;
}

static bool same_list(const struct conf_field *field, const struct conf_list *a, const struct conf_list *b)
{
        bool same = a->count == b->count;

        for (unsigned i = 0; same && i < a->count; i++)
                same = !conf_changed(field->fields, (const char *)a->items + i * field->record_bytes,
                                     (const char *)b->items + i * field->record_bytes);
        return same;
}

static bool same_value(const struct conf_field *field, const void *a, const void *b)
{
        switch (field->kind) {
        case CONF_STRING:
        case CONF_PATH: /* conf_path begins with its text */
                return same_text(*(const char *const *)a, *(const char *const *)b);
        case CONF_STRINGS: return same_strings(a, b);
        case CONF_ADDR: return netaddr_equal(a, b);
        case CONF_ADDRS: return same_addrs(a, b);
        case CONF_LIST: return same_list(field, a, b);
        case CONF_RECORD: return !conf_changed(field->fields, a, b);
        default: return memcmp(a, b, conf_value_bytes(field->kind)) == 0;
        }
}

const char *conf_changed(const struct conf_field *fields, const void *a, const void *b)
{
        for (const struct conf_field *f = fields; f->key; f++)
                if (!same_value(f, (const char *)a + f->offset, (const char *)b + f->offset))
                        return f->key;
        return NULL;
}

static void print_set(const struct conf_field *field, unsigned set, FILE *out)
{
        const char *before = "\"";

        for (int i = 0; field->names[i]; i++)
                if (set >> i & 1) {
                        fprintf(out, "%s%s", before, field->names[i]);
                        before = ",";
                }
        fputs(set == 0 ? "\"none\"" : "\"", out);
}

static void print_value(const struct conf_field *field, const void *member, FILE *out)
{
        switch (field->kind) {
        case CONF_STRING: json_string(out, *(const char *const *)member); break;
        case CONF_BOOL: fputs(*(const bool *)member ? "\"yes\"" : "\"no\"", out); break;
        case CONF_ENUM: json_string(out, field->names[*(const int *)member]); break;
        case CONF_SET: print_set(field, *(const unsigned *)member, out); break;
        default: fprintf(out, "\"%" PRIu64 "\"", *(const uint64_t *)member); break;
        }
}

static bool is_printed(const struct conf_field *field, const void *member)
{
        switch (field->kind) {
        case CONF_STRING: return *(const char *const *)member != NULL;
        case CONF_BOOL:
        case CONF_ENUM:
        case CONF_SET:
        case CONF_U64:
        case CONF_SIZE: return true;
        default: return false;
        }
}

void conf_print_json(const struct conf_field *fields, const void *record, FILE *out)
{
        const char *comma = "{";

        for (const struct conf_field *f = fields; f->key; f++) {
                const void *member = (const char *)record + f->offset;

                if (!is_printed(f, member))
                        continue;
                fprintf(out, "%s\"%s\":", comma, f->key);
                print_value(f, member, out);
                comma = ",";
        }
        fputs(*comma == '{' ? "{}" : "}", out);
}

static void free_strings(struct conf_strings *s)
{
        for (unsigned i = 0; i < s->count; i++)
                free(s->items[i]);
        free(s->items);
        free(s->lines);
}

static void free_list(const struct conf_field *field, struct conf_list *list)
{
        for (unsigned i = 0; i < list->count; i++)
                conf_free(field->fields, (char *)list->items + i * field->record_bytes);
        free(list->items);
}

/* Free what MEMBER points to and say how many bytes to zero. */
static size_t release(const struct conf_field *field, void *member)
{
        switch (field->kind) {
        case CONF_STRING:
        case CONF_PATH:
                free(*(char **)member); /* conf_path begins with its text */
                return conf_value_bytes(field->kind);
        case CONF_STRINGS: free_strings(member); return sizeof(struct conf_strings);
        case CONF_ADDRS: free(((struct conf_addrs *)member)->items); return sizeof(struct conf_addrs);
        case CONF_LIST: free_list(field, member); return sizeof(struct conf_list);
        case CONF_RECORD: conf_free(field->fields, member); return 0;
        default: return conf_value_bytes(field->kind);
        }
}

void conf_free(const struct conf_field *fields, void *record)
{
        for (const struct conf_field *f = fields; f->key; f++) {
                void *member = (char *)record + f->offset;

                memset(member, 0, release(f, member));
        }
}
