/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "ds/conf.h"

#define MIB (UINT64_C(1024) * 1024)
#define TIB (1024 * 1024 * MIB)

/* Names stand in logs, metrics labels and columns of `nacre ds list`. */
static bool is_name(const void *value)
{
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
        const char *name = value;

        return name[strspn(name, allowed)] == '\0';
}

/* The address is told to clients: "any" would send them to themselves. */
static bool is_reachable(const void *value)
{
        return !netaddr_is_any(value);
}

static const char *const io_names[] = { [DS_IO_URING] = "uring", [DS_IO_THREADS] = "threads", NULL };

static const struct conf_field limit_fields[] = {
        { "connections", CONF_U64, offsetof(struct ds_limits, connections), .fallback = "16384", .min = 1,
          .max = 1000000 },
        { "memory", CONF_SIZE, offsetof(struct ds_limits, memory_bytes), .fallback = "512M", .min = 64 * MIB,
          .max = 16 * TIB },
        { .key = NULL },
};

#define FIELD(member) offsetof(struct ds_conf, member)
static const struct conf_field ds_fields[] = {
        { "listen", CONF_ADDRS, FIELD(listen), .required = true, .min = 2049, .max = 8, .valid = is_reachable,
          .help = "the addresses at which clients reach this server, like 192.0.2.11:2049" },
        { "mds", CONF_ADDR, FIELD(mds), .required = true, .min = 2050,
          .help = "the MDS's control address, like 192.0.2.1:2050" },
        { "metrics", CONF_ADDR, FIELD(metrics), .min = 9051, .help = "an address like 127.0.0.1:9051" },
        { "admin_socket", CONF_STRING, FIELD(admin_socket), .max = 107,
          .help = "a path of at most 107 bytes" },
        { "name", CONF_STRING, FIELD(name), .required = true, .max = 64, .valid = is_name,
          .help = "at most 64 letters, digits, '.', '-' and '_'" },
        { "store", CONF_STRING, FIELD(store), .required = true, .help = "a directory for the objects" },
        { "cluster_key", CONF_PATH, FIELD(cluster_key_file), .required = true,
          .help = "a file of 64 hexadecimal digits, mode 0600 or 0400" },
        { "io", CONF_ENUM, FIELD(io), .fallback = "uring", .names = io_names },
        { "reserve_bytes", CONF_SIZE, FIELD(reserve_bytes), .fallback = "1G", .max = 1024 * TIB },
        { "fd_cache", CONF_U64, FIELD(fd_cache), .fallback = "4096", .min = 16, .max = 1000000 },
        { "loops", CONF_U64, FIELD(loops), .fallback = "0", .max = 256,
          .help = "a number from 1 to 256, or 0 for one a processor" },
        { "log_level", CONF_ENUM, FIELD(log_level), .fallback = "info", .names = log_level_names },
        { "limits", CONF_RECORD, FIELD(limits), .fields = limit_fields,
          .help = "a mapping with connections, memory" },
        { .key = NULL },
};

int ds_conf_load_text(const char *name, const char *text, size_t length, struct ds_conf *ret, char *error,
                      size_t error_bytes)
{
        struct ds_conf conf = { 0 };

        if (conf_load_text(name, text, length, ds_fields, &conf, error, error_bytes) < 0)
                return -1;
        *ret = conf;
        return 0;
}

int ds_conf_load(const char *file, struct ds_conf *ret, char *error, size_t error_bytes)
{
        struct ds_conf conf = { 0 };
        char why[512];

        if (conf_load(file, ds_fields, &conf, error, error_bytes) < 0)
                return -1;
        if (conf_load_key(conf.cluster_key_file.text, conf.cluster_key, why, sizeof why) < 0) {
                snprintf(error, error_bytes, "%s:%u: cluster_key: %s", file, conf.cluster_key_file.line, why);
                ds_conf_free(&conf);
                return -1;
        }
        *ret = conf;
        return 0;
}

const char *ds_conf_changed(const struct ds_conf *a, const struct ds_conf *b)
{
        return conf_changed(ds_fields, a, b);
}

void ds_conf_free(struct ds_conf *conf)
{
        conf_free(ds_fields, conf);
        explicit_bzero(conf->cluster_key, sizeof conf->cluster_key);
}
