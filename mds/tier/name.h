/* SPDX-License-Identifier: Apache-2.0 */
/* The name under which a part of a key appears. Most parts are names as they are. Those that no file can have
 * (empty, ".",
 * "..", over 255 bytes), that are not UTF-8, or that begin as an escaped one does appear escaped: "%s3%" and
 * the part, in which '%', '=', and the bytes that are not UTF-8 or are dots that make it "." or ".." are %XX;
 * a part that is too long is cut, and a hash of the whole stands behind "%~". A second object that wants a
 * name that is taken (a key "a" and keys "a/…") has "%s3%=" in front. Nothing is dropped: two different parts
 * have two different names. */
#pragma once

#include "base/slice.h"
#include "include/nfs4.h"

enum { TIER_NAME_BYTES = NFS4_MAXNAME };

/* The name of PART (no slash in it) into OUT (TIER_NAME_BYTES); SECOND: the plain one is taken. Its length.
 */
uint32_t tier_name(struct slice part, bool second, char *out);
/* Is NAME one that no part of a key is by itself? */
bool tier_name_is_escaped(struct slice name);
