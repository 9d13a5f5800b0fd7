/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_FILE_H
#define IRSAFS_BASE_FILE_H

#include "base/attr.h"
#include "base/buf.h"

#include <stdbool.h>

/* Descriptors and small files. */

/* For IRSAFS_CLEANUP: closes when >= 0. */
void irsafs_fd_closep(int *fd);
/* Closes when >= 0, keeps errno, returns -1. */
int irsafs_fd_close(int fd);

/* Opens /dev/fuse for reading and writing, close on exec, with more flags of open(2). -1 with errno: ENODEV
 * also when another device has the name, as where a container tool hides it by /dev/null. */
int irsafs_fuse_open(int flags);

/* Opens /dev/null on every standard descriptor that is closed, so that nothing else gets its number
 * (a log line must not end up in /dev/fuse). For the begin of main. */
void irsafs_fd_fill_standard(void);

/* Appends a whole regular file to buf. Opens with O_NONBLOCK and O_NOCTTY, so a FIFO or a device
 * cannot hold us up; anything but a regular file is refused. Never blocks on anything but the file
 * system itself. Returns 0 or an errno value: EFBIG when the file is larger than the ceiling of
 * buf, EINVAL when it is not a regular file, ENOMEM, or what open(2) and read(2) say. */
int irsafs_file_read(const char *path, struct irsafs_buf *buf) IRSAFS_MUST_CHECK;

/* Why a file could not be read, errnum as of irsafs_file_read, in words. Where permission is denied (EACCES)
 * also whose it is: "Permission denied (0:0 0600, irsafs-client runs as 65534:65534)", with "folder PATH "
 * before the ids when it is a folder on the way that cannot be entered, or that it is no permission but the
 * sandbox. Cut at IRSAFS_FILE_REASON_SIZE. program: who says so. */
enum { IRSAFS_FILE_REASON_SIZE = 160 };
void irsafs_file_reason(const char *path,
                        int errnum,
                        const char *program,
                        char ret_reason[IRSAFS_FILE_REASON_SIZE]);

/* Writes all bytes, retrying on EINTR and short writes. False with errno set on failure. */
bool irsafs_write_all(int fd, const void *data, size_t len) IRSAFS_MUST_CHECK;

#endif
