/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_WORKER_CONTROL_H
#define IRSAFS_FS_WORKER_CONTROL_H

#include "fs/shared/handed.h"

/* The worker's end of the socket to the supervisor. Never blocks. */

/* What cannot be sent is lost: the supervisor is gone, or so late that it ends this worker. */
void irsafs_control_send(const struct irsafs_order *order);

enum irsafs_control_result {
    IRSAFS_CONTROL_NOTHING,
    IRSAFS_CONTROL_ORDER,
    IRSAFS_CONTROL_GONE, /* the supervisor has ended */
};

/* ret_fds: the descriptors that came along, then -1: the caller's. Some can be missing: the table of
 * descriptors was full. */
enum irsafs_control_result irsafs_control_receive(struct irsafs_order *ret_order,
                                                  int ret_fds[IRSAFS_ORDER_FDS_MAX]);

#endif
