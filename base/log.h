/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_LOG_H
#define IRSAFS_BASE_LOG_H

#include "base/attr.h"

/* One event per line on stderr, in one write(2):
 *   2026-01-01T00:00:00.123Z WARN fetch_failed code=IRSAFS-E503 next_try_ms=1000
 * Only the outermost layers log. A line never holds a token or a foreign body; bytes that are not
 * printable ASCII become '?'. Lines are cut at 1 KiB. Never blocks: lines that a full pipe cannot take
 * are dropped, and counted in the next one that it takes. */

enum irsafs_log_level {
    IRSAFS_LOG_DEBUG,
    IRSAFS_LOG_INFO,
    IRSAFS_LOG_WARN,
    IRSAFS_LOG_ERROR,
};

/* Process-wide level; default info. */
void irsafs_log_set_level(enum irsafs_log_level level);
/* event: stable snake_case name; fmt: key=value pairs, may be "". Never fails, keeps errno. */
void irsafs_log(enum irsafs_log_level level, const char *event, const char *fmt, ...)
    IRSAFS_PRINTF(3, 4);

#endif
