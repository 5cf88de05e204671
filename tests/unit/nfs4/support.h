/* SPDX-License-Identifier: Apache-2.0 */
/* A server, a connection to it, and what the tests of clients and sessions do with them. */
#pragma once

#include <cmocka.h>

#include "tests/lab/nfs4_lab.h"

enum { LEASE_MS = 90000 };

static struct nfs4_lab lab;
static struct conn *conn;
static struct lab_compound k;

static int setup(void **unused)
{
        (void)unused;
        nfs4_lab_start(&lab);
        conn = nfs4_lab_dial(&lab);
        lab_cred.uid = 0;
        return 0;
}

static int teardown(void **unused)
{
        (void)unused;
        nfs4_lab_stop(&lab);
        return 0;
}

static inline enum nfsstat4 exchange(const char *verifier, uint32_t flags, struct lab_session *ret)
{
        return lab_exchange_id(&lab, conn, "owner", verifier, flags, ret);
}

static inline enum nfsstat4 create(struct lab_session *s, uint32_t seqid)
{
        return lab_create_session(&lab, s, seqid, 0, &lab_fore, &lab_back);
}

static inline enum nfsstat4 destroy_session(const struct lab_session *s)
{
        lab_begin(&k, &lab, conn, 1);
        lab_op(&k, OP_DESTROY_SESSION);
        xdr_put_fixed(k.x, s->id, sizeof(s->id));
        return lab_call(&k);
}

static inline enum nfsstat4 destroy_client(uint64_t clientid)
{
        lab_begin(&k, &lab, conn, 1);
        lab_op(&k, OP_DESTROY_CLIENTID);
        xdr_put_u64(k.x, clientid);
        return lab_call(&k);
}

enum before {
        NOTHING,
        UNCONFIRMED,
        CONFIRMED /* with a session */,
        AT_REST /* confirmed, no session */,
        WITH_STATE
};

static inline void bring_about(enum before before, struct lab_session *ret)
{
        if (before == NOTHING)
                return;
        assert_int_equal(exchange("verifier", 0, ret), NFS4_OK);
        if (before == UNCONFIRMED)
                return;
        assert_int_equal(create(ret, ret->create_seqid), NFS4_OK);
        if (before != CONFIRMED)
                assert_int_equal(destroy_session(ret), NFS4_OK);
        lab.has_state = before == WITH_STATE;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
