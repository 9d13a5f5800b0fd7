/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_SUPERVISOR_H
#define IRSAFS_FS_SUPER_SUPERVISOR_H

#include "base/attr.h"
#include "base/error.h"
#include "fs/shared/block.h"
#include "fs/super/logs.h"

#include <stdbool.h>
#include <sys/types.h>

/* The only process with privileges, and the only one that mounts, unmounts and starts others. It
 * parses nothing that comes from outside: it hands descriptors down, and counts. */

struct irsafs_supervisor_settings {
    const struct irsafs_worker_settings *worker; /* copied into the shared memory */
    const char *const *client_argv;              /* NULL-terminated; [0] is the absolute path */
    struct irsafs_logs *logs;
    int fuse_fd;       /* mode fd: of a mounted file system; ours from now on */
    uid_t uid;         /* of worker, notifier and client; the gid is the same number */
    int64_t linger_ms; /* a first SIGTERM is obeyed so much later; 0: at once */
};

/* Mounts worker->mountpoint and serves it until SIGTERM or SIGINT (IRSAFS_OK), then unmounts. These,
 * SIGUSR1 and SIGHUP (logs.h) are to be blocked before. With linger_ms the first SIGTERM only starts that
 * time; the second one, SIGINT, or its end, ends it. Readers who wait have been answered when it returns.
 * Errors: those of
 * irsafs_mountpoint_mount; SANDBOX; MEMORY, IO; CONNECTION_LOST, KERNEL; FD_LOST (mode fd); WORKER (none of many workers
 * could serve). */
enum irsafs_code irsafs_supervisor_run(const struct irsafs_supervisor_settings *settings,
                                       struct irsafs_error *err) IRSAFS_MUST_CHECK;

#endif
