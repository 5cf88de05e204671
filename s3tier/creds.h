/* SPDX-License-Identifier: Apache-2.0 */
/* Where access keys come from, in the ways that AWS's tools know: given in the configuration, the
 * environment, a file in AWS's ini form, a program (credential_process), a container's or an instance's
 * metadata service. Those that expire are fetched anew before they do. Never logged, never in an error text.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

enum { CREDS_KEY_BYTES = 160, CREDS_TOKEN_BYTES = 4096 };

struct creds {
        char access_key[CREDS_KEY_BYTES], secret[CREDS_KEY_BYTES];
        char token[CREDS_TOKEN_BYTES]; /* "" for none */
        uint64_t expires_wall_ns;      /* 0: never */
};

enum creds_source {
        CREDS_GIVEN,       /* access_key and secret (and token) below */
        CREDS_ENVIRONMENT, /* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN */
        CREDS_FILE,        /* file, profile; read again when it has changed */
        CREDS_PROCESS,     /* command: its standard output is one JSON object, version 1 */
        CREDS_CONTAINER,   /* url: of an ECS or EKS agent; token_file: what goes into Authorization */
        CREDS_INSTANCE,    /* IMDSv2 at url */
};

struct creds_conf {
        enum creds_source source;
        const char *access_key, *secret, *token;
        const char *file, *profile; /* NULL: "default" */
        const char *command;        /* run by sh */
        const char *url;            /* NULL: http://169.254.169.254 for an instance */
        const char *token_file;     /* NULL: none */
};

/* Choose as AWS's tools do when nothing is said: environment, file ($AWS_SHARED_CREDENTIALS_FILE or
 * ~/.aws/credentials, with $AWS_PROFILE) if it is there, container ($AWS_CONTAINER_CREDENTIALS_FULL_URI or
 * …_RELATIVE_URI), instance. The strings are the environment's, or in SPACE. */
void creds_default(struct creds_conf *ret, char *space, uint32_t space_bytes);

struct loop;
struct creds_provider;

/* Who waits for keys; a member of them. */
struct creds_wait {
        struct list node; /* list_init() before first use */
        /* CREDS as from creds_now(); NULL: there are none, and creds_error() says why. */
        void (*ready)(struct creds_wait *, const struct creds *);
};

/* Strings of CONF are copied. Nothing is read yet. NULL: out of memory. */
struct creds_provider *creds_new(struct loop *loop, const struct creds_conf *conf);
/* The same without a loop, for CREDS_GIVEN only (tests, the simulator). */
struct creds_provider *creds_given(const char *access_key, const char *secret);
void creds_free(struct creds_provider *p); /* nobody may wait; NULL is fine */

/* Keys that are good for a minute at least, without waiting; they stay where they are until this turn ends.
 * NULL: creds_ask(). What is near its end is fetched anew behind this. */
const struct creds *creds_now(struct creds_provider *p);
/* Call WAIT->ready once, never from inside, when creds_now() has an answer or cannot get one. */
void creds_ask(struct creds_provider *p, struct creds_wait *wait);
void creds_cancel(struct creds_wait *wait); /* not waiting is fine */
/* The server says that what creds_now() gave is no good (expired, unknown): the next creds_now() fetches
 * anew. At most once a second; false when that was tried just now, or when the keys cannot change. */
bool creds_refused(struct creds_provider *p);
/* Why there are none, for people: "/etc/nacre/s3.ini: no section [train]". Never holds a secret. */
const char *creds_error(const struct creds_provider *p);

/* Pure parts, for tests. 0, or -EINVAL with *WHY a literal. */
int creds_parse_ini(const char *text, const char *profile, struct creds *ret, const char **why);
int creds_parse_json(const char *text, struct creds *ret, const char **why);
