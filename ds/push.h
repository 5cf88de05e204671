/* SPDX-License-Identifier: Apache-2.0 */
/* Telling the MDS what was written (CTL_PUSH), so that its sizes are right without asking:
 *
 * - FILE_SYNC4: size and mtime are pushed and made durable there before the WRITE is answered. From the
 *   second such WRITE to an object on, its file is announced instead, once, as for UNSTABLE4: files that
 *   are synced again and again cost no message each (op/write.c).
 * - UNSTABLE4: before the first one under a layout epoch is answered, the file is announced as dirty; the MDS
 *   then asks (CTL_GETSIZES) before any answer that depends on size. Later ones cost nothing.
 * - COMMIT pushes nothing. Of the correct ways this is the cheapest: the LAYOUTCOMMIT that follows brings the
 *   size, and when it is lost the mark is still there, so the MDS asks. The mark goes only when the MDS has
 *   asked and nothing was under way ("settled"), never by a push: what a worker pushes is what it knows
 *   itself, and it may have waited for a connection since.
 *
 * Each worker notes in its objects what is announced, to announce once; forgetting it costs one announcement
 * more. All that waits in one turn goes in one CTL_PUSH, and while PUSH_CALLS of them are under way, what
 * comes gathers. Pushes survive a lost connection. */
#pragma once

#include "base/loop.h"

enum { PUSH_CALLS = 4, PUSH_LOST = -1 };

struct ds;
struct worker;

struct push { /* one file of a CTL_PUSH; a member of whoever waits */
        struct message msg;
        struct list node;
        struct worker *worker;
        uint64_t fileid, size, mtime_ns, used;
        uint32_t generation, epoch;
        bool dirty; /* an announcement */
        int status; /* a ctl_status, or PUSH_LOST: we stop, or clients were turned away */
        void (*done)(struct push *);
};
/* On W's thread: push P and run P->done() there when the MDS has answered. */
void push_send(struct worker *w, struct push *p);

/* Somebody who asks whether files are settled, from before the workers are asked until the MDS is answered:
 * an announcement that leaves meanwhile must not be outlived by an older "settled". */
struct settle {
        struct list node;
        const void *objects; /* ctl_object */
        uint32_t count;
        uint64_t touched[8]; /* one bit an object: announced meanwhile */
};

struct push_call;
struct pusher { /* worker 0's part */
        struct ds *ds;
        struct list queue; /* struct push */
        struct task flush;
        struct push_call *calls;
        struct list idle_calls, settles;
        bool giving_up; /* until pusher_go() */
};
bool pusher_init(struct pusher *p, struct ds *ds);
void pusher_destroy(struct pusher *p);
/* There is a connection that said HELLO (again): send what waits. */
void pusher_go(struct pusher *p);
/* Nobody waits for the answers any more: end all, and what comes, with PUSH_LOST until pusher_go(). */
void pusher_give_up(struct pusher *p);
void pusher_watch(struct pusher *p, struct settle *s);
void pusher_unwatch(struct settle *s);
/* FILEID was cut to SIZE: what has not been answered yet tells of writes before that. */
void pusher_shorten(struct pusher *p, uint64_t fileid, uint64_t size);
