/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_WATCH_H
#define IRSAFS_FS_SUPER_WATCH_H

#include "base/attr.h"
#include "fs/shared/block.h"
#include "fs/shared/handed.h"
#include "fs/super/process.h"

#include <stdbool.h>
#include <stdint.h>

/* Whether worker and notifier get anywhere, by what they count in the shared memory, looked at once a tick.
 * One that hangs is killed. Ticks are wake-ups of our own, not time: a container that was frozen has not
 * hung. */

enum { IRSAFS_TICK_MS = 1000 };

struct irsafs_watch {
    bool last;                      /* no other connection can be had (mode fd) */
    uint64_t progress, alive, told; /* as seen at the last tick */
    unsigned idle_ticks, sound_ticks, untold_ticks, hung_workers;
    unsigned give_ups; /* connections, in a row */
    struct irsafs_untold untold;
};

void irsafs_watch_notifier(struct irsafs_watch *watch,
                           const struct irsafs_bell *bell,
                           const struct irsafs_process *notifier);

/* False when no worker makes progress: the connection is to be given up. */
bool irsafs_watch_worker(struct irsafs_watch *watch,
                         const struct irsafs_head *head,
                         const struct irsafs_process *worker) IRSAFS_MUST_CHECK;

/* How long that has been so. */
int64_t irsafs_watch_patience_ms(const struct irsafs_watch *watch);

/* The connection was given up, and what was counted with it. False: one too many in a row. */
bool irsafs_watch_anew(struct irsafs_watch *watch) IRSAFS_MUST_CHECK;

#endif
