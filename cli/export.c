/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "mds/ns/export.h"

int cmd_export_check(const struct cli_args *args)
{
        struct exports *set = NULL;
        unsigned rules = 0;
        char error[1024];

        if (exports_load(args->operand, &set, error, sizeof error) < 0) {
                fprintf(stderr, "%s\n", error);
                return CLI_USAGE;
        }
        for (unsigned i = 0; i < set->count; i++)
                rules += set->items[i].rule_count;
        printf("%s: %u export%s, %u rule%s: fine\n", args->operand, set->count, set->count == 1 ? "" : "s",
               rules, rules == 1 ? "" : "s");
        exports_free(set);
        return CLI_OK;
}

int cmd_export_reload(const struct cli_args *args)
{
        CLEANUP_FREE char *body = cli_ask(args, "export-reload", "");

        if (!body)
                return CLI_FAILED;
        puts("export policies read again");
        return CLI_OK;
}
