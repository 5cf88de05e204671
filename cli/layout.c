/* SPDX-License-Identifier: Apache-2.0 */
/* How files are striped: an extended attribute of the mounted file system, so a PATH is one of a client's. */
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#include "cli/cli.h"

static const char layout_name[] = "user.nacre.layout";

static int explain(const char *path)
{
        switch (errno) {
        case EINVAL:
                return cli_usage_error(
                        "%s: not a layout; allowed: --stripe-unit 4K to 255M, a multiple of 4K in K "
                        "or M, --stripe-count 1 to 64",
                        path);
        case EPERM:
                return cli_error("%s: only directories and files without data can be given a layout", path);
        case EOPNOTSUPP: return cli_error("%s: this is not Nacre, or not mounted with NFS version 4.2", path);
        default: return cli_error("%s: %s", path, strerror(errno));
        }
}

int cmd_layout_get(const struct cli_args *args)
{
        char text[256];
        ssize_t length = getxattr(args->operand, layout_name, text, sizeof text);

        if (length < 0 && errno == ENODATA)
                length = snprintf(text, sizeof text, "as configured");
        if (length < 0)
                return explain(args->operand);
        printf("%.*s\n", (int)length, text);
        return CLI_OK;
}

int cmd_layout_set(const struct cli_args *args)
{
        const char *unit = args->stripe_unit, *count = args->stripe_count;
        char text[256];
        int length;

        if (!unit && !count)
                return cli_usage_error("layout set: --stripe-unit SIZE or --stripe-count N is missing");
        length = snprintf(text, sizeof text, "%s%s%s%s%s", unit ? "unit=" : "", unit ? unit : "",
                          unit && count ? "," : "", count ? "width=" : "", count ? count : "");
        if (length >= (int)sizeof text || setxattr(args->operand, layout_name, text, (size_t)length, 0) < 0)
                return explain(args->operand);
        return CLI_OK;
}
