/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody else in the bucket, in every second seed that has one: objects are put, written over and deleted
 * under the names of the files, without a word to anybody. A file may come from one of them then; a name may
 * be taken by one when nothing is lost by that, or as the repo's `conflict:` says; what the servers have not
 * heard of they do not write over. */
#pragma once

#include "mds/tier/repo_conf.h"
#include "tests/sim/co.h"
#include "tests/sim/model.h"

struct sim;
struct blob;

struct gift { /* an object that was put by the stranger */
        uint32_t number;
        uint64_t size, when;
        char etag[48];
};

struct stranger {
        struct sim *sim;
        struct node *node; /* NULL: there is none in this seed */
        struct co co;
        bool stopping;
        enum repo_conflict conflict;
        uint64_t pause_ms; /* the longest between two acts */
        struct gift *gifts;
        uint32_t count, capacity, acts;
};
/* After the repo's S3 is there; writes its line of the repo's configuration. */
void stranger_init(struct stranger *s, struct sim *sim, char *conf, size_t conf_bytes);
void stranger_start(struct stranger *s);
void stranger_free(struct stranger *s);
/* F was found, and nobody has looked at it before: what it began as. For a coroutine. */
void stranger_tell_origin(struct stranger *s, struct model_file *f);
/* The servers have made O of the file FILEID: when nobody has looked at it before, it began as that. */
void stranger_sees(struct stranger *s, uint64_t fileid, const struct blob *o);
