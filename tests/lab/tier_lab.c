/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/tier_lab.h"

#include <string.h>

#include "base/check.h"
#include "ds/tier/tier.h"

enum { SETTLE_MS = 200 };

static uint8_t content[TIER_BYTES];

void tier_lab_start(struct ds_lab *lab)
{
        for (uint64_t i = 0; i < TIER_BYTES; i++)
                content[i] = tier_byte(i);
        lab->s3.latency_ns = 5000000;
        s3_model_put(&lab->s3, TIER_PATH, "etag-1", content, TIER_BYTES);
        tier_file(lab, LAB_FILE);
}

void tier_lab_begin(struct ds_lab *lab, struct lab_client *client, bool fault)
{
        const struct ds_lab_conf how = { .virtual_time = true, .fault = fault };

        ds_lab_start(lab, &how);
        tier_lab_start(lab);
        lab_client_start(client, lab, "client 1");
}

void tier_lab_restart(struct ds_lab *lab, struct lab_client *client)
{
        lab_client_stop(client);
        ds_lab_stop_ds(lab);
        ds_lab_start_ds(lab);
        lab_client_start(client, lab, "client 1");
}

struct fake_file *tier_file(struct ds_lab *lab, uint64_t fileid)
{
        struct fake_file *f = fake_file(&lab->mds, fileid);

        f->size = f->source_size = f->valid = TIER_BYTES;
        f->key = "data/file";
        f->etag = "etag-1";
        return f;
}

uint32_t tier_gets(const struct ds_lab *lab)
{
        return atomic_load(&lab->s3.gets);
}

const struct tier_metrics *tier_counts(const struct ds_lab *lab)
{
        return &lab->ds->workers[0]->tier->counts;
}

struct fh tier_fh(const struct lab_client *c)
{
        struct fh fh = lab_fh(c);

        fh.flags |= FH_TIERED;
        return fh;
}

void tier_read(struct lab_client *c, const struct fh *fh, uint64_t offset, uint32_t count)
{
        static uint8_t data[2 * LAB_UNIT];
        uint32_t got;
        bool eof;

        CHECK(count <= sizeof(data));
        CHECK(lab_read(c, fh, offset, data, count, &got, &eof) == NFS4_OK);
        CHECK(got == count);
        CHECK(eof == (offset + count >= TIER_BYTES));
        for (uint32_t i = 0; i < count; i++)
                CHECK(data[i] == tier_byte(offset + i));
}

void tier_settle(struct ds_lab *lab)
{
        ds_lab_run(lab, SETTLE_MS);
        CHECK(atomic_load(&lab->s3.under_way) == 0);
}

static void look(void *arg, const char *name)
{
        *(bool *)arg |= strstr(name, ".units") != NULL;
}

bool tier_has_units_file(struct ds_lab *lab)
{
        struct disk *disk = lab->ds->workers[0]->disk;
        char folder[STORE_PATH];
        bool found = false;

        object_folder_path(object_folder(LAB_FILE), folder);
        CHECK(disk->ops->list(disk, folder, look, &found) == 0);
        return found;
}
