/* SPDX-License-Identifier: Apache-2.0 */
/* A scripted client's end of the back channel (RFC 8881 §20): what it answers when its layout or its
 * delegation is asked for back, which is not always what it should. */
#pragma once

#include "rpc/conn.h"
#include "tests/sim/mount.h"

enum { BACK_HELD = 8 };

struct actor;

struct back {
        /* the slot, of the session ID; what was answered last */
        uint8_t session[NFS4_SESSIONID_SIZE];
        uint32_t seqid, opnum;
        enum nfsstat4 answer;
        bool silent; /* to the last call, which is one of `held` */
        struct call *held[BACK_HELD];
        uint32_t held_count;
};

/* The program that serves callbacks of C. */
struct rpc_program back_program(struct actor *c);
/* Calls that were not answered are given back; before the rpc_server goes. */
void back_end(struct actor *c);
/* The coroutine that gives back what was asked for. */
void back_return(void *actor);
