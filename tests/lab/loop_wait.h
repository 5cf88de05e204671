/* SPDX-License-Identifier: Apache-2.0 */
/* Running a real loop until something is so. A member of the lab whose loop it is. */
#pragma once

#include "base/loop.h"

struct loop_wait {
        struct loop *loop;
        struct turn_hook hook;
        struct timer limit;
        bool (*condition)(void *arg); /* NULL: nobody waits */
        void *arg;
        bool met;
};

void loop_wait_init(struct loop_wait *w, struct loop *loop);
void loop_wait_end(struct loop_wait *w);
/* Looked at after each turn. False: it was not so within MS. */
bool loop_wait_for(struct loop_wait *w, bool (*condition)(void *arg), void *arg, uint32_t ms);
