/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_FLIGHT_H
#define IRSAFS_FS_SUPER_FLIGHT_H

#include "base/attr.h"
#include "base/error.h"
#include "fs/super/spawn.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* One run of irsafs-client. Its stdout and its report are memfds that nobody looks at before it has
 * ended: no pipe, nothing half-read. Its stderr is /dev/null. It can write at most IRSAFS_CHILD_FILE_MAX bytes to each. The
 * supervisor holds them, unread, until a worker has taken them: a flight outlives workers. */

struct irsafs_flight {
    uint64_t number;          /* of the core; 0: none yet */
    pid_t pid;                /* 0: it does not run */
    int text_fd, report_fd;   /* memfds, or -1 */
    int64_t kill_ms;          /* when it is killed if it has not ended by itself */
    bool killed;              /* by us, for being late */
    enum irsafs_code failure; /* could not be started, or ends workers: nothing to be had */
    unsigned failures;        /* to start one, in a row */
    unsigned crashes;         /* of workers that had its outcome in hand */
    int wait_status;          /* of an ended one */
};

/* Starts a client with spawn's program, arguments and walls; its handings and its limit of file sizes
 * are set here. What goes wrong shows in `failure`. */
void irsafs_flight_start(struct irsafs_flight *flight,
                         struct irsafs_spawn spawn,
                         uint64_t number,
                         int64_t kill_ms);

static inline bool irsafs_flight_is_over(const struct irsafs_flight *flight)
{
    return flight->pid == 0 && (flight->failure != IRSAFS_OK || flight->text_fd >= 0);
}

/* Kills a running client; whoever reaps it notes wait_status and pid. */
void irsafs_flight_kill(const struct irsafs_flight *flight);
/* Closes the memfds; the number stays. */
void irsafs_flight_let_go(struct irsafs_flight *flight);

/* Tells the worker behind this socket how it ended, and hands it the text and the report. */
void irsafs_flight_report(const struct irsafs_flight *flight, int post_fd);

/* A worker has ended, so. What a client has left is handed to each worker until one has taken it; if it
 * ends three of them, it is let go of. (SIGKILL comes from outside.) */
void irsafs_flight_count_crash(struct irsafs_flight *flight, int wait_status);

#endif
