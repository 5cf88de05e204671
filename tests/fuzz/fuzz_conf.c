/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as configuration of both daemons: a struct that can be freed, or a message with a line. */
#include <string.h>

#include "base/check.h"
#include "ds/conf.h"
#include "mds/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* "f:LINE: " and something behind it. */
static void check_message(const char *error)
{
        size_t digits = strspn(error + 2, "0123456789");

        CHECK(strncmp(error, "f:", 2) == 0 && digits > 0);
        CHECK(strncmp(error + 2 + digits, ": ", 2) == 0 && error[4 + digits] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct mds_conf mds;
        struct ds_conf ds;
        char error[512];

        if (mds_conf_load_text("f", (const char *)data, size, &mds, error, sizeof error) == 0) {
                CHECK(mds.stripe_unit % 4096 == 0 && mds.stripe_unit > 0 && mds.stripe_count <= 64 &&
                      mds.listen.count > 0);
                mds_conf_free(&mds);
        } else {
                check_message(error);
        }
        if (ds_conf_load_text("f", (const char *)data, size, &ds, error, sizeof error) == 0) {
                CHECK(ds.listen.count > 0 && strlen(ds.name) <= 64);
                ds_conf_free(&ds);
        } else {
                check_message(error);
        }
        return 0;
}
