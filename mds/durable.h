/* SPDX-License-Identifier: Apache-2.0 */
/* Replies that wait for the store: compounds (nfs4_hooks.commit) and whoever else acknowledges a change. */
#pragma once

#include "mds/mds.h"

/* Take over store->on_durable. */
void durable_init(struct mds *mds);
/* nfs4_hooks.commit. */
bool durable_commit(struct compound *c);
/* At the end: replies that still wait are let go, after a last sync. */
void durable_finish(struct mds *mds);
