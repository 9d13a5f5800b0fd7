/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_FUSE_REFUSE_H
#define IRSAFS_FS_FUSE_REFUSE_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

/* Handlers of what is not there, each with the answer that tools understand: ENOSYS where the kernel
 * then does without us, EROFS for every mutation (root's too), ENOTTY, EINVAL. Private to fs/fuse. */

void irsafs_refuse_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void irsafs_refuse_poll(fuse_req_t req,
                        fuse_ino_t ino,
                        struct fuse_file_info *fi,
                        struct fuse_pollhandle *ph);
void irsafs_refuse_ioctl(fuse_req_t req,
                         fuse_ino_t ino,
                         unsigned int cmd,
                         void *arg,
                         struct fuse_file_info *fi,
                         unsigned flags,
                         const void *in_buf,
                         size_t in_size,
                         size_t out_size);
void irsafs_refuse_readlink(fuse_req_t req, fuse_ino_t ino);
void irsafs_refuse_mknod(
    fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void irsafs_refuse_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void irsafs_refuse_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void irsafs_refuse_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void irsafs_refuse_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void irsafs_refuse_rename(fuse_req_t req,
                          fuse_ino_t parent,
                          const char *name,
                          fuse_ino_t new_parent,
                          const char *new_name,
                          unsigned int flags);
void irsafs_refuse_create(
    fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi);
void irsafs_refuse_fallocate(
    fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len, struct fuse_file_info *fi);

#endif
