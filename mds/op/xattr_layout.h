/* SPDX-License-Identifier: Apache-2.0 */
/* The extended attribute user.nacre.layout, which is not stored as one: on a directory the striping of what
 * is made inside (inherited by directories), on a file its own. Never listed, since a copy would take it
 * along. All names that begin with "nacre." are ours. */
#pragma once

#include "mds/op/xattr.h"
#include "mds/pnfs/policy.h"
#include "nfs4/codec.h"

bool xattr_is_ours(struct slice name);
/* Its value into OUT. NOXATTR: a directory without a policy of its own, or no such name. */
enum nfsstat4 xattr_layout_get(const struct subject *s, struct slice name, char out[LAYOUT_TEXT],
                               struct slice *ret);
/* As SETXATTR does, or REMOVEXATTR (VALUE NULL). INVAL: not of the form; PERM: the file has data, or a name
 * that is none; NOXATTR, EXIST. WAIT: others' layouts are taken back; then again. */
enum nfsstat4 xattr_layout_set(struct compound *c, const struct subject *s, struct slice name,
                               const struct slice *value, enum xattr_how how, struct change_info *ret);
