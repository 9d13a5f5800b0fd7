/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_MODE_H
#define IRSAFS_FS_MODE_H

#include "fs/shared/mode.h"

#include <stdbool.h>

/* --mode=auto: the best way to the readers that this container allows. */

/* What the choice rests on. */
struct irsafs_mode_facts {
    bool fd_socket;   /* --fd-socket is given: somebody mounts for us */
    int fuse_errnum;  /* of opening /dev/fuse; 0: it opens */
    int mount_errnum; /* of mount(2); 0: it is permitted */
};

/* Finds out, with nothing left behind: mount(2) is tried in a child with a mount namespace of its own, which is
 * gone with it. fd_socket is the caller's; with it there is nothing to find out. */
void irsafs_mode_look(struct irsafs_mode_facts *ret_facts);

enum { IRSAFS_MODE_MISSING_SIZE = 192 };
struct irsafs_mode_choice {
    enum irsafs_mode mode;
    char missing[IRSAFS_MODE_MISSING_SIZE]; /* what the better ones lacked, in words; "": nothing */
};

/* fd, else mount, else file. Pure. */
struct irsafs_mode_choice irsafs_mode_choose(const struct irsafs_mode_facts *facts);

#endif
