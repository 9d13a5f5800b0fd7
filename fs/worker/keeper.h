/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_WORKER_KEEPER_H
#define IRSAFS_FS_WORKER_KEEPER_H

#include "fs/core/core.h"
#include "fs/worker/publisher.h"

#include <stdint.h>

/* Layout subdir: keeps the last good text below the mount, for readers who come while nothing is mounted.
 * What readers must not see any more (another user, access denied, too old) is replaced there as well. */

struct irsafs_keeper {
    struct irsafs_publisher config; /* publication NULL: another layout, nothing is kept */
    uint64_t tried;   /* number of the text that was asked for last, as long as it is wanted */
    int64_t retry_ms; /* when to ask for it again; INT64_MAX: no need */
};

void irsafs_keeper_init(struct irsafs_keeper *keeper, struct irsafs_block *block);

/* After each event: asks for the file when it is not what it should be. */
void irsafs_keeper_act(struct irsafs_keeper *keeper,
                       const struct irsafs_core *core,
                       int64_t now_ms);

/* When it wants to act again, where nothing happens; INT64_MAX: never. */
int64_t irsafs_keeper_next_ms(const struct irsafs_keeper *keeper);

/* The order PUBLISHED has come. */
void irsafs_keeper_answered(struct irsafs_keeper *keeper, const struct irsafs_order *order);

#endif
