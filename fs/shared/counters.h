/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SHARED_COUNTERS_H
#define IRSAFS_FS_SHARED_COUNTERS_H

#include "base/error.h"

#include <stdint.h>

/* What is counted for metrics outside the core (whose own are in fs/core/counts.h). Plain numbers in the
 * shared memory: they outlive workers, and begin at 0 again with a new connection, which Prometheus
 * takes for the restart that it is. */

enum {
    IRSAFS_CLASSES = IRSAFS_CLASS_LOCAL + 1,
    IRSAFS_DURATION_BOUNDS = 11, /* irsafs_duration_bounds_ms */
};

/* The worker's. They change in the transaction of the landing that they count: a worker that is killed
 * before its commit has counted nothing, and the next one, which has the same landing to deal with,
 * counts it. */
struct irsafs_counters {
    uint64_t ok, empty, failed[IRSAFS_CLASSES];     /* landings */
    uint64_t durations[IRSAFS_DURATION_BOUNDS + 1]; /* not cumulative; the last: longer than all */
    uint64_t durations_ms;                          /* their sum */
    uint64_t dropped;                               /* items of all answers */
    int64_t last_success_s;                         /* unix time; 0: none yet */
};

/* The supervisor's. It keeps them itself and writes them to where the worker can read them: what becomes
 * of them there it does not look at, and a new connection has them again. */
enum irsafs_watched {
    IRSAFS_WATCHED_WORKERS, /* processes started */
    IRSAFS_WATCHED_NOTIFIERS,
    IRSAFS_WATCHED_GIVE_UPS, /* connections given up */
    IRSAFS_WATCHED,
};

#endif
