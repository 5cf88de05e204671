/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/tier/heads_private.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"

/* --- the records */

void heads_note(struct txn *t, struct inode *inode, uint64_t directory, struct slice name)
{
        const struct head_record h = { .directory = directory, .name = name };
        uint8_t key[KEY_MAX], value[RECORD_MAX];

        inode->undescribed = true;
        txn_put(t, key_head(key, inode->fileid), head_encode(value, &h));
}

int heads_again(struct tier *t, const struct inode *file, uint64_t directory, struct slice name)
{
        struct txn *txn = txn_begin(t->mds->meta);
        struct inode *edit = txn_edit(txn, file->fileid);
        uint64_t seq;
        int r;

        if (!edit) {
                txn_abort(txn);
                return -EIO;
        }
        heads_note(txn, edit, directory, name);
        r = txn_commit(txn, &seq);
        heads_go(t->heads);
        return r;
}

static struct repo *repo_of(struct tier *t, const struct inode *inode, uint8_t *record, struct backing *b)
{
        return inode->undescribed && tier_backing(t->mds, inode, record, b) == 0 ? repo_by_number(t, b->repo)
                                                                                 : NULL;
}

bool heads_is_due(struct tier *t, const struct inode *inode)
{
        uint8_t record[RECORD_MAX];
        struct backing b;

        return inode->undescribed && t && !t->stopping && repo_of(t, inode, record, &b) != NULL;
}

static struct head *head_of(const struct heads *h, uint64_t fileid)
{
        LIST_FOR_EACH(node, &h->active) {
                struct head *head = CONTAINER(node, struct head, node);

                if (head->fileid == fileid)
                        return head;
        }
        return NULL;
}

/* NULL: there is nothing to ask of it; or no memory. */
static struct head *begin(struct heads *h, uint64_t fileid, bool background)
{
        uint8_t record[RECORD_MAX];
        const struct inode *inode;
        struct backing b;
        struct head *head;
        struct repo *repo;

        if (meta_inode(h->tier->mds->meta, fileid, &inode) < 0 ||
            !(repo = repo_of(h->tier, inode, record, &b)) || (background && repo->conf.paused) ||
            !(head = calloc(1, sizeof(*head))))
                return NULL;
        head->heads = h;
        head->repo = repo;
        head->fileid = fileid;
        head->background = background;
        slice_text(head->key, sizeof(head->key), b.key);
        list_init(&head->waiting);
        list_push(&h->active, &head->node);
        h->count++;
        h->background += background;
        head_ask(head);
        return head;
}

/* --- in the background */

static bool take_record(void *arg, struct slice key, struct slice value)
{
        struct heads *h = arg;
        uint64_t fileid;

        (void)value;
        if (key_parse_u64(key, 'h', &fileid)) /* fsck tells of others */
                h->page[h->page_count++] = fileid;
        return h->page_count < HEADS_PAGE;
}

/* The next few records; false: there are none with anything to ask. */
static bool fill_page(struct heads *h)
{
        uint8_t prefix[KEY_MAX], from[KEY_MAX];
        int r;

        h->page_at = h->page_count = 0;
        r = meta_scan_from(h->tier->mds->meta, key_kind(prefix, 'h'), key_head(from, h->at + 1), take_record,
                           h);
        if (r < 0) {
                log_error("heads-not-read", "from=%llu error=%s", (unsigned long long)h->at, strerror(-r));
                return false;
        }
        if (h->page_count > 0) {
                h->at = h->page[h->page_count - 1];
                return true;
        }
        if (h->whole && !h->found)
                return false;
        h->at = 0;
        h->whole = true;
        h->found = false;
        return true;
}

static void feed(struct heads *h)
{
        for (struct list *node; h->count < HEADS_MAX && (node = list_pop(&h->hungry));) {
                struct head_wait *w = CONTAINER(node, struct head_wait, node);

                heads_want(h, w->fileid, w);
        }
}

/* At most a page in each turn of the loop. */
static void run(struct timer *turn)
{
        struct heads *h = CONTAINER(turn, struct heads, turn);

        feed(h);
        if (h->background == HEADS_BACKGROUND || h->count >= HEADS_MAX)
                return; /* the next that ends goes on */
        if (h->page_at == h->page_count && !fill_page(h)) {
                h->idle = true;
                return;
        }
        while (h->page_at < h->page_count && h->background < HEADS_BACKGROUND && h->count < HEADS_MAX) {
                uint64_t fileid = h->page[h->page_at++];

                if (!head_of(h, fileid) && begin(h, fileid, true))
                        h->found = true;
        }
        meta_trim(h->tier->mds->meta);
        if (h->background < HEADS_BACKGROUND)
                timer_start(h->tier->mds->env, turn, 1);
}

void heads_go(struct heads *h)
{
        if (!h || h->stopping)
                return;
        if (h->idle) {
                h->idle = false;
                h->whole = false; /* all of them once more */
        }
        timer_start(h->tier->mds->env, &h->turn, 1);
}

/* --- who waits */

static bool is_due(const struct heads *h, uint64_t fileid)
{
        const struct inode *inode;

        return meta_inode(h->tier->mds->meta, fileid, &inode) == 0 && heads_is_due(h->tier, inode);
}

/* Who asks for one asks for its neighbours next. */
static void steer(struct heads *h, uint64_t fileid)
{
        h->at = fileid;
        h->whole = false;
        h->page_at = h->page_count = 0;
        heads_go(h);
}

void heads_want(struct heads *h, uint64_t fileid, struct head_wait *w)
{
        struct head *head = head_of(h, fileid);

        w->fileid = fileid;
        if (!head && h->count >= HEADS_MAX) {
                list_push(&h->hungry, &w->node);
                return;
        }
        if (!head && (head = begin(h, fileid, false)))
                steer(h, fileid);
        if (head)
                list_push(&head->waiting, &w->node);
        else
                w->done(w, is_due(h, fileid) ? NFS4ERR_DELAY /* no memory */ : NFS4_OK);
}

void heads_hurry(struct heads *h, uint64_t fileid)
{
        if (h && !h->stopping && !head_of(h, fileid) && h->count < HEADS_MAX && begin(h, fileid, false))
                steer(h, fileid);
}

/* --- birth and death */

struct heads *heads_new(struct tier *t)
{
        struct heads *h = calloc(1, sizeof(*h));
        struct metrics *m = &t->mds->metrics;

        if (!h)
                return NULL;
        h->tier = t;
        h->turn.fire = run;
        list_init(&h->active);
        list_init(&h->hungry);
        metric_counter(m, &h->described, "nacre_tier_described_total",
                       "Names from buckets of which S3 has said owner, mode and times");
        metric_counter(m, &h->failed, "nacre_tier_heads_failed_total",
                       "Rounds of asking for an object's metadata that S3 has refused or not answered");
        return h;
}

void heads_quieten(struct heads *h, const struct repo *r)
{
        LIST_FOR_EACH_SAFE(node, &h->active) {
                struct head *head = CONTAINER(node, struct head, node);

                if (r && head->repo != r)
                        continue;
                head_tell(head, NFS4ERR_DELAY);
                head_free(head);
        }
        heads_go(h);
}

void heads_stop(struct heads *h)
{
        if (!h || h->stopping)
                return;
        h->stopping = true;
        heads_quieten(h, NULL);
        timer_stop(&h->turn);
        for (struct list *node; (node = list_pop(&h->hungry));) {
                struct head_wait *w = CONTAINER(node, struct head_wait, node);

                w->done(w, NFS4ERR_DELAY);
        }
}

void heads_free(struct heads *h)
{
        heads_stop(h);
        free(h);
}
