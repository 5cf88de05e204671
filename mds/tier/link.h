/* SPDX-License-Identifier: Apache-2.0 */
/* What is durable of a repo: its number, and the directory it is linked to. */
#pragma once

#include "mds/tier/tier.h"

/* Fill in R's number and directory: those of its record, or new ones with a record and a cold directory.
 * NULL, or why not, a literal. */
const char *repo_link_directory(struct tier *t, struct repo *r);
/* What is durable of R, as it is now. 0 or -errno. */
int repo_note(struct tier *t, const struct repo *r);
/* The record keeps the number, which what is here names, and loses its name. 0 or -errno. */
int repo_unlink_directory(struct tier *t, const struct repo *r);
