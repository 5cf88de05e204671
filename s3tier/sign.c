/* SPDX-License-Identifier: Apache-2.0 */
#include "s3tier/sign.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/check.h"
#include "base/digest.h"
#include "s3tier/encode.h"

enum { CANONICAL_BYTES = 32 * 1024 };

void sign_date(uint64_t wall_ns, char out[SIGN_DATE_BYTES])
{
        time_t seconds = (time_t)(wall_ns / 1000000000);
        struct tm tm;

        CHECK(gmtime_r(&seconds, &tm) != NULL);
        CHECK(strftime(out, SIGN_DATE_BYTES, "%Y%m%dT%H%M%SZ", &tm) == SIGN_DATE_BYTES - 1);
}

/* --- the key of a day: HMACs of date, region, service, in that order */

static void derive(struct sign_key *key, const struct creds *creds, const char *region)
{
        char first[4 + CREDS_KEY_BYTES] = "AWS4";
        const char *steps[] = { key->date, region, "s3", "aws4_request" };

        memcpy(first + 4, creds->secret, strlen(creds->secret) + 1);
        hmac_sha256(first, strlen(first), steps[0], strlen(steps[0]), key->key);
        for (int i = 1; i < 4; i++)
                hmac_sha256(key->key, sizeof(key->key), steps[i], strlen(steps[i]), key->key);
        explicit_bzero(first, sizeof(first));
}

static void renew(struct sign_key *key, const struct creds *creds, const char *region, const char *date)
{
        uint8_t secret_hash[SHA256_BYTES];

        sha256(creds->secret, strlen(creds->secret), secret_hash);
        if (memcmp(key->date, date, 8) == 0 && strcmp(key->region, region) == 0 &&
            strcmp(key->access_key, creds->access_key) == 0 &&
            memcmp(key->secret_hash, secret_hash, sizeof(secret_hash)) == 0)
                return;
        memcpy(key->date, date, 8);
        key->date[8] = '\0';
        strncpy(key->region, region, sizeof(key->region) - 1);
        memcpy(key->access_key, creds->access_key, sizeof(key->access_key));
        memcpy(key->secret_hash, secret_hash, sizeof(secret_hash));
        derive(key, creds, region);
}

/* --- the canonical request */

static int by_name(const void *a, const void *b)
{
        const struct http_header *const *x = a, *const *y = b;

        return strcasecmp((*x)->name, (*y)->name);
}

static void add_lower(struct text *t, const char *name)
{
        for (; *name; name++) {
                char c = (char)tolower((unsigned char)*name);

                text_put(t, &c, 1);
        }
}

/* Runs of blanks become one, those at the ends none. */
static void add_value(struct text *t, const char *value)
{
        while (*value) {
                size_t blanks = strspn(value, " \t"), word = strcspn(value + blanks, " \t");

                value += blanks;
                text_put(t, value, word);
                value += word;
                if (value[strspn(value, " \t")] != '\0')
                        text_put(t, " ", 1);
        }
}

static void add_names(struct text *t, const struct http_header *const *sorted, unsigned count)
{
        for (unsigned i = 0; i < count; i++) {
                if (i > 0)
                        text_add(t, ";");
                add_lower(t, sorted[i]->name);
        }
}

static void add_canonical(struct text *t, const struct sign_request *r,
                          const struct http_header *const *sorted)
{
        text_add(t, r->method);
        text_add(t, "\n");
        text_put(t, (const char *)r->path.data, r->path.length);
        text_add(t, "\n");
        text_put(t, (const char *)r->query.data, r->query.length);
        text_add(t, "\n");
        for (unsigned i = 0; i < r->header_count; i++) {
                add_lower(t, sorted[i]->name);
                text_add(t, ":");
                add_value(t, sorted[i]->value);
                text_add(t, "\n");
        }
        text_add(t, "\n");
        add_names(t, sorted, r->header_count);
        text_add(t, "\n");
        text_add(t, r->payload_hash);
}

/* "20130524/us-east-1/s3/aws4_request" */
static void add_scope(struct text *t, const char *date, const char *region)
{
        text_put(t, date, 8);
        text_add(t, "/");
        text_add(t, region);
        text_add(t, "/s3/aws4_request");
}

/* What is signed: algorithm, date, scope, hash of the canonical request. */
static void signature_of(const struct sign_key *key, const char *region, const char *date,
                         struct slice canonical, char out[2 * SHA256_BYTES + 1])
{
        char space[256], hash_hex[2 * SHA256_BYTES + 1];
        uint8_t hash[SHA256_BYTES];
        struct text t = text_of(space, sizeof(space));

        sha256(canonical.data, canonical.length, hash);
        text_add(&t, "AWS4-HMAC-SHA256\n");
        text_add(&t, date);
        text_add(&t, "\n");
        add_scope(&t, date, region);
        text_add(&t, "\n");
        text_add(&t, hex_of(hash, sizeof(hash), hash_hex));
        CHECK(!t.full);
        hmac_sha256(key->key, sizeof(key->key), space, (size_t)(t.at - space), hash);
        hex_of(hash, sizeof(hash), out);
}

bool sign_v4(struct sign_key *key, const struct creds *creds, const char *region,
             const char date[SIGN_DATE_BYTES], const struct sign_request *r,
             char out[SIGN_AUTHORIZATION_BYTES])
{
        const struct http_header *sorted[SIGN_MAX_HEADERS];
        char space[CANONICAL_BYTES], signature[2 * SHA256_BYTES + 1];
        struct text canonical = text_of(space, sizeof(space)), t = text_of(out, SIGN_AUTHORIZATION_BYTES);

        if (r->header_count > SIGN_MAX_HEADERS || strlen(region) >= sizeof(key->region))
                return false;
        for (unsigned i = 0; i < r->header_count; i++)
                sorted[i] = &r->headers[i];
        qsort(sorted, r->header_count, sizeof(*sorted), by_name); /* NOLINT(bugprone-sizeof-expression) */
        add_canonical(&canonical, r, sorted);
        if (canonical.full)
                return false;
        renew(key, creds, region, date);
        signature_of(key, region, date, slice_of(space, (uint32_t)(canonical.at - space)), signature);
        text_add(&t, "AWS4-HMAC-SHA256 Credential=");
        text_add(&t, creds->access_key);
        text_add(&t, "/");
        add_scope(&t, date, region);
        text_add(&t, ",SignedHeaders=");
        add_names(&t, sorted, r->header_count);
        text_add(&t, ",Signature=");
        text_add(&t, signature);
        text_end(&t);
        return !t.full;
}
