/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_CHILD_H
#define IRSAFS_FS_SUPER_CHILD_H

#include <sys/types.h>

/* fork(2) for our own processes. The child has every signal at its default and unblocked, dies with
 * its parent (SIGKILL), and never returns if the parent is gone already. Result as of fork. */
pid_t irsafs_child_fork(void);

/* In a child: moves two descriptors to to_a and to_b (both < 5, one of them may be -1) and closes
 * every descriptor from 5 on. _exits on failure. */
void irsafs_child_keep(int fd_a, int to_a, int fd_b, int to_b);

#endif
