/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/repo_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "base/admin.h"
#include "base/check.h"
#include "base/cleanup.h"

enum { FILE_LIMIT = 64 * 1024 };

static bool is_line_of(const char *line, const char *key)
{
        size_t length = strlen(key);

        return strncmp(line, key, length) == 0 && line[length + strspn(line + length, " ")] == ':';
}

static void put_line(FILE *out, const char *key, const char *value)
{
        fprintf(out, "%s: ", key);
        json_string(out, value);
        fputc('\n', out);
}

char *repo_file_with(char *text, const char *key, const char *value)
{
        char *ret = NULL;
        bool done = false;
        size_t length;
        FILE *out = open_memstream(&ret, &length);

        CHECK(out != NULL);
        for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
                if (is_line_of(line, key) && !done) {
                        put_line(out, key, value);
                        done = true;
                } else {
                        fprintf(out, "%.*s\n", (int)strcspn(line, "\n"), line);
                }
        }
        if (!done)
                put_line(out, key, value);
        fclose(out);
        free(text);
        return ret;
}

char *repo_file_read(const char *path)
{
        CLEANUP_FILE FILE *in = fopen(path, "re");
        CLEANUP_FREE char *text = calloc(1, FILE_LIMIT + 1);

        CHECK(text != NULL);
        if (!in)
                return NULL;
        if (fread(text, 1, FILE_LIMIT + 1, in) > FILE_LIMIT) {
                errno = EFBIG;
                return NULL;
        }
        return ferror(in) ? NULL : TAKE(text);
}

static int write_all(int fd, const char *text)
{
        size_t length = strlen(text);

        while (length > 0) {
                ssize_t n = write(fd, text, length);

                if (n < 0)
                        return -errno;
                text += n;
                length -= (size_t)n;
        }
        return fsync(fd) < 0 ? -errno : 0;
}

/* The new name, durably. */
static int sync_folder(const char *path)
{
        CLEANUP_FREE char *folder = strndup(path, (size_t)(strrchr(path, '/') - path));
        CLEANUP_CLOSE int fd = -1;

        CHECK(folder != NULL);
        fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int repo_file_write(const char *path, const char *text)
{
        CLEANUP_FREE char *temporary = NULL;
        CLEANUP_CLOSE int fd = -1;
        int status;

        CHECK(asprintf(&temporary, "%s.new", path) > 0);
        fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0)
                return -errno;
        status = write_all(fd, text);
        if (status == 0 && rename(temporary, path) < 0)
                status = -errno;
        if (status < 0)
                unlink(temporary);
        return status < 0 ? status : sync_folder(path);
}
