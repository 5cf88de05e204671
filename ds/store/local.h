/* SPDX-License-Identifier: Apache-2.0 */
/* The data server's directory. Objects are plain files and have no metadata of their own: an object's size is
 * its file's, its mtime too.
 *
 *   format    "nacre-ds 1": what this text describes; written last, so a directory without it is new
 *   uuid      32 hexadecimal digits, made with the directory: the data server's identity in the cluster
 *   cluster   32 hexadecimal digits: the file system that the objects belong to, from the first HELLO on
 *   objects/XX/FILEID.GENERATION    XX = 2, FILEID = 16, GENERATION = 8 hexadecimal digits; XX = hash of
 * FILEID
 *
 *   objects/XX/FILEID.GENERATION.units  which units of the object are here, of a file of the S3 tier
 *   tiered    a folder that stands for: there may be such
 *
 * An object is dense (include/stripe.h) and is made by the first WRITE; a missing one is an empty one. */
#pragma once

#include "base/env.h"
#include "ds/store/smallfile.h"

enum { STORE_FOLDERS = 256, STORE_PATH = 48, STORE_UUID = 16 };

/* Which of the folders FILEID's objects lie in; and "objects/XX" and an object's path. */
uint32_t object_folder(uint64_t fileid);
void object_folder_path(uint32_t folder, char out[STORE_PATH]);
void object_path(uint64_t fileid, uint32_t generation, char out[STORE_PATH]);
/* The path of the units of an object (ds/tier/units.h). */
void units_path(uint64_t fileid, uint32_t generation, char out[STORE_PATH]);

/* What stands in format, uuid and cluster. */
struct identity {
        uint8_t uuid[STORE_UUID];
        uint8_t fsid[STORE_UUID];
        bool has_fsid;
        char problem[192]; /* "" or why the directory cannot be used, for people */
        void (*done)(struct identity *);
        /* private */
        struct env *env;
        struct disk *disk;
        struct smallfile file;
};
/* Read DISK's identity; an empty directory becomes a store. ID->done() runs later, with problem "" when all
 * is well. */
void identity_load(struct identity *id, struct env *env, struct disk *disk);
/* The store belongs to FSID from now on; done() when that is durable. Only when has_fsid is false. */
void identity_bind(struct identity *id, const uint8_t fsid[STORE_UUID]);

/* How many objects there are: exact in small stores, in large ones an estimate from one folder. Blocks
 * shortly. */
uint64_t objects_count(struct disk *disk);
