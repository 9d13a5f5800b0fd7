/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/fuse/refuse.h"

#include <errno.h>
#include <stddef.h>

/* ENOSYS once and for all: the kernel then opens and closes without asking (FUSE_NO_OPEN_SUPPORT,
 * FUSE_NO_OPENDIR_SUPPORT), which is what makes a cached read as cheap as one of tmpfs. */
void irsafs_refuse_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    (void)fi;
    (void)fuse_reply_err(req, ENOSYS);
}

void irsafs_refuse_poll(fuse_req_t req,
                        fuse_ino_t ino,
                        struct fuse_file_info *fi,
                        struct fuse_pollhandle *ph)
{
    (void)ino;
    (void)fi;
    if (ph != NULL) {
        fuse_pollhandle_destroy(ph);
    }
    (void)fuse_reply_err(req, ENOSYS); /* always readable, says the kernel from then on */
}

void irsafs_refuse_ioctl(fuse_req_t req,
                         fuse_ino_t ino,
                         unsigned int cmd,
                         void *arg,
                         struct fuse_file_info *fi,
                         unsigned flags,
                         const void *in_buf,
                         size_t in_size,
                         size_t out_size)
{
    (void)ino;
    (void)cmd;
    (void)arg;
    (void)fi;
    (void)flags;
    (void)in_buf;
    (void)in_size;
    (void)out_size;
    (void)fuse_reply_err(req, ENOTTY);
}

void irsafs_refuse_readlink(fuse_req_t req, fuse_ino_t ino)
{
    (void)ino;
    (void)fuse_reply_err(req, EINVAL);
}

/* The directory never changes, for root neither. */
void irsafs_refuse_mknod(
    fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
    (void)parent;
    (void)name;
    (void)mode;
    (void)rdev;
    (void)fuse_reply_err(req, EROFS);
}

void irsafs_refuse_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    irsafs_refuse_mknod(req, parent, name, mode, 0);
}

void irsafs_refuse_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    irsafs_refuse_mknod(req, parent, name, 0, 0);
}

void irsafs_refuse_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    (void)target;
    irsafs_refuse_mknod(req, parent, name, 0, 0);
}

void irsafs_refuse_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
    (void)ino;
    irsafs_refuse_mknod(req, parent, name, 0, 0);
}

void irsafs_refuse_rename(fuse_req_t req,
                          fuse_ino_t parent,
                          const char *name,
                          fuse_ino_t new_parent,
                          const char *new_name,
                          unsigned int flags)
{
    (void)new_parent;
    (void)new_name;
    (void)flags;
    irsafs_refuse_mknod(req, parent, name, 0, 0);
}

void irsafs_refuse_create(
    fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
    (void)fi;
    irsafs_refuse_mknod(req, parent, name, mode, 0);
}

void irsafs_refuse_fallocate(
    fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len, struct fuse_file_info *fi)
{
    (void)ino;
    (void)mode;
    (void)off;
    (void)len;
    (void)fi;
    (void)fuse_reply_err(req, EROFS);
}
