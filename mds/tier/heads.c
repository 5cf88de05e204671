/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/tier/heads.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"

#define ROUND_PAUSE_NS 1000000000ull /* doubled each time, up to: */
#define ROUND_PAUSE_MAX_NS 32000000000ull
enum { PAGE = 64, DEADLINE_MS = 20000 };

/* S3 is being asked about one. */
struct head {
        struct list node; /* in heads->active */
        struct heads *heads;
        struct repo *repo;
        uint64_t fileid;
        bool background;
        struct list waiting; /* struct head_wait */
        struct s3_call call;
        struct timer pause;
        unsigned rounds; /* that have failed */
        char key[BACKING_KEY_BYTES + 1];
        struct description description;
        struct iovec room;
        char target[NFS4_MAXPATH]; /* of a symlink */
};

struct heads {
        struct tier *tier;
        struct list active, hungry; /* struct head; struct head_wait for which there was no room */
        uint32_t count, background;
        struct timer turn;
        bool idle, stopping;
        /* the way through the records */
        uint64_t at; /* behind this number */
        bool whole;  /* this pass has begun at the first */
        bool found;  /* something to ask, in this pass */
        uint64_t page[PAGE];
        uint32_t page_at, page_count;
        struct metric described, failed;
};

/* --- the records */

void heads_note(struct txn *t, struct inode *inode, uint64_t directory, struct slice name)
{
        const struct head_record h = { .directory = directory, .name = name };
        uint8_t key[KEY_MAX], value[RECORD_MAX];

        inode->undescribed = true;
        txn_put(t, key_head(key, inode->fileid), head_encode(value, &h));
}

/* On T's copy of INODE. */
static void forget(struct txn *t, struct inode *inode)
{
        uint8_t key[KEY_MAX];

        inode->undescribed = false;
        txn_delete(t, key_head(key, inode->fileid));
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

/* --- the end of one */

static void head_free(struct head *head)
{
        struct heads *h = head->heads;

        list_remove(&head->node);
        timer_stop(&head->pause);
        s3_cancel(&head->call);
        h->count--;
        h->background -= head->background;
        free(head);
}

static void tell(struct head *head, enum nfsstat4 status)
{
        struct list all = LIST_INIT(all);

        list_splice(&all, &head->waiting);
        for (struct list *node; (node = list_pop(&all));) {
                struct head_wait *w = CONTAINER(node, struct head_wait, node);

                w->done(w, status);
        }
}

static void head_end(struct head *head)
{
        struct heads *h = head->heads;
        struct list all = LIST_INIT(all);

        list_splice(&all, &head->waiting);
        head_free(head);
        for (struct list *node; (node = list_pop(&all));) {
                struct head_wait *w = CONTAINER(node, struct head_wait, node);

                w->done(w, NFS4_OK);
        }
        heads_go(h);
}

static void ask_again(struct head *head)
{
        uint64_t ns = ROUND_PAUSE_NS << (head->rounds < 6 ? head->rounds : 5);

        head->rounds++;
        timer_start(head->heads->tier->mds->env, &head->pause,
                    ns < ROUND_PAUSE_MAX_NS ? ns : ROUND_PAUSE_MAX_NS);
}

/* What the object is, into the store. 0 or -errno. */
static int put_file(struct head *head, const struct inode *inode, struct backing *b)
{
        struct txn *t = txn_begin(head->heads->tier->mds->meta);
        struct inode *edit = txn_edit(t, inode->fileid);
        uint64_t seq;

        if (!edit) {
                txn_abort(t);
                return -EIO;
        }
        describe_apply(&head->description, edit);
        forget(t, edit);
        tier_put_backing(t, edit, b);
        return txn_commit(t, &seq);
}

static int put_symlink(struct head *head, const struct inode *inode, struct backing *b)
{
        struct tier *t = head->heads->tier;
        uint8_t key[KEY_MAX], value[RECORD_MAX];
        struct head_record h;
        uint32_t length;
        int r = meta_get(t->mds->meta, key_head(key, inode->fileid), value, sizeof(value), &length);

        if (r < 0 || !head_decode(slice_of(value, length), &h))
                return put_file(head, inode, b);
        r = key_make_symlink(t, h.directory, h.name, inode->fileid,
                             slice_of(head->target, (uint32_t)head->call.received), b, &head->description);
        return r == -ENOENT ? put_file(head, inode, b) : r; /* it has another name by now */
}

/* S3 has answered, or is not asked any more; TARGET: it is a symlink, and that is known. */
static void settle(struct head *head, bool target)
{
        struct heads *h = head->heads;
        uint8_t record[RECORD_MAX];
        const struct inode *inode;
        struct backing b;
        int r = meta_inode(h->tier->mds->meta, head->fileid, &inode);

        if (r == -ENOENT || (r == 0 && !inode->undescribed)) {
                head_end(head); /* removed or replaced meanwhile */
                return;
        }
        if (r == 0)
                r = tier_backing(h->tier->mds, inode, record, &b);
        if (r == 0)
                r = target ? put_symlink(head, inode, &b) : put_file(head, inode, &b);
        meta_trim(h->tier->mds->meta);
        if (r < 0) {
                tell(head, NFS4ERR_DELAY); /* not stored: what is in the way is logged there */
                ask_again(head);
                return;
        }
        metric_add(&h->described, 1);
        head_end(head);
}

/* --- what S3 says */

/* It will be otherwise later. */
static bool is_passing(enum s3_error e)
{
        return e == S3_SLOW_DOWN || e == S3_TIMED_OUT || e == S3_UNREACHABLE || e == S3_CLOCK_SKEW;
}

static void refused(struct head *head)
{
        const struct s3_result *r = &head->call.result;
        bool last = !is_passing(r->error) && head->rounds + 1 >= HEADS_ROUNDS;

        metric_add(&head->heads->failed, 1);
        log_warn("not-described", "repo=%s key=%s error=%s status=%d code=%s message=%s round=%u%s",
                 head->repo->name, head->key, s3_error_name(r->error), r->status, r->code, r->message,
                 head->rounds + 1, last ? " (owner and mode are the defaults)" : "");
        snprintf(head->repo->problem, sizeof(head->repo->problem), "%s: %s", s3_error_name(r->error),
                 r->message);
        if (!last) {
                ask_again(head);
                return;
        }
        head->description = (struct description){ 0 };
        settle(head, false);
}

static void on_target(struct s3_call *call)
{
        struct head *head = CONTAINER(call, struct head, call);
        bool whole =
                call->result.error == S3_OK && call->received > 0 && !memchr(head->target, 0, call->received);

        if (is_passing(call->result.error)) {
                refused(head);
                return;
        }
        if (!whole)
                log_warn("no-target",
                         "repo=%s key=%s error=S3ObjectTypeMismatch: it says that it is a symlink",
                         head->repo->name, head->key);
        settle(head, whole);
}

static void get_target(struct head *head)
{
        char etag[S3_ETAG_BYTES];

        memcpy(etag, head->call.object.etag, sizeof(etag));
        head->room = (struct iovec){ head->target, sizeof(head->target) };
        head->call.done = on_target;
        s3_get(head->repo->s3, &head->call, head->key,
               &(struct s3_get_args){ .etag = etag, .room = &head->room, .room_count = 1 });
}

static bool is_directory(const struct head *head)
{
        return (head->fileid & FILEID_DIRECTORY) != 0;
}

static void on_head(struct s3_call *call)
{
        struct head *head = CONTAINER(call, struct head, call);
        const struct s3_object *o = &call->object;

        head->description = (struct description){ 0 };
        if (call->result.error == S3_OK)
                describe_read(&o->metadata, is_directory(head), &head->description);
        else if (call->result.error != S3_OBJECT_NOT_FOUND) {
                refused(head);
                return;
        }
        if (head->description.type == NF4LNK && o->size > 0 && o->size < NFS4_MAXPATH)
                get_target(head);
        else
                settle(head, false);
}

/* --- the beginning of one */

static void ask(struct head *head)
{
        head->call.done = on_head;
        head->call.priority = head->background ? S3_SCAN : S3_DEMAND;
        head->call.deadline_ms = DEADLINE_MS;
        s3_head(head->repo->s3, &head->call, head->key);
}

static void on_pause(struct timer *t)
{
        ask(CONTAINER(t, struct head, pause));
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
        head->pause.fire = on_pause;
        slice_text(head->key, sizeof(head->key), b.key);
        list_init(&head->waiting);
        list_push(&h->active, &head->node);
        h->count++;
        h->background += background;
        ask(head);
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
        return h->page_count < PAGE;
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
                tell(head, NFS4ERR_DELAY);
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
