/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SHARED_ADDRESS_H
#define IRSAFS_FS_SHARED_ADDRESS_H

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Where an HTTP listener is bound: a numeric address and a port. Plain data, lies in shared memory. */

enum { IRSAFS_ADDRESS_TEXT = 64 };

struct irsafs_address {
    char text[IRSAFS_ADDRESS_TEXT]; /* as given, e.g. 127.0.0.1:6003 or [::1]:6003; "": off */
    struct sockaddr_storage socket;
    uint32_t socket_len;
};

enum irsafs_listening {
    IRSAFS_LISTENING_CONTROL,
    IRSAFS_LISTENING_METRICS,
    IRSAFS_LISTENERS,
};

/* "off" or ADDR:PORT, IPv6 in brackets, port 1-65535. False when text is neither. Asks no resolver. */
bool irsafs_address_parse(const char *text, struct irsafs_address *ret_address) IRSAFS_MUST_CHECK;
bool irsafs_address_is_loopback(const struct irsafs_address *address);
/* The same port, on addresses that cannot both be bound. */
bool irsafs_address_overlap(const struct irsafs_address *a, const struct irsafs_address *b);

#endif
