/* SPDX-License-Identifier: Apache-2.0 */
/* EXCHANGE_ID, RFC 8881 §18.35: who the client is.
 *
 * The RFC has nine cases, by: is there a confirmed record of this co_ownerid, does the verifier match, does
 * the principal match, is it an update. We: just that. An unconfirmed record is always replaced, under a new
 * client id (case 4): two clients of one name must not get one session between them. State protection:
 * whatever is asked, SP4_NONE is answered (SP4_SSV is refused). Flags tell the role: MDS or DS, never an
 * echo. */
#include "base/log.h"
#include "nfs4/codec.h"
#include "nfs4/ops.h"
#include "nfs4/server.h"

struct exchange_id_args {
        uint8_t verifier[NFS4_VERIFIER_SIZE];
        struct slice owner;
        uint32_t flags, protection;
        bool flags_bad;
};
struct exchange_id_res {
        uint64_t clientid;
        uint32_t seqid, flags;
};

enum {
        KNOWN_FLAGS = EXCHGID4_FLAG_SUPP_MOVED_REFER | EXCHGID4_FLAG_SUPP_MOVED_MIGR |
                      EXCHGID4_FLAG_BIND_PRINC_STATEID | EXCHGID4_FLAG_MASK_PNFS |
                      EXCHGID4_FLAG_UPD_CONFIRMED_REC_A,
        KNOWN_FLAGS_4_2 = KNOWN_FLAGS | EXCHGID4_FLAG_SUPP_FENCE_OPS, /* RFC 7862 §14.1 */
};

static void skip_bitmap(struct xdr_in *x)
{
        uint32_t words = xdr_get_count(x, 64, 4);

        xdr_get_bytes(x, words * 4);
}

static void skip_algorithms(struct xdr_in *x)
{
        uint32_t count = xdr_get_count(x, 64, 4);

        for (uint32_t i = 0; i < count && !x->bad; i++)
                xdr_get_opaque(x, NFS4_OPAQUE_LIMIT);
}

static void skip_protection(struct xdr_in *x, uint32_t how)
{
        if (how == SP4_NONE)
                return;
        if (how > SP4_SSV) {
                x->bad = true;
                return;
        }
        skip_bitmap(x);
        skip_bitmap(x);
        if (how == SP4_SSV) {
                skip_algorithms(x);
                skip_algorithms(x);
                xdr_get_u32(x); /* window */
                xdr_get_u32(x); /* gss handles */
        }
}

static void decode(struct compound *c, struct xdr_in *x)
{
        struct exchange_id_args *a = OP_ARGS(c, struct exchange_id_args);
        uint32_t impl_ids;

        xdr_get_fixed(x, a->verifier, sizeof(a->verifier));
        a->owner = xdr_get_opaque(x, NFS4_OPAQUE_LIMIT);
        a->flags = xdr_get_u32(x);
        a->protection = xdr_get_u32(x);
        skip_protection(x, a->protection);
        impl_ids = xdr_get_u32(x);
        if (impl_ids > 1)
                x->bad = true;
        if (impl_ids == 1) {
                xdr_get_opaque(x, NFS4_OPAQUE_LIMIT);
                xdr_get_opaque(x, NFS4_OPAQUE_LIMIT);
                xdr_get_u64(x);
                xdr_get_u32(x);
        }
        a->flags_bad = (a->flags & ~(uint32_t)(c->minor == 1 ? KNOWN_FLAGS : KNOWN_FLAGS_4_2)) != 0;
}

static bool same_principal(const struct compound *c, const struct client *client)
{
        return compound_cred(c)->flavor == client->flavor && compound_cred(c)->uid == client->uid;
}

static bool same_verifier(const struct exchange_id_args *a, const struct client *client)
{
        return memcmp(a->verifier, client->verifier, NFS4_VERIFIER_SIZE) == 0;
}

static enum nfsstat4 answer(struct compound *c, const struct client *client)
{
        struct exchange_id_res *r = OP_RES(c, struct exchange_id_res);

        r->clientid = client->clientid;
        r->seqid = client->create_seqid;
        r->flags = c->server->role_flags | (client->confirmed ? EXCHGID4_FLAG_CONFIRMED_R : 0);
        return NFS4_OK;
}

/* Cases 6 to 9: EXCHGID4_FLAG_UPD_CONFIRMED_REC_A. */
static enum nfsstat4 update(struct compound *c, const struct exchange_id_args *a,
                            const struct client *confirmed)
{
        if (!confirmed)
                return NFS4ERR_NOENT;
        if (!same_verifier(a, confirmed))
                return NFS4ERR_NOT_SAME;
        if (!same_principal(c, confirmed))
                return NFS4ERR_PERM;
        return answer(c, confirmed);
}

/* Case 3: another principal asks for an owner that is taken. */
static bool may_take_over(struct compound *c, const struct client *confirmed)
{
        const struct nfs4_hooks *hooks = c->server->hooks;

        if (client_busy(confirmed))
                return false;
        return client_lapsed(c->server, confirmed) ||
               (list_empty(&confirmed->sessions) &&
                !(hooks->client_has_state && hooks->client_has_state(c->server, confirmed)));
}

static enum nfsstat4 execute(struct compound *c)
{
        const struct exchange_id_args *a = OP_ARGS(c, struct exchange_id_args);
        struct nfs4_server *s = c->server;
        struct client *confirmed, *unconfirmed;

        if (a->flags_bad)
                return NFS4ERR_INVAL;
        if (a->protection == SP4_SSV)
                return NFS4ERR_ENCR_ALG_UNSUPP;
        confirmed = client_by_owner(s, a->owner, true);
        if (a->flags & EXCHGID4_FLAG_UPD_CONFIRMED_REC_A)
                return update(c, a, confirmed);
        if (confirmed && !same_principal(c, confirmed)) {
                if (!may_take_over(c, confirmed))
                        return NFS4ERR_CLID_INUSE;
                client_destroy(s, confirmed);
                confirmed = NULL;
        }
        if (confirmed && same_verifier(a, confirmed))
                return answer(c, confirmed); /* case 2 */
        unconfirmed = client_by_owner(s, a->owner, false);
        if (unconfirmed)
                client_destroy(s, unconfirmed);                /* case 4 */
        unconfirmed = client_new(s, a->owner, a->verifier, c); /* cases 1 and 5 */
        return unconfirmed ? answer(c, unconfirmed) : NFS4ERR_DELAY;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct exchange_id_res *r = OP_RES(c, struct exchange_id_res);
        const struct nfs4_server *s = c->server;

        (void)status;
        xdr_put_u64(x, r->clientid);
        xdr_put_u32(x, r->seqid);
        xdr_put_u32(x, r->flags);
        xdr_put_u32(x, SP4_NONE);
        xdr_put_u64(x, 0); /* so_minor_id */
        xdr_put_string(x, s->owner_major);
        xdr_put_string(x, s->scope);
        xdr_put_u32(x, 1); /* one implementation id */
        xdr_put_string(x, "nacre");
        xdr_put_string(x, "Nacre");
        xdr_put_u64(x, 0);
        xdr_put_u32(x, 0);
}

const struct nfs4_op op_exchange_id = {
        .name = "EXCHANGE_ID",
        .flags = OP_NO_SEQUENCE | OP_SOLE | OP_MUTATES,
        .reply_max = 256,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
