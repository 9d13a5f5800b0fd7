/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_CORE_UNDO_H
#define IRSAFS_FS_CORE_UNDO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Transactions over memory that outlives the process which changes it.
 *
 * Before a byte is changed, what it was is appended to the log. The commit is one store. A process
 * that is killed between two instructions leaves either no open transaction or a log with which the
 * next one puts everything back: program order is all this needs, because a SIGKILL stops a thread
 * between instructions and nobody else writes (docs/adr/0009). Positions are relative to the log:
 * the memory may be mapped anywhere. */

enum { IRSAFS_UNDO_MAX = 4 << 20 };

struct irsafs_undo {
    uint64_t len;  /* bytes in use; 0: no transaction is open */
    uint64_t peak; /* the most that was in use since irsafs_undo_trim */
    _Alignas(4096) unsigned char log[IRSAFS_UNDO_MAX]; /* whole pages can be given back */
};

static inline bool irsafs_undo_is_open(const struct irsafs_undo *undo)
{
    return undo->len != 0;
}

/* What is about to be changed; opens a transaction if none is open. `at` lies in the same mapping.
 * More than the log can take ends the process: every transaction is bounded (a static assertion of
 * the caller), and the next process rolls back. */
void irsafs_undo_save(struct irsafs_undo *undo, const void *at, size_t size);
void irsafs_undo_commit(struct irsafs_undo *undo);
/* Everything is as it was when the transaction began; it is over. May itself be killed and repeated. */
void irsafs_undo_roll_back(struct irsafs_undo *undo);

#endif
