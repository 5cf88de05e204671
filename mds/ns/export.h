/* SPDX-License-Identifier: Apache-2.0 */
/* Export policies: which paths are offered to whom, and how (docs/examples/exports.yaml), and the pseudo file
 * system that joins several of them (RFC 8881 §7.3). A set never changes once loaded: a reload makes a new
 * one and swaps the pointer. */
#pragma once

#include "base/env.h"
#include "base/slice.h"

enum export_access { EXPORT_RO, EXPORT_RW };
enum export_squash { SQUASH_NONE, SQUASH_ROOT, SQUASH_ALL };

struct export_client {
        enum { CLIENT_ANY, CLIENT_NET, CLIENT_HOST } kind;
        struct netaddr net; /* CLIENT_NET */
        unsigned prefix;    /* bits of net that count */
        char *host;         /* CLIENT_HOST: '*' and '?' stand for characters of one label */
};

struct export_rule {
        unsigned line; /* in the file */
        struct export_client *clients;
        unsigned client_count;
        enum export_access access;
        enum export_squash squash;
        uint32_t anonuid, anongid;
        uint32_t flavours; /* bit N: RPC flavour N (0 none, 1 sys) */
        bool pnfs;         /* layouts are given */
};

struct export
{
        /* From `id:`, else 1 for "/", else from a hash of the path: file handles carry it, so adding or
         * moving an export in the file must not change the ids of the others. */
        uint16_t id;
        char *path; /* absolute, without empty parts, "." and ".."; no slash at the end except in "/" */
        struct export_rule *rules;
        unsigned rule_count;
};

/* A directory of the pseudo file system: the root, what leads to an export's root, and that root itself. With
 * "/" exported there is one node, which is the export's root. */
struct pseudo_node {
        uint64_t id;        /* fileid, and cookie in its directory: from the path, 2^62 <= id < 2^63 */
        char *name;         /* "" at the root */
        uint16_t export_id; /* not 0: this is that export's root and has no children */
        struct pseudo_node *parent;                     /* NULL at the root */
        struct pseudo_node *first_child, *next_sibling; /* by id */
};

struct exports {
        struct export *items; /* in the order of the file */
        unsigned count;
        struct pseudo_node *root;
};

/* Load FILE. 0 and a new set, or -1 with "FILE:LINE: what is wrong; allowed: …" and *ret untouched. */
int exports_load(const char *file, struct exports **ret, char *error, size_t error_bytes);
int exports_load_text(const char *name, const char *text, size_t length, struct exports **ret, char *error,
                      size_t error_bytes);
void exports_free(struct exports *set); /* NULL is fine */

/* NULL: none (any more), NFS4ERR_STALE. */
const struct export *export_by_id(const struct exports *set, uint16_t id);

/* The name behind a client's address, for rules with host names. Reverse look-ups take time and lie (whoever
 * owns the address writes its name), so the owner of this looks up, confirms and remembers. */
struct export_names {
        /* The confirmed name; "" = it has none; NULL = not known yet. */
        const char *(*name_of)(struct export_names *, const struct netaddr *client);
};

/* What export_match() returns when a rule with a host name comes first and the client's name is not known
 * yet: answer NFS4ERR_DELAY. */
extern const struct export_rule export_undecided;

/* The first rule of export EXPORT_ID that names CLIENT and allows FLAVOUR (an RPC flavour number); NULL: no
 * access. NAMES may be NULL: rules with host names then match nobody. */
const struct export_rule *export_match(const struct exports *set, uint16_t export_id,
                                       const struct netaddr *client, uint32_t flavour,
                                       struct export_names *names);
/* All flavours with which CLIENT has access, as a mask like export_rule.flavours: for SECINFO, and to tell
 * NFS4ERR_WRONGSEC (not 0) from no access at all. */
uint32_t export_flavours(const struct exports *set, uint16_t export_id, const struct netaddr *client,
                         struct export_names *names);

const struct pseudo_node *pseudo_by_id(const struct exports *set, uint64_t id);
const struct pseudo_node *pseudo_of_export(const struct exports *set, uint16_t export_id);
const struct pseudo_node *pseudo_lookup(const struct pseudo_node *dir, struct slice name);
/* READDIR: the first child with an id above AFTER; NULL at the end. */
const struct pseudo_node *pseudo_next(const struct pseudo_node *dir, uint64_t after);

/* Private to mds/ns/export*.c and mds/ns/pseudo.c. */
/* Build the tree over set->items. False: two paths hash alike. */
bool pseudo_build(struct exports *set);
void pseudo_free(struct pseudo_node *root);
uint64_t export_path_hash(const char *path, size_t length);
/* Read one member of `clients:` into *ret; NULL, or what would have been allowed. */
const char *export_client_parse(const char *text, struct export_client *ret);
bool export_client_matches(const struct export_client *c, const struct netaddr *client, const char *name);
