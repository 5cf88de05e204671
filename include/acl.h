/* SPDX-License-Identifier: Apache-2.0 */
/* Access control lists, RFC 8881 §6.2.1: entries in the order in which they are looked at. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum acetype4 { ACE4_ACCESS_ALLOWED_ACE_TYPE, ACE4_ACCESS_DENIED_ACE_TYPE };

/* aclsupport */
enum { ACL4_SUPPORT_ALLOW_ACL = 1, ACL4_SUPPORT_DENY_ACL = 2 };

/* aceflag4 */
enum {
        ACE4_FILE_INHERIT_ACE = 1,
        ACE4_DIRECTORY_INHERIT_ACE = 2,
        ACE4_NO_PROPAGATE_INHERIT_ACE = 4,
        ACE4_INHERIT_ONLY_ACE = 8,
        ACE4_IDENTIFIER_GROUP = 64,
        ACE_INHERITS = ACE4_FILE_INHERIT_ACE | ACE4_DIRECTORY_INHERIT_ACE,
        ACE_INHERITANCE = ACE_INHERITS | ACE4_NO_PROPAGATE_INHERIT_ACE | ACE4_INHERIT_ONLY_ACE,
        ACE_FLAGS = ACE_INHERITANCE | ACE4_IDENTIFIER_GROUP
};

/* acemask4 */
enum {
        ACE4_READ_DATA = 1,        /* directories: list */
        ACE4_WRITE_DATA = 2,       /* directories: add a file */
        ACE4_APPEND_DATA = 4,      /* directories: add a directory */
        ACE4_READ_NAMED_ATTRS = 8, /* kept, without effect, as are the two of retention */
        ACE4_WRITE_NAMED_ATTRS = 16,
        ACE4_EXECUTE = 32,
        ACE4_DELETE_CHILD = 64,
        ACE4_READ_ATTRIBUTES = 128,
        ACE4_WRITE_ATTRIBUTES = 256,
        ACE4_WRITE_RETENTION = 512,
        ACE4_WRITE_RETENTION_HOLD = 1024,
        ACE4_DELETE = 0x10000,
        ACE4_READ_ACL = 0x20000,
        ACE4_WRITE_ACL = 0x40000,
        ACE4_WRITE_OWNER = 0x80000,
        ACE4_SYNCHRONIZE = 0x100000,
        ACE_MASK = 0x1f07ff
};

/* OWNER@, GROUP@, EVERYONE@, a number */
enum ace_who { ACE_OWNER, ACE_GROUP, ACE_EVERYONE, ACE_ID };

struct ace {
        uint8_t type, flags; /* acetype4, aceflag4 */
        uint8_t who;         /* enum ace_who */
        uint32_t mask, id;   /* ACE_ID: a group's with IDENTIFIER_GROUP */
};

enum { ACL_ACES = 64 };

struct acl {
        uint32_t count;
        struct ace aces[ACL_ACES];
};
