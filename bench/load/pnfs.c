/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts and devices, as a client reads them: RFC 8881 §13.2, §13.3, §18.43, §18.40. */
#include <stdio.h>

#include "bench/load/load.h"
#include "nfs4/server.h"

static bool refuse(struct load *l, const char *why)
{
        snprintf(l->problem, sizeof(l->problem), "a layout that we cannot use: %s", why);
        return false;
}

static uint32_t add_address(struct load *l, const struct netaddr *addr)
{
        for (uint32_t i = 0; i < l->addr_count; i++)
                if (netaddr_equal(&l->addrs[i], addr))
                        return i;
        CHECK(l->addr_count < LOAD_MAX_SERVERS);
        l->addrs[l->addr_count] = *addr;
        return l->addr_count++;
}

/* multipath_list4: the first address. */
static bool take_server(struct load *l, struct xdr_in *x, uint32_t *ret)
{
        uint32_t count = xdr_get_count(x, 256, 8);
        char netid[16], text[NETADDR_TEXT];
        struct netaddr addr = { 0 };
        bool found = false;

        for (uint32_t i = 0; i < count && !x->bad; i++) {
                struct slice id = xdr_get_opaque(x, sizeof(netid) - 1),
                             uaddr = xdr_get_opaque(x, sizeof(text) - 1);

                if (x->bad || found)
                        continue;
                snprintf(netid, sizeof(netid), "%.*s", (int)id.length, (const char *)id.data);
                snprintf(text, sizeof(text), "%.*s", (int)uaddr.length, (const char *)uaddr.data);
                found = netaddr_from_universal(netid, text, &addr) == 0;
        }
        if (found)
                *ret = add_address(l, &addr);
        return found;
}

/* nfsv4_1_file_layout_ds_addr4. */
static bool take_device(struct load *l, struct xdr_in *x, struct load_device *d)
{
        uint32_t indices[LOAD_MAX_SERVERS], servers[LOAD_MAX_SERVERS], server_count;

        d->width = xdr_get_count(x, LOAD_MAX_SERVERS, 4);
        for (uint32_t i = 0; i < d->width; i++)
                indices[i] = xdr_get_u32(x);
        server_count = xdr_get_count(x, LOAD_MAX_SERVERS, 4);
        for (uint32_t i = 0; i < server_count; i++)
                if (!take_server(l, x, &servers[i]))
                        return refuse(l, "an address");
        for (uint32_t i = 0; i < d->width; i++) {
                if (indices[i] >= server_count)
                        return refuse(l, "a stripe index");
                d->servers[i] = servers[indices[i]];
        }
        return !x->bad && d->width > 0;
}

static const struct load_device *find_device(struct load *l, const uint8_t id[NFS4_DEVICEID_SIZE])
{
        struct load_device *d = l->devices;
        struct load_call k;
        struct load_ops *o;
        struct slice body;
        struct xdr_in x;

        for (uint32_t i = 0; i < l->device_count; i++, d++)
                if (memcmp(d->id, id, NFS4_DEVICEID_SIZE) == 0)
                        return d;
        if (l->device_count == LOAD_MAX_DEVICES)
                return NULL;
        o = load_begin(&k, l);
        put_op(o, OP_GETDEVICEINFO);
        xdr_put_fixed(o->x, id, NFS4_DEVICEID_SIZE);
        xdr_put_u32(o->x, LAYOUT4_NFSV4_1_FILES);
        xdr_put_u32(o->x, 8192);
        xdr_put_u32(o->x, 0); /* no notifications */
        if (load_run(&k, l->clients[0].mds) != NFS4_OK || peer_result(&k.in, OP_GETDEVICEINFO) != NFS4_OK)
                return NULL;
        xdr_get_u32(&k.in); /* layout type */
        body = xdr_get_opaque(&k.in, 8192);
        x = xdr_in_of(body);
        memcpy(d->id, id, NFS4_DEVICEID_SIZE);
        if (k.in.bad || !take_device(l, &x, d))
                return NULL;
        l->device_count++;
        return d;
}

/* nfsv4_1_file_layout4: sparse, one handle for all data servers or the same one repeated. */
static bool take_body(struct load *l, struct xdr_in *x, struct load_file *f)
{
        uint8_t id[NFS4_DEVICEID_SIZE];
        uint32_t util, first, count;
        uint64_t pattern_offset;

        xdr_get_fixed(x, id, sizeof(id));
        util = xdr_get_u32(x);
        first = xdr_get_u32(x);
        pattern_offset = xdr_get_u64(x);
        count = xdr_get_count(x, 4096, 4);
        for (uint32_t i = 0; i < count; i++) {
                struct slice fh = xdr_get_opaque(x, NFS4_FHSIZE);

                if (i > 0 && !slice_equal(fh, slice_of(f->ds_fh.bytes, f->ds_fh.length)))
                        return refuse(l, "handles that differ");
                f->ds_fh.length = fh.length;
                if (fh.length > 0)
                        memcpy(f->ds_fh.bytes, fh.data, fh.length);
        }
        if (x->bad || count == 0 || pattern_offset != 0 ||
            util & (NFL4_UFLG_DENSE | NFL4_UFLG_COMMIT_THRU_MDS))
                return refuse(l, "its form");
        f->device = find_device(l, id);
        if (!f->device)
                return refuse(l, "its device");
        f->stripe = (struct stripe){ .unit = util & ~0x3fu, .width = f->device->width, .first = first };
        if (f->stripe.unit == 0 || f->stripe.unit % l->o.block != 0 || first >= f->stripe.width)
                return refuse(l, "the block does not divide the stripe unit");
        return true;
}

bool load_take_layout(struct load *l, struct xdr_in *x, struct load_file *f)
{
        struct xdr_in body;

        if (peer_result(x, OP_LAYOUTGET) != NFS4_OK)
                return refuse(l, "refused");
        f->return_on_close = xdr_get_bool(x);
        get_stateid(x, &f->layout);
        if (xdr_get_u32(x) == 0)
                return refuse(l, "empty");
        xdr_get_bytes(x, 8 + 8 + 4); /* offset, length, iomode */
        if (xdr_get_u32(x) != LAYOUT4_NFSV4_1_FILES)
                return refuse(l, "its type");
        body = xdr_in_of(xdr_get_opaque(x, 8192));
        return !x->bad && take_body(l, &body, f);
}
