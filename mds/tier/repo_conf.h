/* SPDX-License-Identifier: Apache-2.0 */
/* One file of the directory `repos`: which bucket is linked to which directory, and how. NAME.yaml is the
 * repo NAME; docs/examples/repos.d/train.yaml says what each key means. */
#pragma once

#include "base/conf.h"
#include "s3tier/s3.h"

enum { REPO_BUCKET_BYTES = 255, REPO_PREFIX_BYTES = 1024, REPO_NAME_LENGTH = 64, REPO_CA_BYTES = 65536 };

/* What of the other side is taken over: a bit each. */
enum repo_changes { REPO_NEW = 1, REPO_CHANGED = 2, REPO_DELETED = 4 };
/* Who wins when both sides have changed. */
enum repo_conflict { REPO_KEEP_BOTH, REPO_S3_WINS, REPO_FS_WINS, REPO_FAIL };

struct repo_conf {
        char *path, *url, *endpoint, *region;
        int addressing; /* 1: BUCKET.ENDPOINT/KEY, else ENDPOINT/BUCKET/KEY */
        char *ca_file;  /* none: the system's authorities */
        int checksum;   /* enum s3_checksum: of what is sent, beside MD5 */
        char *credentials_file, *profile, *credential_process; /* none: as AWS's tools look for them */
        uint64_t uid, gid;                                     /* of what has no owner in its metadata */
        char *file_mode_text, *directory_mode_text;
        uint64_t requests_per_second, bytes_per_second; /* of each server; 0: no limit */
        unsigned import, export;                        /* enum repo_changes */
        int conflict;                                   /* enum repo_conflict */
        uint64_t export_delay;   /* seconds, from the last close of a file until it is sent */
        uint64_t delete_grace;   /* seconds, from a file's removal until its object is deleted */
        uint64_t delete_brake;   /* percent of a repo's names: more that vanish at once are not believed */
        uint64_t sweep_interval; /* seconds from one listing of all the keys to the next; 0: none */
        bool manifest;           /* manifests (manifest.h) are written and read */
        bool paused;             /* nothing is taken over; what is read and not here is fetched */

        /* made of them */
        char bucket[REPO_BUCKET_BYTES + 1], prefix[REPO_PREFIX_BYTES + 1]; /* "" or with a slash at its end */
        uint16_t file_mode, directory_mode;
        char *ca; /* what ca_file has; NULL until repo_conf_read_ca(), and without a ca_file */
};

extern const struct conf_field repo_conf_fields[];

/* May NAME.yaml be a repo's file: letters, digits, '_', '-' and '.', which is not its first? */
bool repo_name_is_right(const char *name);

/* 0, or -1 with "FILE:LINE: what is wrong; allowed: …" in ERROR and *ret untouched. */
int repo_conf_load(const char *file, struct repo_conf *ret, char *error, size_t error_bytes);
int repo_conf_load_text(const char *name, const char *text, size_t length, struct repo_conf *ret, char *error,
                        size_t error_bytes);
void repo_conf_free(struct repo_conf *conf);

/* Reads ca_file, if there is one. 0, or -1: it cannot be read, is empty, or longer than REPO_CA_BYTES. */
int repo_conf_read_ca(struct repo_conf *conf);
/* Where the keys come from; SPACE is for paths, and must live as long as *ret. */
void repo_conf_creds(const struct repo_conf *conf, struct creds_conf *ret, char *space, uint32_t space_bytes);

/* "s3://bucket/prefix" into BUCKET and PREFIX (with a slash at its end, unless it is empty); false: it is
 * none. */
bool repo_url_parse(const char *url, char bucket[REPO_BUCKET_BYTES + 1], char prefix[REPO_PREFIX_BYTES + 1]);
