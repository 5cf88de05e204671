/* SPDX-License-Identifier: Apache-2.0 */
/* The admin commands about clients and about who holds what of a file. */
#pragma once

#include <stdio.h>

#include "mds/mds.h"

void admin_clients_register(struct mds *mds); /* client-list, client-revoke */
void admin_file_register(struct mds *mds);    /* file-show */

/* "client":"0123456789abcdef","address":"…","owner":"…" — bytes of the owner that are not printable ASCII as
 * '?'. */
void admin_print_client(FILE *out, const struct client *client);
/* {"error":WHY}; returns STATUS. */
int admin_error(FILE *out, int status, const char *why);
