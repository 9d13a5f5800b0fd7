/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_MOUNT_H
#define IRSAFS_FS_MOUNT_H

#include "base/command.h"

extern const struct irsafs_verb irsafs_mount_verb;

/* The verb `irsafs mount`: settings, mount point, daemon. argv[0] is the verb. Returns the exit
 * status. */
int irsafs_mount_main(int argc, char **argv);

#endif
