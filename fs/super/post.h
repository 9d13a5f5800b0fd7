/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_POST_H
#define IRSAFS_FS_SUPER_POST_H

#include "base/attr.h"
#include "fs/shared/handed.h"

#include <stdbool.h>
#include <stddef.h>

/* The supervisor's end of the socket to the worker. Never blocks. */

/* Both ends, non-inheritable. False with errno. */
bool irsafs_post_open(int *ret_fd, int *ret_worker_end) IRSAFS_MUST_CHECK;

/* fds: up to IRSAFS_ORDER_FDS_MAX descriptors that go along. What cannot be sent is lost: the worker is
 * dying or hangs, and the next one asks again; or memory is short, and it is sent again. fd may be -1. */
void irsafs_post_send(int fd, const struct irsafs_order *order, const int *fds, size_t n_fds);

/* False when the worker is gone, or says what is no order. */
bool irsafs_post_receive(int fd, struct irsafs_order *ret_order) IRSAFS_MUST_CHECK;

#endif
