/* SPDX-License-Identifier: Apache-2.0 */
/* Two connected byte streams in memory, with the manners of TCP at its worst: what is written arrives in
 * pieces and later, reads and writes move less than asked, all from a seed. */
#pragma once

#include "base/env.h"

struct stream_pair_conf {
        uint64_t seed;
        uint32_t buffer_bytes; /* of each direction: what fits between writer and reader; 0 = 256 KiB */
        uint64_t max_delay_ns; /* of a piece; 0 = at once */
        bool split;            /* cut everything into random pieces; else only the buffer cuts */
};

/* Both ends belong to ENV; the caller closes them. Aborts when out of memory. */
void stream_pair_new(struct env *env, const struct stream_pair_conf *conf, struct stream *ret[2]);

/* How often readv() and writev() of one end were called. */
struct stream_pair_calls {
        uint64_t reads, writes;
};
struct stream_pair_calls stream_pair_calls(const struct stream *end);
/* Nothing arrives at END any more until it is let go again. */
void stream_pair_hold(struct stream *end, bool hold);
