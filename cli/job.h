/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdio.h>

#include "base/json.h"

/* "archive /data/train: 12 files (3.4 GiB), 2 unchanged, 1 failed" */
void job_print_line(struct json job, FILE *out);
