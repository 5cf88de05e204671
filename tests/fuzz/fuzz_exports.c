/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as export policies: a set in which everything can be found again, or a message with a line. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "mds/ns/export.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The node at the end of E's path, found name by name. */
static const struct pseudo_node *walk(const struct exports *set, const struct export *e)
{
        const struct pseudo_node *node = set->root;

        for (const char *p = e->path + 1; node && *p;) {
                size_t length = strcspn(p, "/");

                node = pseudo_lookup(node, slice_of(p, (uint32_t)length));
                p += length + (p[length] == '/');
        }
        return node;
}

static const char *some_name(struct export_names *names, const struct netaddr *client)
{
        (void)names;
        return client->bytes[0] == 0 ? NULL : "a.lab.example";
}

static void check_export(const struct exports *set, const struct export *e)
{
        const struct netaddr client = { .family = 4, .bytes = { 192, 0, 2, 1 } }, unknown = { .family = 6 };
        const struct pseudo_node *node = walk(set, e);
        struct export_names names = { some_name };

        CHECK(export_by_id(set, e->id) == e);
        CHECK(node && node->export_id == e->id && !node->first_child);
        CHECK(pseudo_of_export(set, e->id) == node && pseudo_by_id(set, node->id) == node);
        for (uint32_t flavour = 0; flavour < 2; flavour++) {
                const struct export_rule *rule = export_match(set, e->id, &client, flavour, &names);

                CHECK(rule != &export_undecided);
                CHECK(!rule || (rule->flavours >> flavour & 1) != 0);
                CHECK((rule != NULL) == ((export_flavours(set, e->id, &client, &names) >> flavour & 1) != 0));
                export_match(set, e->id, &unknown, flavour, &names);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct exports *set = NULL;
        char error[512];

        if (exports_load_text("f", (const char *)data, size, &set, error, sizeof error) < 0) {
                CHECK(strncmp(error, "f:", 2) == 0 && strspn(error + 2, "0123456789") > 0);
                return 0;
        }
        for (unsigned i = 0; i < set->count; i++)
                check_export(set, &set->items[i]);
        exports_free(set);
        return 0;
}
