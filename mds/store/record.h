/* SPDX-License-Identifier: Apache-2.0 */
/* The records of the metadata store and their keys (all integers big-endian, every value starts
 * with a version byte):
 *
 *   i fileid                      inode
 *   t fileid                      target of a symlink
 *   d parent cookie               directory entry: fileid, type, name. cookie = hash of the name with its low
 *                                 8 bits counting collisions; it is the READDIR cookie. One removed from the
 *                                 middle of a collision run stays as a hole (type 0).
 *   x fileid cookie               extended attribute: name, value. cookie = hash of the name; it is the
 *                                 LISTXATTRS cookie
 *   a fileid                      access control list
 *   l fileid client-tag           a write layout is out: epoch it was granted under
 *   c client-owner                client that has or had state: verifier, principal, lease, whether
 *                                 it had delegations
 *   o fileid                      orphan (unlinked, still open) or objects to be removed from data servers
 *   s server-id                   data server: name, uuid, state, last addresses
 *   p generation                  pool generation: the server ids in order
 *   m name                        single values: format, fsid, boot, next-fileid, epoch, hash key
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "include/acl.h"
#include "include/nfs4.h"

/* Set in the fileid of every directory but the root, so that directories are apart from files in the store:
 * see more_options in rocks_options.c. The type is in the inode; nobody derives it from this. */
#define FILEID_DIRECTORY (UINT64_C(1) << 48)
enum { ROOT_FILEID = 1 };
enum { KEY_MAX = 1100, RECORD_MAX = 8192 };
enum {
        XATTR_NAME_BYTES = 255,
        XATTR_VALUE_BYTES = 65536,
        XATTR_RECORD_BYTES = 2 + XATTR_NAME_BYTES + XATTR_VALUE_BYTES
};
enum { SYMLINK_VERSION = 1, META_VERSION = 1 }; /* of 't' and 'm': the byte, then the target or the value */

struct inode {
        uint64_t fileid;
        uint32_t generation; /* random, never changes */
        uint8_t type;        /* enum nfs_ftype4 */
        uint8_t flags;       /* INODE_* */
        uint16_t mode;       /* permission bits and set-id, 07777 */
        uint32_t uid, gid;
        uint32_t nlink; /* names; directories: 2 + directories inside */
        uint32_t rdev_major, rdev_minor;
        uint64_t size;   /* files: as the MDS knows, write layouts may have moved it; directories: entries */
        uint64_t used;   /* bytes allocated on data servers, as last heard */
        uint64_t change; /* rises with every change: max(change + 1, wall clock in ns) */
        int64_t atime, mtime, ctime, btime; /* ns since 1970 */
        uint64_t parent;                    /* directories: the one parent (0 for the root); files: 0 */
        /* regular files: stripes (include/stripe.h) */
        uint32_t unit;
        uint16_t width, pool;
        uint8_t first, start;
        uint8_t verifier[NFS4_VERIFIER_SIZE]; /* of EXCLUSIVE4_1, while INODE_EXCLUSIVE */
};
enum {
        INODE_EXCLUSIVE = 1, /* verifier is valid (until the first SETATTR or write open by another) */
        INODE_DATA = 2, /* objects may exist on data servers: it was written to or given a write layout */
        INODE_LAYOUT_SET = 4, /* directories: unit and width are a policy for what is made inside */
        INODE_XATTRS = 8,     /* there are 'x' records of it */
        INODE_ACL = 16        /* there is an 'a' record of it */
};

struct dirent_record {
        uint64_t fileid;
        uint8_t type; /* enum nfs_ftype4; 0 = hole */
        uint8_t name_length;
        char name[NFS4_MAXNAME];
};

/* Both point into the record. */
struct xattr_record {
        struct slice name, value;
};

struct orphan_record {
        bool open; /* true: inode still exists for its openers; false: only the objects are left */
        uint32_t generation, unit;
        uint16_t width, pool;
        uint8_t first, start;
};

/* Who may reclaim after a restart of ours (mds/state/recovery.h). */
struct client_record {
        uint8_t verifier[NFS4_VERIFIER_SIZE];
        uint32_t flavor, uid;   /* principal */
        uint32_t lease_seconds; /* it was promised */
        bool delegated;         /* it may have delegations to reclaim */
};

/* Keys: write into OUT (KEY_MAX) and return the slice of it. */
struct slice key_inode(uint8_t *out, uint64_t fileid);
struct slice key_symlink(uint8_t *out, uint64_t fileid);
struct slice key_dirent(uint8_t *out, uint64_t parent, uint64_t cookie);
struct slice key_dirents(uint8_t *out, uint64_t parent); /* prefix of all entries */
struct slice key_acl(uint8_t *out, uint64_t fileid);
struct slice key_xattr(uint8_t *out, uint64_t fileid, uint64_t cookie);
struct slice key_xattrs(uint8_t *out, uint64_t fileid); /* prefix of all attributes */
struct slice key_layout(uint8_t *out, uint64_t fileid, uint32_t client_tag);
struct slice key_layouts(uint8_t *out, uint64_t fileid); /* prefix */
struct slice key_client(uint8_t *out, struct slice owner);
struct slice key_orphan(uint8_t *out, uint64_t fileid);
struct slice key_server(uint8_t *out, uint32_t server_id);
struct slice key_pool(uint8_t *out, uint32_t generation);
struct slice key_meta(uint8_t *out, const char *name);
struct slice key_kind(uint8_t *out, char kind); /* prefix of all records of a kind: 'i', 'd' … */
/* The number(s) behind the kind letter; false when KEY is not of that form. */
bool key_parse_u64(struct slice key, char kind, uint64_t *ret_first);
bool key_parse_u64_u64(struct slice key, char kind, uint64_t *ret_first, uint64_t *ret_second);
bool key_parse_u64_u32(struct slice key, char kind, uint64_t *ret_first, uint32_t *ret_second);

/* Values: write into OUT (RECORD_MAX) and return the slice; read with total checks: false = damaged. */
struct slice inode_encode(uint8_t *out, const struct inode *inode);
bool inode_decode(struct slice value, struct inode *ret);
struct slice dirent_encode(uint8_t *out, const struct dirent_record *d);
bool dirent_decode(struct slice value, struct dirent_record *ret);
struct slice xattr_encode(uint8_t *out, const struct xattr_record *x); /* OUT: XATTR_RECORD_BYTES */
bool xattr_decode(struct slice value, struct xattr_record *ret);
struct slice acl_encode(uint8_t *out, const struct acl *acl);
bool acl_decode(struct slice value, struct acl *ret);
struct slice orphan_encode(uint8_t *out, const struct orphan_record *o);
bool orphan_decode(struct slice value, struct orphan_record *ret);
struct slice client_encode(uint8_t *out, const struct client_record *c);
bool client_decode(struct slice value, struct client_record *ret);
