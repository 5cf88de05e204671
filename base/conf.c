/* SPDX-License-Identifier: Apache-2.0 */
/* Front door of the YAML library: walks a document along a table of fields.
 *
 * The walk is done on libyaml's document tree and not by libcyaml's cyaml_load_data(), whose schemas our
 * tables resemble: libcyaml 1.3.1 tells positions only as text in a log callback; for an unknown key, a key
 * given twice or a missing one it names the line of the event *before* (`zz` on line 3 is reported at line
 * 2); it never says what would be allowed; and it keeps no positions for checks that come after loading (an
 * export's path, a file that is not there). */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <yaml.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/conf_value.h"

enum {
        VISIT_LIMIT = 100000, /* values read in all: aliases make small files large */
        SHOWN_BYTES = 64,     /* of a bad value in a message */
        ALLOWED_BYTES = 400,
};

struct loader {
        const char *name, *text;
        size_t length;
        yaml_document_t document;
        unsigned visits;
        char *error;
        size_t error_bytes;
};

static int __attribute__((format(printf, 3, 4)))
fail(struct loader *l, unsigned line, const char *format, ...)
{
        int used = snprintf(l->error, l->error_bytes, "%s:%u: ", l->name, line);
        va_list args;

        va_start(args, format);
        if (used > 0 && (size_t)used < l->error_bytes)
                vsnprintf(l->error + used, l->error_bytes - (size_t)used, format, args);
        va_end(args);
        return -1;
}

static unsigned line_of(const yaml_node_t *node)
{
        return (unsigned)node->start_mark.line + 1;
}

static bool is_plain_text(const yaml_node_t *node)
{
        return node->type == YAML_SCALAR_NODE &&
               strlen((const char *)node->data.scalar.value) == node->data.scalar.length;
}

/* What a message shows of a node: its text, cut and without control bytes. */
static const char *shown(const yaml_node_t *node, char out[SHOWN_BYTES])
{
        if (node->type != YAML_SCALAR_NODE)
                return node->type == YAML_SEQUENCE_NODE ? "(a list)" : "(a mapping)";
        snprintf(out, SHOWN_BYTES, "%s", (const char *)node->data.scalar.value);
        for (char *c = out; *c; c++)
                if ((unsigned char)*c < ' ' || *c == 0x7f)
                        *c = '?';
        return out;
}

static int bad_value(struct loader *l, const yaml_node_t *node, const struct conf_field *field)
{
        char allowed[ALLOWED_BYTES], text[SHOWN_BYTES];

        conf_value_allowed(field, allowed, sizeof allowed);
        return fail(l, line_of(node), "%s: '%s' is not valid; allowed: %s", field->key, shown(node, text),
                    allowed);
}

static int unknown_key(struct loader *l, const yaml_node_t *key, const struct conf_field *fields)
{
        char allowed[ALLOWED_BYTES] = "", text[SHOWN_BYTES];
        size_t used = 0;

        for (const struct conf_field *f = fields; f->key && used < sizeof allowed; f++)
                used += (size_t)snprintf(allowed + used, sizeof allowed - used, "%s%s",
                                         f == fields ? "" : ", ", f->key);
        return fail(l, line_of(key), "unknown key '%s'; allowed: %s", shown(key, text), allowed);
}

static int missing_key(struct loader *l, unsigned line, const struct conf_field *field)
{
        char allowed[ALLOWED_BYTES];

        conf_value_allowed(field, allowed, sizeof allowed);
        return fail(l, line, "'%s' is missing; allowed: %s", field->key, allowed);
}

static int load_scalar(struct loader *l, const yaml_node_t *node, const struct conf_field *field,
                       void *member)
{
        if (l->visits++ >= VISIT_LIMIT)
                return fail(l, line_of(node), "too many values; allowed: %d", VISIT_LIMIT);
        if (!is_plain_text(node) || !conf_value_set(field, (const char *)node->data.scalar.value, member))
                return bad_value(l, node, field);
        if (field->kind == CONF_PATH)
                ((struct conf_path *)member)->line = line_of(node);
        return 0;
}

static int check_length(struct loader *l, const yaml_node_t *node, const struct conf_field *field,
                        unsigned length)
{
        /* CONF_ADDRS keeps its default port in min; a list that is written down has a member anyway. */
        uint64_t min = field->kind == CONF_ADDRS || field->min == 0 ? 1 : field->min;

        if (length < min)
                return fail(l, line_of(node), "%s: too short a list; allowed: at least %u", field->key,
                            (unsigned)min);
        if (field->max != 0 && length > field->max)
                return fail(l, line_of(node), "%s: too long a list; allowed: at most %u", field->key,
                            (unsigned)field->max);
        return 0;
}

/* The members of a list node; a scalar stands for a list of itself. */
struct items {
        const yaml_node_t *alone;
        const yaml_node_t *list;
        unsigned count;
};

static struct items items_of(const yaml_node_t *node)
{
        const __typeof__(node->data.sequence.items) *list = &node->data.sequence.items;

        if (node->type == YAML_SEQUENCE_NODE)
                return (struct items){ .list = node, .count = (unsigned)(list->top - list->start) };
        return (struct items){ .alone = node, .count = 1 };
}

static const yaml_node_t *item(struct loader *l, const struct items *items, unsigned i)
{
        return items->alone ? items->alone
                            : yaml_document_get_node(&l->document, items->list->data.sequence.items.start[i]);
}

static void *alloc_items(unsigned count, size_t bytes)
{
        void *items = calloc(count > 0 ? count : 1, bytes);

        CHECK(items != NULL);
        return items;
}

/* In the lists below count follows what is filled, so that conf_free() is right at any point. */
static int load_strings(struct loader *l, const yaml_node_t *node, const struct conf_field *field,
                        struct conf_strings *ret)
{
        struct items items = items_of(node);

        if (check_length(l, node, field, items.count) < 0)
                return -1;
        ret->items = alloc_items(items.count, sizeof *ret->items);
        ret->lines = alloc_items(items.count, sizeof *ret->lines);
        for (unsigned i = 0; i < items.count; i++) {
                const yaml_node_t *n = item(l, &items, i);

                if (load_scalar(l, n, field, &ret->items[i]) < 0)
                        return -1;
                ret->lines[i] = line_of(n);
                ret->count++;
        }
        return 0;
}

static int load_addrs(struct loader *l, const yaml_node_t *node, const struct conf_field *field,
                      struct conf_addrs *ret)
{
        struct items items = items_of(node);

        if (check_length(l, node, field, items.count) < 0)
                return -1;
        ret->items = alloc_items(items.count, sizeof *ret->items);
        for (unsigned i = 0; i < items.count; i++, ret->count++)
                if (load_scalar(l, item(l, &items, i), field, &ret->items[i]) < 0)
                        return -1;
        return 0;
}

static int load_record(struct loader *l, const yaml_node_t *node, unsigned line,
                       const struct conf_field *fields, void *record);

static int load_nested(struct loader *l, const yaml_node_t *node, const struct conf_field *field,
                       void *record)
{
        if (l->visits++ >= VISIT_LIMIT)
                return fail(l, line_of(node), "too many values; allowed: %d", VISIT_LIMIT);
        if (field->keeps_line)
                *(unsigned *)record = line_of(node);
        if (node->type != YAML_MAPPING_NODE)
                return bad_value(l, node, field);
        return load_record(l, node, line_of(node), field->fields, record);
}

static int load_list(struct loader *l, const yaml_node_t *node, const struct conf_field *field,
                     struct conf_list *ret)
{
        struct items items = items_of(node);

        if (node->type != YAML_SEQUENCE_NODE)
                return bad_value(l, node, field);
        if (check_length(l, node, field, items.count) < 0)
                return -1;
        ret->items = alloc_items(items.count, field->record_bytes);
        for (unsigned i = 0; i < items.count; i++) {
                void *record = (char *)ret->items + i * field->record_bytes;

                ret->count++; /* first: a record that fails half way is freed as well */
                if (load_nested(l, item(l, &items, i), field, record) < 0)
                        return -1;
        }
        return 0;
}

static int load_value(struct loader *l, const yaml_node_t *node, const struct conf_field *field, void *member)
{
        switch (field->kind) {
        case CONF_STRINGS: return load_strings(l, node, field, member);
        case CONF_ADDRS: return load_addrs(l, node, field, member);
        case CONF_LIST: return load_list(l, node, field, member);
        case CONF_RECORD: return load_nested(l, node, field, member);
        default: return load_scalar(l, node, field, member);
        }
}

/* A default comes from our own table: it must fit. */
static void set_fallback(const struct conf_field *field, void *member)
{
        struct conf_strings *strings = member;
        struct conf_addrs *addrs = member;
        bool ok;

        switch (field->kind) {
        case CONF_STRINGS:
                strings->items = alloc_items(1, sizeof *strings->items);
                strings->lines = alloc_items(1, sizeof *strings->lines);
                strings->count = 1;
                ok = conf_value_set(field, field->fallback, strings->items);
                break;
        case CONF_ADDRS:
                addrs->items = alloc_items(1, sizeof *addrs->items);
                addrs->count = 1;
                ok = conf_value_set(field, field->fallback, addrs->items);
                break;
        default: ok = conf_value_set(field, field->fallback, member); break;
        }
        CHECK(ok);
}

static int load_absent(struct loader *l, unsigned line, const struct conf_field *field, void *member)
{
        if (field->required)
                return missing_key(l, line, field);
        if (field->kind == CONF_RECORD)
                return load_record(l, NULL, line, field->fields, member); /* its own defaults */
        if (field->fallback)
                set_fallback(field, member);
        return 0;
}

static const struct conf_field *find_field(const struct conf_field *fields, const yaml_node_t *key)
{
        if (!is_plain_text(key))
                return NULL;
        for (const struct conf_field *f = fields; f->key; f++)
                if (strcmp(f->key, (const char *)key->data.scalar.value) == 0)
                        return f;
        return NULL;
}

static int load_pair(struct loader *l, const yaml_node_pair_t *pair, const struct conf_field *fields,
                     void *record, unsigned seen[])
{
        const yaml_node_t *key = yaml_document_get_node(&l->document, pair->key);
        const struct conf_field *field = find_field(fields, key);
        unsigned *first;

        if (!field)
                return unknown_key(l, key, fields);
        first = &seen[field - fields];
        if (*first != 0)
                return fail(l, line_of(key), "'%s' stands twice; allowed: once (line %u)", field->key,
                            *first);
        *first = line_of(key);
        return load_value(l, yaml_document_get_node(&l->document, pair->value), field,
                          (char *)record + field->offset);
}

/* NODE is a mapping, or NULL for one without any keys. LINE is where it begins. */
static int load_record(struct loader *l, const yaml_node_t *node, unsigned line,
                       const struct conf_field *fields, void *record)
{
        CLEANUP_FREE unsigned *seen = NULL;
        unsigned count = 0;

        while (fields[count].key)
                count++;
        seen = alloc_items(count, sizeof *seen); /* the line at which each key stood */
        if (node)
                for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
                     p < node->data.mapping.pairs.top; p++)
                        if (load_pair(l, p, fields, record, seen) < 0)
                                return -1;
        for (unsigned i = 0; i < count; i++)
                if (seen[i] == 0 && load_absent(l, line, &fields[i], (char *)record + fields[i].offset) < 0)
                        return -1;
        return 0;
}

/* What is no text at all fails in the reader, which tells an offset and no line. */
static unsigned line_of_problem(const yaml_parser_t *parser, const char *text, size_t length)
{
        size_t end = parser->problem_offset < length ? parser->problem_offset : length;
        unsigned line = 1;

        if (parser->error != YAML_READER_ERROR)
                return (unsigned)parser->problem_mark.line + 1;
        for (size_t i = 0; i < end; i++)
                line += text[i] == '\n';
        return line;
}

static int parse_failed(struct loader *l, const yaml_parser_t *parser)
{
        return fail(l, line_of_problem(parser, l->text, l->length), "not YAML: %s; allowed: YAML in UTF-8",
                    parser->problem ? parser->problem : "out of memory");
}

static int load_document(struct loader *l, const struct conf_field *fields, void *record)
{
        const yaml_node_t *root = yaml_document_get_root_node(&l->document);

        if (root && root->type != YAML_MAPPING_NODE)
                return fail(l, line_of(root), "not a mapping; allowed: lines of the form key: value");
        return load_record(l, root, root ? line_of(root) : 1, fields, record);
}

/* After the first document nothing may follow: it would be ignored in silence. */
static int expect_end(struct loader *l, yaml_parser_t *parser)
{
        yaml_document_t second;
        yaml_node_t *root;
        int status = 0;

        if (!yaml_parser_load(parser, &second))
                return parse_failed(l, parser);
        root = yaml_document_get_root_node(&second);
        if (root)
                status = fail(l, line_of(root), "a second document; allowed: one in a file");
        yaml_document_delete(&second);
        return status;
}

int conf_load_text(const char *name, const char *text, size_t length, const struct conf_field *fields,
                   void *record, char *error, size_t error_bytes)
{
        struct loader l = {
                .name = name, .text = text, .length = length, .error = error, .error_bytes = error_bytes
        };
        yaml_parser_t parser;
        int status;

        CHECK(yaml_parser_initialize(&parser));
        yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
        if (!yaml_parser_load(&parser, &l.document)) {
                status = parse_failed(&l, &parser);
        } else {
                status = load_document(&l, fields, record);
                /* A file without any document has no end to look for. */
                if (status == 0 && yaml_document_get_root_node(&l.document))
                        status = expect_end(&l, &parser);
                yaml_document_delete(&l.document);
        }
        yaml_parser_delete(&parser);
        if (status < 0)
                conf_free(fields, record);
        return status;
}

static int read_failed(const char *file, int number, char *error, size_t error_bytes)
{
        snprintf(error, error_bytes, "%s:1: %s; allowed: a readable YAML file", file, strerror(number));
        return -1;
}

int conf_load(const char *file, const struct conf_field *fields, void *record, char *error,
              size_t error_bytes)
{
        CLEANUP_FREE char *text = alloc_items(CONF_FILE_LIMIT + 1, 1);
        CLEANUP_FILE FILE *in = fopen(file, "re");
        size_t length;

        if (!in)
                return read_failed(file, errno, error, error_bytes);
        length = fread(text, 1, CONF_FILE_LIMIT + 1, in);
        if (ferror(in))
                return read_failed(file, errno, error, error_bytes);
        if (length > CONF_FILE_LIMIT)
                return read_failed(file, EFBIG, error, error_bytes);
        return conf_load_text(file, text, length, fields, record, error, error_bytes);
}
