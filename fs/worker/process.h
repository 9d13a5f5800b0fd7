/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_WORKER_PROCESS_H
#define IRSAFS_FS_WORKER_PROCESS_H

#include <stdint.h>

/* What this process can tell about itself from within its walls. */

struct irsafs_process {
    int64_t start_ms; /* wall clock */
    int statm_fd;     /* /proc/self/statm, opened while it could be; -1: not to be had */
};

struct irsafs_process_facts {
    int64_t start_ms, cpu_ms;
    int64_t resident_bytes, virtual_bytes; /* -1: not known */
    int64_t open_fds;                      /* the same */
};

/* To be called before the walls are up. */
struct irsafs_process irsafs_process_open(void);
/* Asks the kernel; allocates nothing. */
struct irsafs_process_facts irsafs_process_look(const struct irsafs_process *process);

#endif
