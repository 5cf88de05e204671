/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of NFSv4.1 and 4.2: what stands on the wire, and nothing else. RFC 8881, RFC 7862. */
#pragma once

#include <stdint.h>

enum {
        NFS4_PROGRAM = 100003,
        NFS4_VERSION = 4,
        NFS4_PORT = 2049,
        NFS4_CB_PROGRAM_LINUX = 0x40000000, /* what Linux asks for in CREATE_SESSION */
        NFSPROC4_NULL = 0,
        NFSPROC4_COMPOUND = 1,
};

/* Sizes, §3.1. */
enum {
        NFS4_FHSIZE = 128,
        NFS4_VERIFIER_SIZE = 8,
        NFS4_OPAQUE_LIMIT = 1024,
        NFS4_SESSIONID_SIZE = 16,
        NFS4_DEVICEID_SIZE = 16,
        NFS4_OTHER_SIZE = 12,
        NFS4_MAXNAME = 255,
        NFS4_MAXPATH = 4095, /* longest symlink target */
};

enum nfsstat4 {
        NFS4_OK = 0,
#define STATUS(number, name) NFS4ERR_##name = number,
#include "include/nfs4_status.def"
        /* Never on the wire: the operation waits, compound_wake() calls its resume. Above every wire status.
         */
        NFS4_WAIT = 0x7fff0001,
};

enum nfs_opnum4 {
#define OP(number, NAME, name, minor) OP_##NAME = number,
#include "include/nfs4_ops.def"
        OP_ILLEGAL = 10044,
        NFS4_OP_LIMIT = 76, /* one above the last operation of minor version 2 */
        NFS4_OP_LIMIT_MINOR1 = 59,
};

enum nfs_cb_opnum4 {
        OP_CB_GETATTR = 3,
        OP_CB_RECALL = 4,
        OP_CB_LAYOUTRECALL = 5,
        OP_CB_NOTIFY = 6,
        OP_CB_PUSH_DELEG = 7,
        OP_CB_RECALL_ANY = 8,
        OP_CB_RECALLABLE_OBJ_AVAIL = 9,
        OP_CB_RECALL_SLOT = 10,
        OP_CB_SEQUENCE = 11,
        OP_CB_WANTS_CANCELLED = 12,
        OP_CB_NOTIFY_LOCK = 13,
        OP_CB_NOTIFY_DEVICEID = 14,
        OP_CB_OFFLOAD = 15,
};

enum nfs_attr4 {
#define ATTR(number, NAME, name, access) FATTR4_##NAME = number,
#include "include/nfs4_attrs.def"
        FATTR4_LIMIT = 96, /* three bitmap words */
};

enum nfs_ftype4 { NF4REG = 1, NF4DIR, NF4BLK, NF4CHR, NF4LNK, NF4SOCK, NF4FIFO, NF4ATTRDIR, NF4NAMEDATTR };

/* EXCHANGE_ID, §18.35 */
enum {
        EXCHGID4_FLAG_SUPP_MOVED_REFER = 0x00000001,
        EXCHGID4_FLAG_SUPP_MOVED_MIGR = 0x00000002,
        EXCHGID4_FLAG_SUPP_FENCE_OPS = 0x00000004,
        EXCHGID4_FLAG_BIND_PRINC_STATEID = 0x00000100,
        EXCHGID4_FLAG_USE_NON_PNFS = 0x00010000,
        EXCHGID4_FLAG_USE_PNFS_MDS = 0x00020000,
        EXCHGID4_FLAG_USE_PNFS_DS = 0x00040000,
        EXCHGID4_FLAG_MASK_PNFS = 0x00070000,
        EXCHGID4_FLAG_UPD_CONFIRMED_REC_A = 0x40000000,
};
#define EXCHGID4_FLAG_CONFIRMED_R 0x80000000u
enum { SP4_NONE = 0, SP4_MACH_CRED = 1, SP4_SSV = 2 };

/* CREATE_SESSION §18.36, BIND_CONN_TO_SESSION §18.34, SEQUENCE §18.46 */
enum {
        CREATE_SESSION4_FLAG_PERSIST = 1,
        CREATE_SESSION4_FLAG_CONN_BACK_CHAN = 2,
        CREATE_SESSION4_FLAG_CONN_RDMA = 4,
        CDFC4_FORE = 1,
        CDFC4_BACK = 2,
        CDFC4_FORE_OR_BOTH = 3,
        CDFC4_BACK_OR_BOTH = 7,
        CDFS4_FORE = 1,
        CDFS4_BACK = 2,
        CDFS4_BOTH = 3,
        SEQ4_STATUS_CB_PATH_DOWN = 0x001,
        SEQ4_STATUS_EXPIRED_ALL_STATE_REVOKED = 0x008,
        SEQ4_STATUS_EXPIRED_SOME_STATE_REVOKED = 0x010,
        SEQ4_STATUS_ADMIN_STATE_REVOKED = 0x020,
        SEQ4_STATUS_RECALLABLE_STATE_REVOKED = 0x040,
        SEQ4_STATUS_RESTART_RECLAIM_NEEDED = 0x100,
        SEQ4_STATUS_CB_PATH_DOWN_SESSION = 0x200,
        SEQ4_STATUS_BACKCHANNEL_FAULT = 0x400,
};

/* ACCESS §18.1 */
enum {
        ACCESS4_READ = 1,
        ACCESS4_LOOKUP = 2,
        ACCESS4_MODIFY = 4,
        ACCESS4_EXTEND = 8,
        ACCESS4_DELETE = 16,
        ACCESS4_EXECUTE = 32,
        /* RFC 8276 §8.5 */
        ACCESS4_XAREAD = 64,
        ACCESS4_XAWRITE = 128,
        ACCESS4_XALIST = 256
};

/* SETXATTR, RFC 8276 §8.4.2 */
enum { SETXATTR4_EITHER, SETXATTR4_CREATE, SETXATTR4_REPLACE };

/* OPEN §18.16 */
enum {
        OPEN4_SHARE_ACCESS_READ = 1,
        OPEN4_SHARE_ACCESS_WRITE = 2,
        OPEN4_SHARE_ACCESS_BOTH = 3,
        OPEN4_SHARE_DENY_NONE = 0,
        OPEN4_SHARE_DENY_READ = 1,
        OPEN4_SHARE_DENY_WRITE = 2,
        OPEN4_SHARE_DENY_BOTH = 3,
        OPEN4_SHARE_ACCESS_WANT_DELEG_MASK = 0xff00,
        OPEN4_SHARE_ACCESS_WANT_READ_DELEG = 0x0100,
        OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG = 0x0200,
        OPEN4_SHARE_ACCESS_WANT_ANY_DELEG = 0x0300,
        OPEN4_SHARE_ACCESS_WANT_NO_DELEG = 0x0400,
        OPEN4_SHARE_ACCESS_WANT_CANCEL = 0x0500,
        OPEN4_NOCREATE = 0,
        OPEN4_CREATE = 1,
        UNCHECKED4 = 0,
        GUARDED4 = 1,
        EXCLUSIVE4 = 2,
        EXCLUSIVE4_1 = 3,
        CLAIM_NULL = 0,
        CLAIM_PREVIOUS = 1,
        CLAIM_DELEGATE_CUR = 2,
        CLAIM_DELEGATE_PREV = 3,
        CLAIM_FH = 4,
        CLAIM_DELEG_CUR_FH = 5,
        CLAIM_DELEG_PREV_FH = 6,
        OPEN4_RESULT_CONFIRM = 2,
        OPEN4_RESULT_LOCKTYPE_POSIX = 4,
        OPEN4_RESULT_PRESERVE_UNLINKED = 8,
        OPEN4_RESULT_MAY_NOTIFY_LOCK = 0x20,
        OPEN_DELEGATE_NONE = 0,
        OPEN_DELEGATE_READ = 1,
        OPEN_DELEGATE_WRITE = 2,
        OPEN_DELEGATE_NONE_EXT = 3,
        NFS_LIMIT_SIZE = 1,
        WND4_NOT_WANTED = 0,
        WND4_CONTENTION = 1,
        WND4_RESOURCE = 2,
        WND4_CANCELLED = 7,
};

/* LOCK §18.10 */
enum { READ_LT = 1, WRITE_LT = 2, READW_LT = 3, WRITEW_LT = 4 };

enum { UNSTABLE4 = 0, DATA_SYNC4 = 1, FILE_SYNC4 = 2 };
enum { SET_TO_SERVER_TIME4 = 0, SET_TO_CLIENT_TIME4 = 1 };
enum { NFS4_CHANGE_TYPE_IS_MONOTONIC_INCR = 0 };

/* pNFS: §3.3.13, §13, §18.40–18.44 */
enum {
        LAYOUT4_NFSV4_1_FILES = 1,
        LAYOUTIOMODE4_READ = 1,
        LAYOUTIOMODE4_RW = 2,
        LAYOUTIOMODE4_ANY = 3,
        LAYOUTRECALL4_FILE = 1,
        LAYOUTRECALL4_FSID = 2,
        LAYOUTRECALL4_ALL = 3,
        LAYOUTRETURN4_FILE = 1,
        LAYOUTRETURN4_FSID = 2,
        LAYOUTRETURN4_ALL = 3,
        NFL4_UFLG_DENSE = 1,
        NFL4_UFLG_COMMIT_THRU_MDS = 2,
        NOTIFY_DEVICEID4_CHANGE = 1,
        NOTIFY_DEVICEID4_DELETE = 2,
};
/* SEEK, READ_PLUS: RFC 7862 §15.10, §15.11 */
enum { NFS4_CONTENT_DATA = 0, NFS4_CONTENT_HOLE = 1 };
#define NFS4_UINT64_MAX UINT64_MAX
