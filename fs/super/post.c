/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/post.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

bool irsafs_post_open(int *ret_fd, int *ret_worker_end)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return false;
    }
    *ret_fd = pair[0];
    *ret_worker_end = pair[1];
    return true;
}

void irsafs_post_send(int fd, const struct irsafs_order *order, const int *fds, size_t n_fds)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(IRSAFS_ORDER_FDS_MAX * sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec iov = {(void *)(uintptr_t)order, sizeof(*order)}; /* sendmsg only reads */
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    if (n_fds > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        struct cmsghdr *c = &control.align; /* the first: CMSG_FIRSTHDR could be NULL for gcc */
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
    }
    (void)sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool irsafs_post_receive(int fd, struct irsafs_order *ret_order)
{
    ssize_t n = recv(fd, ret_order, sizeof(*ret_order), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        ret_order->type = 0;
        return true;
    }
    return n == (ssize_t)sizeof(*ret_order);
}
