/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/clock.h"
#include "base/log_line.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where lines go. */
struct sink {
    int fd; /* -1: nowhere */
    enum irsafs_log_format format;
    bool is_socket;
    uint64_t n_lost; /* lines that were not taken, not told of yet */
    size_t n_rest;   /* of a line that was taken in part */
    char rest[IRSAFS_LOG_LINE_MAX];
};

static struct sink to_stderr = {.fd = STDERR_FILENO, .format = IRSAFS_LOG_AS_TEXT};
static struct sink to_file = {.fd = -1, .format = IRSAFS_LOG_AS_PYTHON};
static enum irsafs_log_level threshold = IRSAFS_LOG_INFO;
static uint64_t n_lost_ever;

/* ---- settings */

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const format_names[] = {"text", "json"};

void irsafs_log_set_level(enum irsafs_log_level level)
{
    threshold = level;
}

enum irsafs_log_level irsafs_log_level(void)
{
    return threshold;
}

const char *irsafs_log_level_name(enum irsafs_log_level level)
{
    return level_names[level];
}

bool irsafs_log_level_parse(const char *text, enum irsafs_log_level *ret_level)
{
    if (text != NULL && strcasecmp(text, "warning") == 0) {
        *ret_level = IRSAFS_LOG_WARN;
        return true;
    }
    for (size_t i = 0; text != NULL && i < IRSAFS_COUNT(level_names); i++) {
        if (strcasecmp(text, level_names[i]) == 0) {
            *ret_level = (enum irsafs_log_level)i;
            return true;
        }
    }
    return false;
}

void irsafs_log_set_format(enum irsafs_log_format format)
{
    to_stderr.format = format;
}

enum irsafs_log_format irsafs_log_format(void)
{
    return to_stderr.format;
}

const char *irsafs_log_format_name(enum irsafs_log_format format)
{
    return format_names[format];
}

bool irsafs_log_format_parse(const char *text, enum irsafs_log_format *ret_format)
{
    if (text != NULL && strcasecmp(text, "auto") == 0) {
        *ret_format = isatty(STDERR_FILENO) == 1 ? IRSAFS_LOG_AS_TEXT : IRSAFS_LOG_AS_JSON;
        return true;
    }
    for (size_t i = 0; text != NULL && i < IRSAFS_COUNT(format_names); i++) {
        if (strcasecmp(text, format_names[i]) == 0) {
            *ret_format = (enum irsafs_log_format)i;
            return true;
        }
    }
    return false;
}

int irsafs_log_set_file(int fd)
{
    int before = to_file.fd;
    to_file.fd = fd;
    to_file.n_rest = 0;
    return before;
}

uint64_t irsafs_log_lost(void)
{
    return n_lost_ever;
}

/* ---- stderr */

/* The other side of a pseudo-terminal cannot be opened anew: that would make another one. */
static bool is_pty_master(int fd)
{
    unsigned number;
    return ioctl(fd, TIOCGPTN, &number) == 0;
}

void irsafs_log_own_stderr(void)
{
    struct stat st;
    irsafs_log_take_stderr();
    if (fstat(STDERR_FILENO, &st) != 0 || (!S_ISFIFO(st.st_mode) && isatty(STDERR_FILENO) != 1) ||
        is_pty_master(STDERR_FILENO)) {
        return; /* a file takes everything; a socket can be asked not to wait with each line */
    }
    int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0) {
        (void)dup2(fd, STDERR_FILENO);
        (void)close(fd);
    }
}

void irsafs_log_take_stderr(void)
{
    struct stat st;
    to_stderr.is_socket = fstat(STDERR_FILENO, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* ---- lines */

/* How many bytes were taken. poll(2) calls a pipe writable when PIPE_BUF bytes fit, which is more than
 * a line has. */
static size_t push(const struct sink *s, const char *data, size_t len)
{
    struct pollfd out = {.fd = s->fd, .events = POLLOUT};
    ssize_t n = 0;
    if (s->is_socket) {
        n = send(s->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else if (poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0) {
        n = write(s->fd, data, len);
    }
    return n > 0 ? (size_t)n : 0;
}

/* What a full disk, a terminal or a stream has taken in part is completed before the next line. */
static bool push_rest(struct sink *s)
{
    size_t n = s->n_rest > 0 ? push(s, s->rest, s->n_rest) : 0;
    s->n_rest -= n;
    memmove(s->rest, s->rest + n, s->n_rest);
    return s->n_rest == 0;
}

static bool write_line(struct sink *s, const struct irsafs_log_event *event)
{
    char line[IRSAFS_LOG_LINE_MAX];
    if (!push_rest(s)) {
        return false;
    }
    size_t len = irsafs_log_line(s->format, event, line);
    size_t n = push(s, line, len);
    if (n == 0) {
        return false;
    }
    s->n_rest = len - n;
    memcpy(s->rest, line + n, s->n_rest);
    return true;
}

static bool tell_of_lost(struct sink *s, const struct timespec *now)
{
    const struct irsafs_log_field fields[] = {IRSAFS_LOG_NUMBER("lines", s->n_lost),
                                              {.name = NULL}};
    const struct irsafs_log_event note = {
        .level = IRSAFS_LOG_WARN, .name = "log_lines_lost", .at = *now, .fields = fields};
    if (s->n_lost > 0 && !write_line(s, &note)) {
        return false;
    }
    s->n_lost = 0;
    return true;
}

static void deliver(struct sink *s, const struct irsafs_log_event *event)
{
    if (s->fd >= 0 && (!tell_of_lost(s, &event->at) || !write_line(s, event))) {
        s->n_lost++;
        n_lost_ever++;
    }
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
    deliver(&to_stderr, &e);
    deliver(&to_file, &e);
    errno = saved_errno;
}

int irsafs_log_end(const char *program, const struct irsafs_error *err)
{
    const struct irsafs_log_field fields[] = {
        IRSAFS_LOG_CODE("code", err->code),
        IRSAFS_LOG_TEXT("error", err->message),
        IRSAFS_LOG_TEXT("remedy", irsafs_code_remedy(err->code)),
        {.name = NULL}};
    const struct irsafs_log_event e = {
        .level = IRSAFS_LOG_ERROR, .name = "ended", .at = irsafs_clock_real(), .fields = fields};
    deliver(&to_file, &e);
    if (to_stderr.format == IRSAFS_LOG_AS_TEXT) {
        return irsafs_error_report(program, err);
    }
    deliver(&to_stderr, &e);
    return irsafs_code_exit_status(err->code);
}
