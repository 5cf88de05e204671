/* SPDX-License-Identifier: Apache-2.0 */
/* Taking bytes away from an object, what each worker does for it (visit.h): before, new WRITEs to the object
 * are held back, replies that are not sent yet get bytes of their own (mapped.h), and the WRITEs under way
 * are waited for; afterwards, who was held goes on. Of TRUNCATE and of RELEASE. */
#pragma once

#include "ds/visit.h"

/* The leg is done when nothing can be written any more. cut_free() must follow. */
void cut_hold(struct leg *leg, uint64_t fileid, uint32_t generation);
/* The object has at most SIZE bytes now. */
void cut_free(struct leg *leg, uint64_t fileid, uint32_t generation, uint64_t size);
