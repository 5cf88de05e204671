/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that somebody else's library owns, watched in both directions. */
#include <stdlib.h>

#include "base/check.h"
#include "base/loop_private.h"

struct poll {
        struct loop *loop;
        void (*fn)(void *arg, int fd, unsigned events);
        void *arg;
        int fd;
        struct event event;
};

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
        struct poll *p = arg;

        loop_note_event(p->loop);
        p->fn(p->arg, fd, (what & EV_READ ? STREAM_READ : 0u) | (what & EV_WRITE ? STREAM_WRITE : 0u));
}

struct poll *loop_poll_new(struct loop *loop, int fd, void (*fn)(void *arg, int fd, unsigned events),
                           void *arg)
{
        struct poll *p = malloc(sizeof(*p));

        if (!p)
                return NULL;
        *p = (struct poll){ .loop = loop, .fn = fn, .arg = arg, .fd = fd };
        CHECK(event_assign(&p->event, loop->base, fd, EV_READ | EV_PERSIST, on_ready, p) == 0);
        return p;
}

bool loop_poll_want(struct poll *p, unsigned events)
{
        short what = EV_PERSIST;

        event_del(&p->event);
        if (events == 0)
                return true;
        what |= (short)((events & STREAM_READ ? EV_READ : 0) | (events & STREAM_WRITE ? EV_WRITE : 0));
        return event_assign(&p->event, p->loop->base, p->fd, what, on_ready, p) == 0 &&
               event_add(&p->event, NULL) == 0;
}

void loop_poll_free(struct poll *p)
{
        if (!p)
                return;
        event_del(&p->event);
        free(p);
}
