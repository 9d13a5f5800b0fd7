/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/worker/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

void irsafs_control_send(const struct irsafs_order *order)
{
    (void)send(IRSAFS_HANDED_CONTROL, order, sizeof(*order), MSG_NOSIGNAL | MSG_DONTWAIT);
}

enum irsafs_control_result irsafs_control_receive(struct irsafs_order *ret_order,
                                                  int ret_fds[IRSAFS_ORDER_FDS_MAX])
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(IRSAFS_ORDER_FDS_MAX * sizeof(int))];
    } control;
    struct iovec iov = {ret_order, sizeof(*ret_order)};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    for (size_t i = 0; i < IRSAFS_ORDER_FDS_MAX; i++) {
        ret_fds[i] = -1;
    }
    ssize_t n = recvmsg(IRSAFS_HANDED_CONTROL, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? IRSAFS_CONTROL_NOTHING : IRSAFS_CONTROL_GONE;
    }
    const struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (c != NULL && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len <= CMSG_LEN(IRSAFS_ORDER_FDS_MAX * sizeof(int))) {
        memcpy(ret_fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
    }
    return n == (ssize_t)sizeof(*ret_order) ? IRSAFS_CONTROL_ORDER : IRSAFS_CONTROL_GONE;
}
