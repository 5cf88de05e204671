/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata that others have given an object: kept, and sent again. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "mds/tier/describe.h"

/* What goes through AWS: 2 KiB of names and values; and how many headers a request has room for. */
enum { SENT_BYTES = 2048, SENT_COUNT = 32, PREFIX_BYTES = sizeof("x-amz-meta-") - 1 };

/* Ours to say; what was there is read by describe_read(), or of a content that others wrote. */
static bool is_ours(const char *name)
{
        static const char *const names[] = { "file-permissions", "file-owner", "file-group", "file-atime",
                                             "file-mtime",       "user-agent", "nacre-id",   "nacre-key",
                                             "nacre-link",       "xattr" };

        for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (strcmp(name, names[i]) == 0)
                        return true;
        return false;
}

/* Said of the bytes: not of others. rclone's MD5 of an upload in parts; s3cmd's list has one in it. */
static bool is_of_content(const char *name)
{
        return strcmp(name, "md5chksum") == 0 || strcmp(name, "s3cmd-attrs") == 0 ||
               strcmp(name, ":content-encoding") == 0;
}

/* S3's own default: nobody has given it. */
static bool is_default(const char *name, const char *value)
{
        return strcmp(name, ":content-type") == 0 && strcmp(value, "binary/octet-stream") == 0;
}

static bool can_be_sent(const char *name, const char *value)
{
        if (name[0] == ':' ? !s3_is_description(name + 1)
                           : name[0] == '\0' ||
                                     strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != strlen(name))
                return false;
        while ((uint8_t)*value >= ' ' && *value != 0x7f)
                value++;
        return *value == '\0';
}

uint32_t describe_keep(const struct s3_metadata *m, uint8_t *out)
{
        const char *name = NULL, *value;
        uint32_t length = 0;

        while (s3_metadata_next(m, &name, &value)) {
                uint32_t name_bytes = (uint32_t)strlen(name) + 1, value_bytes = (uint32_t)strlen(value) + 1;

                if (is_ours(name) || is_default(name, value))
                        continue;
                if (!can_be_sent(name, value) || length + name_bytes + value_bytes > BACKING_KEPT_BYTES) {
                        log_warn("metadata-not-kept", "name=%s bytes=%u", name, value_bytes);
                        continue;
                }
                memcpy(out + length, name, name_bytes);
                memcpy(out + length + name_bytes, value, value_bytes);
                length += name_bytes + value_bytes;
        }
        return length;
}

/* --- sent again */

/* As OLD was: seconds, with a fraction or without, or RFC 3339. */
static void put_seconds(const char *old, int64_t ns, char *out, size_t bytes)
{
        int64_t seconds = ns / 1000000000, rest = ns % 1000000000;
        time_t t;
        struct tm tm;
        char date[32];

        if (rest < 0) {
                seconds--;
                rest += 1000000000;
        }
        t = (time_t)seconds;
        if (strchr(old, 'T') && gmtime_r(&t, &tm)) {
                strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
                snprintf(out, bytes, "%s.%09" PRId64 "Z", date, rest);
        } else if (strchr(old, '.')) {
                snprintf(out, bytes, "%" PRId64 ".%09" PRId64, seconds, rest);
        } else {
                snprintf(out, bytes, "%" PRId64, seconds);
        }
}

/* In decimal, as s3fs has it, if OLD was: it has a type then. */
static void put_mode(const char *old, unsigned mode, char *out, size_t bytes)
{
        unsigned long was = strtoul(old, NULL, 10);
        bool decimal = old[0] != '0' && was <= (S_IFMT | 07777) &&
                       ((was & S_IFMT) == S_IFREG || (was & S_IFMT) == S_IFDIR || (was & S_IFMT) == S_IFLNK);

        snprintf(out, bytes, decimal ? "%u" : "%o", mode);
}

/* What others say of owner, mode and times is to stay true: VALUE of NAME, as it is now. */
static const char *renew(const struct inode *inode, unsigned mode, const char *name, const char *value,
                         char *out, size_t bytes)
{
        if (strcmp(name, "mode") == 0)
                put_mode(value, mode, out, bytes);
        else if (strcmp(name, "uid") == 0 || strcmp(name, "gid") == 0)
                snprintf(out, bytes, "%" PRIu32, name[0] == 'u' ? inode->uid : inode->gid);
        else if (strcmp(name, "mtime") == 0)
                put_seconds(value, inode->mtime, out, bytes);
        else if (strcmp(name, "atime") == 0)
                put_seconds(value, inode->atime, out, bytes);
        else if (strcmp(name, "ctime") == 0)
                put_seconds(value, inode->ctime, out, bytes);
        else
                return value;
        return out;
}

struct room describe_room(const struct s3_metadata *m)
{
        struct room room = { .bytes = SENT_BYTES, .count = SENT_COUNT };
        const char *name = NULL, *value;

        while (s3_metadata_next(m, &name, &value)) {
                room.bytes -= (int32_t)(PREFIX_BYTES + strlen(name) + strlen(value));
                room.count--;
        }
        return room;
}

bool describe_put(struct s3_metadata *m, struct room *room, const char *name, const char *value)
{
        int32_t bytes = (int32_t)(PREFIX_BYTES + strlen(name) + strlen(value));

        if (room->count == 0 || bytes > room->bytes || !s3_metadata_put(m, name, value))
                return false;
        room->count--;
        room->bytes -= bytes;
        return true;
}

void describe_kept(const struct inode *inode, unsigned mode, struct slice kept, bool content_is_new,
                   struct s3_metadata *m, struct room *room)
{
        const char *at = (const char *)kept.data, *end = at + kept.length;

        while (at < end) {
                const char *name = at, *value = name + strlen(name) + 1;
                char text[64];

                at = value + strlen(value) + 1;
                if (content_is_new && is_of_content(name))
                        continue;
                value = renew(inode, mode, name, value, text, sizeof(text));
                if (!describe_put(m, room, name, value) && !room->quiet)
                        log_warn("metadata-lost", "fileid=%" PRIu64 " name=%s: there is more than S3 takes",
                                 inode->fileid, name);
        }
}

void describe_shorten(struct s3_metadata *m)
{
        enum { SWIFT_VALUE_BYTES = 256 };
        struct s3_metadata all = *m;
        const char *name = NULL, *value;

        m->bytes = 0;
        while (s3_metadata_next(&all, &name, &value))
                if (strlen(value) <= SWIFT_VALUE_BYTES)
                        s3_metadata_put(m, name, value);
                else
                        log_warn("metadata-lost", "name=%s bytes=%zu: the store does not take it", name,
                                 strlen(value));
}
