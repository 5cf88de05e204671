/* SPDX-License-Identifier: Apache-2.0 */
/* A model of an object store, behind the seam of s3tier/http.h: it has objects, answers GETs of ranges and
 * HEADs of them, and takes PUTs, all after a while on env's clock. A part is an object whose path has the
 * query, "/BUCKET/KEY?partNumber=1&uploadId=ID". For the data servers of labs and of the simulator; what a
 * real store answers is tested against real ones (tests/s3). Several loops may call it; the test looks at it
 * when they do not. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "s3tier/http.h"

enum { S3_MODEL_OBJECTS = 512, S3_MODEL_BYTES = 128 << 20 /* of one that it takes */ };

struct s3_model_object {
        const char *path; /* "/BUCKET/KEY", as in the URL */
        char etag[64];    /* without quotes */
        const uint8_t *data;
        uint64_t size;
        char *metadata;    /* of a PUT: "name=value\n" each */
        char checksum[40]; /* of a PUT: "crc32c SUM" or "crc64nvme SUM" as it said, in base64; it was right,
                              and is told of what is read whole. "": nothing */
        void *owned[2];    /* of a PUT: path and data */
};

struct s3_model {             /* all zeros: empty */
        pthread_mutex_t lock; /* of objects and put_bytes, between loops */
        struct s3_model_object objects[S3_MODEL_OBJECTS];
        uint32_t count;
        uint64_t latency_ns;
        /* from now on: this status for every request, 0 = as they deserve; for the next FAILURES requests
         * only, 0 = all of them */
        _Atomic int status, failures;
        const char *_Atomic code; /* of the error document */
        bool silent;              /* no answer ever comes: calls wait to be cancelled */
        _Atomic uint32_t gets, puts, answers, under_way;
        uint64_t most_put_bytes, put_bytes; /* bodies of PUTs that were under way at once */
};
/* DATA is kept. Replaces the object of that path. */
void s3_model_put(struct s3_model *m, const char *path, const char *etag, const void *data, uint64_t size);
void s3_model_delete(struct s3_model *m, const char *path);
/* NULL: there is none. */
const struct s3_model_object *s3_model_find(const struct s3_model *m, const char *path);
void s3_model_free(struct s3_model *m); /* what was PUT */
/* Connections to M, for ds->make_http: ARG is the struct s3_model. */
struct http *s3_model_http(void *arg, struct env *env);
