/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads in parts that are neither completed nor aborted. S3 keeps their parts for ever and has them paid
 * for, so whatever crashes, each is gone on with or aborted. S3 tells of an upload its key and when it was
 * begun, but not by which program: others may use the same keys and the same account. What is ours is what is
 * noted here, in a record 'u' each:
 *
 *   about to be begun   of which file and content, and for which key; durable before S3 is asked
 *   heard               with its id; durable before a part is sent
 *
 * So each that we ever began either has its id in a record, or no part, and gets none: nobody knows its id.
 *
 * - Heard, and wanted (the file is queued, and is what it was when it was begun): the next attempt goes on
 *   with what S3 has of it. What is there was read from the file after the record was made, and the change
 *   attribute says afterwards that it has not changed since: so it is right, whoever sent it, and before
 *   whichever crash.
 * - Heard, and not wanted: it is aborted; and once more when nothing can arrive any more that was on its
 *   way, since S3 may take a part that an abort overtakes.
 * - Not heard: the answer was lost. GRACE after S3 has taken the request, if it has, its key is asked for
 *   (ListMultipartUploads); what was begun at that time, is in no record and has no part is aborted. Who
 *   else began one for the same key at that time has sent a part of it long since; who has not loses
 *   nothing that S3 has. */
#pragma once

#include "mds/tier/archive_private.h"

enum { UNFINISHED_GRACE_SECONDS = 86400 };

/* S is about to begin one: then THEN, when that is durable; or S ends. */
void unfinished_note(struct send *s, void (*then)(struct send *));
/* S3 has begun it, in s->call: then THEN, when s->upload_id is durable; or S ends. */
void unfinished_heard(struct send *s, void (*then)(struct send *));
/* S3 has not begun it, as s->call says. */
void unfinished_refused(struct send *s);
/* Is there one that S can go on with? Then s->upload_id is it, and s->part_bytes
 * how long its parts are (0: nobody has noted that). */
bool unfinished_find(struct send *s);
/* In T: that of S was completed, or S3 does not know it any more. None is fine, also below. */
void unfinished_over(struct send *s, struct txn *t);
/* That of S is good for nothing: it is aborted when S has ended. */
void unfinished_give_up(struct send *s);

/* Some may not be wanted any more, or have a repo again: look, soon. */
void unfinished_look(struct archiver *a);
void unfinished_start(struct archiver *a);
void unfinished_stop(struct archiver *a);
void unfinished_quieten(struct archiver *a, const struct repo *r); /* those of R, or of all for NULL */
