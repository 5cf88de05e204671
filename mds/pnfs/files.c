/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/pnfs/files.h"

#include "base/siphash.h"

enum { ADDR_BYTES = 60 /* of one netaddr4, at most */ };

static uint16_t address_hash(const struct fleet *f, uint16_t pool, uint8_t start, uint16_t width)
{
        static const uint8_t key[16] = { 0 };
        uint64_t h = 0;

        for (uint32_t i = 0; i < width; i++) {
                const struct server *s = fleet_device_server(f, pool, start, width, i);

                for (uint32_t a = 0; s && a < s->addr_count; a++) {
                        struct {
                                uint64_t before;
                                uint8_t bytes[16];
                                uint16_t port;
                                uint8_t family;
                        } one = { .before = h };

                        memcpy(one.bytes, s->addrs[a].bytes, 16);
                        one.port = s->addrs[a].port;
                        one.family = s->addrs[a].family;
                        h = siphash(&one, offsetof(__typeof__(one), family) + 1, key);
                }
        }
        return (uint16_t)h;
}

void device_id(const struct fleet *f, uint16_t pool, uint8_t start, uint16_t width,
               uint8_t out[NFS4_DEVICEID_SIZE])
{
        uint16_t hash = htobe16(address_hash(f, pool, start, width));

        memcpy(out, meta_fsid(f->mds->meta), 8);
        pool = htobe16(pool);
        memcpy(out + 8, &pool, 2);
        out[10] = start;
        out[11] = 0;
        width = htobe16(width);
        memcpy(out + 12, &width, 2);
        memcpy(out + 14, &hash, 2);
}

bool device_parse(const struct fleet *f, const uint8_t id[NFS4_DEVICEID_SIZE], uint16_t *ret_pool,
                  uint8_t *ret_start, uint16_t *ret_width)
{
        uint8_t now[NFS4_DEVICEID_SIZE];
        uint16_t pool, width;

        memcpy(&pool, id + 8, 2);
        memcpy(&width, id + 12, 2);
        pool = be16toh(pool);
        width = be16toh(width);
        if (width == 0 || width > DEVICE_WIDTH_MAX || !fleet_device_server(f, pool, id[10], width, 0))
                return false;
        device_id(f, pool, id[10], width, now);
        if (memcmp(now, id, NFS4_DEVICEID_SIZE) != 0)
                return false;
        *ret_pool = pool;
        *ret_start = id[10];
        *ret_width = width;
        return true;
}

uint32_t device_addr(const struct fleet *f, uint16_t pool, uint8_t start, uint16_t width, uint8_t *out,
                     uint32_t capacity)
{
        struct xdr_out x;
        char text[NETADDR_TEXT];
        uint32_t most = (capacity - 8 - 8u * width) / (width * ADDR_BYTES);

        xdr_out_init(&x, out, capacity);
        xdr_put_u32(&x, width);
        for (uint32_t i = 0; i < width; i++)
                xdr_put_u32(&x, i);
        xdr_put_u32(&x, width);
        for (uint32_t i = 0; i < width; i++) {
                const struct server *s = fleet_device_server(f, pool, start, width, i);
                uint32_t count = !s ? 0 : s->addr_count < most ? s->addr_count : most;

                xdr_put_u32(&x, count);
                for (uint32_t a = 0; a < count; a++) {
                        xdr_put_string(&x, netaddr_netid(&s->addrs[a]));
                        xdr_put_string(&x, netaddr_universal(&s->addrs[a], text));
                }
        }
        return x.full ? 0 : xdr_head_length(&x);
}

uint32_t files_layout(const struct fleet *f, const struct inode *file, const struct fh *handle,
                      const uint8_t key[16], uint8_t *out, uint32_t capacity)
{
        struct xdr_out x;
        uint8_t id[NFS4_DEVICEID_SIZE], bytes[FH_BYTES];

        xdr_out_init(&x, out, capacity);
        device_id(f, file->pool, file->start, file->width, id);
        fh_encode(handle, key, bytes);
        xdr_put_fixed(&x, id, sizeof(id));
        xdr_put_u32(&x, file->unit); /* nfl_util: neither DENSE nor COMMIT_THRU_MDS */
        xdr_put_u32(&x, file->first);
        xdr_put_u64(&x, 0); /* pattern offset */
        xdr_put_u32(&x, file->width);
        for (uint32_t i = 0; i < file->width; i++)
                xdr_put_opaque(&x, bytes, FH_BYTES);
        CHECK(!x.full);
        return xdr_head_length(&x);
}
