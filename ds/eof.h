/* SPDX-License-Identifier: Apache-2.0 */
/* The exact end of a file, for a READ that reaches the end of what is stored here (CTL_EOF). Asks for one
 * file that come in one turn share a call; one that comes later needs its own, since the file may have grown
 * after the other was answered. */
#pragma once

#include "base/loop.h"

enum { EOF_CALLS = 256, EOF_LOST = -1 };

struct ds;
struct worker;

struct eof_ask { /* a member of whoever asks */
        struct message msg;
        struct list node;
        struct worker *worker;
        uint64_t fileid;
        uint32_t generation;
        int status; /* a ctl_status, or EOF_LOST: we stop, or clients were turned away */
        uint64_t size;
        void (*done)(struct eof_ask *);
};
/* On W's thread: ask, and run A->done() there when the answer came. */
void eof_ask(struct worker *w, struct eof_ask *a);

struct eof_call;
struct asker { /* worker 0's part */
        struct ds *ds;
        struct list queue;
        struct task flush;
        struct eof_call *calls;
        struct list idle_calls;
        bool giving_up; /* until asker_go() */
};
bool asker_init(struct asker *a, struct ds *ds);
void asker_destroy(struct asker *a);
void asker_go(struct asker *a);
void asker_give_up(struct asker *a);
