/* SPDX-License-Identifier: Apache-2.0 */
/* Whose is an object that should be another? A listing does not tell; HEAD does. */
#include <errno.h>
#include <stdlib.h>

#include "mds/tier/sweep_private.h"

static void doubt_free(struct sweep_doubt *d)
{
        list_remove(&d->node);
        s3_cancel(&d->call);
        free(d);
}

int sweep_doubt(struct sweep *s, const struct s3_entry *e)
{
        struct sweep_doubt *d = calloc(1, sizeof(*d));

        if (!d)
                return -ENOMEM;
        d->sweep = s;
        d->modified_ns = e->modified_ns;
        snprintf(d->key, sizeof(d->key), "%s", e->key);
        list_push(&s->doubts, &d->node);
        return 0;
}

static void on_told(struct s3_call *call)
{
        struct sweep_doubt *d = CONTAINER(call, struct sweep_doubt, call);
        const struct s3_object *o = &call->object;
        const struct s3_entry e = { .key = d->key,
                                    .size = o->size,
                                    .modified_ns = o->modified_ns ? o->modified_ns : d->modified_ns,
                                    .etag = o->etag,
                                    .storage_class = o->storage_class };
        struct sweep *s = d->sweep;

        if (call->result.error == S3_OK)
                sweep_told(s, &e, &o->metadata);
        else
                s->counts.left++;
        doubt_free(d);
        if (list_empty(&s->doubts))
                sweep_page_over(s);
}

bool sweep_doubts_ask(struct sweep *s)
{
        LIST_FOR_EACH(node, &s->doubts) {
                struct sweep_doubt *d = CONTAINER(node, struct sweep_doubt, node);

                d->call.priority = S3_SCAN;
                d->call.done = on_told;
                s3_head(s->repo->s3, &d->call, d->key);
        }
        return !list_empty(&s->doubts);
}

void sweep_doubts_forget(struct sweep *s)
{
        LIST_FOR_EACH_SAFE(node, &s->doubts)
                doubt_free(CONTAINER(node, struct sweep_doubt, node));
}
