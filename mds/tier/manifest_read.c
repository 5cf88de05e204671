/* SPDX-License-Identifier: Apache-2.0 */
/* The pages of a manifest as an import goes on, one at a time. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mds/tier/manifest.h"

enum { DEADLINE_MS = 20000 };

struct manifest_reader {
        struct tier *tier;
        struct repo *repo;
        const char *prefix;
        void (*done)(void *arg);
        void *arg;
        struct s3_list list; /* are there any at all? Its call is of the pages, too */
        char key[MANIFEST_KEY_BYTES];
        struct iovec room;
        unsigned number;           /* of the page that is there or asked for */
        bool has;                  /* it is there */
        char wanted[S3_KEY_BYTES]; /* the next one is to tell of this name */
        struct manifest_index index;
};

static const char *name_of(const struct manifest_reader *m, const char *key)
{
        return key + strlen(m->prefix);
}

static void get(struct manifest_reader *m);

/* A page is there: has it come further than the one before? */
static bool take_page(struct manifest_reader *m, uint64_t length)
{
        char before[S3_KEY_BYTES];

        strcpy(before, m->number > 0 ? m->index.through : "");
        if (!manifest_page_read(&m->index, (uint32_t)length, m->prefix, m->number)) {
                log_warn("manifest-not-read", "repo=%s key=%s: it is damaged, or of another version",
                         m->repo->name, m->key);
                return false;
        }
        return !m->index.more || strcmp(m->index.through, before) > 0;
}

static void on_page(struct s3_call *call)
{
        struct manifest_reader *m = CONTAINER(call, struct manifest_reader, list.call);

        m->has = call->result.error == S3_OK && take_page(m, call->received);
        if (m->has && m->index.more && strcmp(m->wanted, m->index.through) > 0) {
                m->number++;
                get(m);
        } else {
                m->done(m->arg);
        }
}

static void get(struct manifest_reader *m)
{
        manifest_key(m->prefix, m->number, m->key);
        m->list.call.done = on_page;
        m->room = (struct iovec){ m->index.text, MANIFEST_PAGE_BYTES };
        s3_get(m->repo->s3, &m->list.call, m->key,
               &(struct s3_get_args){ .room = &m->room, .room_count = 1 });
}

/* --- are there any? A bucket without them is not asked for each directory. */

static void on_some(struct s3_list *list, const struct s3_entry *e)
{
        (void)e;
        CONTAINER(list, struct manifest_reader, list)->repo->manifests = MANIFESTS_SOME;
}

static void on_listed(struct s3_call *call)
{
        struct manifest_reader *m = CONTAINER(call, struct manifest_reader, list.call);

        if (m->repo->manifests == MANIFESTS_SOME) {
                get(m);
                return;
        }
        if (call->result.error == S3_OK)
                m->repo->manifests = MANIFESTS_NONE;
        m->done(m->arg);
}

static void ask_for_any(struct manifest_reader *m)
{
        m->list.call.done = on_listed;
        m->list.prefix = MANIFEST_FOLDER;
        m->list.delimiter = "/";
        m->list.start_after = "";
        m->list.page = 1;
        m->list.entry = on_some;
        s3_list_first(m->repo->s3, &m->list);
}

struct manifest_reader *manifest_open(struct tier *t, struct repo *r, const char *prefix,
                                      void (*done)(void *arg), void *arg)
{
        struct manifest_reader *m;

        if (!r->conf.manifest || r->manifests == MANIFESTS_NONE || t->manifest_readers >= MANIFEST_READERS ||
            !(m = calloc(1, sizeof(*m))))
                return NULL;
        m->index.text = malloc(MANIFEST_PAGE_BYTES + 1);
        if (!m->index.text) {
                free(m);
                return NULL;
        }
        t->manifest_readers++;
        m->tier = t;
        m->repo = r;
        m->prefix = prefix;
        m->done = done;
        m->arg = arg;
        m->list.call.priority = S3_DEMAND;
        m->list.call.deadline_ms = DEADLINE_MS;
        if (r->manifests == MANIFESTS_SOME)
                get(m);
        else
                ask_for_any(m);
        return m;
}

void manifest_close(struct manifest_reader *m)
{
        if (!m)
                return;
        s3_cancel(&m->list.call);
        m->tier->manifest_readers--;
        free(m->index.text);
        free(m);
}

bool manifest_is_past(const struct manifest_reader *m, const char *key)
{
        return m && m->has && m->index.more && strcmp(name_of(m, key), m->index.through) > 0;
}

void manifest_through(const struct manifest_reader *m, char *out)
{
        struct text t = text_of(out, S3_KEY_BYTES);

        text_add(&t, m->prefix);
        text_add(&t, m->index.through);
        text_end(&t);
}

void manifest_next(struct manifest_reader *m, const char *key)
{
        snprintf(m->wanted, sizeof(m->wanted), "%s", name_of(m, key));
        m->number++;
        get(m);
}

/* --- a name */

/* Is it of the object that the listing shows? A directory's is not shown. */
static bool holds(const struct manifest_entry *m, const struct s3_entry *e)
{
        if (e->is_prefix)
                return m->etag[0] == '\0' && (m->modified_ns == 0) == (m->metadata.bytes == 0);
        return m->metadata.bytes > 0 && strcmp(m->etag, e->etag) == 0 && m->size == e->size &&
               m->modified_ns == e->modified_ns;
}

void manifest_describe(struct manifest_reader *m, const struct s3_entry *e, uint64_t fileid)
{
        struct description d = { 0 };
        struct manifest_entry known;
        struct told told = { .description = &d, .believed = e->is_prefix };

        if (!m || !m->has || !manifest_page_find(&m->index, name_of(m, e->key), &known) || !holds(&known, e))
                return;
        if (known.metadata.bytes > 0)
                told.metadata = &known.metadata;
        describe_read(&known.metadata, e->is_prefix, &d);
        told.is_symlink = d.type == NF4LNK;
        if (told.is_symlink && (known.target_length == 0 || known.target_length != e->size))
                return; /* HEAD will tell what it is */
        told.target = slice_of(known.target, known.target_length);
        told.modified_ns = known.modified_ns;
        if (heads_told(m->tier, fileid, &told) > 0)
                metric_add(&m->tier->manifest_described, 1);
}
