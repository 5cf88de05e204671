/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/ds_lab.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/siphash.h"
#include "tests/lab/own_address.h"

enum { WAIT_MS = 20000, CALL_SECONDS = 60 };

/* --- the loop */

bool ds_lab_wait(struct ds_lab *lab, bool (*condition)(void *arg), void *arg, uint32_t ms)
{
        if (condition(arg))
                return true;
        return lab->loop ? loop_wait_for(&lab->wait, condition, arg, ms)
                         : virtual_env_run_until(&lab->v, ms * 1000000ull, condition, arg);
}

static bool never(void *arg)
{
        (void)arg;
        return false;
}

void ds_lab_run(struct ds_lab *lab, uint32_t ms)
{
        ds_lab_wait(lab, never, NULL, ms);
}

struct held {
        const struct ds_lab *lab;
        uint32_t count;
};

static bool holds(void *arg)
{
        const struct held *h = arg;

        return fault_disk_held(h->lab->fault) == h->count;
}

void ds_lab_wait_held(struct ds_lab *lab, uint32_t count)
{
        struct held held = { lab, count };

        CHECK(ds_lab_wait(lab, holds, &held, WAIT_MS));
}

bool ds_lab_joined(void *arg)
{
        const struct ds_lab *lab = arg;

        return lab->ds_ended || lab->ds->trust.state == TRUST_HELD;
}

/* --- servers */

static bool has_ipv6(void)
{
        struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
        int fd = socket(AF_INET6, SOCK_STREAM, 0);
        bool has = fd >= 0 && bind(fd, (struct sockaddr *)&sin6, sizeof(sin6)) == 0;

        if (fd >= 0)
                close(fd);
        return has;
}

bool ds_lab_has_two_doors(struct ds_lab *lab)
{
        static const uint8_t key[16] = "nacre-ds workers";
        static const uint8_t client[16] = { 127, 0, 0,
                                            1 }; /* also of who connects to another of 127.0.0.0/8 */
        uint64_t a = siphash(client, 16, key), b = siphash(lab->ds_addr6.bytes, 16, key);

        return lab->ds_addr6.family != 0 && a % lab->ds->worker_count != b % lab->ds->worker_count;
}

static void write_conf(struct ds_lab *lab)
{
        char text[1024], error[256], mds[NETADDR_TEXT], nfs[NETADDR_TEXT], nfs6[NETADDR_TEXT] = "";
        bool two = lab->ds_addr6.family != 0;

        snprintf(
                text, sizeof(text),
                "listen: [ \"%s\"%s%s%s ]\nmds: %s\nname: lab\nstore: %s\ncluster_key: none\nio: %s\nreserve_bytes: 0\n"
                "fd_cache: %u\nloops: %u\nlimits:\n  memory: 64M\n",
                netaddr_format(&lab->ds_addr, nfs), two ? ", \"" : "",
                two ? netaddr_format(&lab->ds_addr6, nfs6) : "", two ? "\"" : "",
                netaddr_format(&lab->mds_addr, mds), lab->store, lab->how.threads ? "threads" : "uring",
                lab->how.fd_cache ? lab->how.fd_cache : 64, lab->how.workers ? lab->how.workers : 1);
        if (ds_conf_load_text("lab", text, strlen(text), &lab->conf, error, sizeof(error)) < 0) {
                fprintf(stderr, "%s\n", error);
                abort();
        }
        memset(lab->conf.cluster_key, 0x5a, sizeof(lab->conf.cluster_key));
        key_derive(lab->conf.cluster_key, "handles", lab->handle_key, sizeof(lab->handle_key));
}

static void ended(void *arg, const char *problem)
{
        struct ds_lab *lab = arg;

        lab->ds_ended = true;
        snprintf(lab->problem, sizeof(lab->problem), "%s", problem ? problem : "");
}

static bool has_ended(void *arg)
{
        const struct ds_lab *lab = arg;

        return lab->ds_ended;
}

static struct disk *open_disk(struct ds_lab *lab)
{
        int fd;

        if (!lab->loop)
                return memory_disk_new(lab->env, &lab->files);
        CHECK(mkdir(lab->store, 0700) == 0 || errno == EEXIST);
        fd = open(lab->store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return lab->how.threads ? disk_threads_new(lab->loop, fd, 4) : disk_uring_new(lab->loop, fd, 64);
}

void ds_lab_start_ds(struct ds_lab *lab)
{
        struct disk *disk = lab->how.fault || !lab->loop ? open_disk(lab) : NULL;

        lab->ds_ended = false;
        lab->fault = lab->how.fault ? fault_disk_new(lab->env, disk) : NULL;
        lab->ds = ds_new(&lab->conf, lab->env, lab->loop, lab->fault ? fault_disk_disk(lab->fault) : disk,
                         ended, lab);
        CHECK(lab->ds != NULL);
        lab->ds->make_http = s3_model_http;
        lab->ds->make_http_arg = &lab->s3;
        if (!lab->how.no_mds)
                CHECK(ds_lab_wait(lab, ds_lab_joined, lab, WAIT_MS));
}

void ds_lab_stop_ds(struct ds_lab *lab)
{
        ds_stop(lab->ds);
        CHECK(ds_lab_wait(lab, has_ended, lab, WAIT_MS));
        ds_free(lab->ds);
        lab->ds = NULL;
}

static void start_clients(struct ds_lab *lab)
{
        const struct rpc_limits limits = { .max_connections = 64,
                                           .max_calls = 64,
                                           .max_calls_per_conn = 64,
                                           .max_record = RPC_RECORD_MAX,
                                           .stall_ms = 30000,
                                           .max_reply_bytes = 1 << 24 };

        lab->pool = bufpool_new(512ul * BUF_LARGE);
        lab->rpc = rpc_server_new(lab->env, lab->pool, lab->no_programs, &limits);
        CHECK(lab->pool && lab->rpc);
}

static void start_virtual(struct ds_lab *lab)
{
        virtual_env_init(&lab->v, 1);
        memory_files_init(&lab->files);
        lab->env = &lab->v.env;
        lab->store = strdup("memory");
        lab->mds_addr = (struct netaddr){ .family = 4, .port = 2050, .bytes = { 192, 0, 2, 10 } };
        lab->ds_addr = (struct netaddr){ .family = 4, .port = 2049, .bytes = { 192, 0, 2, 11 } };
}

static void start_real(struct ds_lab *lab)
{
        lab->loop = loop_new();
        lab->env = loop_env(lab->loop);
        loop_wait_init(&lab->wait, lab->loop);
        strcpy(lab->dir, "/tmp/ds_lab.XXXXXX");
        CHECK(mkdtemp(lab->dir) != NULL && asprintf(&lab->store, "%s/store", lab->dir) > 0);
        lab->mds_addr = own_address();
        lab->ds_addr = own_address();
}

void ds_lab_start(struct ds_lab *lab, const struct ds_lab_conf *how)
{
        memset(lab, 0, sizeof(*lab));
        if (how)
                lab->how = *how;
        log_open("lab", getenv("LAB_LOG") ? LOG_DEBUG : LOG_ERROR);
        if (lab->how.virtual_time)
                start_virtual(lab);
        else
                start_real(lab);
        if (lab->how.two_doors && has_ipv6())
                lab->ds_addr6 =
                        (struct netaddr){ .family = 6, .port = lab->ds_addr.port, .bytes = { [15] = 1 } };
        write_conf(lab);
        start_clients(lab);
        if (!lab->how.no_mds) {
                fake_mds_start(&lab->mds, lab->env, &lab->mds_addr, lab->conf.cluster_key);
                if (lab->how.width > 1)
                        lab->mds.pools[0].size = lab->how.width;
        }
        ds_lab_start_ds(lab);
}

static void stop_real(struct ds_lab *lab)
{
        CLEANUP_FREE char *command = NULL;

        loop_wait_end(&lab->wait);
        loop_free(lab->loop);
        CHECK(asprintf(&command, "rm -rf %s", lab->dir) > 0 && system(command) == 0);
}

void ds_lab_stop(struct ds_lab *lab)
{
        if (lab->ds)
                ds_lab_stop_ds(lab);
        rpc_server_free(lab->rpc);
        if (lab->mds.rpc)
                fake_mds_stop(&lab->mds);
        bufpool_free(lab->pool);
        s3_model_free(&lab->s3);
        ds_conf_free(&lab->conf);
        free(lab->store);
        if (lab->loop) {
                stop_real(lab);
        } else {
                virtual_env_destroy(&lab->v);
                memory_files_free(&lab->files);
        }
}
