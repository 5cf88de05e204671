/* SPDX-License-Identifier: Apache-2.0 */
/* The file of export policies, read and checked. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/conf.h"
#include "base/siphash.h"
#include "mds/ns/export.h"

enum { NAME_LIMIT = 255, PATH_LIMIT = 4095 };
enum { FLAVOUR_NONE = 0, FLAVOUR_SYS = 1 }; /* RFC 5531 §8.2 */

/* As it stands in the file. */
struct raw_rule {
        unsigned line;
        struct conf_strings clients, sec;
        int access, squash;
        uint64_t anonuid, anongid;
        bool pnfs;
};
struct raw_export {
        struct conf_path path;
        uint64_t id;
        struct conf_list rules;
};
struct raw_file {
        struct conf_list exports;
};

/* Absolute; every part a name that a directory entry could have. */
static bool is_path(const void *value)
{
        const char *p = value;

        if (strcmp(p, "/") == 0)
                return true;
        if (*p != '/' || strlen(p) > PATH_LIMIT)
                return false;
        while (*p == '/') {
                size_t length = strcspn(++p, "/");

                if (length == 0 || length > NAME_LIMIT)
                        return false;
                if (p[0] == '.' && (length == 1 || (length == 2 && p[1] == '.')))
                        return false;
                p += length;
        }
        return true;
}

static const char *const access_names[] = { [EXPORT_RO] = "ro", [EXPORT_RW] = "rw", NULL };
static const char *const squash_names[] = {
        [SQUASH_NONE] = "none", [SQUASH_ROOT] = "root", [SQUASH_ALL] = "all", NULL
};

#define RULE(member) offsetof(struct raw_rule, member)
static const struct conf_field rule_fields[] = {
        { "clients", CONF_STRINGS, RULE(clients), .required = true, .max = 1000,
          .help = "addresses, networks like 192.0.2.0/24, host names like *.lab.example, or \"*\"" },
        { "access", CONF_ENUM, RULE(access), .fallback = "ro", .names = access_names },
        { "squash", CONF_ENUM, RULE(squash), .fallback = "root", .names = squash_names },
        { "anonuid", CONF_U64, RULE(anonuid), .fallback = "65534", .max = UINT32_MAX - 1 },
        { "anongid", CONF_U64, RULE(anongid), .fallback = "65534", .max = UINT32_MAX - 1 },
        { "sec", CONF_STRINGS, RULE(sec), .fallback = "sys", .max = 8, .help = "sys, none" },
        { "pnfs", CONF_BOOL, RULE(pnfs), .fallback = "on" },
        { .key = NULL },
};
#define EXPORT(member) offsetof(struct raw_export, member)
static const struct conf_field export_fields[] = {
        { "path", CONF_PATH, EXPORT(path), .required = true, .valid = is_path,
          .help = "an absolute path without empty parts, '.' and '..', and without a slash at its end" },
        { "id", CONF_U64, EXPORT(id), .min = 1, .max = UINT16_MAX },
        { "rules", CONF_LIST, EXPORT(rules), .required = true, .max = 1000, .fields = rule_fields,
          .record_bytes = sizeof(struct raw_rule), .keeps_line = true,
          .help = "a list of rules with clients, access, squash, anonuid, anongid, sec, pnfs" },
        { .key = NULL },
};
static const struct conf_field file_fields[] = {
        { "exports", CONF_LIST, offsetof(struct raw_file, exports), .required = true, .max = 1000,
          .fields = export_fields, .record_bytes = sizeof(struct raw_export),
          .help = "a list of exports with path, id, rules" },
        { .key = NULL },
};

struct loader {
        const char *name;
        char *error;
        size_t error_bytes;
};

static int __attribute__((format(printf, 3, 4)))
fail(struct loader *l, unsigned line, const char *format, ...)
{
        char what[512];
        va_list args;

        va_start(args, format);
        vsnprintf(what, sizeof what, format, args);
        va_end(args);
        snprintf(l->error, l->error_bytes, "%s:%u: %s", l->name, line, what);
        return -1;
}

static void *alloc(unsigned count, size_t bytes)
{
        void *p = calloc(count, bytes);

        CHECK(p != NULL);
        return p;
}

uint64_t export_path_hash(const char *path, size_t length)
{
        static const uint8_t key[16]; /* nothing to hide: only the same value on every day and machine */

        return siphash(path, length, key);
}

static int load_clients(struct loader *l, const struct conf_strings *raw, struct export_rule *rule)
{
        rule->clients = alloc(raw->count, sizeof *rule->clients);
        for (unsigned i = 0; i < raw->count; i++, rule->client_count++) {
                const char *allowed = export_client_parse(raw->items[i], &rule->clients[i]);

                if (allowed)
                        return fail(l, raw->lines[i], "clients: '%.64s' is not valid; allowed: %s",
                                    raw->items[i], allowed);
        }
        return 0;
}

static int load_flavour(struct loader *l, const char *text, unsigned line, uint32_t *flavours)
{
        if (strcmp(text, "sys") == 0)
                *flavours |= 1u << FLAVOUR_SYS;
        else if (strcmp(text, "none") == 0)
                *flavours |= 1u << FLAVOUR_NONE;
        else if (strcmp(text, "krb5") == 0 || strcmp(text, "krb5i") == 0 || strcmp(text, "krb5p") == 0)
                return fail(l, line, "sec: '%s' is not supported yet; allowed: sys, none", text);
        else
                return fail(l, line, "sec: '%.64s' is not valid; allowed: sys, none", text);
        return 0;
}

static int load_rule(struct loader *l, const struct raw_rule *raw, struct export_rule *rule)
{
        rule->line = raw->line;
        rule->access = (enum export_access)raw->access;
        rule->squash = (enum export_squash)raw->squash;
        rule->anonuid = (uint32_t)raw->anonuid;
        rule->anongid = (uint32_t)raw->anongid;
        rule->pnfs = raw->pnfs;
        for (unsigned i = 0; i < raw->sec.count; i++)
                if (load_flavour(l, raw->sec.items[i], raw->sec.lines[i], &rule->flavours) < 0)
                        return -1;
        return load_clients(l, &raw->clients, rule);
}

static uint16_t id_of(const struct raw_export *raw)
{
        const char *path = raw->path.text;

        if (raw->id != 0)
                return (uint16_t)raw->id;
        if (strcmp(path, "/") == 0)
                return 1;
        return (uint16_t)(2 + export_path_hash(path, strlen(path)) % (UINT16_MAX - 1));
}

static int load_export(struct loader *l, const struct raw_export *raw, struct export *e)
{
        const struct raw_rule *rules = raw->rules.items;

        e->id = id_of(raw);
        e->path = strdup(raw->path.text);
        CHECK(e->path != NULL);
        e->rules = alloc(raw->rules.count, sizeof *e->rules);
        for (unsigned i = 0; i < raw->rules.count; i++) {
                e->rule_count++; /* first: what fails half way is freed as well */
                if (load_rule(l, &rules[i], &e->rules[i]) < 0)
                        return -1;
        }
        return 0;
}

/* Is PATH inside DIRECTORY, or the same? */
static bool is_inside(const char *path, const char *directory)
{
        size_t length = strlen(directory);

        if (length == 1)
                return true;
        return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* No export inside another: a file would have two policies, and the way to it would decide which holds. */
static int check_pair(struct loader *l, const struct raw_export *a, const struct raw_export *b)
{
        const char *first = a->path.text, *second = b->path.text;

        if (strcmp(first, second) == 0)
                return fail(l, b->path.line, "path: '%.64s' stands twice; allowed: once (line %u)", second,
                            a->path.line);
        if (is_inside(second, first))
                return fail(l, b->path.line,
                            "path: '%.64s' lies inside '%.64s' (line %u); allowed: separate paths", second,
                            first, a->path.line);
        if (is_inside(first, second))
                return fail(l, b->path.line,
                            "path: '%.64s' contains '%.64s' (line %u); allowed: separate paths", second,
                            first, a->path.line);
        if (id_of(a) == id_of(b))
                return fail(l, b->path.line,
                            "'%.64s' has the id %u of '%.64s' (line %u); allowed: another id: from 1 to %u",
                            second, id_of(b), first, a->path.line, UINT16_MAX);
        return 0;
}

static int check_paths(struct loader *l, const struct conf_list *list)
{
        const struct raw_export *items = list->items;

        for (unsigned i = 1; i < list->count; i++)
                for (unsigned j = 0; j < i; j++)
                        if (check_pair(l, &items[j], &items[i]) < 0)
                                return -1;
        return 0;
}

static int build(struct loader *l, const struct conf_list *list, struct exports *set)
{
        const struct raw_export *items = list->items;

        if (check_paths(l, list) < 0)
                return -1;
        set->items = alloc(list->count, sizeof *set->items);
        for (unsigned i = 0; i < list->count; i++) {
                set->count++;
                if (load_export(l, &items[i], &set->items[i]) < 0)
                        return -1;
        }
        return pseudo_build(set) ? 0 : fail(l, 1, "two paths hash alike; allowed: any others");
}

static int finish(struct loader *l, struct raw_file *raw, struct exports **ret)
{
        struct exports *set = alloc(1, sizeof *set);
        int status = build(l, &raw->exports, set);

        conf_free(file_fields, raw);
        if (status < 0)
                exports_free(set);
        else
                *ret = set;
        return status;
}

int exports_load(const char *file, struct exports **ret, char *error, size_t error_bytes)
{
        struct loader l = { file, error, error_bytes };
        struct raw_file raw = { 0 };

        if (conf_load(file, file_fields, &raw, error, error_bytes) < 0)
                return -1;
        return finish(&l, &raw, ret);
}

int exports_load_text(const char *name, const char *text, size_t length, struct exports **ret, char *error,
                      size_t error_bytes)
{
        struct loader l = { name, error, error_bytes };
        struct raw_file raw = { 0 };

        if (conf_load_text(name, text, length, file_fields, &raw, error, error_bytes) < 0)
                return -1;
        return finish(&l, &raw, ret);
}

static void free_rule(struct export_rule *rule)
{
        for (unsigned i = 0; i < rule->client_count; i++)
                free(rule->clients[i].host);
        free(rule->clients);
}

void exports_free(struct exports *set)
{
        if (!set)
                return;
        for (unsigned i = 0; i < set->count; i++) {
                for (unsigned j = 0; j < set->items[i].rule_count; j++)
                        free_rule(&set->items[i].rules[j]);
                free(set->items[i].rules);
                free(set->items[i].path);
        }
        free(set->items);
        pseudo_free(set->root);
        free(set);
}
