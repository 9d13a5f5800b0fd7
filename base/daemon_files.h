/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_DAEMON_FILES_H
#define IRSAFS_BASE_DAEMON_FILES_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

/* The files of a local irsafs, seen from outside. What asks who serves them may hang: it is for a child
 * (base/deadline.h). */

enum { IRSAFS_DAEMON_NOT_FUSE = 200 }; /* beyond every errno */

/* Opens (O_PATH) the directory in which the irsafs of this mount point has its files: MOUNTPOINT, or .live
 * in it. 0, an errno value, or IRSAFS_DAEMON_NOT_FUSE. May hang. */
int irsafs_daemon_open_files(const char *mountpoint, int *ret_dir) IRSAFS_MUST_CHECK;

/* Writes what is in the file `name` there, about max bytes at most, to out. 0, an errno value (EFBIG: it is
 * longer), or IRSAFS_DAEMON_NOT_FUSE: no regular file. Opens a descriptor that ends with the child. May
 * hang. */
int irsafs_daemon_copy_file(int dir, const char *name, size_t max, int out) IRSAFS_MUST_CHECK;

/* Two jobs of base/deadline.h: is the mount there; what is in its `status`. */
int irsafs_daemon_find_job(const void *mountpoint, int out) IRSAFS_MUST_CHECK;
int irsafs_daemon_status_job(const void *mountpoint, int out) IRSAFS_MUST_CHECK;

/* Why such a job failed, in words. Static string. */
const char *irsafs_daemon_files_reason(int errnum);

/* Whether irsafs, which tells its mount point absolute and without symlinks, means this one. The folder of
 * `path` is resolved as irsafs does it; its name is not looked up, since a mount may not answer. */
bool irsafs_daemon_is_at(const char *told, const char *path);

#endif
