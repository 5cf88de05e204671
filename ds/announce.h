/* SPDX-License-Identifier: Apache-2.0 */
/* The first unstable WRITE of a file: the MDS must know that the file is dirty here before it is answered
 * (push.h). */
#pragma once

#include "ds/push.h"

struct object;

struct announce { /* a WRITE that waits for its file to be announced */
        struct list node;
        struct push push;
        struct object *object;
        uint32_t epoch;
        void (*done)(struct announce *, int status);
};
/* True: O is announced for EPOCH. False: A->done() runs later, or has run because nobody can be told; O must
 * be held until then. */
bool announce(struct worker *w, struct object *o, uint32_t epoch, struct announce *a);
