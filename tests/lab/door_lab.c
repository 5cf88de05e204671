/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/door_lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

struct door door;
uint8_t door_record[DOOR_RECORD];
const struct rpc_cred door_nobody = { .flavor = RPC_AUTH_NONE };

int door_of_ds(void **state)
{
        static const struct ds_lab_conf how = { .virtual_time = true, .no_mds = true };
        struct ds_lab *lab = &door.ds;

        (void)state;
        ds_lab_start(lab, &how);
        lab->conf.limits.connections = DOOR_CONNECTIONS;
        fake_mds_start(&lab->mds, lab->env, &lab->mds_addr, lab->conf.cluster_key);
        CHECK(ds_lab_wait(lab, ds_lab_joined, lab, 20000));
        door.v = &lab->v;
        door.addr = lab->ds_addr;
        door.rpc = lab->ds->workers[0]->rpc;
        door.pool = lab->ds->workers[0]->pool;
        return 0;
}

int door_of_ds_stop(void **state)
{
        (void)state;
        CHECK(bufpool_in_use_bytes(door.pool) == 0);
        ds_lab_stop(&door.ds);
        return 0;
}

static void load_conf(void)
{
        static const char exports[] = "exports:\n  - path: /\n    rules:\n      - clients: '*'\n"
                                      "        access: rw\n        squash: none\n";
        char text[512], error[256], path[] = "/tmp/door_lab.XXXXXX";
        int fd = mkstemp(path);

        CHECK(fd >= 0 && write(fd, exports, strlen(exports)) > 0);
        close(fd);
        snprintf(
                text, sizeof(text),
                "listen: 192.0.2.1:2049\ncontrol: 192.0.2.1:2050\nstore: memory\ncluster_key: none\nexports: %s\n"
                "limits:\n  memory: 64M\n",
                path);
        CHECK(mds_conf_load_text("mds", text, strlen(text), &door.conf, error, sizeof(error)) == 0);
        door.conf.limits.connections = DOOR_CONNECTIONS;
}

int door_of_mds(void **state)
{
        (void)state;
        log_open("lab", getenv("LAB_LOG") ? LOG_DEBUG : LOG_ERROR);
        door.v = &door.mds_v;
        virtual_env_init(door.v, 1);
        load_conf();
        door.store = store_memory_new(&door.v->env);
        door.mds = mds_start(&door.conf, &door.v->env, NULL, door.store);
        CHECK(door.mds != NULL);
        unlink(door.conf.exports_file.text);
        door.addr = door.conf.listen.items[0];
        door.rpc = door.mds->rpc;
        door.pool = door.mds->pool;
        return 0;
}

int door_of_mds_stop(void **state)
{
        (void)state;
        CHECK(bufpool_in_use_bytes(door.pool) == 0);
        mds_stop(door.mds);
        mds_conf_free(&door.conf);
        virtual_env_destroy(door.v);
        return 0;
}

void door_run_ms(uint64_t ms)
{
        virtual_env_run(door.v, ms * 1000000);
}

struct raw_peer *door_dial(void)
{
        struct stream *stream;

        CHECK(door.v->env.ops->connect(&door.v->env, &door.addr, &stream) == 0);
        return raw_peer_new(stream);
}

struct xdr_out door_begin(uint32_t xid, uint32_t prog, uint32_t vers, uint32_t proc,
                          const struct rpc_cred *cred)
{
        struct xdr_out x;

        xdr_out_init(&x, door_record, sizeof(door_record));
        rpc_put_call(&x, xid, prog, vers, proc, cred, "peer");
        return x;
}

void door_null(struct raw_peer *p, uint32_t xid, uint32_t fragment)
{
        struct xdr_out x = door_begin(xid, NFS4_PROGRAM, NFS4_VERSION, NFSPROC4_NULL, &door_nobody);

        raw_send_record(p, door_record, xdr_head_length(&x), fragment);
}

void door_exchange_id(struct raw_peer *p, uint32_t xid, const struct rpc_cred *cred, uint32_t minor,
                      uint32_t fragment)
{
        struct xdr_out x = door_begin(xid, NFS4_PROGRAM, NFS4_VERSION, NFSPROC4_COMPOUND, cred);

        xdr_put_string(&x, "tag");
        xdr_put_u32(&x, minor);
        xdr_put_u32(&x, 1);
        xdr_put_u32(&x, OP_EXCHANGE_ID);
        xdr_put_u64(&x, 1);
        xdr_put_string(&x, "owner");
        xdr_put_u32(&x, 0);
        xdr_put_u32(&x, SP4_NONE);
        xdr_put_u32(&x, 0);
        raw_send_record(p, door_record, xdr_head_length(&x), fragment);
}

void door_is_served(struct raw_peer *p)
{
        door_null(p, 4711, 0);
        door_run_ms(10);
        raw_expect(p, 4711, RPC_SUCCESS);
}
