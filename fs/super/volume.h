/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_VOLUME_H
#define IRSAFS_FS_SUPER_VOLUME_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

/* The folder of layout subdir. Readers see
 *
 *   config -> .live/config, refresh -> .live/refresh, status -> .live/status
 *
 * and FUSE is mounted on .live. Below that mount, where only who opened .live before can write, lie files that
 * show when nothing is mounted: `config`, the last good text, once there is one; an empty `refresh`; a
 * `status` that says so.
 *
 * Others may write to the volume. So nothing here follows a symlink that is in it, or leaves it; and what
 * stands at our names is replaced, or refused, never written through. */

#define IRSAFS_VOLUME_LIVE ".live"

struct irsafs_volume_owner {
    uid_t uid; /* of `refresh` and `status` below the mount, where we may give files away */
    gid_t gid;
    mode_t refresh_mode;
};

/* Opens a directory as a name (O_PATH), without asking who serves it. On the way a symlink is followed
 * only when it is root's, our own or that of the owner of /: others could lead us anywhere. -1 with errno;
 * EPERM: such a link. */
int irsafs_volume_find(const char *path);

/* Opens it again by the absolute path without symlinks; one that has come since is ELOOP. */
int irsafs_volume_open(const char *path);

/* Opens whatever has this name as a name (O_PATH): beneath the directory, or with AT_FDCWD an absolute path. A
 * symlink, on the way or there, is ELOOP. */
int irsafs_volume_open_name(int dir_fd, const char *name);

/* Whether the folder, whose path has no symlinks, is one in which irsafs_volume_lay has been before. */
bool irsafs_volume_is_laid(const char *path);

/* Makes what is missing in the folder behind dir_fd, mends what is wrong, and opens .live (O_PATH), the
 * directory below the mount, the caller's. Nothing may be mounted there. A symlink, a socket, a FIFO or a
 * read-only file at one of our names is replaced; another file moves to NAME.before-irsafs, or the next free
 * one of NAME.before-irsafs.2 and so on. Writes nothing where nothing is wrong. May be repeated. Error: VOLUME. */
enum irsafs_code irsafs_volume_lay(int dir_fd,
                                   const struct irsafs_volume_owner *owner,
                                   int *ret_live_fd,
                                   struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* A file that somebody may have written by hand is not ours to delete: gives it the next free one of the names
 * NAME.before-irsafs and so on. False with errno. */
bool irsafs_volume_keep_aside(int dir_fd, const char *name) IRSAFS_MUST_CHECK;

/* Whether irsafs makes such a name in a mount point. */
bool irsafs_volume_is_own(const char *name);

#endif
