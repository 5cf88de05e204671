/* SPDX-License-Identifier: Apache-2.0 */
/* What data servers bring to the bucket. */
#include <stdio.h>
#include <string.h>

#include "s3tier/s3.h"
#include "tests/lab/bucket_private.h"

static bool refuse(ctl_upload_res *res, enum s3_error error)
{
        static char message[] = "says the lab";

        res->status = CTL_REFUSED;
        res->error = (char *)(uintptr_t)s3_error_name(error);
        res->message = message;
        return true;
}

static void take(struct bucket_lab *b, const ctl_upload_args *a)
{
        struct bucket_object o = { .size = a->length };

        snprintf(o.key, sizeof(o.key), "%s", a->key);
        for (u_int i = 0; i < a->metadata.metadata_len; i++)
                bucket_describe(&o, a->metadata.metadata_val[i].name, a->metadata.metadata_val[i].value);
        bucket_store(b, &o);
}

static bool take_or_refuse(struct bucket_lab *b, const ctl_upload_args *a, ctl_upload_res *res)
{
        static char none[] = "";

        *res = (ctl_upload_res){
                .status = CTL_OK, .etag = none, .version_id = none, .error = none, .message = none
        };
        b->uploads++;
        for (u_int i = 0; b->short_values && i < a->metadata.metadata_len; i++)
                if (strlen(a->metadata.metadata_val[i].value) > 256)
                        return refuse(res, S3_ERROR);
        if (b->on_upload)
                b->on_upload(b, a);
        if (b->nonsense) {
                res->status = CTL_INVAL;
                return true;
        }
        if (b->status)
                return refuse(res, S3_ACCESS_DENIED);
        if (a->upload_id[0])
                return bucket_take_part(b, a, res) || refuse(res, S3_OBJECT_NOT_FOUND);
        if (b->no_conditions && (a->if_none_match || a->if_match[0]))
                return refuse(res, S3_NOT_IMPLEMENTED);
        if (!bucket_is_allowed(b, a->key, a->if_none_match ? "*" : NULL, a->if_match[0] ? a->if_match : NULL))
                return refuse(res, S3_PRECONDITION_FAILED);
        b->uploaded_bytes += a->length;
        take(b, a);
        if (b->unheard) {
                res->late = true;
                return refuse(res, S3_TIMED_OUT);
        }
        res->etag = bucket_find(b, a->key)->etag;
        if (b->versions) {
                static char version[64];

                bucket_version(bucket_find(b, a->key), version);
                res->version_id = version;
        }
        return !b->lose_answers;
}

bool bucket_upload(void *bucket, const ctl_upload_args *a, ctl_upload_res *res)
{
        struct bucket_lab *b = bucket;
        bool carried_out, silent = bucket_goes_silent(b, &carried_out);

        return (!silent || carried_out) && take_or_refuse(b, a, res) && !silent;
}
