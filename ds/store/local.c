/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/store/local.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/hashtab.h"

#define FORMAT "nacre-ds 1\n"
#define UNITS_SUFFIX ".units"
enum { COUNT_ALL_BELOW = 400 /* objects in a folder */ };

uint32_t object_folder(uint64_t fileid)
{
        return (uint32_t)(hash_u64(fileid) % STORE_FOLDERS);
}

void object_folder_path(uint32_t folder, char out[STORE_PATH])
{
        snprintf(out, STORE_PATH, "objects/%02x", folder & 0xff);
}

void object_path(uint64_t fileid, uint32_t generation, char out[STORE_PATH])
{
        snprintf(out, STORE_PATH, "objects/%02x/%016" PRIx64 ".%08x", object_folder(fileid) & 0xff, fileid,
                 generation);
}

void units_path(uint64_t fileid, uint32_t generation, char out[STORE_PATH])
{
        object_path(fileid, generation, out);
        strcat(out, UNITS_SUFFIX);
}

/* --- identity */

static void to_hex(const uint8_t bytes[STORE_UUID], char out[2 * STORE_UUID + 2])
{
        for (int i = 0; i < STORE_UUID; i++)
                snprintf(out + 2 * i, 3, "%02x", bytes[i]);
        strcpy(out + 2 * STORE_UUID, "\n");
}

static bool from_hex(const char *text, uint8_t out[STORE_UUID])
{
        static const char digits[] = "0123456789abcdef";

        if (strspn(text, digits) != 2 * STORE_UUID || strcmp(text + 2 * STORE_UUID, "\n") != 0)
                return false;
        for (int i = 0; i < STORE_UUID; i++) {
                const char *high = strchr(digits, text[2 * i]), *low = strchr(digits, text[2 * i + 1]);

                out[i] = (uint8_t)((high - digits) << 4 | (low - digits));
        }
        return true;
}

static struct identity *identity_of(struct smallfile *f)
{
        return CONTAINER(f, struct identity, file);
}

__attribute__((format(printf, 2, 3))) static void fail(struct identity *id, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        vsnprintf(id->problem, sizeof(id->problem), format, args);
        va_end(args);
        id->done(id);
}

static bool failed_to(struct smallfile *f, const char *what)
{
        if (f->result >= 0)
                return false;
        fail(identity_of(f), "%s the file %s: %s", what, f->path, strerror((int)-f->result));
        return true;
}

static void read_file(struct identity *id, const char *path, void (*done)(struct smallfile *))
{
        id->file.done = done;
        smallfile_read(&id->file, id->disk, path);
}

static void write_hex(struct identity *id, const char *path, const uint8_t bytes[STORE_UUID],
                      void (*done)(struct smallfile *))
{
        char text[2 * STORE_UUID + 2];

        to_hex(bytes, text);
        id->file.done = done;
        smallfile_write(&id->file, id->disk, path, text);
}

static void cluster_read(struct smallfile *f)
{
        struct identity *id = identity_of(f);

        if (f->result == -ENOENT) {
                id->done(id);
        } else if (!failed_to(f, "cannot read")) {
                id->has_fsid = from_hex(f->data, id->fsid);
                if (id->has_fsid)
                        id->done(id);
                else
                        fail(id, "the file cluster is damaged");
        }
}

static void uuid_read(struct smallfile *f)
{
        struct identity *id = identity_of(f);

        if (failed_to(f, "cannot read"))
                return;
        if (!from_hex(f->data, id->uuid))
                fail(id, "the file uuid is damaged");
        else
                read_file(id, "cluster", cluster_read);
}

/* --- a new store */

static void format_written(struct smallfile *f)
{
        if (!failed_to(f, "cannot write"))
                identity_of(f)->done(identity_of(f));
}

static void uuid_written(struct smallfile *f)
{
        if (failed_to(f, "cannot write"))
                return;
        f->done = format_written;
        smallfile_write(f, f->disk, "format", FORMAT);
}

static int make_folders(struct disk *disk)
{
        char path[STORE_PATH];
        int error = disk->ops->mkdir(disk, "objects");

        for (uint32_t i = 0; i < STORE_FOLDERS && !error; i++) {
                object_folder_path(i, path);
                error = disk->ops->mkdir(disk, path);
        }
        return error;
}

static void make_store(struct identity *id)
{
        int error = make_folders(id->disk);

        if (error) {
                fail(id, "cannot make the folders for objects: %s", strerror(-error));
                return;
        }
        env_random(id->env, id->uuid, STORE_UUID);
        write_hex(id, "uuid", id->uuid, uuid_written);
}

static void format_read(struct smallfile *f)
{
        struct identity *id = identity_of(f);

        if (f->result == -ENOENT)
                make_store(id);
        else if (failed_to(f, "cannot read"))
                return;
        else if (strcmp(f->data, FORMAT) == 0)
                read_file(id, "uuid", uuid_read);
        else
                fail(id, "its format is \"%.*s\", this program needs \"%.*s\"", (int)strcspn(f->data, "\n"),
                     f->data, (int)sizeof(FORMAT) - 2, FORMAT);
}

void identity_load(struct identity *id, struct env *env, struct disk *disk)
{
        id->env = env;
        id->disk = disk;
        id->has_fsid = false;
        id->problem[0] = '\0';
        read_file(id, "format", format_read);
}

static void cluster_written(struct smallfile *f)
{
        struct identity *id = identity_of(f);

        if (failed_to(f, "cannot write"))
                return;
        id->has_fsid = true;
        id->done(id);
}

void identity_bind(struct identity *id, const uint8_t fsid[STORE_UUID])
{
        CHECK(!id->has_fsid);
        memcpy(id->fsid, fsid, STORE_UUID);
        write_hex(id, "cluster", fsid, cluster_written);
}

/* --- counting */

static void count_one(void *arg, const char *name)
{
        uint64_t *count = arg;

        if (!strstr(name, UNITS_SUFFIX))
                (*count)++;
}

/* File ids are hashed over the folders, so the folders are alike. */
uint64_t objects_count(struct disk *disk)
{
        char path[STORE_PATH];
        uint64_t count = 0;

        for (uint32_t i = 0; i < STORE_FOLDERS; i++) {
                object_folder_path(i, path);
                disk->ops->list(disk, path, count_one, &count);
                if (i == 0 && count >= COUNT_ALL_BELOW)
                        return count * STORE_FOLDERS;
        }
        return count;
}
