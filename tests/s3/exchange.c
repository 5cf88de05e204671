/* SPDX-License-Identifier: Apache-2.0 */
/* Between a folder and the bucket, for tests/s3/run to compare with what other clients see.
 *   - s3_exchange write DIR: each file of DIR (one level) becomes the object x/NAME, in parts of 5 MiB when
 * it is longer;
 *   - s3_exchange read DIR: each object under y/ becomes a file of DIR, '/' as '+'. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>

#include "tests/s3/live.h"

enum { PART = 5 << 20, FILE_BYTES = 64 << 20, KEYS = 64 };

static struct s3_call call;
static uint8_t *data;
static char keys[KEYS][S3_KEY_BYTES];
static uint64_t sizes[KEYS];
static unsigned key_count;

/* What goes wrong ends the program with its reason; cmocka's own ways work in its tests only. */
static void must(struct s3_call *c)
{
        if (live_wait(c) == S3_OK)
                return;
        fprintf(stderr, "%s: %s %s %s\n", s3_kind_names[c->kind], s3_error_name(c->result.error),
                c->result.code, c->result.message);
        exit(1);
}

static void put_parts(const char *key, size_t bytes, const struct s3_put_args *args)
{
        static struct s3_part parts[FILE_BYTES / PART + 1];
        static struct s3_complete complete;
        char id[S3_UPLOAD_ID_BYTES];
        unsigned count = 0;

        s3_upload_create(live.s3, live_call(&call), key, args);
        must(&call);
        strcpy(id, call.upload_id);
        for (size_t at = 0; at < bytes; at += PART, count++) {
                const struct iovec iov = { data + at, bytes - at < PART ? bytes - at : PART };

                s3_upload_part(live.s3, live_call(&call), key, id, count + 1, &iov, 1);
                must(&call);
                parts[count].number = count + 1;
                strcpy(parts[count].etag, call.object.etag);
        }
        complete = (struct s3_complete){ .parts = parts, .count = count, .size = bytes };
        live_call(&complete.call);
        s3_upload_complete(live.s3, &complete, key, id);
        must(&complete.call);
}

static void write_one(const char *dir, const char *name)
{
        struct s3_metadata metadata = { .bytes = 0 };
        struct s3_put_args args = { .metadata = &metadata };
        char path[1024], key[300];
        struct iovec iov;
        FILE *file;

        snprintf(path, sizeof path, "%s/%s", dir, name);
        snprintf(key, sizeof key, "x/%s", name);
        s3_metadata_put(&metadata, "file-permissions", "0100640");
        file = fopen(path, "re");
        if (!file)
                exit(1);
        iov = (struct iovec){ data, fread(data, 1, FILE_BYTES, file) };
        fclose(file);
        args.body = &iov;
        args.body_count = 1;
        if (iov.iov_len > PART) {
                put_parts(key, iov.iov_len, &args);
                return;
        }
        s3_put(live.s3, live_call(&call), key, &args);
        must(&call);
}

static void write_all(const char *dir)
{
        DIR *d = opendir(dir);

        for (struct dirent *e; d && (e = readdir(d));)
                if (e->d_name[0] != '.')
                        write_one(dir, e->d_name);
        if (d)
                closedir(d);
}

static void on_entry(struct s3_list *list, const struct s3_entry *e)
{
        (void)list;
        if (key_count == KEYS)
                exit(1);
        strcpy(keys[key_count], e->key);
        sizes[key_count++] = e->size;
}

static void read_one(const char *dir, const char *key, uint64_t size)
{
        char path[2048];
        FILE *file;

        snprintf(path, sizeof path, "%s/%s", dir, key + 2);
        for (char *p = path + strlen(dir) + 1; (p = strchr(p, '/'));)
                *p = '+';
        for (uint64_t at = 0; at < size; at += 1 << 20) {
                struct iovec room = { data + at, 1 << 20 };
                const struct s3_get_args get = {
                        .offset = at, .length = 1 << 20, .room = &room, .room_count = 1
                };

                s3_get(live.s3, live_call(&call), key, &get);
                must(&call);
        }
        file = fopen(path, "we");
        if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
                exit(1);
}

static void read_all(const char *dir)
{
        static struct s3_list list = {
                .prefix = "y/", .delimiter = "", .start_after = "", .page = 3, .entry = on_entry
        };

        live_call(&list.call);
        s3_list_first(live.s3, &list);
        must(&list.call);
        while (list.more) {
                s3_list_next(live.s3, &list);
                must(&list.call);
        }
        for (unsigned i = 0; i < key_count; i++)
                read_one(dir, keys[i], sizes[i]);
}

int main(int argc, char **argv)
{
        if (argc != 3 || live_setup(NULL) != 0)
                return 2;
        s3_free(live.s3);
        live.conf.prefix = "";
        live.s3 = live_open(&live.conf);
        data = malloc(FILE_BYTES);
        if (strcmp(argv[1], "write") == 0)
                write_all(argv[2]);
        else
                read_all(argv[2]);
        free(data);
        return live_teardown(NULL);
}
