/* SPDX-License-Identifier: Apache-2.0 */
/* A metadata server as a data server sees it: the control protocol (include/ctl.x) and nothing behind it.
 * What it answers is set by the test, what it was told can be looked at. */
#pragma once

#include "rpc/tls.h"
#include "tests/lab/ctl_lab.h"

enum { FAKE_FILES = 512, FAKE_PUSHES = 4096, FAKE_FENCES = 64, FAKE_POOLS = 16 };

struct fake_file {
        uint64_t fileid, size;
        bool dirty, gone;
        /* of the S3 tier, when it has a key: what SOURCE answers, and how often it was told RESIDENT */
        const char *key, *etag, *version; /* NULL: it has none */
        uint64_t source_size, valid;
        uint32_t sources, residents;
        bool changed; /* CTL_SAME says so */
};

struct fake_mds {
        struct env *env;
        struct bufpool *pool;
        struct tls_context *tls;
        struct rpc_program programs[2];
        struct rpc_server *rpc;
        struct conn *conn;  /* of the data server that said HELLO last, NULL: away */
        struct conn *other; /* of another one, set by the test: it is heard, too */

        /* what HELLO answers */
        ctl_status hello_status;
        ctl_hello_ok hello; /* pools and fences are filled in from below */
        ctl_pool pools[FAKE_POOLS];
        ctl_fence fences[FAKE_FENCES];

        /* how it behaves */
        bool quiet;     /* pushes are taken and not remembered */
        bool quiet_log; /* single pushes are not remembered, what they say is */
        bool mute;      /* heartbeats are not answered */
        bool hold_push; /* pushes and eofs are answered by fake_mds_release() */
        bool hold_eof;
        bool asks; /* before an EOF of a dirty file is answered the data server is asked: with OBJECT's
                      geometry */
        ctl_object object;
        ctl_status push_status, eof_status, source_status, repo_status;
        ctl_repo repo; /* what REPO answers */
        bool (*intercept)(void *arg,
                          struct call *call); /* NULL, or sees every call first; true: it answers */
        void *intercept_arg;

        /* what it saw */
        uint32_t hellos, heartbeats, push_calls, eofs, losses, repos;
        uint32_t flags; /* of the last heartbeat */
        ctl_space space;
        uint8_t uuid[16], boot[8];
        char name[CTL_NAME_LENGTH + 1];
        uint32_t addr_count;
        ctl_push pushes[FAKE_PUSHES];
        uint32_t push_count;
        struct fake_file files[FAKE_FILES];
        uint32_t file_count;
        struct list held; /* struct fake_request */
};

/* Listen on ADDR with the cluster's key. One pool of one server, position 0, is set up. Aborts when it
 * cannot. */
void fake_mds_start(struct fake_mds *m, struct env *env, const struct netaddr *addr,
                    const uint8_t cluster_key[32]);
void fake_mds_stop(struct fake_mds *m);
/* The file, made when new. */
struct fake_file *fake_file(struct fake_mds *m, uint64_t fileid);
/* Answer what is held. */
void fake_mds_release(struct fake_mds *m);
/* How many pushes of FILEID were seen, and the last of them (NULL: none). */
uint32_t fake_pushes(const struct fake_mds *m, uint64_t fileid, const ctl_push **ret_last);
/* Close the control connection. */
void fake_mds_hang_up(struct fake_mds *m);

/* A call to the data server, as ctl_lab_call(). */
void fake_mds_call(struct fake_mds *m, struct fake_call *call, uint32_t proc, xdrproc_t args_xdr, void *args,
                   xdrproc_t result_xdr, void *result);
