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
 *   b fileid                      what backs it: the S3 object of a file, the prefix of a directory
 *   r number                      repo: a bucket's prefix linked to a directory
 *   q fileid                      what S3 does not have yet of a file in a repo that exports
 *   z repo key                    an object whose file is gone: to be deleted
 *   w repo key                    where the file of that key is, which has another name
 *   u fileid time                 an upload in parts that may not be over
 *   y fileid first                what the parts of the object that backs it are, from part FIRST (0..) on
 *   n fileid number               a second name of a file in a repo: its inode (INODE_NAME), where it is
 *   k repo cluster fileid generation number   an object of that file is file NUMBER here (mds/tier/regroup.h)
 *   e repo key                    the manifest of that directory is to be written (mds/tier/manifest.h)
 *   g repo key                    pages of it may be in the bucket
 *   h fileid                      S3 has still to be asked whose it is, of a name that a listing has brought
 *   j number                      job of the administrator: a verb on a tree, and how far it is
 *   f number fileid               what that job could not do
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

/* In `type`, beside those of nfs_ftype4: no file, but a second name of one. What has several names in a repo
 * has an object at each; this one is backed by that of the name, and stands for it in the queue. No entry
 * leads to it, and no client sees it. */
enum { INODE_NAME = 32 };

struct inode {
        uint64_t fileid;
        uint32_t generation; /* random, never changes */
        uint8_t type;        /* enum nfs_ftype4, INODE_NAME */
        uint8_t flags;       /* INODE_* */
        uint16_t mode;       /* permission bits and set-id, 07777 */
        uint32_t uid, gid;
        uint32_t nlink; /* names; directories: 2 + directories inside */
        uint32_t rdev_major, rdev_minor;
        uint64_t size;   /* files: as the MDS knows, write layouts may have moved it; directories: entries */
        uint64_t used;   /* bytes allocated on data servers, as last heard */
        uint64_t change; /* rises with every change: max(change + 1, wall clock in ns) */
        int64_t atime, mtime, ctime, btime; /* ns since 1970 */
        uint64_t parent; /* directories: the one parent (0 for the root); INODE_NAME: the file; others: 0 */
        /* regular files: stripes (include/stripe.h) */
        uint32_t unit;
        uint16_t width, pool;
        uint8_t first, start;
        bool undescribed; /* its owner, mode and times are defaults, and there is an 'h' record of it */
        uint8_t verifier[NFS4_VERIFIER_SIZE]; /* of EXCLUSIVE4_1, while INODE_EXCLUSIVE */
};
enum {
        INODE_EXCLUSIVE = 1, /* verifier is valid (until the first SETATTR or write open by another) */
        INODE_DATA = 2, /* objects may exist on data servers: it was written to or given a write layout */
        INODE_LAYOUT_SET = 4, /* directories: unit and width are a policy for what is made inside */
        INODE_XATTRS = 8,     /* there are 'x' records of it */
        INODE_ACL = 16,       /* there is an 'a' record of it */
        INODE_BACKED = 32,    /* there is a 'b' record of it */
        INODE_COLD = 64,      /* backed, and not all of it is here: a directory's names, a file's bytes */
        INODE_USED_OLD = 128  /* `used` is not what the data servers would say now */
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

enum {
        BACKING_KEY_BYTES = 1024,
        BACKING_ETAG_BYTES = 135,
        BACKING_OBJECT_VERSION_BYTES = 127,
        REPO_NAME_BYTES = 64,
        REPO_URL_BYTES = 1100,
        UPLOAD_ID_BYTES = 1024,
        BACKING_HERE_BYTES = 32,
        BACKING_KEPT_BYTES = 4096
};
/* Key and ETag as last heard of, never made from the path: files are renamed. The slices point into the
 * record, as in struct repo_record. */
struct backing {
        uint32_t repo;
        uint64_t size;  /* of the object */
        uint64_t valid; /* so many bytes of it, from the front, are the file's: it may have been cut since */
        int64_t modified;                 /* the object was, ns since 1970 */
        uint64_t change;                  /* the file's, when its content was the object's; 0: it never was */
        uint8_t here[BACKING_HERE_BYTES]; /* of a file: bit i (from the low end): data server i of its device
                                             has all its units */
        uint8_t flags;                    /* BACKING_* */
        struct slice key;  /* behind the repo's prefix; of a directory with the slash at its end, or empty */
        struct slice etag; /* without quotes; empty for directories */
        struct slice version; /* the object's id, in a bucket that keeps them; empty: not known */
        struct slice kept;    /* metadata that others gave the object: names and values, a NUL behind each
                                 (mds/tier/describe.h) */
        /* What had no answer from S3 may be carried out until then (ns since 1970; 0: there is nothing): */
        int64_t late;  /* an earlier content that was sent to KEY; the object would be gone then */
        int64_t again; /* this one once more */
};

enum {
        BACKING_PINNED = 1, /* its bytes stay here */
        BACKING_LOST = 2,   /* a data server looked for bytes of it, and S3 does not have them any more */
        BACKING_UNTOLD = 4, /* S3 has refused to say whose it is: the defaults stand */
        /* for manifests (mds/tier/manifest.h) */
        BACKING_SENT = 8,      /* the object is as this cluster has written it */
        BACKING_TOLD = 16,     /* its metadata said owner, group, mode and mtime */
        BACKING_BARE = 32,     /* of a directory: S3 has said that it has no object */
        BACKING_BELIEVED = 64, /* of a directory: it is as a manifest says, and its object was not seen yet */
};

struct repo_record {
        uint64_t directory;     /* fileid */
        struct slice name, url; /* "train", "s3://bucket/prefix"; no name: it was removed, and what it left
                                   here still says its number */
        bool adopted;           /* what was there before it exported was looked at (mds/tier/adopt.h) */
};

/* What is queued of a file, directory or symlink (mds/tier/queue.h). */
enum {
        QUEUE_CONTENT = 1,  /* bytes; also of what has no object yet */
        QUEUE_METADATA = 2, /* owner, mode, times */
        QUEUE_NAME = 4,     /* it was renamed: KEY */
        QUEUE_SENT = 8      /* begun: the bucket may have it, though we have not heard so */
};
struct queue_record {
        int64_t since;         /* of the first change that S3 does not have, ns since 1970 */
        uint8_t what;          /* QUEUE_*; 0: nothing that S3 has a place for, the change attribute only */
        uint8_t failed;        /* enum archive_error of the last attempt, 0: none */
        struct slice key;      /* QUEUE_NAME: of a file, where it shall be; of a directory, where it was */
        struct slice sent_key; /* QUEUE_SENT: what it goes, or went, to */
};

/* An upload in parts of FILEID (mds/tier/unfinished.h). TIME of its key: when it was noted, ns since 1970. */
struct upload_record {
        uint32_t repo, generation;
        uint64_t change;        /* the content that it is to be of; 0: nobody wants it any more */
        int64_t until;          /* what was sent for it may arrive until then; 0: later, too */
        uint64_t part_bytes;    /* how long its parts are; 0: s3_part_bytes() says */
        struct slice key;       /* of the object, behind the repo's prefix */
        struct slice upload_id; /* empty: it is about to be begun, and S3's answer was not heard yet */
};

/* SHA-256 of parts of the object with ETAG, one behind the other (mds/tier/digests.h). */
enum { DIGEST_BYTES = 32, DIGESTS_A_RECORD = 200 };
struct digests_record {
        uint64_t size, part_bytes; /* of the object, of each of its parts but the last */
        struct slice etag;
        struct slice digests; /* DIGEST_BYTES each; zeros: nobody knows */
};

/* A name: one that a listing has brought (mds/tier/heads.h), of what is away (mds/tier/away.h), or a second
 * one ('n'). */
struct head_record {
        uint64_t directory;
        struct slice name; /* in it */
};

/* A name of a file that has several, elsewhere (mds/tier/regroup.h). */
struct group_key {
        uint32_t repo, generation;
        uint64_t cluster, fileid; /* there */
        uint64_t number;          /* the fileid of the name here */
};

struct tomb_record {       /* times in ns since 1970 */
        int64_t due;       /* INT64_MAX: never, but a new file of that key may replace it */
        int64_t late;      /* until then what was sent of FILEID may arrive, also when it was deleted */
        int64_t unheard;   /* until then something that was sent there, and had no answer, may; 0: nothing */
        int64_t deleting;  /* a DELETE was sent then that may not have been carried out yet; 0: none */
        bool gone;         /* there is nothing; what arrives late yet goes when it is due */
        bool removed;      /* its name was removed here, and another one of its file takes over */
        struct slice etag; /* only this one; empty: what was sent of FILEID, if it got there */
        uint64_t fileid;
};

/* A verb on a file, or on what is in a directory (mds/tier/jobs.h). */
enum job_verb { JOB_ARCHIVE = 1, JOB_RESTORE, JOB_RELEASE, JOB_PREFETCH, JOB_PIN, JOB_UNPIN, JOB_VERBS };
enum job_state { JOB_QUEUED = 1, JOB_RUNNING, JOB_ENDED, JOB_CANCELLED, JOB_STATES };
enum {
        JOB_RECURSIVE = 1, /* TOP is a directory */
        JOB_DRY = 2,       /* only tells what it would do */
        JOB_AGAIN = 4,     /* goes over what it could not do */
        JOB_OPTIONS = 7
};
enum { JOB_LEVELS = 128, JOB_PATH_BYTES = 4095, JOB_MATCH_BYTES = 255, JOB_ERROR_BYTES = 63 };
struct job_level {              /* a directory on the way, from the top */
        uint64_t fileid, after; /* the cookie of the entry in it that was taken last; 0: none yet */
};
struct job_counts {
        uint64_t done, bytes; /* files, and theirs */
        uint64_t same;        /* files of which nothing was to be done */
        uint64_t failed;      /* there is an 'f' record of each */
};
struct job_record {
        uint8_t verb, state, options; /* enum job_verb, enum job_state, JOB_RECURSIVE … */
        uint64_t older_seconds, min_size;
        int64_t made, ended; /* ns since 1970; 0: not yet */
        uint64_t top;        /* fileid */
        struct job_counts counts;
        uint32_t depth; /* of a tree: what is before LEVELS is done */
        struct job_level levels[JOB_LEVELS];
        struct slice path, match; /* of TOP; of file names, or empty */
        struct slice problem;     /* why it ended early; empty: it did not */
};
struct job_failure {
        struct slice path;  /* when it was tried */
        struct slice error; /* "S3AccessDenied" … */
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
struct slice key_backing(uint8_t *out, uint64_t fileid);
struct slice key_repo(uint8_t *out, uint32_t number);
struct slice key_queue(uint8_t *out, uint64_t fileid);
struct slice key_object(uint8_t *out, char kind, uint32_t repo, struct slice key); /* of the next four */
struct slice key_tomb(uint8_t *out, uint32_t repo, struct slice key);
struct slice key_away(uint8_t *out, uint32_t repo, struct slice key);
struct slice key_manifest(uint8_t *out, uint32_t repo, struct slice key);
struct slice key_pages(uint8_t *out, uint32_t repo, struct slice key);
struct slice key_upload(uint8_t *out, uint64_t fileid, int64_t noted);
struct slice key_uploads(uint8_t *out, uint64_t fileid); /* prefix of all of a file */
struct slice key_digests(uint8_t *out, uint64_t fileid, uint64_t first);
struct slice key_all_digests(uint8_t *out, uint64_t fileid); /* prefix of all of a file */
struct slice key_head(uint8_t *out, uint64_t fileid);
struct slice key_name(uint8_t *out, uint64_t fileid, uint64_t number);
struct slice key_names(uint8_t *out, uint64_t fileid); /* prefix of all second names of a file */
struct slice key_group(uint8_t *out, const struct group_key *g);
struct slice key_groups(uint8_t *out, const struct group_key *g); /* prefix of all of that file */
struct slice key_job(uint8_t *out, uint64_t number);
struct slice key_failure(uint8_t *out, uint64_t number, uint64_t fileid);
struct slice key_failures(uint8_t *out, uint64_t number); /* prefix of all of a job */
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
bool key_parse_u32(struct slice key, char kind, uint32_t *ret_first);
bool key_parse_u64(struct slice key, char kind, uint64_t *ret_first);
bool key_parse_u64_u64(struct slice key, char kind, uint64_t *ret_first, uint64_t *ret_second);
bool key_parse_u64_u32(struct slice key, char kind, uint64_t *ret_first, uint32_t *ret_second);
bool key_parse_object(struct slice key, char kind, uint32_t *ret_repo, struct slice *ret_key);
bool key_parse_away(struct slice key, uint32_t *ret_repo, struct slice *ret_key);
bool key_parse_manifest(struct slice key, uint32_t *ret_repo, struct slice *ret_key);
bool key_parse_pages(struct slice key, uint32_t *ret_repo, struct slice *ret_key);
bool key_parse_group(struct slice key, struct group_key *ret);
bool key_parse_tomb(struct slice key, uint32_t *ret_repo, struct slice *ret_key);

/* Values: write into OUT (RECORD_MAX) and return the slice; read with total checks: false = damaged. */
struct slice inode_encode(uint8_t *out, const struct inode *inode);
bool inode_decode(struct slice value, struct inode *ret);
struct slice dirent_encode(uint8_t *out, const struct dirent_record *d);
bool dirent_decode(struct slice value, struct dirent_record *ret);
struct slice xattr_encode(uint8_t *out, const struct xattr_record *x); /* OUT: XATTR_RECORD_BYTES */
bool xattr_decode(struct slice value, struct xattr_record *ret);
struct slice acl_encode(uint8_t *out, const struct acl *acl);
bool acl_decode(struct slice value, struct acl *ret);
struct slice backing_encode(uint8_t *out, const struct backing *b);
bool backing_decode(struct slice value, struct backing *ret);
struct slice repo_encode(uint8_t *out, const struct repo_record *p);
bool repo_decode(struct slice value, struct repo_record *ret);
struct slice queue_encode(uint8_t *out, const struct queue_record *q);
bool queue_decode(struct slice value, struct queue_record *ret);
struct slice tomb_encode(uint8_t *out, const struct tomb_record *z);
bool tomb_decode(struct slice value, struct tomb_record *ret);
struct slice upload_encode(uint8_t *out, const struct upload_record *u);
bool upload_decode(struct slice value, struct upload_record *ret);
struct slice digests_encode(uint8_t *out, const struct digests_record *d);
bool digests_decode(struct slice value, struct digests_record *ret);
struct slice head_encode(uint8_t *out, const struct head_record *h);
bool head_decode(struct slice value, struct head_record *ret);
struct slice group_encode(uint8_t *out, uint32_t generation); /* of the inode here */
bool group_decode(struct slice value, uint32_t *ret_generation);
struct slice manifest_encode(uint8_t *out, int64_t due); /* not before DUE, ns since 1970 */
bool manifest_decode(struct slice value, int64_t *ret_due);
struct slice pages_encode(uint8_t *out, uint32_t count); /* at most so many */
bool pages_decode(struct slice value, uint32_t *ret_count);
struct slice job_encode(uint8_t *out, const struct job_record *j);
bool job_decode(struct slice value, struct job_record *ret);
struct slice failure_encode(uint8_t *out, const struct job_failure *f);
bool failure_decode(struct slice value, struct job_failure *ret);
struct slice orphan_encode(uint8_t *out, const struct orphan_record *o);
bool orphan_decode(struct slice value, struct orphan_record *ret);
struct slice client_encode(uint8_t *out, const struct client_record *c);
bool client_decode(struct slice value, struct client_record *ret);
