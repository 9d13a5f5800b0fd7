/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_WORKER_ENDPOINT_H
#define IRSAFS_FS_WORKER_ENDPOINT_H

#include "base/attr.h"
#include "base/str.h"
#include "fs/core/core.h"
#include "fs/shared/address.h"
#include "fs/worker/connections.h"

#include <stdbool.h>
#include <stdint.h>

/* The worker's HTTP endpoints: control (loopback; all paths) and metrics (/metrics, /livez, /readyz). Served
 * by the loop that serves the kernel, after it: everything here is of lower priority. Nothing waits;
 * whoever is slow, idle or one too many is cut off (see connections.h).
 *
 *   /healthz   {'status': 'Healthy'}, in these bytes: what the irsa sidecar of Domino says
 *   /livez     200 while the worker answers, in an outage of the service too
 *   /readyz    200 once a real text has been generated; ?verbose: a line for each check
 *   /status    the document `status`
 *   /metrics   Prometheus text
 *   /refresh   like a touch, but answered after the fetch: 200, 502 or 504, JSON
 */

/* What the endpoint knows about the world, and does to it. */
struct irsafs_endpoint_source {
    void *user;
    struct irsafs_view (*view)(void *user);
    const char *front;                            /* through which readers see us: kernel or file */
    const char *(*missing_front)(void *user);     /* why they do not; NULL: they do */
    struct irsafs_str (*status)(void *user);      /* valid until the next call; len 0: no memory */
    struct irsafs_str (*metrics)(void *user);     /* the same */
    struct irsafs_refresh (*refresh)(void *user); /* begins what irsafs_core_refresh says */
    bool (*refreshed)(void *user, struct irsafs_refresh *refresh);
};

struct event_base;
struct irsafs_endpoint;

/* refresh_limit_ms: how long a call of /refresh waits. NULL without memory. Keeps *source. */
struct irsafs_endpoint *irsafs_endpoint_new(struct event_base *base,
                                            const struct irsafs_endpoint_source *source,
                                            int64_t refresh_limit_ms) IRSAFS_MUST_CHECK;

/* Serves `fd`, a listening socket, which is the endpoint's from now on, also on failure; address: what it
 * is bound to, with the port. False without memory. */
bool irsafs_endpoint_listen(struct irsafs_endpoint *endpoint,
                            enum irsafs_listening listening,
                            int fd,
                            const char *address) IRSAFS_MUST_CHECK;

/* After events of the core: calls of /refresh whose fetch is over are answered. */
void irsafs_endpoint_settle(struct irsafs_endpoint *endpoint);

/* The end is near: calls that wait are answered with 503, no new ones are taken. */
void irsafs_endpoint_stop(struct irsafs_endpoint *endpoint);

#endif
