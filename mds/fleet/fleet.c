/* SPDX-License-Identifier: Apache-2.0 */
/* Members and pools of the fleet: see fleet.h. Records: 's' server id -> name, uuid, addresses; 'p'
 * generation -> ids. */
#include "mds/fleet/fleet.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mds/fleet/ctl_serve.h"
#include "mds/fleet/fences.h"

enum { RECORD_VERSION = 1 };
enum { AWAY_LEASES = 2 /* so long who makes a file waits for a data server that is away */ };

struct server *fleet_by_id(const struct fleet *f, uint32_t id)
{
        for (uint32_t i = 0; i < f->count; i++)
                if (f->servers[i]->id == id)
                        return f->servers[i];
        return NULL;
}

struct server *fleet_by_uuid(const struct fleet *f, const uint8_t uuid[16])
{
        for (uint32_t i = 0; i < f->count; i++)
                if (memcmp(f->servers[i]->uuid, uuid, 16) == 0)
                        return f->servers[i];
        return NULL;
}

const struct pool *fleet_pool(const struct fleet *f, uint32_t generation)
{
        return generation >= 1 && generation <= f->pool_count ? f->pools[generation - 1] : NULL;
}

int pool_position(const struct pool *pool, uint32_t server_id)
{
        for (int i = 0; i < pool->count; i++)
                if (pool->members[i] == server_id)
                        return i;
        return -1;
}

struct server *fleet_device_server(const struct fleet *f, uint16_t pool, uint8_t start, uint16_t width,
                                   uint32_t index)
{
        const struct pool *p = fleet_pool(f, pool);

        if (!p || index >= width || width > p->count)
                return NULL;
        return fleet_by_id(f, p->members[(start + index) % p->count]);
}

bool fleet_file_is_up(const struct fleet *f, const struct inode *file)
{
        for (uint32_t i = 0; i < file->width; i++) {
                const struct server *s = fleet_file_server(f, file, i);

                if (!s || !s->up)
                        return false;
        }
        return file->width > 0;
}

static bool takes_new(const struct server *s)
{
        return s->up && !s->full && !s->failing && !s->leaving;
}

bool fleet_file_takes_new(const struct fleet *f, const struct inode *file)
{
        for (uint32_t i = 0; i < file->width; i++) {
                const struct server *s = fleet_file_server(f, file, i);

                if (!s || !takes_new(s))
                        return false;
        }
        return file->width > 0;
}

bool fleet_file_is_on(const struct fleet *f, const struct inode *file, uint32_t server_id)
{
        const struct pool *p = fleet_pool(f, file->pool);
        int position = p ? pool_position(p, server_id) : -1;

        return position >= 0 && (position + p->count - file->start) % p->count < file->width;
}

void server_makes_no_sense(struct server *s, const char *what)
{
        if (s->nonsense != what)
                log_warn("ds-makes-no-sense", "name=%s what=%s", s->name, what);
        s->nonsense = what;
}

void fleet_space(const struct fleet *f, uint64_t *ret_total, uint64_t *ret_free)
{
        *ret_total = *ret_free = 0;
        for (uint32_t i = 0; i < f->count; i++) {
                *ret_total += f->servers[i]->space_total;
                *ret_free += f->servers[i]->space_free;
        }
}

/* Away, but not for long: a restart, of it or of us. */
static bool is_expected(const struct fleet *f, const struct server *s)
{
        const struct mds *mds = f->mds;
        uint64_t since = s->last_heard_ns > mds->started_ns ? s->last_heard_ns : mds->started_ns;

        return (!s->up || s->leaving) && !s->full && !s->failing &&
               env_now(mds->env) - since < AWAY_LEASES * mds->conf->lease_seconds * 1000000000ull;
}

static enum nfsstat4 why_no_pool(const struct fleet *f)
{
        for (uint32_t i = 0; i < f->count; i++)
                if (is_expected(f, f->servers[i]))
                        return NFS4ERR_DELAY;
        return NFS4ERR_NOSPC;
}

enum nfsstat4 fleet_place(struct fleet *f, const struct inode *policy, struct inode *file)
{
        const struct pool *pool = fleet_pool(f, f->current);
        const struct mds_conf *conf = f->mds->conf;
        uint64_t width = policy && policy->width ? policy->width : conf->stripe_count;
        uint64_t spread = hash_u64(file->fileid);

        if (!pool)
                return why_no_pool(f);
        if (width == 0 || width > pool->count)
                width = pool->count;
        if (width > DEVICE_WIDTH_MAX)
                width = DEVICE_WIDTH_MAX;
        file->unit = policy && policy->unit ? policy->unit : (uint32_t)conf->stripe_unit;
        file->width = (uint16_t)width;
        file->pool = pool->generation;
        file->start = (uint8_t)(width == pool->count ? 0 : spread % pool->count);
        file->first = (uint8_t)((spread >> 32) % width);
        return NFS4_OK;
}

/* --- records */

static struct slice encode_server(uint8_t *out, const struct server *s)
{
        struct xdr_out x;
        char text[NETADDR_TEXT];

        xdr_out_init(&x, out, RECORD_MAX);
        xdr_put_u32(&x, RECORD_VERSION);
        xdr_put_string(&x, s->name);
        xdr_put_fixed(&x, s->uuid, 16);
        xdr_put_u32(&x, s->addr_count);
        for (uint32_t i = 0; i < s->addr_count; i++)
                xdr_put_string(&x, netaddr_format(&s->addrs[i], text));
        CHECK(!x.full);
        return slice_of(out, xdr_head_length(&x));
}

static bool decode_server(struct slice value, struct server *s)
{
        struct xdr_in x = xdr_in_of(value);
        uint32_t version = xdr_get_u32(&x);
        struct slice name = xdr_get_opaque(&x, FLEET_NAME);

        if (name.length > 0)
                memcpy(s->name, name.data, name.length);
        xdr_get_fixed(&x, s->uuid, 16);
        s->addr_count = xdr_get_count(&x, FLEET_MAX_ADDRS, 4);
        for (uint32_t i = 0; i < s->addr_count && !x.bad; i++) {
                struct slice t = xdr_get_opaque(&x, NETADDR_TEXT - 1);
                char text[NETADDR_TEXT] = "";

                if (t.length > 0)
                        memcpy(text, t.data, t.length);
                if (!x.bad && netaddr_parse(text, NFS4_PORT, &s->addrs[i]) < 0)
                        x.bad = true;
        }
        return version == RECORD_VERSION && !x.bad;
}

static struct slice encode_pool(uint8_t *out, const struct pool *p)
{
        struct xdr_out x;

        xdr_out_init(&x, out, RECORD_MAX);
        xdr_put_u32(&x, RECORD_VERSION);
        xdr_put_u32(&x, p->count);
        for (uint32_t i = 0; i < p->count; i++)
                xdr_put_u32(&x, p->members[i]);
        CHECK(!x.full);
        return slice_of(out, xdr_head_length(&x));
}

static bool load_server(void *arg, struct slice key, struct slice value)
{
        struct fleet *f = arg;
        struct server *s = calloc(1, sizeof(*s));

        if (!s || !key_parse_u32(key, 's', &s->id) || s->id == 0 || s->id > FLEET_MAX ||
            !decode_server(value, s)) {
                free(s);
                log_error("server-record-damaged", "members=%u", f->count);
                return true;
        }
        list_init(&s->queue.calls);
        s->trusted_until_ns = env_now(f->mds->env) + TRUST_MS * 1000000ull; /* by who we were before */
        f->servers[f->count++] = s;
        return true;
}

static bool load_pool(void *arg, struct slice key, struct slice value)
{
        struct fleet *f = arg;
        struct pool *p = calloc(1, sizeof(*p));
        struct xdr_in x = xdr_in_of(value);
        uint32_t version = xdr_get_u32(&x);

        (void)key; /* generations are 1, 2, 3 … in key order */
        if (!p || f->pool_count == POOLS_MAX) {
                free(p);
                return false;
        }
        p->generation = (uint16_t)(f->pool_count + 1);
        p->count = (uint16_t)xdr_get_count(&x, FLEET_MAX, 4);
        for (uint32_t i = 0; i < p->count; i++)
                p->members[i] = xdr_get_u32(&x);
        if (x.bad || version != RECORD_VERSION)
                log_error("pool-record-damaged", "generation=%u", p->generation);
        f->pools[f->pool_count++] = p;
        return true;
}

/* One record, outside any NFS operation. */
static bool put_record(struct fleet *f, struct slice key, struct slice value)
{
        struct txn *t = txn_begin(f->mds->meta);
        uint64_t seq;
        int r;

        txn_put(t, key, value);
        r = txn_commit(t, &seq);
        if (r < 0) {
                log_error("fleet-record-not-stored", "error=%s", strerror(-r));
                return false;
        }
        f->mds->store->ops->sync(f->mds->store, seq);
        return true;
}

static bool store_server(struct fleet *f, const struct server *s)
{
        uint8_t key[KEY_MAX], value[RECORD_MAX];

        return put_record(f, key_server(key, s->id), encode_server(value, s));
}

struct server *fleet_add(struct fleet *f, const char *name, const uint8_t uuid[16])
{
        struct server *s;

        uint32_t id = f->count == 0 ? 1 : f->servers[f->count - 1]->id + 1;

        if (id > FLEET_MAX || !(s = calloc(1, sizeof(*s))))
                return NULL;
        s->id = id;
        snprintf(s->name, sizeof(s->name), "%s", name);
        memcpy(s->uuid, uuid, 16);
        list_init(&s->queue.calls);
        if (!store_server(f, s)) {
                free(s);
                return NULL;
        }
        f->servers[f->count++] = s;
        metric_set(&f->joined, f->count);
        return s;
}

/* When no more pools can be made: the largest one that has no members but IDS. */
static const struct pool *pool_within(const struct fleet *f, const uint32_t *ids, uint32_t count)
{
        const struct pool *best = NULL;

        for (uint32_t i = 0; i < f->pool_count; i++) {
                uint32_t inside = 0;

                for (uint32_t k = 0; k < count; k++)
                        inside += pool_position(f->pools[i], ids[k]) >= 0;
                if (inside == f->pools[i]->count && (!best || inside > best->count))
                        best = f->pools[i];
        }
        return best;
}

/* The pool whose members are exactly IDS, made and stored when new. */
static const struct pool *pool_of(struct fleet *f, const uint32_t *ids, uint32_t count)
{
        uint8_t key[KEY_MAX], value[RECORD_MAX];
        struct pool *p;

        for (uint32_t i = 0; i < f->pool_count; i++)
                if (f->pools[i]->count == count &&
                    memcmp(f->pools[i]->members, ids, count * sizeof(*ids)) == 0)
                        return f->pools[i];
        if (f->pool_count == POOLS_MAX || !(p = calloc(1, sizeof(*p))))
                return pool_within(f, ids, count);
        p->generation = (uint16_t)(f->pool_count + 1);
        p->count = (uint16_t)count;
        memcpy(p->members, ids, count * sizeof(*ids));
        if (!put_record(f, key_pool(key, p->generation), encode_pool(value, p))) {
                free(p);
                return NULL;
        }
        f->pools[f->pool_count++] = p;
        log_info("pool-made", "generation=%u members=%u", p->generation, p->count);
        fences_send_pools(f);
        return p;
}

void fleet_changed(struct fleet *f, struct server *changed)
{
        uint32_t ids[FLEET_MAX], count = 0;
        const struct pool *p;

        store_server(f, changed);
        for (uint32_t i = 0; i < f->count; i++) {
                if (takes_new(f->servers[i]))
                        ids[count++] = f->servers[i]->id;
        }
        p = count > 0 ? pool_of(f, ids, count) : NULL;
        f->current = p ? p->generation : 0;
}

static void register_metrics(struct fleet *f)
{
        metric_counter(&f->mds->metrics, &f->fence_count, "nacre_fences_total", "Fences raised");
        metric_gauge(&f->mds->metrics, &f->joined, "nacre_data_servers", "Data servers that are members");
}

struct fleet *fleet_new(struct mds *mds)
{
        struct fleet *f = calloc(1, sizeof(*f));
        uint8_t key[KEY_MAX];

        if (!f)
                return NULL;
        f->mds = mds;
        register_metrics(f);
        if (meta_scan(mds->meta, key_kind(key, 's'), load_server, f) < 0 ||
            meta_scan(mds->meta, key_kind(key, 'p'), load_pool, f) < 0 || !(f->fences = fences_new(f))) {
                log_error("fleet-not-loaded", "store=%s", mds->conf->store);
                fleet_free(f);
                return NULL;
        }
        metric_set(&f->joined, f->count);
        return f;
}

void fleet_free(struct fleet *f)
{
        if (!f)
                return;
        fences_free(f->fences);
        for (uint32_t i = 0; i < f->count; i++)
                free(f->servers[i]);
        for (uint32_t i = 0; i < f->pool_count; i++)
                free(f->pools[i]);
        free(f);
}

const char *server_state(const struct server *s, uint64_t now_ns)
{
        if (!s->conn)
                return "down";
        if (!s->up || now_ns > s->trusted_until_ns)
                return "silent";
        return s->failing ? "failing" : s->full ? "full" : "up";
}
