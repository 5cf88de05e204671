/* SPDX-License-Identifier: Apache-2.0 */
/* The files of repos, changed by hand or by `nacre repo set`: lines "key: value", and comments that stay. */
#pragma once

#include <stddef.h>

/* TEXT (malloc'd, taken over) with VALUE as that of KEY: in its line, or in a new one at the end. */
char *repo_file_with(char *text, const char *key, const char *value);
/* The whole of the file PATH, malloc'd; NULL with errno. */
char *repo_file_read(const char *path);
/* TEXT as the whole of PATH, durably, in one step. 0 or -errno. */
int repo_file_write(const char *path, const char *text);
