/* SPDX-License-Identifier: Apache-2.0 */
/* Byte-range locks of the clients in mds_lab.h. */
#pragma once

#include "tests/lab/mds_lab.h"

struct user_lock {
        uint32_t type;           /* 0 = WRITE_LT */
        uint64_t offset, length; /* length 0: to the end of file; see no_length */
        bool no_length;          /* length is 0 indeed */
        const char *owner;       /* LOCK with an open's stateid, LOCKT; NULL: "locker" */
        bool known;              /* LOCK: the stateid is one of locks */
        bool reclaim;
        const struct stateid *by; /* LOCK, LOCKU: under this */
        /* out */
        struct stateid stateid;
        uint64_t denied_offset, denied_length, denied_clientid;
        uint32_t denied_type;
        char denied_owner[NFS4_OPAQUE_LIMIT + 1];
};
#define USER_LOCK(...) \
        (struct user_lock) \
        { \
                __VA_ARGS__ \
        }

/* LOCK, LOCKT, LOCKU on FILE: status of the compound; with DENIED, what is in the way. */
enum nfsstat4 user_lock(struct user *u, const struct user_fh *file, struct user_lock *l);
enum nfsstat4 user_lockt(struct user *u, const struct user_fh *file, struct user_lock *l);
enum nfsstat4 user_locku(struct user *u, const struct user_fh *file, struct user_lock *l);
/* What TEST_STATEID says of S; FREE_STATEID. */
enum nfsstat4 user_test_stateid(struct user *u, const struct stateid *s);
enum nfsstat4 user_free_stateid(struct user *u, const struct stateid *s);
/* READ of a byte, WRITE of none, with S. */
enum nfsstat4 user_read(struct user *u, const struct user_fh *file, const struct stateid *s);
enum nfsstat4 user_write(struct user *u, const struct user_fh *file, const struct stateid *s);
