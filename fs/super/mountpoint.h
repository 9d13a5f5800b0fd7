/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_MOUNTPOINT_H
#define IRSAFS_FS_SUPER_MOUNTPOINT_H

#include "base/attr.h"
#include "base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* The place where irsafs mounts: judged, mounted, unmounted. */

/* Checks that path can be mounted on and writes it, absolute and without symlinks, to ret_path. An
 * irsafs that died there is unmounted first. May block for a second per layer found (a daemon that
 * does not answer is asked by a child). Errors: NO_MOUNTPOINT, NOT_A_DIRECTORY, NOT_EMPTY, SERVED,
 * SILENT, MOUNT_DENIED (a dead layer that may not be removed), MEMORY. */
enum irsafs_code irsafs_mountpoint_prepare(const char *path,
                                           bool allow_nonempty,
                                           char ret_path[PATH_MAX],
                                           struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* Opens /dev/fuse and mounts it with mount(2), type fuse.irsafs, source irsafs. *ret_fd is
 * non-blocking and close-on-exec, the caller's. Errors: NO_FUSE, MOUNT_DENIED; SERVED, SILENT when
 * another one was quicker. */
enum irsafs_code irsafs_mountpoint_mount(const char *path,
                                         int *ret_fd,
                                         int64_t *ret_mount_id,
                                         struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* Detaches that mount, if it is still the one on top: names vanish at once, open files stay until they
 * are closed. What somebody else has mounted there is left alone: it may be the volume below us. */
void irsafs_mountpoint_unmount(const char *path, int64_t mount_id);

#endif
