/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/ascii.h"
#include "base/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024 };

static enum irsafs_log_level threshold = IRSAFS_LOG_INFO;

void irsafs_log_set_level(enum irsafs_log_level level)
{
    threshold = level;
}

void irsafs_log(enum irsafs_log_level level, const char *event, const char *fmt, ...)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    if (level < threshold) {
        return;
    }
    int saved_errno = errno;
    struct timespec now = irsafs_clock_real();
    char stamp[IRSAFS_RFC3339_SIZE];
    irsafs_clock_rfc3339(now.tv_sec, stamp);
    char line[LINE_MAX_BYTES];
    int n = snprintf(line, sizeof(line), "%.19s.%03ldZ %s %s ", stamp, now.tv_nsec / 1000000,
                     names[level], event);
    size_t len = n > 0 && (size_t)n < sizeof(line) ? (size_t)n : 0;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(line + len, sizeof(line) - len - 1, fmt, args);
    va_end(args);
    len = strlen(line);
    while (len > 0 && line[len - 1] == ' ') {
        len--;
    }
    irsafs_ascii_clean(line, len);
    line[len++] = '\n';
    ssize_t written =
        write(STDERR_FILENO, line, len); /* a blocked or closed log is not our fault */
    (void)written;
    errno = saved_errno;
}
