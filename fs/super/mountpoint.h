/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_MOUNTPOINT_H
#define IRSAFS_FS_SUPER_MOUNTPOINT_H

#include "base/attr.h"
#include "base/error.h"
#include "fs/shared/mode.h"
#include "fs/super/volume.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* The place where irsafs mounts: judged, mounted, unmounted. */

/* Checks that path can be mounted on and writes it, absolute and without symlinks, to ret_path. An
 * irsafs that died there is unmounted first. May block for a second per layer found (a daemon that
 * does not answer is asked by a child). Errors: NO_MOUNTPOINT, NOT_A_DIRECTORY, NOT_EMPTY, SERVED,
 * SILENT, MOUNT_DENIED (a dead layer that may not be removed), MEMORY, VOLUME. Layout subdir: this is the
 * folder in which .live lies, and it may hold what irsafs makes in it. */
enum irsafs_code irsafs_mountpoint_prepare(const char *path,
                                           enum irsafs_layout layout,
                                           bool allow_nonempty,
                                           char ret_path[PATH_MAX],
                                           struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* A mount, and what is needed to take it away or to repeat it without the right to walk there: the
 * supervisor gives up CAP_DAC_OVERRIDE, and the mount point may lie in a folder of somebody else. */
struct irsafs_mount {
    const char *path; /* of irsafs_mountpoint_prepare; the caller's */
    enum irsafs_layout layout;
    struct irsafs_volume_owner owner; /* subdir */
    int dir_fd;                       /* subdir, O_PATH: the directory `path`; -1: not opened yet */
    int below_fd;                     /* O_PATH: the directory below the mount, or -1 */
    int64_t id;                       /* of the mount; -1: unknown */
    bool mounted;
};
#define IRSAFS_MOUNT_INIT(at)                                                                      \
    ((struct irsafs_mount){.path = (at), .dir_fd = -1, .below_fd = -1, .id = -1})

/* Opens /dev/fuse and mounts it with mount(2), type fuse.irsafs, source irsafs. *ret_fd is
 * non-blocking and close-on-exec, the caller's. Errors: NO_FUSE, MOUNT_DENIED; SERVED, SILENT when
 * another one was quicker; VOLUME. */
enum irsafs_code irsafs_mountpoint_mount(struct irsafs_mount *mount,
                                         int *ret_fd,
                                         struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* To be called when the privileges are gone: lets go of the descriptors where the path can still be
 * walked. They would make the mount busy for an administrator's umount(8). (Not in layout subdir: there
 * they are of the volume, and the last good text is written through them.) */
void irsafs_mountpoint_keep_way(struct irsafs_mount *mount);

/* Aborts and detaches that mount, if it is still the one on top: names vanish at once, whoever waits
 * for an answer, in the kernel too, gets an error. What somebody else has mounted there is left alone:
 * it may be the volume below us. */
void irsafs_mountpoint_unmount(struct irsafs_mount *mount);

#endif
