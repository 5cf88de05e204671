/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of the objects of a directory, in the bucket: who links the bucket anew, here or elsewhere,
 * need not ask for each of them with HEAD. docs/S3-METADATA.md has the format.
 *
 * Of a directory with the key "a/b/" (behind the repo's prefix) the pages are the objects
 *
 *   .nacre/manifest/HASH/00000000, …/00000001 …        HASH: of "a/b/"
 *
 * Nothing below ".nacre/" of a repo is a file: imports and sweeps pass over it, and no directory of that name
 * can be made there. A page is text, a line for each name: ETag, size and Last-Modified of its object as a
 * listing has shown them, then what HEAD would say. An entry holds as long as a listing shows the same three,
 * and is nothing else than the answer to a HEAD: it is put into effect by the same code (heads.h), and says
 * nothing that an object could not. Of a directory a listing shows only the name: it is believed until its
 * own names are listed. Then its object is seen, and asked about if it is younger than the entry says.
 *
 *   written   a while after something of the directory has arrived in S3, or was deleted there (the mark 'e'
 *             in mds/store/record.h, made in the transaction that notes the arrival): listed once more, page
 *             by page, at the priority of scans; MANIFEST_WRITERS at a time. Of what S3 has as it is here,
 * and was written here or said all of itself. What a crash interrupts is done again, from the mark read by an
 * import, before the names that a page covers; memory is a page for each of at most MANIFEST_READERS imports,
 * others ask with HEAD
 *
 * It is a hint: what is missing, damaged, of another version or of another moment means HEADs, as ever. */
#pragma once

#include "mds/tier/heads.h"
#include "mds/tier/tier.h"
#include "s3tier/listing.h"

enum {
        MANIFEST_PAGE_BYTES = 512 * 1024,
        MANIFEST_PAGE_ENTRIES = 1000, /* as many as a page of a listing has */
        MANIFEST_KEY_BYTES = 64,
        MANIFEST_WRITERS = 4,
        MANIFEST_READERS = 16
};

/* An object younger than by this is not the one that was heard of: clocks are not the same. */
#define MANIFEST_SLACK_NS 2000000000ull

#define MANIFEST_FOLDER ".nacre/manifest/"

/* Is KEY, behind the repo's prefix, no file's? */
bool manifest_is_reserved(const char *key);
/* Is NAME one that no directory directly in a repo's own can have? */
bool manifest_is_reserved_name(struct slice name);
/* That of a page of the directory with the key PREFIX. */
void manifest_key(const char *prefix, unsigned page, char out[MANIFEST_KEY_BYTES]);

/* --- manifest_text.c: a page */

struct manifest_entry {
        char etag[S3_ETAG_BYTES];    /* "" of a directory */
        uint64_t size, modified_ns;  /* of a directory: when its object was last heard of; 0: there is none */
        struct s3_metadata metadata; /* empty: there is none */
        uint32_t target_length;      /* of a symlink; 0: it is none */
        char target[NFS4_MAXPATH];   /* no NUL */
};

struct manifest_page {
        char *space; /* MANIFEST_PAGE_BYTES */
        struct text text;
        unsigned count;
};
/* The page NUMBER of the directory with the key PREFIX, in P->space. */
void manifest_page_begin(struct manifest_page *p, const char *prefix, unsigned number);
/* NAME: the key behind PREFIX. False: there is no room left in the page, which is as it was. */
bool manifest_page_add(struct manifest_page *p, const char *name, const struct manifest_entry *e);
/* THROUGH: it is of all names up to this; MORE: there is another page. Its text. */
struct slice manifest_page_end(struct manifest_page *p, const char *through, bool more);

struct manifest_index {
        char *text; /* MANIFEST_PAGE_BYTES + 1 */
        struct {
                uint32_t name, rest;    /* in TEXT: the name, the fields behind it */
        } lines[MANIFEST_PAGE_ENTRIES]; /* in the order of the names */
        unsigned count;
        bool more;
        char through[S3_KEY_BYTES];
};
/* M->text, of LENGTH bytes, is a whole page NUMBER of PREFIX; false: it is not, and M is of no use. */
bool manifest_page_read(struct manifest_index *m, uint32_t length, const char *prefix, unsigned number);
/* False: there is no entry of that NAME, or it makes no sense. */
bool manifest_page_find(const struct manifest_index *m, const char *name, struct manifest_entry *ret);

/* --- manifest_read.c: for an import */

struct manifest_reader;
/* Of the directory with the key PREFIX, which lives as long as that: DONE runs once the first page is there,
 * or none. NULL: it is not to be read, or there is no memory; DONE does not run. */
struct manifest_reader *manifest_open(struct tier *t, struct repo *r, const char *prefix,
                                      void (*done)(void *arg), void *arg);
void manifest_close(struct manifest_reader *m); /* NULL is fine, as in the next three */
/* Does another page tell of KEY? */
bool manifest_is_past(const struct manifest_reader *m, const char *key);
/* Up to where this page tells, into OUT (S3_KEY_BYTES): a key. */
void manifest_through(const struct manifest_reader *m, char *out);
/* DONE runs once the page is there that tells of KEY, which is past this one; or none. */
void manifest_next(struct manifest_reader *m, const char *key);
/* The name of E, FILEID, was made just now: it is described if M can. */
void manifest_describe(struct manifest_reader *m, const struct s3_entry *e, uint64_t fileid);

/* --- manifest_write.c */

struct manifests;
struct manifests *manifests_new(struct tier *t); /* NULL: out of memory */
void manifests_stop(struct manifests *m);        /* nothing is begun any more; NULL is fine, as in the next */
void manifests_free(struct manifests *m);
void manifests_quieten(struct manifests *m, const struct repo *r); /* nobody has a call of R's under way */

/* In T: S3 has something new of ours at KEY of R. */
void manifest_note(struct tier *t, struct txn *txn, const struct repo *r, struct slice key);
/* In T: what was at KEY is gone. */
void manifest_note_gone(struct tier *t, struct txn *txn, const struct repo *r, struct slice key);
