/* SPDX-License-Identifier: Apache-2.0 */
/* YAML configuration through libcyaml: a schema in, a struct out, or one message "FILE:LINE: what is wrong, what is
 * allowed". The only place that knows libcyaml; schemas are described with conf_field tables so that nobody else needs it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum conf_kind {
        CONF_STRING,   /* char * (malloc'd) */
        CONF_U64,      /* uint64_t with min..max */
        CONF_SIZE,     /* uint64_t, text with K, M, G, T (powers of 1024), min..max in bytes */
        CONF_BOOL,     /* bool */
        CONF_ENUM,     /* int, index into names */
        CONF_STRINGS,  /* struct conf_strings */
        CONF_LIST,     /* struct conf_list of records described by fields */
        CONF_RECORD,   /* a nested struct described by fields, in place */
};

struct conf_strings {
        char **items;
        unsigned count;
        unsigned *lines; /* of each item in the file */
};
struct conf_list {
        void *items; /* count records of record_bytes each */
        unsigned count;
};

struct conf_field {
        const char *key;
        enum conf_kind kind;
        size_t offset;             /* of the member in its record */
        bool required;
        const char *fallback;      /* text of the default, NULL = zero */
        uint64_t min, max;         /* CONF_U64, CONF_SIZE; list length */
        const char *const *names;  /* CONF_ENUM: allowed words, NULL-terminated */
        const struct conf_field *fields; /* CONF_LIST, CONF_RECORD; ended by key NULL */
        size_t record_bytes;       /* CONF_LIST */
        const char *help;          /* what is allowed, for messages; NULL = made from kind and range */
        bool keeps_line;           /* CONF_LIST, CONF_RECORD: the record's first member is `unsigned line` */
};

/* Fill RECORD (zeroed by the caller) from FILE. 0, or -1 with a message for people in ERROR. */
int conf_load(const char *file, const struct conf_field *fields, void *record, char *error, size_t error_bytes);
/* The same from memory; NAME stands for the file in messages. */
int conf_load_text(const char *name, const char *text, size_t length, const struct conf_field *fields, void *record, char *error, size_t error_bytes);
void conf_free(const struct conf_field *fields, void *record);
