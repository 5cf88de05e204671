/* SPDX-License-Identifier: Apache-2.0 */
/* AWS Signature Version 4 in the Authorization header, as pure functions ("Authenticating Requests: Using the
 * Authorization Header" of the S3 API reference). */
#pragma once

#include <stdint.h>

#include "base/sha256.h"
#include "s3tier/creds.h"
#include "s3tier/http.h"

#define SIGN_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"
#define SIGN_EMPTY_PAYLOAD "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

enum { SIGN_DATE_BYTES = 17, SIGN_AUTHORIZATION_BYTES = 1024, SIGN_MAX_HEADERS = 48 };

struct sign_request {
        const char *method;
        struct slice path; /* escaped as on the wire, with its first '/' */
        struct slice
                query; /* without '?': escaped, in order of names, each with a '=' (encode.h makes it so) */
        /* All that are signed; "host" and "x-amz-date" are among them. In any order, names in any case. */
        const struct http_header *headers;
        unsigned header_count;    /* at most SIGN_MAX_HEADERS */
        const char *payload_hash; /* hex of SHA-256, or SIGN_UNSIGNED_PAYLOAD */
};

/* What is signed with for a day: derived from the secret once, then kept. Zero it. */
struct sign_key {
        char date[9], access_key[CREDS_KEY_BYTES], region[48];
        uint8_t secret_hash[SHA256_BYTES]; /* so that a changed secret is noticed */
        uint8_t key[SHA256_BYTES];
};

/* WALL_NS as x-amz-date wants it: "20130524T000000Z". */
void sign_date(uint64_t wall_ns, char out[SIGN_DATE_BYTES]);
/* The value of Authorization into OUT. DATE is that of x-amz-date. KEY is used if it is of this day, REGION
 * and CREDS, and replaced if not. False: more headers than SIGN_MAX_HEADERS, or the request is longer than
 * can be. */
bool sign_v4(struct sign_key *key, const struct creds *creds, const char *region,
             const char date[SIGN_DATE_BYTES], const struct sign_request *request,
             char out[SIGN_AUTHORIZATION_BYTES]);
