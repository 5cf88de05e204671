/* SPDX-License-Identifier: Apache-2.0 */
/* What model.c has for model_see.c. */
#pragma once

#include "tests/sim/model.h"

/* The word at OFFSET of write NUMBER. */
uint64_t model_word(uint32_t number, uint64_t offset);
/* When E's data server lost what was not synced; NEVER: E went to none. */
uint64_t model_lost_at(const struct model_file *f, const struct event *e);
/* E was there at some time since SINCE: from now on nothing older is read. */
void model_note_sure(const struct model_file *f, struct event *e, uint64_t since);
