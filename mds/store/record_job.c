/* SPDX-License-Identifier: Apache-2.0 */
/* The records of jobs. */
#include "base/check.h"
#include "mds/store/record.h"
#include "mds/store/record_bytes.h"

enum { JOB_VERSION = 1, FAILURE_VERSION = 1 };

static uint8_t *put_text(uint8_t *at, struct slice text, uint32_t most)
{
        CHECK(text.length <= most);
        return put_bytes(put(at, text.length, 2), text.data, text.length);
}

static struct slice take_text(struct reader *r, uint32_t most)
{
        struct slice text = take_slice(r, (uint32_t)take(r, 2));

        if (text.length > most)
                r->failed = true;
        return text;
}

struct slice job_encode(uint8_t *out, const struct job_record *j)
{
        uint8_t *at = put(put(put(put(out, JOB_VERSION, 1), j->verb, 1), j->state, 1), j->options, 1);

        CHECK(j->depth <= JOB_LEVELS);
        at = put(put(put(at, j->older_seconds, 8), j->min_size, 8), (uint64_t)j->made, 8);
        at = put(put(put(at, (uint64_t)j->ended, 8), j->top, 8), j->counts.done, 8);
        at = put(put(put(at, j->counts.bytes, 8), j->counts.same, 8), j->counts.failed, 8);
        at = put(at, j->depth, 2);
        for (uint32_t i = 0; i < j->depth; i++)
                at = put(put(at, j->levels[i].fileid, 8), j->levels[i].after, 8);
        at = put_text(put_text(at, j->path, JOB_PATH_BYTES), j->match, JOB_MATCH_BYTES);
        return written(out, put_text(at, j->problem, JOB_ERROR_BYTES));
}

bool job_decode(struct slice value, struct job_record *ret)
{
        struct reader r = read_value(value, JOB_VERSION);

        ret->verb = (uint8_t)take(&r, 1);
        ret->state = (uint8_t)take(&r, 1);
        ret->options = (uint8_t)take(&r, 1);
        ret->older_seconds = take(&r, 8);
        ret->min_size = take(&r, 8);
        ret->made = (int64_t)take(&r, 8);
        ret->ended = (int64_t)take(&r, 8);
        ret->top = take(&r, 8);
        ret->counts.done = take(&r, 8);
        ret->counts.bytes = take(&r, 8);
        ret->counts.same = take(&r, 8);
        ret->counts.failed = take(&r, 8);
        ret->depth = (uint32_t)take(&r, 2);
        if (ret->depth > JOB_LEVELS)
                return false;
        for (uint32_t i = 0; i < ret->depth; i++) {
                ret->levels[i].fileid = take(&r, 8);
                ret->levels[i].after = take(&r, 8);
        }
        ret->path = take_text(&r, JOB_PATH_BYTES);
        ret->match = take_text(&r, JOB_MATCH_BYTES);
        ret->problem = take_text(&r, JOB_ERROR_BYTES);
        return whole(&r) && ret->verb > 0 && ret->verb < JOB_VERBS && ret->state > 0 &&
               ret->state < JOB_STATES && (ret->options & ~JOB_OPTIONS) == 0;
}

struct slice failure_encode(uint8_t *out, const struct job_failure *f)
{
        uint8_t *at = put_text(put(out, FAILURE_VERSION, 1), f->path, JOB_PATH_BYTES);

        return written(out, put_text(at, f->error, JOB_ERROR_BYTES));
}

bool failure_decode(struct slice value, struct job_failure *ret)
{
        struct reader r = read_value(value, FAILURE_VERSION);

        ret->path = take_text(&r, JOB_PATH_BYTES);
        ret->error = take_text(&r, JOB_ERROR_BYTES);
        return whole(&r);
}
