/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_FLIGHT_H
#define IRSAFS_FS_SUPER_FLIGHT_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* One run of irsafs-client. Its stdout and its report are memfds that nobody looks at before it has
 * ended: no pipe, nothing half-read. It can write at most IRSAFS_CHILD_FILE_MAX bytes to each. */

struct irsafs_flight {
    uint64_t number; /* of the core; 0: no flight */
    pid_t pid;
    int text_fd, report_fd; /* memfds, ours */
    int64_t kill_ms;        /* when it is killed if it has not ended by itself */
    bool killed;            /* by us, for being late */
};

/* Starts argv[0] with argv and our environment. Errors: CLIENT_START (fork, memfd). An argv[0] that
 * cannot be executed shows as exit status 127. */
enum irsafs_code irsafs_flight_start(const char *const *argv,
                                     uint64_t number,
                                     int64_t kill_ms,
                                     struct irsafs_flight *ret_flight,
                                     struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* Kills a running client. */
void irsafs_flight_kill(const struct irsafs_flight *flight);
/* Closes the memfds and forgets the flight, whose process has been reaped. */
void irsafs_flight_deinit(struct irsafs_flight *flight);

#endif
