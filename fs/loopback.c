/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/loopback.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { HEAD_MAX = 4 << 10 };

static const char late[] = "no answer in time";
static const char strange[] = "what answers is not irsafs";
static const char memory[] = "out of memory";

static bool await(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        int64_t left_ms = deadline_ms - irsafs_clock_boot_ms();
        int n = left_ms <= 0 ? 0 : poll(&p, 1, left_ms < INT_MAX ? (int)left_ms : INT_MAX);
        if (n > 0 || (n < 0 && errno != EINTR)) {
            return n > 0;
        }
        if (left_ms <= 0) {
            return false;
        }
    }
}

static const char *reach(int fd, const struct irsafs_address *address, int64_t deadline_ms)
{
    int errnum = 0;
    socklen_t len = sizeof(errnum);
    if (connect(fd, (const struct sockaddr *)&address->socket, address->socket_len) == 0) {
        return NULL;
    }
    if (errno != EINPROGRESS) {
        return errno == ECONNREFUSED ? "nobody listens" : "no connection";
    }
    if (!await(fd, POLLOUT, deadline_ms)) {
        return late;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &len) != 0 || errnum != 0) {
        return errnum == ECONNREFUSED ? "nobody listens" : "no connection";
    }
    return NULL;
}

/* All until the peer closes, which irsafs does after each answer. */
static const char *receive(int fd, int64_t deadline_ms, struct irsafs_buf *buf)
{
    char chunk[4096];
    for (;;) {
        ssize_t n = recv(fd, chunk, sizeof(chunk), 0);
        if (n == 0) {
            return NULL;
        }
        if (n < 0 && errno == EAGAIN && !await(fd, POLLIN, deadline_ms)) {
            return late;
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return "no connection";
        }
        if (n > 0 && !irsafs_buf_append(buf, chunk, (size_t)n)) {
            return buf->len + (size_t)n > buf->max ? strange : memory;
        }
    }
}

const char *irsafs_loopback_get(const struct irsafs_address *address,
                                const char *path,
                                int64_t deadline_ms,
                                struct irsafs_buf *buf)
{
    static const char status[] =
        "HTTP/1.0 200 "; /* irsafs answers in the version that it was asked in */
    char request[256];
    IRSAFS_CLEANUP(irsafs_buf_deinit)
    struct irsafs_buf answer = IRSAFS_BUF_INIT(buf->max + HEAD_MAX);
    IRSAFS_CLEANUP(irsafs_fd_closep)
    int fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return "no socket";
    }
    const char *reason = reach(fd, address, deadline_ms);
    if (reason != NULL) {
        return reason;
    }
    int len = snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path,
                       address->text);
    if (len <= 0 || (size_t)len >= sizeof(request) ||
        send(fd, request, (size_t)len, MSG_NOSIGNAL) != len) {
        return "no connection";
    }
    reason = receive(fd, deadline_ms, &answer);
    if (reason != NULL) {
        return reason;
    }
    const char *end = answer.len > 0 ? memmem(answer.data, answer.len, "\r\n\r\n", 4) : NULL;
    if (end == NULL || answer.len < sizeof(status) - 1 ||
        memcmp(answer.data, status, sizeof(status) - 1) != 0) {
        return strange;
    }
    size_t head = (size_t)(end + 4 - answer.data);
    return irsafs_buf_append(buf, answer.data + head, answer.len - head) ? NULL : memory;
}
