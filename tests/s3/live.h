/* SPDX-License-Identifier: Apache-2.0 */
/* A bucket of a real server, as the environment says (tests/s3/run sets it), and waiting for calls on it. */
#pragma once

#include "base/loop.h"
#include "s3tier/listing.h"
#include "s3tier/multipart.h"
#include "s3tier/probe.h"

struct live {
        struct loop *loop;
        struct http *http;
        struct creds_provider *creds;
        struct s3 *s3;
        struct s3_conf conf;
        struct metrics metrics;
        struct s3_metrics s3_metrics;
        bool is_swift, is_new; /* radosgw 20 */
};
extern struct live live;

/* cmocka's setup and teardown. NACRE_S3_ENDPOINT, _ACCESS_KEY, _SECRET, _REGION, _BUCKET, _STORE; a prefix of
 * its own for each program. */
int live_setup(void **state);
int live_teardown(void **state);
/* Open another one with CONF in live.s3's place; the old one stays with the caller. */
struct s3 *live_open(const struct s3_conf *conf);

/* A call that is ready to be used: zeroed, and its done() ends live_wait(). */
struct s3_call *live_call(struct s3_call *call);
/* Run the loop until CALL is done; its error. */
enum s3_error live_wait(struct s3_call *call);
/* The same, and it must have succeeded: prints why it has not. */
void live_ok(struct s3_call *call);

/* Bytes that only SEED decides. */
void live_fill(uint8_t *out, size_t bytes, uint64_t seed);
/* Put BYTES of SEED as KEY, and get all of KEY; for what a test needs beside what it tests. */
void live_put(const char *key, size_t bytes, uint64_t seed, char etag[S3_ETAG_BYTES]);

/* Until live_leave_versions(), live.s3 is a bucket that keeps versions. False: the store has none. */
bool live_enter_versions(void);
void live_leave_versions(void);

/* Tell proxy.py, when it is between: a rule, or NULL; how many of what was told before have come. */
unsigned live_tell(const char *rule);
