/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_LISTENER_H
#define IRSAFS_FS_SUPER_LISTENER_H

#include "fs/shared/address.h"

#include <stdbool.h>
#include <stdint.h>

/* A port that outlives workers: bound here, served by whichever worker lives. Any notebook may hold the
 * port: it is tried again until it is free. Never blocks. */

struct irsafs_listener {
    const char *name; /* for the log */
    const struct irsafs_address *address;
    int fd;           /* -1: not bound */
    int errnum;       /* why not; 0: not tried yet */
    int64_t retry_ms; /* CLOCK_BOOTTIME */
};

#define IRSAFS_LISTENER_INIT(what, where)                                                          \
    ((struct irsafs_listener){.name = (what), .address = (where), .fd = -1})

/* Tries to bind when that is due. True when something has changed: bound now, or another error. */
bool irsafs_listener_try(struct irsafs_listener *listener, int64_t now_ms);

/* IRSAFS_LISTENERS of them. Hands those that there are to the worker behind this socket, or why there are
 * none. */
void irsafs_listeners_hand_over(const struct irsafs_listener *listeners, int post_fd);
/* Tries each, and hands over what has changed. */
void irsafs_listeners_try(struct irsafs_listener *listeners, int64_t now_ms, int post_fd);

#endif
