/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"

/* The decimal number at *AT, which moves behind it; -1 unless 1..DIGITS digits without a leading zero. */
static int32_t number(const char **at, int digits)
{
        const char *p = *at;
        int32_t value = 0;

        while (*p >= '0' && *p <= '9' && p - *at < digits)
                value = value * 10 + (*p++ - '0');
        if (p == *at || (**at == '0' && p - *at > 1))
                return -1;
        *at = p;
        return value;
}

/* LENGTH bytes of TEXT as an IPv4 or IPv6 address. */
static int parse_host(const char *text, size_t length, uint8_t family, struct netaddr *ret)
{
        char host[INET6_ADDRSTRLEN];
        struct netaddr addr = { .family = family };

        if (length >= sizeof(host))
                return -EINVAL;
        memcpy(host, text, length);
        host[length] = '\0';
        if (inet_pton(family == 4 ? AF_INET : AF_INET6, host, addr.bytes) != 1)
                return -EINVAL;
        *ret = addr;
        return 0;
}

/* ":PORT", or nothing, which leaves *port alone. */
static int parse_port(const char *text, uint16_t *port)
{
        int32_t value;

        if (*text == '\0')
                return 0;
        if (*text++ != ':')
                return -EINVAL;
        value = number(&text, 5);
        if (value < 0 || value > UINT16_MAX || *text != '\0')
                return -EINVAL;
        *port = (uint16_t)value;
        return 0;
}

int netaddr_parse(const char *text, uint16_t default_port, struct netaddr *ret)
{
        const char *colon = strchr(text, ':');
        const char *end = text + strlen(text);
        struct netaddr addr;
        int status;

        if (*text == '[') {
                end = strchr(text, ']');
                status = end ? parse_host(text + 1, (size_t)(end - text - 1), 6, &addr) : -EINVAL;
                end = end ? end + 1 : NULL;
        } else if (colon && strchr(colon + 1, ':')) { /* an IPv6 address without brackets has no port */
                status = parse_host(text, (size_t)(end - text), 6, &addr);
        } else {
                end = colon ? colon : end;
                status = parse_host(text, (size_t)(end - text), 4, &addr);
        }
        if (status < 0)
                return status;
        addr.port = default_port;
        if (parse_port(end, &addr.port) < 0)
                return -EINVAL;
        *ret = addr;
        return 0;
}

static void format_host(const struct netaddr *a, char out[INET6_ADDRSTRLEN])
{
        if (a->family == 0 ||
            !inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, out, INET6_ADDRSTRLEN))
                strcpy(out, "none");
}

char *netaddr_format(const struct netaddr *a, char out[NETADDR_TEXT])
{
        char host[INET6_ADDRSTRLEN];

        format_host(a, host);
        snprintf(out, NETADDR_TEXT, a->family == 6 ? "[%s]:%u" : "%s:%u", host, a->port);
        return out;
}

const char *netaddr_netid(const struct netaddr *a)
{
        return a->family == 6 ? "tcp6" : "tcp";
}

char *netaddr_universal(const struct netaddr *a, char out[NETADDR_TEXT])
{
        char host[INET6_ADDRSTRLEN];

        format_host(a, host);
        snprintf(out, NETADDR_TEXT, "%s.%u.%u", host, a->port >> 8, a->port & 255);
        return out;
}

/* The last two dots part host, high byte and low byte of the port. NULL when there are fewer. */
static const char *port_dot(const char *uaddr)
{
        const char *low = strrchr(uaddr, '.');

        for (const char *p = low; p && p > uaddr;)
                if (*--p == '.')
                        return p;
        return NULL;
}

int netaddr_from_universal(const char *netid, const char *uaddr, struct netaddr *ret)
{
        const char *dot = port_dot(uaddr), *at = dot ? dot + 1 : NULL;
        uint8_t family = strcmp(netid, "tcp") == 0 ? 4 : strcmp(netid, "tcp6") == 0 ? 6 : 0;
        int32_t high, low;
        struct netaddr addr;

        if (family == 0 || !dot || parse_host(uaddr, (size_t)(dot - uaddr), family, &addr) < 0)
                return -EINVAL;
        high = number(&at, 3);
        if (*at++ != '.')
                return -EINVAL;
        low = number(&at, 3);
        if (high < 0 || high > 255 || low < 0 || low > 255 || *at != '\0')
                return -EINVAL;
        addr.port = (uint16_t)(high << 8 | low);
        *ret = addr;
        return 0;
}

bool netaddr_equal(const struct netaddr *a, const struct netaddr *b)
{
        return a->family == b->family && a->port == b->port &&
               memcmp(a->bytes, b->bytes,
                      a->family == 6   ? 16
                      : a->family == 4 ? 4
                                       : 0) == 0;
}

bool netaddr_is_any(const struct netaddr *a)
{
        static const uint8_t any[sizeof(a->bytes)];

        return memcmp(a->bytes, any, a->family == 4 ? 4 : 16) == 0;
}
