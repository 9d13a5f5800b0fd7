/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/ascii.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
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

/* Nobody may hold us up by not reading our log: a line that does not fit now is dropped and counted.
 * poll(2) calls a pipe writable when PIPE_BUF bytes fit, which is more than a line has. */
static void write_line(const char *line, size_t len)
{
    static unsigned long n_dropped;
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&out, 1, 0) != 1 || (out.revents & POLLOUT) == 0) {
        n_dropped++;
        return;
    }
    ssize_t written = write(STDERR_FILENO, line, len);
    if (written > 0 && n_dropped > 0) {
        char note[64];
        int n =
            snprintf(note, sizeof(note), "(%lu lines were dropped before this one)\n", n_dropped);
        n_dropped = 0;
        written = write(STDERR_FILENO, note, (size_t)n);
    }
    (void)written;
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
    write_line(line, len);
    errno = saved_errno;
}
