/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of nacre-ds: docs/examples/ds.yaml says what each key means. */
#pragma once

#include "base/conf.h"

enum ds_io { DS_IO_URING, DS_IO_THREADS };

struct ds_limits {
        uint64_t connections;  /* NFS connections */
        uint64_t memory_bytes; /* I/O buffers */
};

struct ds_conf {
        struct conf_addrs listen; /* NFS; also what the MDS tells the clients */
        struct netaddr mds;       /* control address of the metadata server */
        struct netaddr metrics;   /* family 0: no HTTP */
        char *admin_socket;       /* NULL: none */
        char *name;               /* of this data server in the cluster */
        char *store;              /* directory */
        struct conf_path cluster_key_file;
        uint8_t cluster_key[CONF_KEY_BYTES];
        int io;                 /* enum ds_io */
        uint64_t reserve_bytes; /* with less space free no new files are placed here; 0: see ds/space.h */
        uint64_t fd_cache;      /* open objects */
        uint64_t loops;         /* 0: one a processor */
        int log_level;          /* enum log_level */
        struct ds_limits limits;
};

/* 0, or -1 with "FILE:LINE: what is wrong; allowed: …" in ERROR and *ret untouched. The cluster key is read.
 */
int ds_conf_load(const char *file, struct ds_conf *ret, char *error, size_t error_bytes);
/* The same from memory and without looking at other files: cluster_key stays zero. */
int ds_conf_load_text(const char *name, const char *text, size_t length, struct ds_conf *ret, char *error,
                      size_t error_bytes);
/* The first key with another value in B than in A; NULL: none. The key file's content is not looked at. */
const char *ds_conf_changed(const struct ds_conf *a, const struct ds_conf *b);
void ds_conf_free(struct ds_conf *conf);
