/* SPDX-License-Identifier: Apache-2.0 */
/* What the tier asks the MDS (include/ctl.x: SOURCE, REPO, SAME) and tells it (RESIDENT), from any worker.
 * Questions wait for the control connection and outlive it; they end with ASK_LOST when nobody would wait for
 * the answer any more: we stop, or clients were turned away. */
#pragma once

#include <ctl.h>

#include "base/loop.h"
#include "rpc/client.h"

enum { ASKS_UNDER_WAY = 128, ASK_LOST = -1 };

struct ds;
struct worker;

struct tier_ask { /* a member of whoever asks; zero it */
        /* set by the asker */
        uint32_t proc; /* CTL_SOURCE, CTL_REPO, CTL_RESIDENT, CTL_SAME */
        union {
                ctl_file file;
                ctl_repo_args repo;
                ctl_resident_args resident;
                ctl_same_args same;
        } args; /* what it points to lives until done() */
        void (*done)(
                struct tier_ask *); /* on the asker's worker; tier_ask_forget() when the answer was used */
        /* the answer */
        int status; /* a ctl_status, or ASK_LOST */
        union {
                ctl_source_res source;
                ctl_repo_res repo;
                ctl_result plain; /* RESIDENT, SAME */
        } res;
        /* private */
        struct message msg;
        struct list node;
        struct worker *worker;
        struct tier_asker *asker;
        struct rpc_req rpc;
};
/* On W's thread. W counts as busy meanwhile. */
void tier_ask(struct worker *w, struct tier_ask *a);
/* Free what the answer holds. */
void tier_ask_forget(struct tier_ask *a);

struct tier_asker { /* worker 0's part */
        struct ds *ds;
        struct list queue;
        struct task flush;
        uint32_t under_way;
        bool giving_up; /* until tier_asker_go() */
};
void tier_asker_init(struct tier_asker *a, struct ds *ds);
void tier_asker_destroy(struct tier_asker *a);
/* There is a connection that said HELLO (again). */
void tier_asker_go(struct tier_asker *a);
void tier_asker_give_up(struct tier_asker *a);
