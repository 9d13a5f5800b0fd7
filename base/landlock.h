/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_LANDLOCK_H
#define IRSAFS_BASE_LANDLOCK_H

#include "base/attr.h"

#include <stdbool.h>

/* Landlock by its system calls (Linux 5.13; Debian's C library has no wrappers). A restricted process
 * may do nothing with files but read what was allowed: every right of the running kernel's ABI is
 * handled. What is open stays usable, stat(2) is not covered, and mount(2) and umount2(2) are refused
 * (Documentation/userspace-api/landlock.rst, "Current limitations"), so the process that unmounts
 * cannot have it. From ABI 4 on no TCP port can be bound; from ABI 6 on no process outside gets a signal
 * and no abstract Unix socket outside can be connected to. */

struct irsafs_landlock {
    int fd; /* ours until the end; -1: none */
};

/* Begins a set of rules that allows nothing. `tcp`: connect(2) stays possible. Returns 0 or an errno
 * value: ENOSYS (Linux before 5.13, or a runtime's filter), EOPNOTSUPP (not among the active LSMs). */
int irsafs_landlock_begin(bool tcp, struct irsafs_landlock *ret_rules) IRSAFS_MUST_CHECK;

/* Allows reading this file, or all files in and below this folder. A path that is not there or cannot be
 * entered is left out. Returns 0 or an errno value. */
int irsafs_landlock_allow(struct irsafs_landlock *rules, const char *path) IRSAFS_MUST_CHECK;

/* Allows reading everything in and below the folder of this file, and in the folders that its symlinks
 * lead to: kubelet replaces such files by swapping a link. A file in / is allowed alone. */
int irsafs_landlock_allow_folder_of(struct irsafs_landlock *rules,
                                    const char *file) IRSAFS_MUST_CHECK;

/* Restricts the calling thread and all that it starts, for good. Needs no_new_privs. Returns 0 or an
 * errno value. */
int irsafs_landlock_end(struct irsafs_landlock *rules) IRSAFS_MUST_CHECK;

/* For IRSAFS_CLEANUP. */
void irsafs_landlock_deinit(struct irsafs_landlock *rules);

#endif
