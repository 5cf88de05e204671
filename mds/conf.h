/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of nacre-mds: docs/examples/mds.yaml says what each key means. */
#pragma once

#include "base/conf.h"

struct mds_limits {
        uint64_t clients;               /* client records */
        uint64_t connections;           /* NFS connections */
        uint64_t opens, locks, layouts; /* states, of all clients; 0: STATE_LIMIT */
        uint64_t memory_bytes;          /* I/O buffers */
};

struct mds_release_conf {   /* mds/tier/evict.h */
        uint64_t high, low; /* per cent of a data server's disk */
        uint64_t age_days;  /* 0: never for their age */
};

struct mds_conf {
        struct conf_addrs listen; /* NFS */
        struct netaddr control;   /* data servers dial it */
        struct netaddr metrics;   /* family 0: no HTTP */
        char *admin_socket;
        char *store; /* directory */
        char *repos; /* directory of YAML files, one a repo; NULL: none */
        struct conf_path cluster_key_file, exports_file;
        uint8_t cluster_key[CONF_KEY_BYTES];
        uint64_t lease_seconds;
        uint64_t stripe_unit;  /* bytes, for directories without a policy of their own */
        uint64_t stripe_count; /* 0: all data servers */
        uint64_t cache_inodes;
        bool delegations;          /* clients are given delegations */
        bool return_on_close;      /* clients are told to return layouts with the last CLOSE */
        bool device_notifications; /* clients that ask for it hear of device ids that are gone */
        int log_level;             /* enum log_level */
        struct mds_release_conf release;
        struct mds_limits limits;
};

/* 0, or -1 with "FILE:LINE: what is wrong; allowed: …" in ERROR and *ret untouched. The cluster key is read
 * and the exports file must be readable; neither store nor exports are opened. */
int mds_conf_load(const char *file, struct mds_conf *ret, char *error, size_t error_bytes);
/* The same from memory and without looking at other files: cluster_key stays zero. */
int mds_conf_load_text(const char *name, const char *text, size_t length, struct mds_conf *ret, char *error,
                       size_t error_bytes);
/* The first key with another value in B than in A; NULL: none. What named files hold is not looked at. */
const char *mds_conf_changed(const struct mds_conf *a, const struct mds_conf *b);
void mds_conf_free(struct mds_conf *conf);
