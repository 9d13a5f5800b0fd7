/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_SPAWN_H
#define IRSAFS_FS_SUPER_SPAWN_H

#include "fs/shared/confine.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

/* Starts a program by its descriptor (execveat(2), AT_EMPTY_PATH: works from a folder that only root
 * can enter), without the rights of the supervisor. */

struct irsafs_handing {
    int from, to;
};

struct irsafs_spawn {
    int exe_fd;  /* open for reading; closed on exec unless `script` */
    bool script; /* it may be one: its interpreter opens the descriptor again (/dev/fd) */
    const char *const *argv;
    const char *const *env;                /* NULL: ours */
    const struct irsafs_handing *handings; /* descriptors below IRSAFS_SPAWN_FIRST_OTHER */
    size_t n_handings;
    int null_fd;           /* /dev/null, which becomes stdin, and stdout where nothing else does */
    rlim_t max_file_bytes; /* RLIMIT_FSIZE; RLIM_INFINITY: none */
    struct irsafs_confine_child confine; /* `parent` is filled in here */
};

enum {
    IRSAFS_SPAWN_FIRST_OTHER = 16,
    IRSAFS_SPAWN_HANDINGS_MAX = 12,
    IRSAFS_SPAWN_NOT_EXECUTED = 127,
};

/* Every descriptor but these, 0, 1 and 2 is closed in the child (a script's own stays); its signals are at their defaults.
 * The pid, or -1 with errno. What goes wrong in the child shows
 * as its exit status. */
pid_t irsafs_spawn(const struct irsafs_spawn *spawn);

#endif
