/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator's network: TCP connections between the machines of a world, in memory. Bytes arrive in order,
 * in pieces, later; what is blocked arrives when it is not blocked any more, as TCP sends again. A connection
 * can break for both ends or for one of them: the other learns of it only when it sends something. */
#pragma once

#include "tests/sim/world.h"

struct net *net_new(struct world *w);
void net_free(struct net *n); /* all streams must have been closed */

/* Nothing of FROM reaches TO any more, or again. */
void net_block(struct net *n, const struct node *from, const struct node *to, bool blocked);
/* From now on a piece of data takes between MIN and MAX. */
void net_set_delay(struct net *n, uint64_t min_ns, uint64_t max_ns);
/* A random connection breaks, and what is on its way is lost; ONE_SIDED: only one end knows. False: there is
 * none. */
bool net_break_one(struct net *n, bool one_sided);
/* NODE's process is gone: nothing it does to its streams has an effect any more. SILENT: with the machine, so
 * that nobody is told until it is back. */
void net_cut(struct node *node, bool silent);
/* NODE is there again: whoever sends to connections of before is told that they are gone. */
void net_power_on(struct node *node);

/* for the env of a machine */
int net_listen(struct env *env, const struct netaddr *addr, accept_fn *fn, void *arg, struct listener **ret);
void net_unlisten(struct env *env, struct listener *l);
int net_connect(struct env *env, const struct netaddr *addr, struct stream **ret);
