/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/tier/describe.h"

#include <inttypes.h>
#include <sys/stat.h>

#include "base/siphash.h"

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

void describe(const struct mds *mds, const struct inode *inode, uint64_t change, struct s3_metadata *ret)
{
        struct describe_id id = describe_id(mds, inode, change);
        char text[96];

        *ret = (struct s3_metadata){ 0 };
        snprintf(text, sizeof(text), "0%o", type_bits(inode) | inode->mode);
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
        snprintf(text, sizeof(text), "%016" PRIx64 ".%" PRIx64 ".%x.%" PRIx64, id.cluster, id.fileid,
                 id.generation, id.change);
        s3_metadata_put(ret, "nacre-id", text);
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

bool describe_read_ours(const struct mds *mds, const struct s3_metadata *m, struct slice key,
                        struct describe_id *ret)
{
        const char *at = s3_metadata_get(m, "nacre-key");
        char text[17];

        key_text(key, text);
        return at && strcmp(at, text) == 0 && describe_read_id(m, ret) && describe_is_ours(mds, ret);
}
