/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "rpc/msg.h"

/* callback_sec_parms4<> (§18.36.1): the first flavour that we can speak (AUTH_NONE, AUTH_SYS) into the
 * results; *ret_flavor UINT32_MAX: none. Defined in create_session.c. */
void get_callback_security(struct xdr_in *x, uint32_t *ret_flavor, uint32_t *ret_uid, uint32_t *ret_gid);
