/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/ctl_client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/sha256.h"
#include "ds/ctl_serve.h"
#include "ds/health.h"
#include "ds/hello.h"
#include "ds/tier/tier.h"
#include "rpc/tls.h"

enum {
        CTL_POOL_BYTES = 64 * 1024 * 1024,
        CTL_SERVED_CALLS = 4096,
        FAREWELL_MS = 500,
        OTHER_CLUSTER_MS = 5000
};

struct ctl_client {
        struct ds *ds;
        struct bufpool *pool;
        struct rpc_server *rpc;
        struct rpc_program programs[2];
        struct tls_context *tls;
        struct conn *conn; /* NULL: none */
        struct timer redial, beat;
        uint32_t redial_ms, beat_ms, trust_ms;
        bool up, leaving, beating;
        struct rpc_req hello, heartbeat;
        uint64_t hello_sent_ns, beat_sent_ns;
        struct hello taking; /* what HELLO answered, on its way into the workers */
        uint32_t mds_boot;   /* of the MDS that knows what we announced; 0 = none */
        char problem[160];
        const char *nonsense; /* what ctl_client_nonsense() logged last */
        void (*left)(void *arg);
        void *left_arg;
};

bool ctl_client_up(const struct ctl_client *c)
{
        return c->up;
}

const char *ctl_client_problem(const struct ctl_client *c)
{
        return c->problem;
}

/* Log what is new only: a MDS that is away for a day is two lines. */
__attribute__((format(printf, 2, 3))) static void set_problem(struct ctl_client *c, const char *format, ...)
{
        char text[sizeof(c->problem)];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        if (strcmp(text, c->problem) != 0)
                log_warn("mds-away", "why=%s", text);
        memcpy(c->problem, text, sizeof(text));
}

void ctl_client_nonsense(struct ctl_client *c, const char *what)
{
        if (c->nonsense != what)
                log_warn("mds-makes-no-sense", "what=%s", what);
        c->nonsense = what;
}

/* --- calls */

int ctl_client_call(struct ctl_client *c, struct rpc_req *req, uint32_t proc, xdrproc_t args_xdr, void *args,
                    uint32_t timeout_ms)
{
        struct xdr_out *x = &req->out;
        int error;
        XDR xdr;

        if (!c->conn)
                return -ENOTCONN;
        error = rpc_req_begin(req, c->conn, NACRE_CTL_MDS, NACRE_CTL_MDS_V1, proc, NULL, false);
        if (error)
                return error;
        xdrmem_create(&xdr, (char *)x->p, xdr_room(x), XDR_ENCODE);
        CHECK(args_xdr(&xdr, args));
        x->p += xdr_getpos(&xdr);
        rpc_req_send(req, timeout_ms * 1000000ull);
        return 0;
}

bool ctl_decode(struct xdr_in *x, xdrproc_t proc, void *result)
{
        XDR xdr;

        xdrmem_create(&xdr, (char *)(uintptr_t)x->p, xdr_left(x), XDR_DECODE);
        return proc(&xdr, result);
}

/* --- the connection comes and goes */

static void dial(struct ctl_client *c);

static void redial_later(struct ctl_client *c)
{
        uint32_t jitter = (uint32_t)(env_random_u64(c->ds->env) % (c->redial_ms / 4 + 1));

        if (c->leaving || c->conn || c->ds->hello)
                return;
        timer_start(c->ds->env, &c->redial, (c->redial_ms + jitter) * 1000000ull);
        c->redial_ms *= 2;
        if (c->redial_ms > CTL_REDIAL_MOST_MS)
                c->redial_ms = CTL_REDIAL_MOST_MS;
}

static void on_redial(struct timer *t)
{
        dial(CONTAINER(t, struct ctl_client, redial));
}

static void on_close(void *arg, struct conn *conn)
{
        struct ctl_client *c = arg;

        if (c->conn != conn)
                return;
        c->conn = NULL;
        timer_stop(&c->beat);
        if (!c->leaving && (c->up || c->problem[0] == '\0'))
                set_problem(c, "the control connection broke");
        c->up = false;
        redial_later(c);
}

void ctl_client_reset(struct ctl_client *c, const char *why)
{
        if (!c->conn)
                return;
        set_problem(c, "%s", why);
        conn_close(c->conn);
}

/* --- HEARTBEAT */

static int send_beat(struct ctl_client *c, void (*done)(struct rpc_req *, enum rpc_result, struct xdr_in *),
                     uint32_t timeout_ms)
{
        ctl_heartbeat_args args = { .space = ds_space(c->ds) };
        int error;

        args.flags = ds_flags(c->ds, &args.space) | (c->leaving ? CTL_HB_LEAVING : 0u);
        c->beat_sent_ns = env_now(c->ds->env);
        c->heartbeat = (struct rpc_req){ .done = done };
        error = ctl_client_call(c, &c->heartbeat, CTL_HEARTBEAT, (xdrproc_t)xdr_ctl_heartbeat_args, &args,
                                timeout_ms);
        c->beating = error == 0;
        return error;
}

static void beat_answered(struct rpc_req *rpc, enum rpc_result result, struct xdr_in *results)
{
        struct ctl_client *c = CONTAINER(rpc, struct ctl_client, heartbeat);
        ctl_result res = { .status = CTL_INVAL };

        c->beating = false;
        if (result == RPC_LOST)
                return;
        if (result != RPC_DONE || !ctl_decode(results, (xdrproc_t)xdr_ctl_result, &res) ||
            res.status != CTL_OK)
                ctl_client_reset(c, res.status == CTL_UNKNOWN ? "the MDS wants HELLO again"
                                                              : "a heartbeat was not answered");
        else
                trust_extend(&c->ds->trust, c->beat_sent_ns, c->trust_ms);
}

static void on_beat(struct timer *t)
{
        struct ctl_client *c = CONTAINER(t, struct ctl_client, beat);

        timer_start(c->ds->env, &c->beat, c->beat_ms * 1000000ull);
        if (!c->beating)
                send_beat(c, beat_answered, c->trust_ms); /* answered later than that it is worth nothing */
}

/* --- HELLO */

/* Every worker has the fence table. */
static void taken(struct hello *h)
{
        struct ctl_client *c = CONTAINER(h, struct ctl_client, taking);
        const ctl_hello_ok *ok = &h->res.ctl_hello_res_u.ok;

        if (h->problem[0] != '\0')
                ctl_client_reset(c, h->problem);
        if (!c->conn) {
                if (h->problem[0] != '\0')
                        c->redial_ms = OTHER_CLUSTER_MS;
                hello_forget(h);
                redial_later(c);
                ctl_serve_go_on(c->ds);
                ds_stop_step(c->ds);
                return;
        }
        c->mds_boot = ok->mds_boot;
        c->trust_ms = ok->trust_ms;
        c->beat_ms = ok->heartbeat_ms > 0 ? ok->heartbeat_ms : 1;
        c->redial_ms = CTL_REDIAL_FIRST_MS;
        c->problem[0] = '\0';
        c->nonsense = NULL;
        c->up = true;
        log_info("joined", "server_id=%u mds_boot=%u floor=%u fences=%u", ok->server_id, ok->mds_boot,
                 ok->floor, ok->fences.fences_len);
        hello_forget(h);
        pusher_go(&c->ds->pusher);
        asker_go(&c->ds->asker);
        tier_asker_go(&c->ds->tier->asker);
        trust_extend(&c->ds->trust, c->hello_sent_ns, c->trust_ms);
        timer_start(c->ds->env, &c->beat, 0); /* at once: HELLO does not say whether the disk is full */
        ctl_serve_go_on(c->ds);
}

static void hello_answered(struct rpc_req *rpc, enum rpc_result result, struct xdr_in *results)
{
        struct ctl_client *c = CONTAINER(rpc, struct ctl_client, hello);
        struct hello *h = &c->taking;

        if (result == RPC_LOST)
                return;
        memset(&h->res, 0, sizeof(h->res));
        if (result != RPC_DONE || !ctl_decode(results, (xdrproc_t)xdr_ctl_hello_res, &h->res)) {
                hello_forget(h);
                ctl_client_reset(c, "HELLO was not answered");
        } else if (h->res.status != CTL_OK) {
                ctl_client_reset(c, hello_refusal(h->res.status));
        } else {
                h->done = taken;
                h->forget_announced = h->res.ctl_hello_res_u.ok.mds_boot != c->mds_boot;
                hello_take(h, c->ds);
        }
}

static void say_hello(struct ctl_client *c)
{
        struct hello_words words;
        ctl_hello_args args;

        hello_say(c->ds, &words, &args);
        c->hello = (struct rpc_req){ .done = hello_answered };
        c->hello_sent_ns = env_now(c->ds->env);
        if (ctl_client_call(c, &c->hello, CTL_HELLO, (xdrproc_t)xdr_ctl_hello_args, &args,
                            CTL_HELLO_TIMEOUT_MS) < 0)
                ctl_client_reset(c, "no memory to say HELLO");
}

static void dial(struct ctl_client *c)
{
        struct env *env = c->ds->env;
        char text[NETADDR_TEXT];
        struct stream *stream;
        int error = env->ops->connect(env, &c->ds->conf->mds, &stream);

        if (c->problem[0] == '\0' || error)
                set_problem(c, "no connection to the MDS at %s", netaddr_format(&c->ds->conf->mds, text));
        if (!error)
                stream = tls_stream_new(c->tls, stream, false);
        c->conn = error || !stream ? NULL : rpc_server_adopt(c->rpc, stream);
        if (!c->conn) {
                redial_later(c);
                return;
        }
        conn_on_close(c->conn, on_close, c);
        say_hello(c);
}

/* --- birth and death */

static bool start(struct ctl_client *c)
{
        const struct rpc_limits limits = { .max_connections = 4,
                                           .max_calls = CTL_SERVED_CALLS,
                                           .max_calls_per_conn = CTL_SERVED_CALLS,
                                           .max_record = CTL_RECORD_MAX,
                                           .stall_ms = CTL_CALL_TIMEOUT_MS,
                                           .max_reply_bytes = CTL_POOL_BYTES / 2 };
        uint8_t key[32];

        key_derive(c->ds->conf->cluster_key, "ctl", key, sizeof(key));
        c->tls = tls_context_new(c->ds->env, key);
        explicit_bzero(key, sizeof(key));
        c->pool = bufpool_new(CTL_POOL_BYTES);
        if (!c->tls || !c->pool)
                return false;
        c->programs[0] = ctl_serve_program(c->ds);
        c->rpc = rpc_server_new(c->ds->env, c->pool, c->programs, &limits);
        return c->rpc != NULL;
}

struct ctl_client *ctl_client_new(struct ds *ds)
{
        struct ctl_client *c = calloc(1, sizeof(*c));

        if (!c)
                return NULL;
        c->ds = ds;
        c->redial.fire = on_redial;
        c->beat.fire = on_beat;
        c->redial_ms = CTL_REDIAL_FIRST_MS;
        if (!start(c)) {
                ctl_client_free(c);
                return NULL;
        }
        timer_start(ds->env, &c->redial, 1);
        return c;
}

static void farewell_done(struct rpc_req *rpc, enum rpc_result result, struct xdr_in *results)
{
        struct ctl_client *c = CONTAINER(rpc, struct ctl_client, heartbeat);

        (void)result, (void)results;
        c->beating = false;
        if (c->conn)
                conn_close(c->conn);
        c->left(c->left_arg);
}

void ctl_client_leave(struct ctl_client *c, void (*done)(void *arg), void *arg)
{
        c->leaving = true;
        c->left = done;
        c->left_arg = arg;
        timer_stop(&c->redial);
        timer_stop(&c->beat);
        if (c->beating)
                rpc_req_cancel(&c->heartbeat);
        if (!c->up || send_beat(c, farewell_done, FAREWELL_MS) < 0) {
                if (c->conn)
                        conn_close(c->conn);
                done(arg);
        }
}

void ctl_client_free(struct ctl_client *c)
{
        if (!c)
                return;
        timer_stop(&c->redial);
        timer_stop(&c->beat);
        rpc_server_free(c->rpc);
        tls_context_free(c->tls);
        bufpool_free(c->pool);
        free(c);
}
