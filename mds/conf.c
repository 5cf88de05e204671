/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "mds/conf.h"

enum { UNIT_GRAIN = 4096, STATES_MOST = 16000000 };

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

static bool is_unit(const void *value)
{
        return *(const uint64_t *)value % UNIT_GRAIN == 0;
}

static const struct conf_field limit_fields[] = {
        { "clients", CONF_U64, offsetof(struct mds_limits, clients), .fallback = "10000", .min = 1,
          .max = 1000000 },
        { "connections", CONF_U64, offsetof(struct mds_limits, connections), .fallback = "16384", .min = 1,
          .max = 1000000 },
        { "opens", CONF_U64, offsetof(struct mds_limits, opens), .fallback = "1000000", .min = 1,
          .max = STATES_MOST },
        { "locks", CONF_U64, offsetof(struct mds_limits, locks), .fallback = "1000000", .min = 1,
          .max = STATES_MOST },
        { "layouts", CONF_U64, offsetof(struct mds_limits, layouts), .fallback = "1000000", .min = 1,
          .max = STATES_MOST },
        { "memory", CONF_SIZE, offsetof(struct mds_limits, memory_bytes), .fallback = "512M", .min = 64 * MIB,
          .max = 16 * TIB },
        { .key = NULL },
};

static const struct conf_field release_fields[] = {
        { "high", CONF_U64, offsetof(struct mds_release_conf, high), .fallback = "85", .min = 1, .max = 100 },
        { "low", CONF_U64, offsetof(struct mds_release_conf, low), .fallback = "75", .max = 99 },
        { "age_days", CONF_U64, offsetof(struct mds_release_conf, age_days), .fallback = "0", .max = 36500,
          .help = "a number of days, or 0 for never" },
        { .key = NULL },
};

#define FIELD(member) offsetof(struct mds_conf, member)
static const struct conf_field mds_fields[] = {
        { "listen", CONF_ADDRS, FIELD(listen), .fallback = "0.0.0.0:2049", .min = 2049, .max = 16 },
        { "control", CONF_ADDR, FIELD(control), .fallback = "0.0.0.0:2050", .min = 2050 },
        { "admin_socket", CONF_STRING, FIELD(admin_socket), .fallback = "/run/nacre/mds.sock", .max = 107,
          .help = "a path of at most 107 bytes" },
        { "metrics", CONF_ADDR, FIELD(metrics), .min = 9050, .help = "an address like 127.0.0.1:9050" },
        { "store", CONF_STRING, FIELD(store), .required = true, .help = "a directory for the metadata" },
        { "cluster_key", CONF_PATH, FIELD(cluster_key_file), .required = true,
          .help = "a file of 64 hexadecimal digits, mode 0600 or 0400" },
        { "exports", CONF_PATH, FIELD(exports_file), .required = true,
          .help = "a YAML file of export policies" },
        { "repos", CONF_STRING, FIELD(repos),
          .help = "a directory of YAML files, one for each linked bucket" },
        { "lease_seconds", CONF_U64, FIELD(lease_seconds), .fallback = "45", .min = 10, .max = 3600 },
        { "stripe_unit", CONF_SIZE, FIELD(stripe_unit), .fallback = "1M", .min = UNIT_GRAIN, .max = 255 * MIB,
          .valid = is_unit, .help = "a size (K, M) from 4K to 255M, a multiple of 4K" },
        { "stripe_count", CONF_U64, FIELD(stripe_count), .fallback = "0", .max = 64,
          .help = "a number from 1 to 64, or 0 for all data servers" },
        { "delegations", CONF_BOOL, FIELD(delegations), .fallback = "no" },
        { "return_on_close", CONF_BOOL, FIELD(return_on_close), .fallback = "no" },
        { "device_notifications", CONF_BOOL, FIELD(device_notifications), .fallback = "no" },
        { "cache_inodes", CONF_U64, FIELD(cache_inodes), .fallback = "1000000", .min = 1000,
          .max = 1000000000 },
        { "log_level", CONF_ENUM, FIELD(log_level), .fallback = "info", .names = log_level_names },
        { "release", CONF_RECORD, FIELD(release), .fields = release_fields,
          .help = "a mapping with high, low, age_days" },
        { "limits", CONF_RECORD, FIELD(limits), .fields = limit_fields,
          .help = "a mapping with clients, connections, opens, locks, layouts, memory" },
        { .key = NULL },
};

/* Else nothing would ever be enough. CONF is freed when they are not. */
static bool marks_are_right(const char *file, struct mds_conf *conf, char *error, size_t error_bytes)
{
        if (conf->release.low < conf->release.high)
                return true;
        snprintf(error, error_bytes, "%s: release: low is %" PRIu64 "; allowed: less than high, %" PRIu64,
                 file, conf->release.low, conf->release.high);
        mds_conf_free(conf);
        return false;
}

int mds_conf_load_text(const char *name, const char *text, size_t length, struct mds_conf *ret, char *error,
                       size_t error_bytes)
{
        struct mds_conf conf = { 0 };

        if (conf_load_text(name, text, length, mds_fields, &conf, error, error_bytes) < 0)
                return -1;
        if (!marks_are_right(name, &conf, error, error_bytes))
                return -1;
        *ret = conf;
        return 0;
}

/* An errno, 0 when PATH is a file that can be read. */
static int why_unreadable(const char *path)
{
        struct stat st;

        if (access(path, R_OK) < 0 || stat(path, &st) < 0)
                return errno;
        return S_ISDIR(st.st_mode) ? EISDIR : 0;
}

/* The files that the configuration names, each blamed on its line. */
static int load_named_files(const char *file, struct mds_conf *conf, char *error, size_t error_bytes)
{
        const struct conf_path *key = &conf->cluster_key_file, *exports = &conf->exports_file;
        char why[512];
        int number;

        if (conf_load_key(key->text, conf->cluster_key, why, sizeof why) < 0) {
                snprintf(error, error_bytes, "%s:%u: cluster_key: %s", file, key->line, why);
                return -1;
        }
        number = why_unreadable(exports->text);
        if (number != 0) {
                snprintf(error, error_bytes,
                         "%s:%u: exports: %s: %s; allowed: a YAML file of export policies", file,
                         exports->line, exports->text, strerror(number));
                return -1;
        }
        return 0;
}

int mds_conf_load(const char *file, struct mds_conf *ret, char *error, size_t error_bytes)
{
        struct mds_conf conf = { 0 };

        if (conf_load(file, mds_fields, &conf, error, error_bytes) < 0)
                return -1;
        if (!marks_are_right(file, &conf, error, error_bytes))
                return -1;
        if (load_named_files(file, &conf, error, error_bytes) < 0) {
                mds_conf_free(&conf);
                return -1;
        }
        *ret = conf;
        return 0;
}

const char *mds_conf_changed(const struct mds_conf *a, const struct mds_conf *b)
{
        return conf_changed(mds_fields, a, b);
}

void mds_conf_free(struct mds_conf *conf)
{
        conf_free(mds_fields, conf);
        explicit_bzero(conf->cluster_key, sizeof conf->cluster_key);
}
