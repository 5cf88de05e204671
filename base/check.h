/* SPDX-License-Identifier: Apache-2.0 */
/* Assertions that stay in production: what we believe, one thing each. Never for what comes from outside. */
#pragma once

_Noreturn void check_failed(const char *expression, const char *file, int line);

#define CHECK(expression) ((expression) ? (void)0 : check_failed(#expression, __FILE__, __LINE__))
