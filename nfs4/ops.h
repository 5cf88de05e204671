/* SPDX-License-Identifier: Apache-2.0 */
/* The operations that both servers share (nfs4/op/). */
#pragma once

#include "nfs4/compound.h"

extern const struct nfs4_op op_exchange_id, op_create_session, op_bind_conn_to_session, op_backchannel_ctl,
        op_destroy_session, op_destroy_clientid, op_sequence, op_reclaim_complete, op_secinfo_no_name,
        op_putfh, op_putrootfh, op_putpubfh, op_getfh, op_savefh, op_restorefh, op_test_stateid,
        op_free_stateid;

/* For SECINFO too: the list of flavours as secinfo4<>. */
void put_secinfo(struct xdr_out *x, const uint32_t *flavors, uint32_t count);
/* nfs4/op/sequence.c, for the engine: the slot's bookkeeping when the reply is complete, and the replay. */
void slot_finish(struct compound *c);
