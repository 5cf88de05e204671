/* SPDX-License-Identifier: Apache-2.0 */
/* Private to bucket_lab.c (objects, requests), bucket_uploads.c (those in parts) and bucket_servers.c. */
#pragma once

#include "tests/lab/bucket_lab.h"

void bucket_store(struct bucket_lab *b, const struct bucket_object *object);
/* May KEY be written over? Conditions as in headers; NULL: none. */
bool bucket_is_allowed(struct bucket_lab *b, const char *key, const char *if_none_match,
                       const char *if_match);

/* "version-of-ETAG". */
void bucket_version(const struct bucket_object *o, char out[64]);
/* One more request. True: it is not answered. */
bool bucket_goes_silent(struct bucket_lab *b, bool *ret_carried_out);
const char *bucket_header(const struct http_call *call, const char *name); /* NULL: there is none */
void bucket_take_headers(const struct http_call *call, struct bucket_object *o);
/* The value of NAME ("prefix=") in QUERY, "" when there is none. */
void bucket_parameter(const char *query, const char *name, char out[256]);
void bucket_answer(struct http_call *call, int status, const char *text);
void bucket_refuse(struct http_call *call, int status, const char *code);

/* Of an upload: create, complete, abort, ListParts. */
void bucket_serve_upload(struct bucket_lab *b, struct http_call *call, const char *key, const char *query);
void bucket_list_uploads(const struct bucket_lab *b, struct http_call *call, const char *query);
/* Is FROM the object that a copy wants to be of? */
bool bucket_is_source(const struct http_call *call, const struct bucket_object *from);
/* The digest of what data servers have there now. */
void bucket_digest(const struct bucket_lab *b, uint64_t offset, uint64_t length, uint8_t out[DIGEST_BYTES]);
/* A data server's part; false: there is no such upload. */
bool bucket_take_part(struct bucket_lab *b, const ctl_upload_args *a, ctl_upload_res *res);
