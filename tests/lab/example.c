/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/example.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"

enum { LONGEST = 16384 };

char *example_text(const char *name)
{
        char path[512], *text = calloc(1, LONGEST);
        CLEANUP_FILE FILE *in = NULL;

        snprintf(path, sizeof path, "%s/docs/examples/%s", NACRE_SOURCE_DIR, name);
        in = fopen(path, "r");
        CHECK(in != NULL && text != NULL);
        CHECK(fread(text, 1, LONGEST - 1, in) > 0 && feof(in));
        return text;
}

void example_switch_on(char *text)
{
        char *to = text;
        bool begins = true;

        for (const char *from = text; *from; from++) {
                bool is_key = begins && from[0] == '#' && from[1] != ' ' && from[1] != '\n';

                begins = *from == '\n';
                if (!is_key)
                        *to++ = *from;
        }
        *to = '\0';
}
