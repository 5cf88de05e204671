/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of the metadata server, one file each in mds/op/. */
#pragma once

#include "nfs4/ops.h"

extern const struct nfs4_op op_access, op_allocate, op_clone, op_close, op_commit, op_copy, op_create,
        op_deallocate, op_delegreturn, op_getattr, op_getdeviceinfo, op_io_advise, op_layoutcommit,
        op_layouterror, op_layoutget, op_layoutreturn, op_layoutstats, op_link, op_lock, op_lockt, op_locku,
        op_lookup, op_lookupp, op_nverify, op_offload_cancel, op_offload_status, op_open, op_open_downgrade,
        op_read, op_read_plus, op_readdir, op_readlink, op_remove, op_rename, op_secinfo, op_seek, op_setattr,
        op_verify, op_write;
extern const struct nfs4_op op_getxattr, op_setxattr, op_listxattrs, op_removexattr;
