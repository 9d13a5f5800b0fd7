/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/listener.h"

#include "base/file.h"
#include "base/log.h"
#include "fs/shared/handed.h"
#include "fs/super/post.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

enum { RETRY_MS = 10000, BACKLOG = 64 };

static int bind_to(const struct irsafs_address *a)
{
    const int on = 1;
    int fd = socket(a->socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (a->socket.ss_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    if (bind(fd, (const struct sockaddr *)&a->socket, a->socket_len) != 0 ||
        listen(fd, BACKLOG) != 0) {
        int saved_errno = errno;
        fd = irsafs_fd_close(fd);
        errno = saved_errno;
    }
    return fd;
}

bool irsafs_listener_try(struct irsafs_listener *l, int64_t now_ms)
{
    if (l->address->socket_len == 0 || l->fd >= 0 || now_ms < l->retry_ms) {
        return false;
    }
    int before = l->errnum;
    l->fd = bind_to(l->address);
    l->errnum = l->fd >= 0 ? 0 : errno;
    l->retry_ms = now_ms + RETRY_MS;
    if (l->fd >= 0) {
        irsafs_log(IRSAFS_LOG_INFO, "listening", IRSAFS_LOG_TEXT("listener", l->name),
                   IRSAFS_LOG_TEXT("address", l->address->text));
    } else if (l->errnum != before) {
        irsafs_log(IRSAFS_LOG_WARN, "port_taken", IRSAFS_LOG_TEXT("listener", l->name),
                   IRSAFS_LOG_TEXT("address", l->address->text),
                   IRSAFS_LOG_TEXT("error", strerrordesc_np(l->errnum)),
                   IRSAFS_LOG_NUMBER("retry_ms", RETRY_MS),
                   IRSAFS_LOG_TEXT("note", "the files are served all the same"));
    }
    return l->fd >= 0 || l->errnum != before;
}

static void hand_over(const struct irsafs_listener *l, size_t i, int post_fd)
{
    const struct irsafs_order order = {
        .type = IRSAFS_ORDER_LISTEN, .listener = (uint32_t)i, .code = (uint32_t)l->errnum};
    if (l->address->socket_len != 0) {
        irsafs_post_send(post_fd, &order, &l->fd, l->fd >= 0 ? 1 : 0);
    }
}

void irsafs_listeners_hand_over(const struct irsafs_listener *listeners, int post_fd)
{
    for (size_t i = 0; i < IRSAFS_LISTENERS; i++) {
        hand_over(&listeners[i], i, post_fd);
    }
}

void irsafs_listeners_try(struct irsafs_listener *listeners, int64_t now_ms, int post_fd)
{
    for (size_t i = 0; i < IRSAFS_LISTENERS; i++) {
        if (irsafs_listener_try(&listeners[i], now_ms)) {
            hand_over(&listeners[i], i, post_fd);
        }
    }
}
