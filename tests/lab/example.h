/* SPDX-License-Identifier: Apache-2.0 */
/* The examples that people copy, docs/examples: what is in them must load, as it stands and all of it. */
#pragma once

/* docs/examples/NAME; aborts when it cannot be read. To be freed. */
char *example_text(const char *name);
/* Each key that is commented out ("#key: value") counts from now on. Prose begins with "# ". */
void example_switch_on(char *text);
