/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_CORE_COUNTS_H
#define IRSAFS_FS_CORE_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

/* What the state machine counts for metrics. Part of its memory and of its transactions: what a killed
 * worker had counted and not committed is rolled back with the event itself, which then happens, and
 * is counted, once more: nothing is counted twice or lost. */

enum irsafs_refresh_source {
    IRSAFS_REFRESH_TOUCH,
    IRSAFS_REFRESH_ENDPOINT,
    IRSAFS_REFRESH_SOURCES,
};

/* What becomes of a refresh, as far as it is known when it comes. */
enum irsafs_refresh_outcome {
    IRSAFS_REFRESH_FETCHED, /* a fetch of its own begins now */
    IRSAFS_REFRESH_DELAYED, /* one begins later: another one runs, or min-refresh or Retry-After hold */
    IRSAFS_REFRESH_JOINED,  /* a fetch that was wanted already, and has not begun, serves it too */
    IRSAFS_REFRESH_PUT_OFF, /* the service asked for more patience than readers have: they get the
                               text of the moment, the fetch follows */
    IRSAFS_REFRESH_OUTCOMES,
};

struct irsafs_counts {
    uint64_t refreshes[IRSAFS_REFRESH_SOURCES][IRSAFS_REFRESH_OUTCOMES];
    uint64_t interrupts; /* parked requests whose reader was interrupted */
    uint64_t refused;    /* requests for which there was no place to wait */
};

#endif
