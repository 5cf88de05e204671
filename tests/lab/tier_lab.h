/* SPDX-License-Identifier: Apache-2.0 */
/* A data server's lab (ds_lab.h) with one file of the S3 tier: LAB_FILE, TIER_BYTES long, none of it here. */
#pragma once

#include "tests/lab/ds_lab.h"

enum { TIER_UNITS = 10, TIER_BYTES = TIER_UNITS * LAB_UNIT - 1000 /* the last unit is not full */ };
#define TIER_PATH "/bucket/data/file"

/* After ds_lab_start(): the model has the object, the MDS knows it. */
void tier_lab_start(struct ds_lab *lab);
/* Both, on a virtual clock (FAULT: with lab->fault), and a client of it; and it starts again. */
void tier_lab_begin(struct ds_lab *lab, struct lab_client *client, bool fault);
void tier_lab_restart(struct ds_lab *lab, struct lab_client *client);
/* The MDS has another file, FILEID, backed by the same object. */
struct fake_file *tier_file(struct ds_lab *lab, uint64_t fileid);
/* What the model was asked for, what the first worker counts. */
uint32_t tier_gets(const struct ds_lab *lab);
const struct tier_metrics *tier_counts(const struct ds_lab *lab);
/* What the object has at OFFSET. */
static inline uint8_t tier_byte(uint64_t offset)
{
        return (uint8_t)(offset * 7 + offset / 251 + 1);
}
/* lab_fh() of the file. */
struct fh tier_fh(const struct lab_client *c);
/* READ [OFFSET, OFFSET + COUNT), all of which must come and be the object's. */
void tier_read(struct lab_client *c, const struct fh *fh, uint64_t offset, uint32_t count);
/* Wait until nothing is under way to S3 and in the data server. */
void tier_settle(struct ds_lab *lab);
/* Is the units' file on the (memory) disk? */
bool tier_has_units_file(struct ds_lab *lab);
