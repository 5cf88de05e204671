/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes in an object's metadata, as s3fs has them: one value, {"user.NAME":"BASE64",…} with
 * percent-escapes. Over NFS a name comes without the "user.". */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/log.h"
#include "mds/tier/describe.h"
#include "s3tier/encode.h"

static const char user[] = "user.";
enum { USER_BYTES = sizeof(user) - 1, TEXT_BYTES = S3_METADATA_BYTES };

/* --- out */

struct putting {
        const struct mds *mds;
        const struct inode *inode;
        struct text text; /* escaped */
        uint8_t *record;  /* XATTR_RECORD_BYTES */
        uint32_t left;    /* bytes that do not fit may not be written */
        unsigned count, lost;
};

static void add(struct text *t, const char *plain)
{
        text_add_escaped(t, plain, false);
}

/* NAME: with a NUL behind it. False: it cannot be told, or does not fit. */
static bool put_one(struct putting *p, const char *name, struct slice value)
{
        CLEANUP_FREE char *base64 = NULL;
        char space[TEXT_BYTES];
        struct text one = text_of(space, sizeof(space));

        if (strchr(name, '"') || value.length > TEXT_BYTES || !(base64 = malloc(value.length * 2 + 8)))
                return false;
        base64_of(value.data, value.length, base64);
        add(&one, p->count ? ",\"" : "\"");
        add(&one, user);
        add(&one, name);
        add(&one, "\":\"");
        add(&one, base64);
        add(&one, "\"");
        text_end(&one);
        if (one.full || strlen(space) > p->left)
                return false;
        text_add(&p->text, space);
        p->left -= (uint32_t)strlen(space);
        p->count++;
        return true;
}

static bool each(void *arg, uint64_t cookie, struct slice name)
{
        struct putting *p = arg;
        char text[XATTR_NAME_BYTES + 1];
        struct slice value;

        (void)cookie;
        slice_text(text, sizeof(text), name);
        if (meta_xattr(p->mds->meta, p->inode, name, p->record, &value) < 0 || !put_one(p, text, value))
                p->lost++;
        return true;
}

void describe_xattrs(const struct mds *mds, const struct inode *inode, struct s3_metadata *m,
                     struct room *room)
{
        CLEANUP_FREE uint8_t *record = inode->flags & INODE_XATTRS ? malloc(XATTR_RECORD_BYTES) : NULL;
        enum { BRACES = 6, NAME = sizeof("x-amz-meta-xattr") - 1 };
        char space[TEXT_BYTES];
        struct putting p = { .mds = mds, .inode = inode, .text = text_of(space, sizeof(space)) };

        if (!(inode->flags & INODE_XATTRS))
                return;
        p.record = record;
        p.left = room->bytes > BRACES + NAME ? (uint32_t)(room->bytes - BRACES - NAME) : 0;
        add(&p.text, "{");
        if (!record || meta_xattrs(mds->meta, inode, 0, each, &p) < 0)
                p.lost++;
        add(&p.text, "}");
        text_end(&p.text);
        if (p.lost > 0 && !room->quiet)
                log_warn("xattrs-not-exported", "fileid=%" PRIu64 " count=%u: they are more than S3 takes",
                         inode->fileid, p.lost);
        if (p.count > 0)
                describe_put(m, room, "xattr", space);
}

/* --- in */

static int digit_of(char c)
{
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const char *at = c ? strchr(digits, c) : NULL;

        return at ? (int)(at - digits) : -1;
}

/* RFC 4648 §4, in place. The length, or -1. */
static int64_t from_base64(char *text, size_t length)
{
        uint8_t *out = (uint8_t *)text;
        uint32_t bits = 0, have = 0;
        int64_t n = 0;

        while (length > 0 && text[length - 1] == '=')
                length--;
        for (size_t i = 0; i < length; i++) {
                int digit = digit_of(text[i]);

                if (digit < 0)
                        return -1;
                bits = bits << 6 | (uint32_t)digit;
                have += 6;
                if (have >= 8) {
                        have -= 8;
                        out[n++] = (uint8_t)(bits >> have);
                }
        }
        return n;
}

/* NAME and VALUE, as they stand there. 0: also of one that is none of ours. */
static int set_one(struct txn *t, struct inode *inode, char *name, size_t name_length, char *value,
                   size_t value_length)
{
        int64_t length;

        if (name_length <= USER_BYTES || memcmp(name, user, USER_BYTES) != 0 ||
            name_length - USER_BYTES > XATTR_NAME_BYTES || memchr(name, 0, name_length) ||
            strncmp(name + USER_BYTES, "nacre.", 6) == 0)
                return 0;
        length = from_base64(value, value_length);
        if (length < 0)
                return 0;
        return txn_set_xattr(t, inode, slice_of(name + USER_BYTES, (uint32_t)(name_length - USER_BYTES)),
                             slice_of(value, (uint32_t)length), XATTR_SET_EITHER);
}

int describe_set_xattrs(struct txn *t, struct inode *inode, const struct s3_metadata *m)
{
        const char *from = s3_metadata_get(m, "xattr");
        char text[TEXT_BYTES], *at = text, *end;
        int64_t length = from ? url_decode(from, strlen(from), false, text) : -1;

        if (length <= 0 || length >= TEXT_BYTES)
                return 0;
        text[length] = '\0';
        while (at[0] && (at[0] == '{' || at[0] == ',') && at[1] == '"') {
                char *name = at + 2, *middle = strstr(name, "\":\""), *value = middle ? middle + 3 : NULL;
                int r;

                end = value ? strchr(value, '"') : NULL;
                if (!end)
                        return 0; /* nonsense says nothing more */
                at = end + 1;
                r = set_one(t, inode, name, (size_t)(middle - name), value, (size_t)(end - value));
                if (r < 0 && r != -ENOSPC)
                        return r;
        }
        return 0;
}
