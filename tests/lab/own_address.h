/* SPDX-License-Identifier: Apache-2.0 */
/* Loopback addresses to listen at that nobody else takes in between. */
#pragma once

#include "base/env.h"

/* 127.x.y.z of this process, by its pid, and a port that it did not get the last 23 times; on ::1 too, other
 * processes have other ports. (One found free by bind() on 127.0.0.1 is anybody's as soon as it is closed:
 * every connection that somebody makes gets one from there.) */
struct netaddr own_address(void);
