/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_DEADLINE_H
#define IRSAFS_BASE_DEADLINE_H

#include "base/attr.h"
#include "base/buf.h"

#include <stdint.h>

/* For file systems that may never answer: a system call that hangs cannot be given up by who made it. */

/* Runs in a child: writes what it finds out to fd, returns 0 or an errno value. Async-signal-safe calls
 * only. */
typedef int (*irsafs_deadline_job)(const void *arg, int fd);

/* Runs job(arg) in a child until the deadline (irsafs_clock_boot_ms). What it wrote is appended to buf.
 * Returns what the job returned; ETIMEDOUT when it did not end (it is killed, or stays until the file
 * system answers), EFBIG when it wrote more than buf takes, EIO when it died, or why there is no child. */
int irsafs_deadline_run(irsafs_deadline_job job,
                        const void *arg,
                        int64_t deadline_ms,
                        struct irsafs_buf *buf) IRSAFS_MUST_CHECK;

#endif
