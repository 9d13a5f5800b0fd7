/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_WORKER_LAND_H
#define IRSAFS_FS_WORKER_LAND_H

#include "fs/core/core.h"
#include "fs/shared/block.h"
#include "fs/shared/handed.h"

/* A client has ended: what it left becomes an event of the core, and a line of the log when it is news.
 * order: LANDED; fds: its text and report, the caller's, or -1. A flight that the core does not wait for is
 * passed over. To be committed by the caller. */
void irsafs_land(struct irsafs_core *core,
                 struct irsafs_memory *memory,
                 const struct irsafs_worker_settings *settings,
                 const struct irsafs_order *order,
                 const int fds[2]);

#endif
