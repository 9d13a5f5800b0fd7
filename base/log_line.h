/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_LOG_LINE_H
#define IRSAFS_BASE_LOG_LINE_H

#include "base/log.h"

#include <stddef.h>
#include <time.h>

/* One event as one line. Pure; allocates nothing. Whatever the values hold, the line is printable ASCII
 * (other bytes become '?'), ends with its only newline, and is well-formed, also when it was cut: a
 * value that is cut ends with "...", fields that do not fit are left out. */

enum {
    IRSAFS_LOG_LINE_MAX = 1024, /* bytes of a line, newline included; at most PIPE_BUF (pipe(7)) */
    IRSAFS_LOG_VALUE_MAX = 400, /* of a value as it is written: one does not crowd out the others */
};

struct irsafs_log_event {
    enum irsafs_log_level level;
    const char *name;
    struct timespec at;
    const struct irsafs_log_field *fields; /* ended by one without a name */
};

/* The number of bytes written; no NUL. */
size_t irsafs_log_line(enum irsafs_log_format format,
                       const struct irsafs_log_event *event,
                       char ret_line[IRSAFS_LOG_LINE_MAX]);

#endif
