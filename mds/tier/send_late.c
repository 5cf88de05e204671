/* SPDX-License-Identifier: Apache-2.0 */
/* Writes that had no answer: S3 may carry them out when another object is at their key. That is found by a
 * sweep, and written over (sweep.h); so a file is not released before, whose bytes would be gone with that
 * object. The same content once more does no harm. */
#include "mds/tier/archive_private.h"

static int64_t later(int64_t one, int64_t other)
{
        return one > other ? one : other;
}

static int64_t latest(const struct send *s)
{
        return (int64_t)env_wall(s->archiver->mds->env) + LATE_NS;
}

/* What goes there next is another object. */
static void send_other(struct unheard *u)
{
        u->late = later(u->late, u->again);
        u->again = 0;
}

void late_begin(struct send *s, bool sent)
{
        struct unheard *u = &s->job->unheard;

        if (!sent)
                *u = (struct unheard){ .whole = true };
        if (!u->whole) /* by a server that has crashed, perhaps */
                *u = (struct unheard){ .whole = true, .late = latest(s) };
        if (u->change != s->change)
                send_other(u);
        u->change = s->change;
}

void send_heard(struct send *s, bool late)
{
        if (late)
                s->job->unheard.again = latest(s);
}

void send_heard_copy(struct send *s)
{
        send_heard(s, s3_may_come_late(&s->call));
        if (s->call.result.error != S3_OK) /* a copy may have another ETag than what is put */
                send_other(&s->job->unheard);
}

void late_note(const struct send *s, struct backing *b)
{
        const struct unheard *u = &s->job->unheard;
        uint8_t space[RECORD_MAX];
        struct tomb_record z;

        b->late = later(later(b->late, b->again), u->late);
        b->again = u->again;
        if (tomb_read(s->archiver->mds, s->repo->number, slice_str(s->key), space, &z) == 0)
                b->late = later(b->late, z.unheard);
}

int64_t tomb_unheard(const struct archiver *a, const struct backing *b, bool sent)
{
        if (sent)
                return tomb_late(a, b, sent);
        return later(b->late, b->again);
}

bool archive_may_be_late(const struct mds *mds, const struct backing *b, uint64_t modified)
{
        int64_t late = b->modified + LATE_NS; /* also by our own clock: S3's may be another */

        return (int64_t)modified <= late || (int64_t)env_wall(mds->env) <= late;
}
