/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_CONNECTION_H
#define IRSAFS_FS_SUPER_CONNECTION_H

#include "base/attr.h"
#include "base/error.h"
#include "fs/shared/block.h"
#include "fs/shared/handed.h"
#include "fs/super/mountpoint.h"

/* A mounted file system (none in mode file) and all that must outlive a worker: one open file description of /dev/fuse,
 * its clone for the notifier, the shared memory, the eventfds between worker and notifier. */

struct irsafs_connection {
    struct irsafs_mount mount;
    int given_fd;             /* mode fd: what we were handed, until the connection is opened */
    int fuse_fd, clone_fd;    /* the clone: where the kernel gives none, a duplicate */
    int block_fd, bell_fd;    /* memfds of fixed size */
    int ring_fd, told_fd;     /* eventfds */
    struct irsafs_head *head; /* of the block: all of it that the supervisor maps */
    const struct irsafs_publication *publications; /* of the block */
    const struct irsafs_bell *bell;
    uint64_t watched[IRSAFS_WATCHED]; /* shown in the head; outlive the connection */
};
#define IRSAFS_CONNECTION_INIT(at)                                                                 \
    ((struct irsafs_connection){.mount = IRSAFS_MOUNT_INIT(at),                                    \
                                .given_fd = -1,                                                    \
                                .fuse_fd = -1,                                                     \
                                .clone_fd = -1,                                                    \
                                .block_fd = -1,                                                    \
                                .bell_fd = -1,                                                     \
                                .ring_fd = -1,                                                     \
                                .told_fd = -1})

/* What is to be mounted, and how. given_fd: mode fd. */
void irsafs_connection_prepare(struct irsafs_connection *connection,
                               const struct irsafs_worker_settings *settings,
                               int given_fd);

/* Mounts what is to be mounted, with new shared memory. On failure nothing is left. Errors: those of irsafs_mountpoint_mount;
 * MEMORY. */
enum irsafs_code irsafs_connection_open(struct irsafs_connection *connection,
                                        const struct irsafs_worker_settings *settings,
                                        struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* One more of these; open or not. */
void irsafs_connection_count(struct irsafs_connection *connection, enum irsafs_watched what);

/* Aborts, unmounts and lets go of everything; may be opened again. */
void irsafs_connection_close(struct irsafs_connection *connection);

#endif
