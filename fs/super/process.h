/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_PROCESS_H
#define IRSAFS_FS_SUPER_PROCESS_H

#include "fs/shared/handed.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What the supervisor keeps of worker and notifier, and says of them. */

enum { IRSAFS_RESTART_MAX_MS = 1000 };

/* One of our own processes, started again whenever it ends. */
struct irsafs_process {
    const char *name;
    pid_t pid;        /* 0: it does not run */
    int64_t start_ms; /* when to start it; 0: it runs, or is not wanted */
    int64_t back_off_ms;
    uint64_t born; /* what it counts (worker: progress, notifier: told), when it was started */
    uint64_t deaths;
    unsigned failures; /* to start it, in a row */
    int64_t logged_ms; /* when a death was logged last: once a second, with their number */
};

/* At once, or after a pause that doubles when it had not lived to any purpose. */
void irsafs_process_restart_later(struct irsafs_process *process, bool in_vain);
/* A death is counted, and said once a second at most. status: of waitpid(2). */
void irsafs_process_log_death(struct irsafs_process *process, int status);

/* What the notifier could not tell the kernel, as seen at the last tick: the begin of a series is an
 * error, the rest of it is counted. Once a tick. */
struct irsafs_untold {
    uint32_t failures;
    bool before;
};
void irsafs_log_untold(struct irsafs_untold *untold, const struct irsafs_bell *bell);

#endif
