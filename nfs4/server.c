/* SPDX-License-Identifier: Apache-2.0 */
#include "nfs4/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const op_names[NFS4_OP_LIMIT] = {
#define OP(number, NAME, name, minor) [number] = #NAME,
#include "include/nfs4_ops.def"
};

static const char *const op_labels[NFS4_OP_LIMIT] = {
        [0] = "op=\"illegal\"",
#define OP(number, NAME, name, minor) [number] = "op=\"" #name "\"",
#include "include/nfs4_ops.def"
};

const char *nfs4_op_name(uint32_t opnum)
{
        return opnum < NFS4_OP_LIMIT && op_names[opnum] ? op_names[opnum] : "ILLEGAL";
}

static const struct {
        enum nfsstat4 status;
        const char *name;
} status_names[] = {
        { NFS4_OK, "NFS4_OK" },
#define STATUS(number, name) { NFS4ERR_##name, "NFS4ERR_" #name },
#include "include/nfs4_status.def"
};

const char *nfs4_status_name(enum nfsstat4 status)
{
        for (size_t i = 0; i < sizeof(status_names) / sizeof(*status_names); i++)
                if (status_names[i].status == status)
                        return status_names[i].name;
        return "unknown status";
}

enum nfsstat4 nfs4_status_from_errno(int error)
{
        switch (error < 0 ? -error : error) {
        case 0: return NFS4_OK;
        case ENOENT: return NFS4ERR_NOENT;
        case EIO: return NFS4ERR_IO;
        case EEXIST: return NFS4ERR_EXIST;
        case ENOSPC: return NFS4ERR_NOSPC;
        case EDQUOT: return NFS4ERR_DQUOT;
        case EFBIG: return NFS4ERR_FBIG;
        case EROFS: return NFS4ERR_ROFS;
        case ENAMETOOLONG: return NFS4ERR_NAMETOOLONG;
        case ENOTEMPTY: return NFS4ERR_NOTEMPTY;
        case EACCES: return NFS4ERR_ACCESS;
        case ENOMEM:
        case EAGAIN: return NFS4ERR_DELAY;
        default: return NFS4ERR_SERVERFAULT;
        }
}

static void register_op(struct nfs4_server *s, struct metrics *metrics, uint32_t opnum)
{
        struct nfs4_op_metrics *m = &s->op_metrics[opnum];

        metric_counter(metrics, &m->calls, "nacre_nfs_operations_total", "NFSv4 operations executed");
        m->calls.labels = op_labels[opnum];
        metric_counter(metrics, &m->errors, "nacre_nfs_operation_errors_total",
                       "NFSv4 operations that ended with an error");
        m->errors.labels = op_labels[opnum];
        m->latency = (struct histogram){ .name = "nacre_nfs_operation_seconds",
                                         .help = "Time from decoding an operation to encoding its result",
                                         .labels = op_labels[opnum] };
        histogram_register(metrics, &m->latency);
}

static void register_metrics(struct nfs4_server *s, struct metrics *metrics)
{
        metric_counter(metrics, &s->bytes_in, "nacre_nfs_received_bytes_total",
                       "Bytes of COMPOUND arguments received");
        metric_counter(metrics, &s->bytes_out, "nacre_nfs_sent_bytes_total",
                       "Bytes of COMPOUND results sent");
        metric_counter(metrics, &s->replays, "nacre_nfs_replays_total",
                       "Requests answered from the replay cache");
        metric_counter(metrics, &s->clients_refused, "nacre_clients_refused_total",
                       "EXCHANGE_IDs answered NFS4ERR_DELAY at the limit");
        metric_counter(metrics, &s->sessions_refused, "nacre_sessions_refused_total",
                       "CREATE_SESSIONs answered NFS4ERR_DELAY or NOSPC at a limit");
        for (uint32_t i = 0; i < NFS4_OP_LIMIT; i++)
                if (i == 0 || s->ops[i])
                        register_op(s, metrics, i);
}

int nfs4_server_init(struct nfs4_server *s, struct metrics *metrics)
{
        if (s->limits.clients == 0)
                s->limits.clients = 65536;
        if (s->limits.sessions == 0)
                s->limits.sessions = 2 * s->limits.clients;
        if (s->limits.sessions_per_client == 0)
                s->limits.sessions_per_client = SESSIONS_PER_CLIENT;
        if (s->limits.slots_per_session == 0 || s->limits.slots_per_session > SESSION_MAX_SLOTS)
                s->limits.slots_per_session = SESSION_MAX_SLOTS;
        s->op_metrics = calloc(NFS4_OP_LIMIT, sizeof(*s->op_metrics));
        if (!s->op_metrics)
                return -ENOMEM;
        register_metrics(s, metrics);
        if (clients_init(s) < 0) {
                nfs4_server_destroy(s);
                return -ENOMEM;
        }
        return 0;
}

void nfs4_server_destroy(struct nfs4_server *s)
{
        clients_destroy(s);
        free(s->op_metrics);
        s->op_metrics = NULL;
}

struct rpc_program nfs4_rpc_program(struct nfs4_server *s)
{
        return (struct rpc_program){ .prog = NFS4_PROGRAM,
                                     .vers = NFS4_VERSION,
                                     .call_bytes = sizeof(struct compound),
                                     .dispatch = compound_dispatch,
                                     .conn_closed = sessions_conn_closed,
                                     .service = s };
}
