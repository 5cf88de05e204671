/* SPDX-License-Identifier: Apache-2.0 */
/* The pseudo file system, RFC 8881 §7.3: read-only directories that lead from the root to each export. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "mds/ns/export.h"

/* Between 2^62 and 2^63: no file of the store has such an id, and as a directory cookie it stays positive in
 * Linux's loff_t. From the path, so that handles and cookies outlive restarts and edits of the file. */
static uint64_t id_of_path(const char *path, size_t length)
{
        return (export_path_hash(path, length) >> 2) | UINT64_C(1) << 62;
}

static struct pseudo_node *new_node(struct pseudo_node *parent, uint64_t id, const char *name, size_t length)
{
        struct pseudo_node *node = calloc(1, sizeof *node);

        CHECK(node != NULL);
        node->id = id;
        node->parent = parent;
        node->name = strndup(name, length);
        CHECK(node->name != NULL);
        return node;
}

static bool has_name(const struct pseudo_node *node, const char *name, size_t length)
{
        return strlen(node->name) == length && memcmp(node->name, name, length) == 0;
}

/* The child of DIR for the last LENGTH bytes of PATH, which END ends; made when it is new. */
static struct pseudo_node *child_of(struct pseudo_node *dir, const char *path, const char *end, size_t length)
{
        struct pseudo_node **at = &dir->first_child, *child;
        uint64_t id = id_of_path(path, (size_t)(end - path));

        while (*at && (*at)->id < id)
                at = &(*at)->next_sibling;
        if (*at && has_name(*at, end - length, length))
                return *at;
        child = new_node(dir, id, end - length, length);
        child->next_sibling = *at;
        *at = child;
        return child;
}

/* Returns how many parts the path has. */
static unsigned add_export(struct pseudo_node *root, const struct export *e)
{
        struct pseudo_node *node = root;
        const char *p = e->path;
        unsigned parts = 0;

        for (; *p && p[1]; parts++) {
                size_t length = strcspn(p + 1, "/");

                p += 1 + length;
                node = child_of(node, e->path, p, length);
        }
        node->export_id = e->id;
        return parts;
}

static unsigned collect_ids(const struct pseudo_node *node, uint64_t *ids)
{
        unsigned count = 1;

        ids[0] = node->id;
        for (const struct pseudo_node *child = node->first_child; child; child = child->next_sibling)
                count += collect_ids(child, ids + count);
        return count;
}

static int by_value(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return x < y ? -1 : x > y;
}

/* 62 bits do not meet by chance, but nothing may rest on that. */
static bool ids_differ(const struct pseudo_node *root, unsigned limit)
{
        CLEANUP_FREE uint64_t *ids = calloc(limit, sizeof *ids);
        unsigned count;

        CHECK(ids != NULL);
        count = collect_ids(root, ids);
        CHECK(count <= limit);
        qsort(ids, count, sizeof *ids, by_value);
        for (unsigned i = 1; i < count; i++)
                if (ids[i] == ids[i - 1])
                        return false;
        return true;
}

bool pseudo_build(struct exports *set)
{
        unsigned nodes = 1;

        set->root = new_node(NULL, id_of_path("/", 1), "", 0);
        for (unsigned i = 0; i < set->count; i++)
                nodes += add_export(set->root, &set->items[i]);
        return ids_differ(set->root, nodes);
}

void pseudo_free(struct pseudo_node *node)
{
        while (node && node->first_child) {
                struct pseudo_node *child = node->first_child;

                node->first_child = child->next_sibling;
                pseudo_free(child);
        }
        if (node)
                free(node->name);
        free(node);
}

static const struct pseudo_node *find(const struct pseudo_node *node, uint64_t id)
{
        if (node->id == id)
                return node;
        for (const struct pseudo_node *child = node->first_child; child; child = child->next_sibling) {
                const struct pseudo_node *found = find(child, id);

                if (found)
                        return found;
        }
        return NULL;
}

const struct pseudo_node *pseudo_by_id(const struct exports *set, uint64_t id)
{
        return find(set->root, id);
}

const struct pseudo_node *pseudo_of_export(const struct exports *set, uint16_t export_id)
{
        const struct export *e = export_by_id(set, export_id);

        return e ? find(set->root, id_of_path(e->path, strlen(e->path))) : NULL;
}

const struct pseudo_node *pseudo_lookup(const struct pseudo_node *dir, struct slice name)
{
        for (const struct pseudo_node *child = dir->first_child; child; child = child->next_sibling)
                if (has_name(child, (const char *)name.data, name.length))
                        return child;
        return NULL;
}

const struct pseudo_node *pseudo_next(const struct pseudo_node *dir, uint64_t after)
{
        const struct pseudo_node *child = dir->first_child;

        while (child && child->id <= after)
                child = child->next_sibling;
        return child;
}
