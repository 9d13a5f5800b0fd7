/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/shared/address.h"

#include <arpa/inet.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <string.h>

static uint16_t port_of(const struct irsafs_address *a)
{
    return a->socket.ss_family == AF_INET6
               ? ntohs(((const struct sockaddr_in6 *)&a->socket)->sin6_port)
               : ntohs(((const struct sockaddr_in *)&a->socket)->sin_port);
}

/* Digits, dots, colons and brackets, and a port of five digits at most: libevent takes "6003x",
 * "+80" and " 80" for ports. */
static bool has_form(const char *text)
{
    const char *port = strrchr(text, ':');
    if (port == NULL || text[strspn(text, "0123456789abcdefABCDEF.:[]")] != '\0') {
        return false;
    }
    size_t digits = strspn(port + 1, "0123456789");
    return digits > 0 && digits <= 5 && port[1 + digits] == '\0';
}

bool irsafs_address_parse(const char *text, struct irsafs_address *ret_address)
{
    struct irsafs_address a = {.text = ""};
    int len = (int)sizeof(a.socket);
    if (strcmp(text, "off") == 0) {
        *ret_address = a;
        return true;
    }
    if (strlen(text) >= sizeof(a.text) || !has_form(text) ||
        evutil_parse_sockaddr_port(text, (struct sockaddr *)&a.socket, &len) != 0 ||
        port_of(&a) == 0) {
        return false;
    }
    a.socket_len = (uint32_t)len;
    memcpy(a.text, text, strlen(text) + 1);
    *ret_address = a;
    return true;
}

bool irsafs_address_is_loopback(const struct irsafs_address *a)
{
    if (a->socket.ss_family == AF_INET6) {
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&a->socket)->sin6_addr) != 0;
    }
    const struct sockaddr_in *in = (const struct sockaddr_in *)&a->socket;
    return ntohl(in->sin_addr.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
}

static bool is_any(const struct irsafs_address *a)
{
    return a->socket.ss_family == AF_INET6
               ? IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)&a->socket)->sin6_addr) != 0
               : ((const struct sockaddr_in *)&a->socket)->sin_addr.s_addr == htonl(INADDR_ANY);
}

bool irsafs_address_overlap(const struct irsafs_address *a, const struct irsafs_address *b)
{
    if (a->socket_len == 0 || b->socket_len == 0 || a->socket.ss_family != b->socket.ss_family ||
        port_of(a) != port_of(b)) {
        return false;
    }
    if (is_any(a) || is_any(b)) {
        return true;
    }
    return a->socket.ss_family == AF_INET6
               ? memcmp(&((const struct sockaddr_in6 *)&a->socket)->sin6_addr,
                        &((const struct sockaddr_in6 *)&b->socket)->sin6_addr,
                        sizeof(struct in6_addr)) == 0
               : ((const struct sockaddr_in *)&a->socket)->sin_addr.s_addr ==
                     ((const struct sockaddr_in *)&b->socket)->sin_addr.s_addr;
}
