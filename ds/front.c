/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/front.h"

#include "base/log.h"
#include "base/siphash.h"
#include "ds/ds.h"

static void arrived(void *arg, struct stream *stream)
{
        struct worker *w = arg;

        rpc_server_accept(w->rpc, stream);
}

static struct worker *worker_for(const struct ds *ds, const struct netaddr *peer)
{
        static const uint8_t key[16] = "nacre-ds workers"; /* nothing to hide: it only spreads */

        return ds->workers[siphash(peer->bytes, sizeof(peer->bytes), key) % ds->worker_count];
}

static void deal(struct front *f, struct stream *stream)
{
        struct worker *w = worker_for(f->ds, &stream->peer);

        if (w == f->ds->workers[0])
                arrived(w, stream);
        else
                loop_stream_move(stream, w->loop, arrived, w);
}

static void on_accept(void *arg, struct stream *stream)
{
        struct front *f = arg;

        if (f->serving)
                deal(f, stream);
        else if (f->waiting_count < FRONT_WAITING)
                f->waiting[f->waiting_count++] = stream;
        else
                stream->ops->close(stream);
}

int front_listen(struct front *f, struct netaddr *ret_bad)
{
        struct env *env = f->ds->env;

        for (; f->listening < f->count; f->listening++) {
                unsigned i = f->listening;
                int error = env->ops->listen(env, &f->addrs[i], on_accept, f, &f->listeners[i]);

                if (error) {
                        *ret_bad = f->addrs[i];
                        return error;
                }
                if (f->addrs[i].port == 0 && f->ds->loop)
                        f->addrs[i] = loop_listener_address(f->listeners[i]);
        }
        return 0;
}

void front_serve(struct front *f)
{
        f->serving = true;
        for (unsigned i = 0; i < f->waiting_count; i++)
                deal(f, f->waiting[i]);
        f->waiting_count = 0;
}

void front_close(struct front *f)
{
        while (f->listening > 0)
                f->ds->env->ops->unlisten(f->ds->env, f->listeners[--f->listening]);
        for (unsigned i = 0; i < f->waiting_count; i++)
                f->waiting[i]->ops->close(f->waiting[i]);
        f->waiting_count = 0;
}
