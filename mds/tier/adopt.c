/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/tier/adopt.h"

#include "base/log.h"
#include "mds/tier/archive.h"
#include "mds/tier/link.h"

static void set(struct tier *t, struct repo *r, bool adopted)
{
        if (r->adopted == adopted)
                return;
        r->adopted = adopted;
        if (repo_note(t, r) < 0)
                r->adopted = !adopted; /* the log says why; a job looks at all of it once more */
}

void adopt_begin(struct tier *t, struct repo *r)
{
        const struct job_request request = { .verb = JOB_ARCHIVE,
                                             .options = JOB_RECURSIVE,
                                             .match = "",
                                             .top = r->directory,
                                             .path = r->conf.path };
        const char *why;
        uint64_t seq;

        if (!(r->conf.export & REPO_NEW)) {
                set(t, r, false);
                return;
        }
        if (r->adopted || jobs_has_archive_of(t->jobs, r->directory))
                return;
        if (jobs_start(t->jobs, &request, &seq, &why) == 0)
                log_warn("not-adopted", "repo=%s why=%s", r->name, why);
}

void adopt_done(struct tier *t, uint64_t top)
{
        LIST_FOR_EACH(node, &t->repos) {
                struct repo *r = CONTAINER(node, struct repo, node);

                if (r->directory == top && r->conf.export & REPO_NEW)
                        set(t, r, true);
        }
}

void adopt(struct mds *mds, uint64_t dir, struct slice name, const struct inode *inode)
{
        const struct inode *directory;
        struct inode *edit;
        struct txn *t;
        uint64_t seq;

        if (inode->flags & INODE_BACKED || meta_inode(mds->meta, dir, &directory) < 0 ||
            !(directory->flags & INODE_BACKED))
                return;
        t = txn_begin(mds->meta);
        edit = txn_edit(t, inode->fileid);
        if (edit && archive_linked(mds, t, directory, name, edit) && edit->flags & INODE_BACKED)
                txn_commit(t, &seq);
        else
                txn_abort(t);
}
