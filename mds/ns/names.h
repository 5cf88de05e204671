/* SPDX-License-Identifier: Apache-2.0 */
/* The names behind clients' addresses, for export rules with host names: looked up backwards on a thread,
 * confirmed forwards, remembered for a while. While the first look-up of an address runs its name is not
 * known (NULL), and operations answer DELAY; when it is looked up again the old name holds meanwhile. */
#pragma once

#include "base/loop.h"
#include "mds/ns/export.h"

enum { HOST_NAME_BYTES = 256 };

/* Fills NAME with the confirmed name of ADDR, "" when it has none. On a thread; may take long. */
typedef void resolve_fn(const struct netaddr *addr, char name[HOST_NAME_BYTES]);

/* RESOLVE: NULL for the system's resolver. NULL: out of memory. */
struct export_names *names_new(struct loop *loop, resolve_fn *resolve);
void names_free(struct export_names *names); /* waits for the look-up under way; NULL is fine */
