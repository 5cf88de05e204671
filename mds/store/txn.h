/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata in memory over the store: a bounded cache of inodes and directory entries, and transactions. One
 * NFS operation that changes something is one transaction: it edits copies, commits one batch, and only then
 * do the copies become the cached truth. Reads outside a transaction see committed batches only, which may
 * not be durable yet: meta_seq() says what a reply that saw them must wait for.
 *
 * Pointers to inodes are good until the operation returns (the cache evicts only in meta_trim(), between
 * operations). */
#pragma once

#include "base/hashtab.h"
#include "mds/store/batch.h"
#include "mds/store/record.h"

struct meta;
struct env;

/* CACHE_INODES bounds the cache (entries: four times as many). Reads or makes the 'm' records and the root
 * directory (mode 0755, owned by root). NULL with a message: not a Nacre store, another format, damaged. */
struct meta *meta_open(struct env *env, struct store *store, uint32_t cache_inodes, char *error,
                       uint32_t error_bytes);
void meta_close(struct meta *m);
struct store *meta_store(struct meta *m);
void meta_trim(struct meta *m);          /* evict down to the bound; between operations */
uint64_t meta_seq(const struct meta *m); /* highest seq that what was read since the reset depends on */
void meta_seq_reset(struct meta *m);     /* at the start of an operation */

const uint8_t *meta_fsid(const struct meta *m); /* 16 random bytes made with the store */
uint32_t meta_boot(const struct meta *m);       /* rises with every meta_open() (durable before it returns) */
/* A number that was never given out before, also across crashes (reserved in blocks). 0: the store refuses
 * writes. */
uint64_t meta_new_fileid(struct meta *m);
/* The layout epoch counter: the present value; and raise it by one (reserved in blocks, so that a crash only
 * rises). 0: the store has been refusing writes for thousands of raises. */
uint32_t meta_epoch(const struct meta *m);
uint32_t meta_raise_epoch(struct meta *m);

/* The inode, from the cache or the store. 0, -ENOENT, -EIO (damaged record: logged), -ENOMEM (as every read
 * below: no memory, or so much is not durable yet that nothing can be evicted: a DELAY). */
int meta_inode(struct meta *m, uint64_t fileid, const struct inode **ret);
/* NAME in directory PARENT. 0, -ENOENT (also cached as absent), -EIO. */
int meta_lookup(struct meta *m, uint64_t parent, struct slice name, uint64_t *ret_fileid);
/* Entries of PARENT with a cookie above AFTER, ascending by cookie; EACH returns false to stop. 0 or -EIO. */
typedef bool meta_entry_fn(void *arg, uint64_t cookie, const struct dirent_record *entry);
int meta_readdir(struct meta *m, uint64_t parent, uint64_t after, meta_entry_fn *each, void *arg);
/* The target of a symlink into OUT (NFS4_MAXPATH bytes). Length or -errno. */
int meta_symlink(struct meta *m, uint64_t fileid, char *out);
/* Any record by key, for those that are not cached ('c', 'l', 'o', 's', 'p', 'm'). As store get and scan. */
int meta_get(struct meta *m, struct slice key, void *out, uint32_t capacity, uint32_t *ret_length);
int meta_scan(struct meta *m, struct slice prefix, store_each_fn *each, void *arg);
int meta_scan_from(struct meta *m, struct slice prefix, struct slice from, store_each_fn *each, void *arg);

/* Called in every commit, before the batch is written, for each inode that was there BEFORE, is still there
 * and INODE_BACKED, and whose change attribute moves: it may put records. What it notes elsewhere must bear
 * that the write fails. */
struct txn;
typedef void meta_watch_fn(void *arg, struct txn *t, const struct inode *before, const struct inode *after);
void meta_watch(struct meta *m, meta_watch_fn *watch, void *arg);

/* --- transactions: one open at a time */
enum { TXN_MAX_INODES = 8, TXN_MAX_NAMES = 8 };
struct txn *txn_begin(struct meta *m);
/* A copy of the inode to change; the same copy when asked again. NULL: not there or damaged. */
struct inode *txn_edit(struct txn *t, uint64_t fileid);
/* A new inode of TYPE with a fresh fileid, a random generation, nlink 0, times and change set to now; the
 * rest is the caller's. NULL: no number or no memory is to be had. */
struct inode *txn_new_inode(struct txn *t, uint8_t type);
/* With its symlink target, its extended attributes and its access control list. */
void txn_delete_inode(struct txn *t, uint64_t fileid);
/* Entry NAME -> FILEID; -EEXIST, -ENOSPC (256 names with one hash), -EIO, -ENOMEM. Counts in the parent's
 * size (entries) by itself; nlink, times and change are the caller's. NAME is valid (1..255 bytes, checked by
 * the operation). */
int txn_link(struct txn *t, uint64_t parent, struct slice name, uint64_t fileid, uint8_t type);
int txn_unlink(struct txn *t, uint64_t parent, struct slice name); /* -ENOENT, -EIO */
void txn_put_symlink(struct txn *t, uint64_t fileid, struct slice target);
void txn_put(struct txn *t, struct slice key, struct slice value); /* records that are not cached */
void txn_delete(struct txn *t, struct slice key);
/* All such records that are in the store and begin with PREFIX. */
void txn_delete_all(struct txn *t, struct slice prefix);
/* Has T put or deleted what is at KEY? *ret_value is in the batch until the next change; empty: deleted. */
bool txn_changes(const struct txn *t, struct slice key, struct slice *ret_value);
/* Stamp: ctime = now, change rises; with MODIFY also mtime. Now is the env's wall clock. */
void txn_touch(struct txn *t, struct inode *inode, bool modify);
/* Write the batch. 0: the edits are the truth now, *ret_seq is what the reply must wait for (an empty
 * transaction gives what was read). -errno: nothing happened. Either way the transaction is over. */
int txn_commit(struct txn *t, uint64_t *ret_seq);
void txn_abort(struct txn *t);

/* --- access control lists (meta.c, txn.c) */
int meta_acl(struct meta *m, uint64_t fileid, struct acl *ret); /* of an inode with INODE_ACL. 0, -EIO */
/* On T's copy of INODE; NULL: it has none any more. */
void txn_put_acl(struct txn *t, struct inode *inode, const struct acl *acl);

/* --- extended attributes (xattr.c): names of 1 to XATTR_NAME_BYTES bytes, values of up to XATTR_VALUE_BYTES
 */
enum { XATTRS_MAX = 128, XATTRS_BYTES = 128 * 1024 /* of one inode: names and values */ };
/* NAME of INODE. RECORD (XATTR_RECORD_BYTES bytes) is where *ret_value then points into. 0, -ENODATA, -EIO.
 */
int meta_xattr(struct meta *m, const struct inode *inode, struct slice name, uint8_t *record,
               struct slice *ret_value);
/* Those of INODE with a cookie above AFTER, ascending by cookie; EACH returns false to stop. 0 or -EIO. */
typedef bool meta_xattr_fn(void *arg, uint64_t cookie, struct slice name);
int meta_xattrs(struct meta *m, const struct inode *inode, uint64_t after, meta_xattr_fn *each, void *arg);
/* On T's copy of INODE; its stamps are the caller's. -EEXIST, -ENODATA: NAME is (not) there, but HOW;
 * -ENOSPC: too many, or too much; -EIO, -ENOMEM. */
enum xattr_how { XATTR_SET_EITHER, XATTR_SET_CREATE, XATTR_SET_REPLACE };
int txn_set_xattr(struct txn *t, struct inode *inode, struct slice name, struct slice value,
                  enum xattr_how how);
int txn_remove_xattr(struct txn *t, struct inode *inode, struct slice name); /* -ENODATA, -EIO */
/* For a meta_watch_fn: do those of FILEID, which T edits, change? */
bool txn_moves_xattrs(struct txn *t, uint64_t fileid);

struct meta_stats {
        uint64_t inode_hits, inode_misses, entry_hits, entry_misses;
        uint32_t inodes, entries;
};
void meta_get_stats(const struct meta *m, struct meta_stats *ret);
