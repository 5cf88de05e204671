/* SPDX-License-Identifier: Apache-2.0 */
/* Which rule holds for a client. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "mds/ns/export.h"

enum { HOST_LIMIT = 255 };
static const char allowed_clients[] =
        "an address, a network like 192.0.2.0/24 or 2001:db8::/32, a host name like *.lab.example, or \"*\"";

const struct export_rule export_undecided;

static bool is_mapped(const struct netaddr *a)
{
        static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

        return a->family == 6 && memcmp(a->bytes, prefix, sizeof prefix) == 0;
}

/* ::ffff:192.0.2.1 is how a socket for both families tells of an IPv4 client (RFC 4291 §2.5.5.2). */
static struct netaddr unmapped(const struct netaddr *a)
{
        struct netaddr v4 = { .family = 4, .port = a->port };

        if (!is_mapped(a))
                return *a;
        memcpy(v4.bytes, a->bytes + 12, 4);
        return v4;
}

static bool bit(const uint8_t *bytes, unsigned i)
{
        return (bytes[i / 8] >> (7 - i % 8) & 1) != 0;
}

/* "24" -> 24; at most LIMIT. */
static bool parse_prefix(const char *text, unsigned limit, unsigned *ret)
{
        size_t digits = strspn(text, "0123456789");

        if (digits == 0 || digits > 3 || text[digits] != '\0')
                return false;
        *ret = (unsigned)atoi(text);
        return *ret <= limit;
}

static const char *parse_net(const char *text, struct export_client *ret)
{
        const char *slash = strchr(text, '/');
        struct export_client c = { .kind = CLIENT_NET };
        char address[NETADDR_TEXT];
        unsigned bits;

        if (snprintf(address, sizeof address, "%.*s", slash ? (int)(slash - text) : NETADDR_TEXT, text) >=
            NETADDR_TEXT)
                return allowed_clients;
        /* A port, or brackets that would hold one apart, has no place here. */
        if (strchr(address, '[') || (strchr(address, '.') && strchr(address, ':')) ||
            netaddr_parse(address, 0, &c.net) < 0)
                return allowed_clients;
        bits = c.net.family == 4 ? 32 : 128;
        c.prefix = bits;
        if (slash && !parse_prefix(slash + 1, bits, &c.prefix))
                return c.net.family == 4 ? "a prefix from /0 to /32" : "a prefix from /0 to /128";
        for (unsigned i = c.prefix; i < bits; i++)
                if (bit(c.net.bytes, i))
                        return "a network whose bits behind the prefix are 0";
        if (is_mapped(&c.net))
                return "the IPv4 form of this address";
        *ret = c;
        return NULL;
}

/* Letters, digits, '-', '_', the wildcards, dots between; the last label must hold a letter, or it was meant
 * to be an address (192.0.2.300, 192.0.2.*). */
static bool is_host(const char *text)
{
        const char *last = strrchr(text, '.');

        if (strlen(text) > HOST_LIMIT || *text == '.' || strstr(text, ".."))
                return false;
        for (const char *c = text; *c; c++)
                if (!isalnum((unsigned char)*c) && !strchr("-_*?.", *c))
                        return false;
        for (const char *c = last ? last + 1 : text; *c; c++)
                if (isalpha((unsigned char)*c))
                        return true;
        return false;
}

const char *export_client_parse(const char *text, struct export_client *ret)
{
        if (strcmp(text, "*") == 0) {
                *ret = (struct export_client){ .kind = CLIENT_ANY };
                return NULL;
        }
        if (!is_host(text))
                return parse_net(text, ret);
        *ret = (struct export_client){ .kind = CLIENT_HOST, .host = strdup(text) };
        CHECK(ret->host != NULL);
        return NULL;
}

/* Does NAME fit PATTERN, where '?' is one character and '*' any number of characters of one label? Linear
 * with one place to go back to: a later '*' makes an earlier one's choice final. */
static bool host_matches(const char *pattern, const char *name)
{
        const char *star = NULL, *retry = NULL;

        while (*name) {
                if (*pattern == '*') {
                        star = ++pattern;
                        retry = name;
                } else if (*pattern == '?'
                                   ? *name != '.'
                                   : tolower((unsigned char)*pattern) == tolower((unsigned char)*name)) {
                        pattern++;
                        name++;
                } else if (star && *retry != '.') {
                        pattern = star;
                        name = ++retry;
                } else {
                        return false;
                }
        }
        while (*pattern == '*')
                pattern++;
        return *pattern == '\0';
}

static bool net_matches(const struct export_client *c, const struct netaddr *client)
{
        unsigned bytes = c->prefix / 8, rest = c->prefix % 8;
        struct netaddr plain = unmapped(client);

        if (c->net.family != plain.family || memcmp(c->net.bytes, plain.bytes, bytes) != 0)
                return false;
        return rest == 0 || (c->net.bytes[bytes] ^ plain.bytes[bytes]) >> (8 - rest) == 0;
}

bool export_client_matches(const struct export_client *c, const struct netaddr *client, const char *name)
{
        switch (c->kind) {
        case CLIENT_ANY: return true;
        case CLIENT_NET: return net_matches(c, client);
        case CLIENT_HOST: return name && *name && host_matches(c->host, name);
        }
        return false;
}

enum verdict { NO, YES, UNDECIDED };

/* Addresses first: a name is only asked for when nothing else decides. */
static enum verdict rule_names(const struct export_rule *rule, const struct netaddr *client,
                               struct export_names *names)
{
        bool has_host = false;
        const char *name;

        for (unsigned i = 0; i < rule->client_count; i++) {
                has_host |= rule->clients[i].kind == CLIENT_HOST;
                if (export_client_matches(&rule->clients[i], client, NULL))
                        return YES;
        }
        if (!has_host || !names)
                return NO;
        name = names->name_of(names, client);
        if (!name)
                return UNDECIDED;
        for (unsigned i = 0; i < rule->client_count; i++)
                if (export_client_matches(&rule->clients[i], client, name))
                        return YES;
        return NO;
}

const struct export_rule *export_match(const struct exports *set, uint16_t export_id,
                                       const struct netaddr *client, uint32_t flavour,
                                       struct export_names *names)
{
        const struct export *e = export_by_id(set, export_id);

        if (!e || flavour >= 32)
                return NULL;
        for (unsigned i = 0; i < e->rule_count; i++) {
                enum verdict v;

                if ((e->rules[i].flavours >> flavour & 1) == 0)
                        continue;
                v = rule_names(&e->rules[i], client, names);
                if (v != NO)
                        return v == YES ? &e->rules[i] : &export_undecided;
        }
        return NULL;
}

uint32_t export_flavours(const struct exports *set, uint16_t export_id, const struct netaddr *client,
                         struct export_names *names)
{
        const struct export *e = export_by_id(set, export_id);
        uint32_t flavours = 0;

        if (!e)
                return 0;
        for (unsigned i = 0; i < e->rule_count; i++)
                if (rule_names(&e->rules[i], client, names) == YES)
                        flavours |= e->rules[i].flavours;
        return flavours;
}

const struct export *export_by_id(const struct exports *set, uint16_t id)
{
        for (unsigned i = 0; i < set->count; i++)
                if (set->items[i].id == id)
                        return &set->items[i];
        return NULL;
}
