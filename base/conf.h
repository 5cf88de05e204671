/* SPDX-License-Identifier: Apache-2.0 */
/* YAML configuration: a schema in, a struct out, or one message "FILE:LINE: what is wrong; allowed: what is".
 * Schemas are tables of conf_field; only base/conf.c knows the YAML library. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/env.h"

enum conf_kind {
        CONF_STRING,  /* char * (malloc'd) */
        CONF_U64,     /* uint64_t with min..max */
        CONF_SIZE,    /* uint64_t, text with K, M, G, T (powers of 1024), min..max in bytes */
        CONF_BOOL,    /* bool */
        CONF_ENUM,    /* int, index into names */
        CONF_SET,     /* unsigned, a bit for each of names that is there: "new, deleted", or "none" */
        CONF_PATH,    /* struct conf_path: a string that remembers its line, for what is found wrong later */
        CONF_ADDR,    /* struct netaddr; min is the default port */
        CONF_ADDRS,   /* struct conf_addrs; min as above, max addresses; one may stand without a list */
        CONF_STRINGS, /* struct conf_strings; one string may stand without a list */
        CONF_LIST,    /* struct conf_list of records described by fields */
        CONF_RECORD,  /* a nested struct described by fields, in place */
};

struct conf_strings {
        char **items;
        unsigned count;
        unsigned *lines; /* of each item in the file */
};
struct conf_path {
        char *text; /* NULL: not given */
        unsigned line;
};
struct conf_addrs {
        struct netaddr *items;
        unsigned count;
};
struct conf_list {
        void *items; /* count records of record_bytes each */
        unsigned count;
};

struct conf_field {
        const char *key;
        enum conf_kind kind;
        size_t offset; /* of the member in its record */
        bool required;
        const char *fallback;     /* text of the default, NULL = zero */
        uint64_t min, max;        /* numbers: range; lists: length; strings: max length. max 0 = no bound */
        const char *const *names; /* CONF_ENUM, CONF_SET: allowed words, NULL-terminated */
        const struct conf_field *fields; /* CONF_LIST, CONF_RECORD; ended by key NULL */
        size_t record_bytes;             /* CONF_LIST */
        const char *help;                /* what is allowed, for messages; NULL = made from kind and range */
        bool keeps_line; /* CONF_LIST, CONF_RECORD: the record's first member is `unsigned line` */
        /* One more condition, explained by help: VALUE is a const char * (strings), a const uint64_t *
         * (numbers) or a const struct netaddr * (addresses). */
        bool (*valid)(const void *value);
};

enum { CONF_FILE_LIMIT = 1024 * 1024, CONF_KEY_BYTES = 32 };

/* Fill RECORD (zeroed by the caller) from FILE. 0, or -1 with a message in ERROR and RECORD zeroed. */
int conf_load(const char *file, const struct conf_field *fields, void *record, char *error,
              size_t error_bytes);
/* The same from memory; NAME stands for the file in messages. */
int conf_load_text(const char *name, const char *text, size_t length, const struct conf_field *fields,
                   void *record, char *error, size_t error_bytes);
/* The first key whose value differs between the records A and B; NULL: none. Lines do not count. */
const char *conf_changed(const struct conf_field *fields, const void *a, const void *b);
/* {"key":"value", …} of RECORD's strings, numbers, truths, words and sets that are there, as they would be
 * written in a file. */
void conf_print_json(const struct conf_field *fields, const void *record, FILE *out);
/* Free what the members hold and zero them. */
void conf_free(const struct conf_field *fields, void *record);

/* "1M" -> 1048576: digits and K, M, G or T. */
bool conf_parse_size(const char *text, uint64_t *ret);

/* The secret that all servers of a cluster share: FILE holds 64 hexadecimal digits and may end in a newline.
 * 0 or -1 with a message in ERROR that begins with the file's name. Others may not read it. */
int conf_load_key(const char *file, uint8_t ret_key[CONF_KEY_BYTES], char *error, size_t error_bytes);
