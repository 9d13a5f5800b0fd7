/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_DAEMON_H
#define IRSAFS_FS_DAEMON_H

#include "base/attr.h"
#include "base/error.h"
#include "fs/core/core.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* The running daemon: one event loop that ties together kernel, core, client and notifier. */

struct irsafs_daemon_settings {
    const char *mountpoint; /* mounted already; absolute */
    int64_t mount_id;       /* its mount, to be taken away where the caller cannot do it any more */
    struct irsafs_core_settings core;
    uid_t uid;
    gid_t gid;
    mode_t config_mode, refresh_mode;
    const char *const *client_argv; /* NULL-terminated; [0] is the path */
    const char *token_path;
    const sigset_t *signals; /* mask to serve with: SIGTERM and SIGINT are blocked until then */
    bool epoch_allowed;      /* FUSE_NOTIFY_INC_EPOCH where the kernel has it */
};

/* Serves until SIGTERM or SIGINT (IRSAFS_OK) or until the connection to the kernel is lost
 * (CONNECTION_LOST, KERNEL). Takes fuse_fd over. The caller unmounts. Waiting readers have been
 * answered when it returns. Errors besides: MEMORY, IO. */
enum irsafs_code irsafs_daemon_run(const struct irsafs_daemon_settings *settings,
                                   int fuse_fd,
                                   struct irsafs_error *err) IRSAFS_MUST_CHECK;

#endif
