/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_WORKER_CONNECTIONS_H
#define IRSAFS_FS_WORKER_CONNECTIONS_H

#include "fs/shared/address.h"
#include "fs/shared/confine.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* How many connections of the endpoint there are, and since when. libevent's HTTP server has no limit of
 * either kind; what it holds is read off the descriptor table, where every socket is a connection but
 * stderr, the one to the supervisor and the listeners. */

enum {
    IRSAFS_CONNECTIONS_MAX = 64,
    IRSAFS_CONNECTION_LIMIT_MS = 5000, /* to send a request, and again to take its answer */
};

struct irsafs_connections {
    int listeners[IRSAFS_LISTENERS]; /* descriptors, or -1 */
    struct irsafs_seen {
        ino_t ino; /* of the socket; 0: none */
        int64_t since_ms;
        bool waiting; /* for us: its time does not run */
    } seen[IRSAFS_CONFINE_DESCRIPTORS];
};

/* Looks at the table, ends connections that are over their time (their peer gets no answer any more;
 * the HTTP server sees an end of file) and gives the number of those that are there. */
unsigned irsafs_connections_look(struct irsafs_connections *connections, int64_t now_ms);

/* The connection with this descriptor waits for us, or has begun to take its answer. */
void irsafs_connections_wait(struct irsafs_connections *connections, int fd, bool waiting);

#endif
