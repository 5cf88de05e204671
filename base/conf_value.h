/* SPDX-License-Identifier: Apache-2.0 */
/* One scalar of a configuration: from text to value, and what would have been allowed. Private to conf.c. */
#pragma once

#include "base/conf.h"

/* Bytes of the member that holds one value of KIND; for lists, of one item. */
size_t conf_value_bytes(enum conf_kind kind);
/* Read TEXT into MEMBER, which is untouched on false. */
bool conf_value_set(const struct conf_field *field, const char *text, void *member);
/* "a number from 10 to 3600", for messages. */
void conf_value_allowed(const struct conf_field *field, char *out, size_t out_bytes);
