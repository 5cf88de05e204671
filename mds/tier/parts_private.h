/* SPDX-License-Identifier: Apache-2.0 */
/* Private to parts.c (an upload from its beginning to its end) and parts_copy.c (parts that S3 has). */
#pragma once

#include "mds/tier/archive_private.h"
#include "mds/tier/digests.h"

struct part {
        struct send *send;
        unsigned number; /* 1.. */
        bool under_way;  /* at a data server, or in S3 */
        bool offered;    /* the data server may say that S3 has it already */
};
struct parts {
        struct send *send;
        struct s3_part_list there; /* of an upload that an earlier attempt has begun */
        struct s3_complete complete;
        uint64_t part_bytes;
        unsigned count, begun, at_once;
        enum archive_error error; /* the first */
        char message[256];
        struct s3_part *list; /* those that S3 has have an ETag */
        struct part *parts;
        struct digests old;     /* of the object that is there; none when nothing can be copied of it */
        struct digests digests; /* of what is sent */
        struct list copies;     /* that are under way; struct part_copy */
        unsigned copying;       /* how many */
        bool copied;            /* some of it may be of the object that was there */
        bool doubted;           /* S3 has refused to copy of it */
};

/* The part is begun, or another that was not; the end, when that was the last. */
void parts_go_on(struct send *s);

/* Is the object that is there at another key, which S leaves? */
static inline bool parts_is_renamed(const struct send *s)
{
        return strcmp(s->key, s->old_key) != 0;
}

/* --- parts_copy.c */
/* How long the parts of a file of SIZE bytes are that has this stripe UNIT, and whose object is of parts of
 * BEFORE bytes (0: of none that are known). */
uint64_t parts_length(uint64_t size, uint64_t unit, uint64_t before);
/* What is known of the object that the file has, into p->old. */
void parts_look_back(struct send *s, struct parts *p);
/* The digest of part I (0..) if S3 has one of that length in its place that could be copied; else NULL. */
const uint8_t *parts_known(const struct send *s, unsigned i);
/* PART is still the same: have S3 copy it; then parts_go_on(). */
void parts_copy(struct part *part);
void parts_cancel_copies(struct parts *p);
