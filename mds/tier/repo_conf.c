/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/tier/repo_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum {
        PATH_MOST = 1024,
        KEY_FILE_MOST = 1024,
        COMMAND_MOST = 4096,
        ENDPOINT_MOST = 255,
        REGION_MOST = 63,
        DAY_SECONDS = 86400
};

static const char *const addressing_names[] = { "path", "host", NULL };
static const char *const checksum_names[] = {
        [S3_SUM_NONE] = "md5", [S3_SUM_CRC32C] = "md5+crc32c", [S3_SUM_CRC64NVME] = "md5+crc64nvme", NULL
};
static const char *const change_names[] = { "new", "changed", "deleted", NULL };
static const char *const conflict_names[] = { "keep-both", "s3-wins", "fs-wins", "fail", NULL };

bool repo_url_parse(const char *url, char bucket[REPO_BUCKET_BYTES + 1], char prefix[REPO_PREFIX_BYTES + 1])
{
        const char *from = url + 5, *slash;
        size_t length;

        if (strncmp(url, "s3://", 5) != 0)
                return false;
        slash = strchrnul(from, '/');
        length = (size_t)(slash - from);
        if (length < 3 || length > REPO_BUCKET_BYTES)
                return false;
        memcpy(bucket, from, length);
        bucket[length] = '\0';
        from = *slash ? slash + 1 : slash;
        length = strlen(from);
        if (length >= REPO_PREFIX_BYTES || *from == '/')
                return false;
        memcpy(prefix, from, length + 1);
        if (length > 0 && prefix[length - 1] != '/')
                strcpy(prefix + length, "/");
        return true;
}

bool repo_name_is_right(const char *name)
{
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
        size_t length = strlen(name);

        return length > 0 && length <= REPO_NAME_LENGTH && name[0] != '.' && strspn(name, allowed) == length;
}

static bool is_url(const void *value)
{
        char bucket[REPO_BUCKET_BYTES + 1], prefix[REPO_PREFIX_BYTES + 1];

        return repo_url_parse(value, bucket, prefix);
}

static bool is_path(const void *value)
{
        const char *path = value;

        return path[0] == '/' && path[1] != '\0' && !strstr(path, "//") && !strstr(path, "/../") &&
               !strstr(path, "/./");
}

static bool is_absolute(const void *value)
{
        return *(const char *)value == '/';
}

static bool is_endpoint(const void *value)
{
        const char *text = value, *host = strstr(text, "://");

        return host && host[3] != '\0' && !strchr(host + 3, '/') &&
               (strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0);
}

static bool parse_mode(const char *text, uint16_t *ret)
{
        char *end;
        unsigned long mode = strtoul(text, &end, 8);

        if (!*text || *end || mode > 0777 || text[0] == '-' || text[0] == '+')
                return false;
        *ret = (uint16_t)mode;
        return true;
}

static bool is_mode(const void *value)
{
        uint16_t mode;

        return parse_mode(value, &mode);
}

#define FIELD(member) offsetof(struct repo_conf, member)
const struct conf_field repo_conf_fields[] = {
        { "path", CONF_STRING, FIELD(path), .required = true, .max = PATH_MOST, .valid = is_path,
          .help = "a directory, from the root of the file system: /data/train" },
        { "url", CONF_STRING, FIELD(url), .required = true, .max = REPO_PREFIX_BYTES, .valid = is_url,
          .help = "s3://BUCKET or s3://BUCKET/PREFIX" },
        { "endpoint", CONF_STRING, FIELD(endpoint), .required = true, .max = ENDPOINT_MOST,
          .valid = is_endpoint,
          .help = "http:// or https://, a host and perhaps a port: https://s3.eu-central-1.amazonaws.com" },
        { "region", CONF_STRING, FIELD(region), .fallback = "us-east-1", .max = REGION_MOST },
        { "addressing", CONF_ENUM, FIELD(addressing), .fallback = "path", .names = addressing_names },
        { "ca_file", CONF_STRING, FIELD(ca_file), .max = KEY_FILE_MOST, .valid = is_absolute,
          .help = "a path from /, of a PEM file of certificates at the server" },
        { "checksum", CONF_ENUM, FIELD(checksum), .fallback = "md5", .names = checksum_names },
        { "credentials_file", CONF_STRING, FIELD(credentials_file), .max = KEY_FILE_MOST,
          .valid = is_absolute, .help = "a path from /, of a file in AWS's ini form at the server" },
        { "profile", CONF_STRING, FIELD(profile), .fallback = "default", .max = REGION_MOST },
        { "credential_process", CONF_STRING, FIELD(credential_process), .max = COMMAND_MOST },
        { "uid", CONF_U64, FIELD(uid), .fallback = "0", .max = UINT32_MAX - 1 },
        { "gid", CONF_U64, FIELD(gid), .fallback = "0", .max = UINT32_MAX - 1 },
        { "file_mode", CONF_STRING, FIELD(file_mode_text), .fallback = "0644", .valid = is_mode,
          .help = "permission bits in octal, like \"0644\"" },
        { "directory_mode", CONF_STRING, FIELD(directory_mode_text), .fallback = "0755", .valid = is_mode,
          .help = "permission bits in octal, like \"0755\"" },
        { "requests_per_second", CONF_U64, FIELD(requests_per_second), .fallback = "0", .max = 1000000 },
        { "bytes_per_second", CONF_SIZE, FIELD(bytes_per_second), .fallback = "0", .max = UINT64_C(1) << 40 },
        { "import", CONF_SET, FIELD(import), .fallback = "new,changed,deleted", .names = change_names },
        { "export", CONF_SET, FIELD(export), .fallback = "none", .names = change_names },
        { "conflict", CONF_ENUM, FIELD(conflict), .fallback = "keep-both", .names = conflict_names },
        { "export_delay", CONF_U64, FIELD(export_delay), .fallback = "5", .max = DAY_SECONDS },
        { "delete_grace", CONF_U64, FIELD(delete_grace), .fallback = "86400", .max = 366 * DAY_SECONDS },
        { "delete_brake", CONF_U64, FIELD(delete_brake), .fallback = "10", .max = 100 },
        { "sweep_interval", CONF_U64, FIELD(sweep_interval), .fallback = "3600", .max = 366 * DAY_SECONDS },
        { "manifest", CONF_BOOL, FIELD(manifest), .fallback = "yes" },
        { "paused", CONF_BOOL, FIELD(paused), .fallback = "no" },
        { .key = NULL },
};

static void derive(struct repo_conf *conf)
{
        repo_url_parse(conf->url, conf->bucket, conf->prefix);
        parse_mode(conf->file_mode_text, &conf->file_mode);
        parse_mode(conf->directory_mode_text, &conf->directory_mode);
}

int repo_conf_load_text(const char *name, const char *text, size_t length, struct repo_conf *ret, char *error,
                        size_t error_bytes)
{
        struct repo_conf conf = { 0 };

        if (conf_load_text(name, text, length, repo_conf_fields, &conf, error, error_bytes) < 0)
                return -1;
        derive(&conf);
        *ret = conf;
        return 0;
}

int repo_conf_load(const char *file, struct repo_conf *ret, char *error, size_t error_bytes)
{
        struct repo_conf conf = { 0 };

        if (conf_load(file, repo_conf_fields, &conf, error, error_bytes) < 0)
                return -1;
        derive(&conf);
        *ret = conf;
        return 0;
}

void repo_conf_free(struct repo_conf *conf)
{
        free(conf->ca);
        conf->ca = NULL;
        conf_free(repo_conf_fields, conf);
}

int repo_conf_read_ca(struct repo_conf *conf)
{
        CLEANUP_FILE FILE *in = conf->ca_file ? fopen(conf->ca_file, "r") : NULL;
        char *text = in ? malloc(REPO_CA_BYTES + 1) : NULL;
        size_t length = text ? fread(text, 1, REPO_CA_BYTES + 1, in) : 0;

        if (!conf->ca_file)
                return 0;
        if (length == 0 || length > REPO_CA_BYTES || ferror(in)) {
                free(text);
                return -1;
        }
        text[length] = '\0';
        free(conf->ca);
        conf->ca = text;
        return 0;
}

void repo_conf_creds(const struct repo_conf *conf, struct creds_conf *ret, char *space, uint32_t space_bytes)
{
        *ret = (struct creds_conf){ .file = conf->credentials_file, .profile = conf->profile };
        if (conf->credential_process) {
                ret->source = CREDS_PROCESS;
                ret->command = conf->credential_process;
        } else if (conf->credentials_file) {
                ret->source = CREDS_FILE;
        } else {
                creds_default(ret, space, space_bytes);
        }
}
