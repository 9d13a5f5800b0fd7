/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/clock.h"
#include "base/log_line.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

static enum irsafs_log_level threshold = IRSAFS_LOG_INFO;
static unsigned long n_lost; /* lines that nobody took */
static uint64_t n_lost_ever;

void irsafs_log_set_level(enum irsafs_log_level level)
{
    threshold = level;
}

/* Nobody may hold us up by not reading our log: a line that does not fit now is dropped and counted.
 * poll(2) calls a pipe writable when PIPE_BUF bytes fit, which is more than a line has. */
static bool write_line(const struct irsafs_log_event *event)
{
    char line[IRSAFS_LOG_LINE_MAX];
    size_t len = irsafs_log_line(IRSAFS_LOG_AS_TEXT, event, line);
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0 &&
           write(STDERR_FILENO, line, len) == (ssize_t)len;
}

/* Before the line that goes again. */
static bool tell_of_lost(const struct timespec *now)
{
    const struct irsafs_log_field fields[] = {IRSAFS_LOG_NUMBER("lines", n_lost), {.name = NULL}};
    const struct irsafs_log_event note = {
        .level = IRSAFS_LOG_WARN, .name = "log_lines_lost", .at = *now, .fields = fields};
    if (n_lost == 0 || write_line(&note)) {
        n_lost = 0;
        return true;
    }
    return false;
}

void irsafs_log_event(enum irsafs_log_level level,
                      const char *event,
                      const struct irsafs_log_field *fields)
{
    if (level < threshold) {
        return;
    }
    int saved_errno = errno;
    const struct irsafs_log_event e = {
        .level = level, .name = event, .at = irsafs_clock_real(), .fields = fields};
    if (!tell_of_lost(&e.at) || !write_line(&e)) {
        n_lost++;
        n_lost_ever++;
    }
    errno = saved_errno;
}

uint64_t irsafs_log_lost(void)
{
    return n_lost_ever;
}
