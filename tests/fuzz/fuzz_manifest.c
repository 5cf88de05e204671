/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a page of a manifest: refused, or each of its names is found, and what is found can be written
 * and read again. A page is mostly refused for its checksum; so that is put right first. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/digest.h"
#include "mds/tier/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char text[MANIFEST_PAGE_BYTES + 1], again[MANIFEST_PAGE_BYTES + 1];

static void put_right(uint32_t length)
{
        enum { END = sizeof("01234567\n") - 1 };

        if (length > END)
                snprintf(text + length - END, END + 1, "%08x\n", crc32c(0, text, length - END));
}

/* M is written once more, and is the same. */
static void check_again(const struct manifest_index *m, const char *prefix)
{
        static struct manifest_index other = { .text = again };
        static struct manifest_entry one, two;
        struct manifest_page p = { .space = again };
        struct slice page;

        manifest_page_begin(&p, prefix, 1);
        for (unsigned i = 0; i < m->count; i++)
                if (manifest_page_find(m, m->text + m->lines[i].name, &one) &&
                    !manifest_page_add(&p, m->text + m->lines[i].name, &one))
                        return;
        page = manifest_page_end(&p, m->through, m->more);
        CHECK(manifest_page_read(&other, page.length, prefix, 1));
        CHECK(other.count == p.count && other.more == m->more && strcmp(other.through, m->through) == 0);
        for (unsigned i = 0; i < other.count; i++) {
                CHECK(manifest_page_find(&other, again + other.lines[i].name, &two));
                if (!manifest_page_find(m, again + other.lines[i].name, &one))
                        continue; /* of several lines of one name any may be found */
                CHECK(two.target_length <= NFS4_MAXPATH && two.metadata.bytes <= S3_METADATA_BYTES);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct manifest_index m = { .text = text };
        uint32_t length = size < MANIFEST_PAGE_BYTES ? (uint32_t)size : MANIFEST_PAGE_BYTES;

        memcpy(text, data, length);
        put_right(length);
        if (manifest_page_read(&m, length, "a/b/", 0))
                check_again(&m, "a/b/");
        return 0;
}
