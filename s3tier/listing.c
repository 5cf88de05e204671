/* SPDX-License-Identifier: Apache-2.0 */
/* ListObjectsV2. A page is read twice: first everything is checked, then its entries are told. */
#include "s3tier/listing.h"

#include <stdio.h>

#include "base/check.h"
#include "s3tier/call.h"

enum { PAGE_BYTES = 8 * 1024 * 1024, EMPTY_PAGES = 1000, TOKEN_BYTES = 2048 };

/* What was read so far of a page. */
struct s3_list_page {
        bool telling;
        /* the entry at hand */
        char name[S3_KEY_BYTES], etag[S3_ETAG_BYTES], storage_class[32];
        uint64_t size, modified_ns;
        /* the order so far */
        char last_key[S3_KEY_BYTES], last_prefix[S3_KEY_BYTES];
        /* the page */
        uint64_t keys, prefixes, key_count;
        bool has_count, truncated, encoded;
        char next_token[TOKEN_BYTES];
        const char *problem;
};

static struct s3_list *list_of(struct s3_call *call)
{
        return CONTAINER(call, struct s3_list, call);
}

static bool refuse(struct s3_list_page *page, const char *problem)
{
        page->problem = problem;
        return false;
}

/* A key, or a prefix: the bucket's prefix is taken off. */
static bool take_name(struct s3_list *list, struct s3_list_page *page, const char *text, size_t length)
{
        const char *problem = s3_take_key(list->call.s3, text, length, page->name);

        if (!problem && strncmp(page->name, list->prefix, strlen(list->prefix)) != 0)
                problem = "a key is not one that was asked for";
        return !problem || refuse(page, problem);
}

/* At the end of an entry. LAST: the one before it of its kind. */
static bool end_entry(struct s3_list *list, struct s3_list_page *page, bool is_prefix,
                      char last[S3_KEY_BYTES])
{
        struct s3_entry entry = { page->name,        is_prefix,  page->size,
                                  page->modified_ns, page->etag, page->storage_class };
        uint64_t *count = is_prefix ? &page->prefixes : &page->keys;
        bool has_last = last[0] || *count > 0; /* an empty key is that of the bucket's prefix itself */

        if (has_last && strcmp(page->name, last) <= 0)
                return refuse(page, "a key that was told before, or out of order");
        (*count)++;
        if (page->telling) {
                list->told++;
                list->entry(list, &entry);
        }
        strcpy(last, page->name);
        page->name[0] = page->etag[0] = page->storage_class[0] = '\0';
        page->size = page->modified_ns = 0;
        return true;
}

static bool on_contents(struct s3_list *list, struct s3_list_page *page, const char *path, const char *text,
                        size_t length)
{
        if (strcmp(path, "/Key") == 0)
                return take_name(list, page, text, length);
        if (strcmp(path, "/Size") == 0 && !parse_u64(text, length, &page->size))
                return refuse(page, "a size that is no number");
        if (strcmp(path, "/LastModified") == 0)
                parse_iso8601(text, &page->modified_ns);
        if (strcmp(path, "/ETag") == 0)
                s3_copy_etag(text, length, page->etag);
        if (strcmp(path, "/StorageClass") == 0)
                snprintf(page->storage_class, sizeof(page->storage_class), "%s", text);
        return *path != '\0' || end_entry(list, page, false, page->last_key);
}

/* What is said of the page as a whole. */
static bool on_page(struct s3_list *list, struct s3_list_page *page, const char *name, const char *text,
                    size_t length)
{
        if (strcmp(name, "IsTruncated") == 0)
                page->truncated = strcmp(text, "true") == 0;
        else if (strcmp(name, "EncodingType") == 0)
                page->encoded = strcmp(text, "url") == 0;
        else if (strcmp(name, "KeyCount") == 0)
                page->has_count = parse_u64(text, length, &page->key_count);
        else if (strcmp(name, "ContinuationToken") == 0 && strcmp(text, list->token) != 0)
                return refuse(page, "the answer to another page's token");
        else if (strcmp(name, "NextContinuationToken") == 0)
                return text_copy(page->next_token, sizeof(page->next_token), text, length) ||
                       refuse(page, "a token too long");
        return true;
}

static bool on_element(struct s3_call *call, const char *path, const char *text, size_t length)
{
        struct s3_list *list = list_of(call);
        struct s3_list_page *page = list->reading;

        if (path[16] == '\0') /* "ListBucketResult" */
                return true;
        path += 17;
        if (strncmp(path, "Contents", 8) == 0)
                return on_contents(list, page, path + 8, text, length);
        if (strcmp(path, "CommonPrefixes/Prefix") == 0)
                return take_name(list, page, text, length);
        if (strcmp(path, "CommonPrefixes") == 0)
                return end_entry(list, page, true, page->last_prefix);
        return on_page(list, page, path, text, length);
}

/* What can be said once the page is read. */
static const char *check_page(const struct s3_list *list, const struct s3_list_page *page)
{
        uint64_t entries = page->keys + page->prefixes;

        if (!page->encoded && entries > 0)
                return "keys are not escaped although asked for";
        if (page->has_count && page->key_count != entries && page->key_count != page->keys)
                return "entries are missing from the page";
        if (page->truncated && (page->next_token[0] == '\0' || strcmp(page->next_token, list->token) == 0))
                return "a page that leads to itself";
        if (page->truncated && entries == 0 && list->empty_pages >= EMPTY_PAGES)
                return "pages without an end and without entries";
        return NULL;
}

static void start_page(const struct s3_list *list, struct s3_list_page *page, bool telling)
{
        *page = (struct s3_list_page){ .telling = telling };
        strcpy(page->last_key, list->last_key);
        strcpy(page->last_prefix, list->last_prefix);
}

static void tell(struct s3_list *list, struct s3_list_page *page)
{
        enum retry_class class;

        start_page(list, page, true);
        CHECK(s3_read_answer(&list->call, "ListBucketResult", on_element, &class)); /* as a moment ago */
        strcpy(list->last_key, page->last_key);
        strcpy(list->last_prefix, page->last_prefix);
        strcpy(list->token, page->next_token);
        list->more = page->truncated;
}

static enum retry_class list_finish(struct s3_call *call)
{
        struct s3_list *list = list_of(call);
        struct s3_list_page page;
        const char *problem;
        enum retry_class class;

        list->reading = &page;
        start_page(list, &page, false);
        if (!s3_read_answer(call, "ListBucketResult", on_element, &class))
                return page.problem ? s3_fail(call, S3_BAD_ANSWER, RETRY_LATER, page.problem) : class;
        problem = check_page(list, &page);
        if (problem)
                return s3_fail(call, S3_BAD_ANSWER, RETRY_LATER, problem);
        list->empty_pages = page.keys + page.prefixes > 0 ? 0 : list->empty_pages + 1;
        tell(list, &page);
        list->reading = NULL;
        return RETRY_NEVER;
}

static void query_prefix(struct s3_call *call, const char *name, const char *key)
{
        char whole[2 * S3_KEY_BYTES];

        snprintf(whole, sizeof(whole), "%s%.1024s", call->s3->conf.prefix, key);
        s3_query(call, name, whole);
}

static void ask(struct s3 *s3, struct s3_list *list)
{
        struct s3_call *call = &list->call;

        CHECK(list->page > 0 && list->page <= 1000 && list->entry);
        s3_begin(s3, call, S3_KIND_LIST, HTTP_GET, NULL);
        if (list->token[0])
                s3_query(call, "continuation-token", list->token);
        if (list->delimiter[0])
                s3_query(call, "delimiter", list->delimiter);
        s3_query(call, "encoding-type", "url");
        s3_query_u64(call, "list-type", 2);
        s3_query_u64(call, "max-keys", list->page);
        query_prefix(call, "prefix", list->prefix);
        if (list->start_after[0] && !list->token[0])
                query_prefix(call, "start-after", list->start_after);
        call->finish = list_finish;
        s3_start(call, PAGE_BYTES);
}

void s3_list_first(struct s3 *s3, struct s3_list *list)
{
        list->more = false;
        list->told = list->empty_pages = 0;
        list->token[0] = list->last_prefix[0] = '\0';
        snprintf(list->last_key, sizeof(list->last_key), "%s", list->start_after);
        ask(s3, list);
}

void s3_list_next(struct s3 *s3, struct s3_list *list)
{
        CHECK(list->more);
        ask(s3, list);
}
