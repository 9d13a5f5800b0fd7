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

enum irsafs_control_result
irsafs_control_receive(struct irsafs_order *ret_order, int *ret_text_fd, int *ret_report_fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct iovec iov = {ret_order, sizeof(*ret_order)};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    *ret_text_fd = *ret_report_fd = -1;
    ssize_t n = recvmsg(IRSAFS_HANDED_CONTROL, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? IRSAFS_CONTROL_NOTHING : IRSAFS_CONTROL_GONE;
    }
    const struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (c != NULL && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(2 * sizeof(int))) {
        memcpy(ret_text_fd, CMSG_DATA(c), sizeof(int));
        memcpy(ret_report_fd, CMSG_DATA(c) + sizeof(int), sizeof(int));
    }
    return n == (ssize_t)sizeof(*ret_order) ? IRSAFS_CONTROL_ORDER : IRSAFS_CONTROL_GONE;
}
