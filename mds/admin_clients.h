/* SPDX-License-Identifier: Apache-2.0 */
/* The admin commands about clients and about who holds what of a file. */
#pragma once

#include <stdio.h>

#include "mds/mds.h"

void admin_clients_register(struct mds *mds); /* client-list, client-revoke */
void admin_file_register(struct mds *mds);    /* file-show */
void admin_repo_register(struct mds *mds);    /* repo-list, -check, -load, -sweep, -swept, -remove */
void admin_archive_register(struct mds *mds); /* repo-status */
void admin_job_register(struct mds *mds);     /* job-start, -list, -show, -cancel, -retry, -report */

/* "client":"0123456789abcdef","address":"…","owner":"…" — bytes of the owner that are not printable ASCII as
 * '?'. */
void admin_print_client(FILE *out, const struct client *client);
/* {"error":WHY}; returns STATUS. */
int admin_error(FILE *out, int status, const char *why);
/* The same for an answer that comes later. */
void admin_say_error(struct admin_reply *reply, int status, const char *why);
