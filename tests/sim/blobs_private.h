/* SPDX-License-Identifier: Apache-2.0 */
/* Between blobs.c and blob_uploads.c. */
#pragma once

#include "base/digest.h"
#include "tests/sim/blobs.h"

/* O becomes the object at its key. Takes its data. */
void blobs_make(struct blobs *b, const struct blob *o);
/* Something is about to be made at KEY. Empty objects are all the same. */
void blobs_look_for_unseen(const struct blobs *b, const char *key);
/* Do the conditions of X let something be made at KEY? */
bool blobs_allow(const struct blobs *b, const struct exchange *x, const char *key);
uint8_t *blob_copy_of(const void *data, uint64_t size);
void blob_digest(const void *data, uint64_t size, uint8_t md5[MD5_BYTES]);
void blob_etag_of(const void *data, uint64_t size, char out[BLOB_ETAG]);
void blob_answer_etag(struct exchange *x, const char *etag);
void blob_take_metadata(const struct exchange *x, struct lines *to);

/* A request for KEY with a QUERY, which is all about uploads. */
void blobs_serve_upload(struct blobs *b, struct exchange *x, const char *key, const char *query);
void blobs_free_uploads(struct blobs *b);
