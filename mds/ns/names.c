/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/ns/names.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/hashtab.h"
#include "base/list.h"
#include "base/offload.h"

enum { HOSTS_MAX = 4096, THREADS = 2, GOOD_SECONDS = 600, BAD_SECONDS = 60 };

struct names {
        struct export_names face; /* first */
        struct env *env;
        struct offload *pool;
        resolve_fn *resolve;
        struct hashtab hosts;
        struct list ages; /* struct host, the one made first in front */
        atomic_bool ending;
};

struct host {
        struct hnode node;
        struct list age;
        struct names *names;
        struct netaddr addr; /* without the port */
        char name[HOST_NAME_BYTES];
        bool known, asking;
        uint64_t good_until_ns;
        struct offload_job job;
        char answer[HOST_NAME_BYTES];
};

/* --- the resolver's side */

static socklen_t to_sockaddr(const struct netaddr *a, struct sockaddr_storage *ret)
{
        memset(ret, 0, sizeof(*ret));
        if (a->family == 4) {
                struct sockaddr_in *in = (struct sockaddr_in *)ret;

                in->sin_family = AF_INET;
                memcpy(&in->sin_addr, a->bytes, 4);
                return sizeof(*in);
        }
        ((struct sockaddr_in6 *)ret)->sin6_family = AF_INET6;
        memcpy(&((struct sockaddr_in6 *)ret)->sin6_addr, a->bytes, 16);
        return sizeof(struct sockaddr_in6);
}

static bool same_host(const struct sockaddr *s, const struct netaddr *a)
{
        if (s->sa_family == AF_INET)
                return a->family == 4 &&
                       memcmp(&((const struct sockaddr_in *)(const void *)s)->sin_addr, a->bytes, 4) == 0;
        return s->sa_family == AF_INET6 && a->family == 6 &&
               memcmp(&((const struct sockaddr_in6 *)(const void *)s)->sin6_addr, a->bytes, 16) == 0;
}

/* Whoever owns an address writes the name that it leads to; only whoever owns the name writes its addresses.
 */
static bool confirmed(const char *name, const struct netaddr *addr)
{
        const struct addrinfo hints = { .ai_family = addr->family == 4 ? AF_INET : AF_INET6,
                                        .ai_socktype = SOCK_STREAM };
        struct addrinfo *all;
        bool found = false;

        if (getaddrinfo(name, NULL, &hints, &all) != 0)
                return false;
        for (const struct addrinfo *one = all; one && !found; one = one->ai_next)
                found = same_host(one->ai_addr, addr);
        freeaddrinfo(all);
        return found;
}

static void ask_system(const struct netaddr *addr, char name[HOST_NAME_BYTES])
{
        struct sockaddr_storage sa;
        socklen_t length = to_sockaddr(addr, &sa);

        if (getnameinfo((struct sockaddr *)&sa, length, name, HOST_NAME_BYTES, NULL, 0, NI_NAMEREQD) != 0 ||
            !confirmed(name, addr))
                name[0] = '\0';
}

static void work(struct offload_job *job)
{
        struct host *h = CONTAINER(job, struct host, job);

        h->answer[0] = '\0';
        if (!atomic_load(&h->names->ending))
                h->names->resolve(&h->addr, h->answer);
}

/* --- the loop's side */

static void done(struct offload_job *job)
{
        struct host *h = CONTAINER(job, struct host, job);
        uint64_t seconds = h->answer[0] ? GOOD_SECONDS : BAD_SECONDS;

        memcpy(h->name, h->answer, sizeof(h->name));
        h->known = true;
        h->asking = false;
        h->good_until_ns = env_now(h->names->env) + seconds * 1000000000;
}

static uint64_t address_hash(const struct netaddr *a)
{
        uint64_t high, low;

        memcpy(&high, a->bytes, 8);
        memcpy(&low, a->bytes + 8, 8);
        return hash_u64(high ^ hash_u64(low) ^ a->family);
}

static struct host *find(const struct names *n, const struct netaddr *addr)
{
        HASHTAB_FOR_EACH(node, &n->hosts, address_hash(addr)) {
                struct host *h = CONTAINER(node, struct host, node);

                if (netaddr_equal(&h->addr, addr))
                        return h;
        }
        return NULL;
}

static void forget(struct names *n, struct host *h)
{
        hashtab_remove(&n->hosts, &h->node);
        list_remove(&h->age);
        free(h);
}

/* Room for one more: the one made first goes, unless it is being asked for. */
static bool make_room(struct names *n)
{
        struct host *oldest = CONTAINER(n->ages.next, struct host, age);

        if (n->hosts.count < HOSTS_MAX)
                return true;
        if (oldest->asking)
                return false;
        forget(n, oldest);
        return true;
}

static struct host *add(struct names *n, const struct netaddr *addr)
{
        struct host *h = make_room(n) ? calloc(1, sizeof(*h)) : NULL;

        if (!h)
                return NULL;
        h->names = n;
        h->addr = *addr;
        h->job.work = work;
        h->job.done = done;
        hashtab_insert(&n->hosts, &h->node, address_hash(addr));
        list_push(&n->ages, &h->age);
        return h;
}

/* The host alone: no port, and no difference between ways to write an IPv4 address (RFC 4291 §2.5.5.2). */
static struct netaddr plain(const struct netaddr *a)
{
        static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
        bool is_mapped = a->family == 6 && memcmp(a->bytes, mapped, sizeof(mapped)) == 0;
        struct netaddr ret = { .family = is_mapped ? 4 : a->family };

        memcpy(ret.bytes, is_mapped ? a->bytes + 12 : a->bytes, ret.family == 4 ? 4 : 16);
        return ret;
}

static const char *name_of(struct export_names *face, const struct netaddr *client)
{
        struct names *n = CONTAINER(face, struct names, face);
        struct netaddr addr = plain(client);
        struct host *h = find(n, &addr);

        if (!h && !(h = add(n, &addr)))
                return NULL; /* asked again after the client's delay */
        if (!h->asking && (!h->known || env_now(n->env) >= h->good_until_ns)) {
                h->asking = true;
                offload_submit(n->pool, &h->job);
        }
        return h->known ? h->name : NULL;
}

struct export_names *names_new(struct loop *loop, resolve_fn *resolve)
{
        struct names *n = calloc(1, sizeof(*n));

        if (!n)
                return NULL;
        n->face.name_of = name_of;
        n->env = loop_env(loop);
        n->resolve = resolve ? resolve : ask_system;
        list_init(&n->ages);
        n->pool = offload_new(loop, THREADS);
        if (!n->pool || !hashtab_init(&n->hosts, 64)) {
                names_free(&n->face);
                return NULL;
        }
        return &n->face;
}

void names_free(struct export_names *face)
{
        struct names *n = face ? CONTAINER(face, struct names, face) : NULL;

        if (!n)
                return;
        atomic_store(&n->ending, true);
        offload_free(n->pool);
        while (!list_empty(&n->ages))
                forget(n, CONTAINER(n->ages.next, struct host, age));
        hashtab_destroy(&n->hosts);
        free(n);
}
