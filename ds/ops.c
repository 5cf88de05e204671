/* SPDX-License-Identifier: Apache-2.0 */
/* What a data server answers: RFC 8881 §13.6. Everything else is NFS4ERR_NOTSUPP. */
#include "nfs4/ops.h"

#include "ds/ds.h"

const struct nfs4_op *const ds_ops[NFS4_OP_LIMIT] = {
        [OP_EXCHANGE_ID] = &op_exchange_id,
        [OP_CREATE_SESSION] = &op_create_session,
        [OP_BIND_CONN_TO_SESSION] = &op_bind_conn_to_session,
        [OP_BACKCHANNEL_CTL] = &op_backchannel_ctl,
        [OP_DESTROY_SESSION] = &op_destroy_session,
        [OP_DESTROY_CLIENTID] = &op_destroy_clientid,
        [OP_SEQUENCE] = &op_sequence,
        [OP_RECLAIM_COMPLETE] = &op_reclaim_complete,
        [OP_SECINFO_NO_NAME] = &op_secinfo_no_name,
        [OP_PUTFH] = &op_putfh,
        [OP_PUTROOTFH] = &op_putrootfh,
        [OP_TEST_STATEID] = &op_test_stateid,
        [OP_FREE_STATEID] = &op_free_stateid,
        [OP_READ] = &ds_op_read,
        [OP_WRITE] = &ds_op_write,
        [OP_COMMIT] = &ds_op_commit,
        [OP_GETATTR] = &ds_op_getattr,
        /* for the MDS alone */
        [OP_SAVEFH] = &ds_op_savefh,
        [OP_COPY] = &ds_op_copy,
        [OP_CLONE] = &ds_op_clone,
};
