/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_CHILD_H
#define IRSAFS_FS_SUPER_CHILD_H

#include <sys/types.h>

/* fork(2) for our own processes. The child has every signal at its default and unblocked, dies with
 * its parent (SIGKILL), and never returns if the parent is gone already. Result as of fork. */
pid_t irsafs_child_fork(void);

#endif
