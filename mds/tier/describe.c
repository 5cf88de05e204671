/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/tier/describe.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/siphash.h"
#include "s3tier/encode.h"

static uint64_t this_cluster(const struct mds *mds)
{
        uint64_t cluster;

        memcpy(&cluster, meta_fsid(mds->meta), sizeof(cluster));
        return cluster;
}

struct describe_id describe_id(const struct mds *mds, const struct inode *inode, uint64_t change)
{
        return (struct describe_id){ .cluster = this_cluster(mds),
                                     .fileid = inode->fileid,
                                     .generation = inode->generation,
                                     .change = change };
}

bool describe_is_ours(const struct mds *mds, const struct describe_id *id)
{
        return id->cluster == this_cluster(mds);
}

static unsigned type_bits(const struct inode *inode)
{
        return inode->type == NF4DIR ? S_IFDIR : inode->type == NF4LNK ? S_IFLNK : S_IFREG;
}

static void say(const struct mds *mds, const struct inode *inode, const struct describe_id *id,
                struct slice kept, bool content_is_new, bool quiet, struct s3_metadata *ret)
{
        unsigned mode = type_bits(inode) | inode->mode;
        struct room room;
        char text[96];

        *ret = (struct s3_metadata){ 0 };
        snprintf(text, sizeof(text), "0%o", mode);
        s3_metadata_put(ret, "file-permissions", text);
        snprintf(text, sizeof(text), "%u", inode->uid);
        s3_metadata_put(ret, "file-owner", text);
        snprintf(text, sizeof(text), "%u", inode->gid);
        s3_metadata_put(ret, "file-group", text);
        snprintf(text, sizeof(text), "%" PRId64 "ns", inode->atime);
        s3_metadata_put(ret, "file-atime", text);
        snprintf(text, sizeof(text), "%" PRId64 "ns", inode->mtime);
        s3_metadata_put(ret, "file-mtime", text);
        s3_metadata_put(ret, "user-agent", "nacre");
        snprintf(text, sizeof(text), "%016" PRIx64 ".%" PRIx64 ".%x.%" PRIx64, id->cluster, id->fileid,
                 id->generation, id->change);
        s3_metadata_put(ret, "nacre-id", text);
        if (inode->type != NF4DIR && inode->nlink > 1) {
                snprintf(text, sizeof(text), "%016" PRIx64 ".%" PRIx64 ".%x", id->cluster, inode->fileid,
                         inode->generation);
                s3_metadata_put(ret, "nacre-link", text);
        }
        room = describe_room(ret);
        room.quiet = quiet;
        describe_kept(inode, mode, kept, content_is_new, ret, &room);
        describe_xattrs(mds, inode, ret, &room);
}

void describe(const struct mds *mds, const struct inode *inode, const struct describe_id *id,
              struct slice kept, bool content_is_new, struct s3_metadata *ret)
{
        say(mds, inode, id, kept, content_is_new, false, ret);
}

void describe_again(const struct mds *mds, const struct inode *inode, const struct describe_id *id,
                    struct slice kept, struct s3_metadata *ret)
{
        say(mds, inode, id, kept, false, true, ret);
}

bool describe_read_id(const struct s3_metadata *m, struct describe_id *ret)
{
        const char *text = s3_metadata_get(m, "nacre-id");
        struct describe_id id;

        if (!text || sscanf(text, "%16" SCNx64 ".%" SCNx64 ".%x.%" SCNx64, &id.cluster, &id.fileid,
                            &id.generation, &id.change) != 4)
                return false;
        *ret = id;
        return true;
}

static void key_text(struct slice key, char out[17])
{
        static const uint8_t salt[16];

        snprintf(out, 17, "%016" PRIx64, siphash(key.data, key.length, salt));
}

void describe_key(struct s3_metadata *m, struct slice key)
{
        char text[17];

        key_text(key, text);
        s3_metadata_put(m, "nacre-key", text);
}

/* Was it written to KEY, and not copied there by somebody? */
static bool is_at(const struct s3_metadata *m, struct slice key)
{
        const char *at = s3_metadata_get(m, "nacre-key");
        char text[17];

        key_text(key, text);
        return at && strcmp(at, text) == 0;
}

bool describe_read_ours(const struct mds *mds, const struct s3_metadata *m, struct slice key,
                        struct describe_id *ret)
{
        return is_at(m, key) && describe_read_id(m, ret) && describe_is_ours(mds, ret);
}

bool describe_read_link(const struct s3_metadata *m, struct slice key, struct describe_id *ret)
{
        const char *text = s3_metadata_get(m, "nacre-link");
        struct describe_id id = { 0 };

        if (!text || !is_at(m, key) ||
            sscanf(text, "%16" SCNx64 ".%" SCNx64 ".%x", &id.cluster, &id.fileid, &id.generation) != 3)
                return false;
        *ret = id;
        return true;
}

/* --- what others and we have written, read */

/* Digits of BASE up to the end, at most MOST. */
static bool read_number(const char *text, int base, uint64_t most, uint64_t *ret)
{
        char *end;
        unsigned long long n = strtoull(text, &end, base);

        if (text[0] < '0' || text[0] > '9' || *end || n > most || strlen(text) > 20)
                return false;
        *ret = n;
        return true;
}

static bool read_owner(const struct s3_metadata *m, const char *fsx, const char *other, uint32_t *ret)
{
        const char *text = s3_metadata_get(m, fsx);
        uint64_t n;

        if (!text)
                text = s3_metadata_get(m, other);
        if (!text || !read_number(text, 10, UINT32_MAX - 1, &n))
                return false;
        *ret = (uint32_t)n;
        return true;
}

/* Does the mode N make sense of an object that is (not) a directory's? */
static bool is_mode(uint64_t n, bool is_dir)
{
        uint64_t type = n & S_IFMT;

        return is_dir ? type == S_IFDIR : type == S_IFREG || type == S_IFLNK;
}

/* With the type, in octal (FSx; rclone's `mode`) or in decimal (s3fs's `mode`); FSx's may be without. */
static bool read_mode(const struct s3_metadata *m, bool is_dir, uint64_t *ret)
{
        enum { MOST = S_IFMT | 07777 };
        const char *text = s3_metadata_get(m, "file-permissions");

        if (text)
                return read_number(text, 8, MOST, ret) && (*ret <= 07777 || is_mode(*ret, is_dir));
        text = s3_metadata_get(m, "mode");
        if (!text)
                return false;
        if (text[0] != '0' && read_number(text, 10, MOST, ret) && is_mode(*ret, is_dir))
                return true;
        return read_number(text, 8, MOST, ret) && is_mode(*ret, is_dir);
}

static uint8_t type_of(uint64_t mode)
{
        switch (mode & S_IFMT) {
        case S_IFDIR: return NF4DIR;
        case S_IFREG: return NF4REG;
        case S_IFLNK: return NF4LNK;
        default: return 0;
        }
}

/* FSx's: nanoseconds with the suffix "ns", else milliseconds. */
static bool read_fsx_time(const char *text, int64_t *ret)
{
        char *end;
        long long n = strtoll(text, &end, 10);

        if (end == text || n == LLONG_MAX || n == LLONG_MIN)
                return false;
        if (strcmp(end, "ns") == 0)
                *ret = n;
        else if (*end || n > INT64_MAX / 1000000 || n < INT64_MIN / 1000000)
                return false;
        else
                *ret = n * 1000000;
        return true;
}

/* s3fs's and rclone's: seconds, perhaps with a fraction; or as in RFC 3339. */
static bool read_seconds(const char *text, int64_t *ret)
{
        int64_t seconds, fraction = 0, digit = 100000000;
        uint64_t ns;
        char *end;

        if (strchr(text, 'T')) {
                if (!parse_iso8601(text, &ns))
                        return false;
                *ret = (int64_t)ns;
                return true;
        }
        seconds = strtoll(text, &end, 10);
        if (end == text || seconds > INT64_MAX / 1000000000 - 1 || seconds < INT64_MIN / 1000000000 + 1)
                return false;
        if (*end == '.')
                for (end++; *end >= '0' && *end <= '9'; end++, digit /= 10)
                        fraction += (*end - '0') * digit;
        if (*end)
                return false;
        *ret = seconds * 1000000000 + (text[0] == '-' ? -fraction : fraction);
        return true;
}

static bool read_time(const struct s3_metadata *m, const char *fsx, const char *other, int64_t *ret)
{
        const char *text = s3_metadata_get(m, fsx);

        if (text)
                return read_fsx_time(text, ret);
        text = s3_metadata_get(m, other);
        return text && read_seconds(text, ret);
}

void describe_read(const struct s3_metadata *m, bool is_dir, struct description *ret)
{
        struct description d = { 0 };
        uint64_t mode;

        d.has_mode = read_mode(m, is_dir, &mode);
        if (d.has_mode) {
                d.mode = (uint16_t)(mode & 07777);
                d.type = type_of(mode);
        }
        d.has_uid = read_owner(m, "file-owner", "uid", &d.uid);
        d.has_gid = read_owner(m, "file-group", "gid", &d.gid);
        d.has_mtime = read_time(m, "file-mtime", "mtime", &d.mtime);
        d.has_atime = read_time(m, "file-atime", "atime", &d.atime);
        *ret = d;
}

void describe_apply(const struct description *d, struct inode *inode)
{
        if (d->has_mode)
                inode->mode = d->mode;
        if (d->has_uid)
                inode->uid = d->uid;
        if (d->has_gid)
                inode->gid = d->gid;
        if (d->has_mtime)
                inode->atime = inode->mtime = d->mtime;
        if (d->has_atime)
                inode->atime = d->atime;
}
