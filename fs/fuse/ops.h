/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_FUSE_OPS_H
#define IRSAFS_FS_FUSE_OPS_H

#include "base/clock.h"
#include "fs/fuse/session.h"

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

/* The request handlers; private to fs/fuse. */

enum { IRSAFS_INO_ROOT = FUSE_ROOT_ID, IRSAFS_INO_REFRESH = 2, IRSAFS_INO_FIRST_FREE = 4096 };

struct irsafs_session {
    struct irsafs_session_settings settings;
    struct irsafs_core *core;
    struct fuse_session *fuse;
    struct fuse_buf request; /* used again for each; libfuse allocates it once */
    struct irsafs_kernel kernel;
    struct timespec started, refreshed; /* mtime of the directory, of `refresh` */
};

const struct fuse_lowlevel_ops *irsafs_fuse_ops(void);

/* Replies to a request whose inode is READY or gone, or to a touch. */
void irsafs_fuse_answer(struct irsafs_session *session, const struct irsafs_request *request);

#endif
