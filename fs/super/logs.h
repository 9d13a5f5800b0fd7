/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_LOGS_H
#define IRSAFS_FS_SUPER_LOGS_H

#include "base/log.h"
#include "fs/super/applog.h"

#include <stdint.h>

/* The log of supervisor and worker while they run: SIGUSR1 switches between debug and the level that was
 * asked for, SIGHUP opens app.log anew, and the worker is told of both. */

struct irsafs_logs {
    enum irsafs_log_level level; /* that was asked for */
    struct irsafs_applog file;
};

/* post_fd: to the worker, or -1. null_fd: what it gets where there is no file. */
void irsafs_logs_on_usr1(struct irsafs_logs *logs, int post_fd);
void irsafs_logs_on_hangup(struct irsafs_logs *logs, int post_fd, int null_fd);
/* Once a second. */
void irsafs_logs_tick(struct irsafs_logs *logs, int64_t now_ms, int post_fd, int null_fd);

#endif
