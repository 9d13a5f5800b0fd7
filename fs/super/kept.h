/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_KEPT_H
#define IRSAFS_FS_SUPER_KEPT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* One of our own processes, started again whenever it ends. */

struct irsafs_kept {
    const char *name;
    pid_t pid;        /* 0: it does not run */
    int64_t start_ms; /* when to start it; 0: it runs, or is not wanted */
    int64_t back_off_ms;
    uint64_t born; /* what it counts (worker: progress, notifier: told), when it was started */
    uint64_t deaths;
    int64_t logged_ms; /* when a death was logged last: once a second, with their number */
};

/* It has ended: to be started again at once, or after a pause that doubles when it had not lived to any
 * purpose. */
void irsafs_kept_restart(struct irsafs_kept *process, bool in_vain);
/* It cannot be started now: later. */
void irsafs_kept_delay(struct irsafs_kept *process);
/* status: of waitpid(2). */
void irsafs_kept_log_death(struct irsafs_kept *process, int status);

#endif
