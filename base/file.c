/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { OPEN_TRIES = 5 };

int irsafs_fd_close(int fd)
{
    if (fd >= 0) {
        int saved_errno = errno;
        (void)close(fd);
        errno = saved_errno;
    }
    return -1;
}

void irsafs_fd_closep(int *fd)
{
    *fd = irsafs_fd_close(*fd);
}

void irsafs_fd_fill_standard(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDONLY); /* the lowest free number; a write to it still fails */
    } while (fd >= 0 && fd <= STDERR_FILENO);
    (void)irsafs_fd_close(fd);
}

static int read_all(int fd, struct irsafs_buf *buf)
{
    char chunk[4096];
    int result = 0;
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            result = n < 0 ? errno : 0;
            break;
        }
        if (!irsafs_buf_append(buf, chunk, (size_t)n)) {
            result = buf->len + (size_t)n > buf->max ? EFBIG : ENOMEM;
            break;
        }
    }
    if (buf->secret) {
        explicit_bzero(chunk, sizeof(chunk));
    }
    return result;
}

/* kubelet replaces the folder behind a symlink and removes the old one: between reading the link and
 * opening the file in what it named, that may be gone. The next try follows the new link. */
static int open_file(const char *path)
{
    int fd = -1;
    errno = ENOENT;
    for (int i = 0; i < OPEN_TRIES && fd < 0 && errno == ENOENT; i++) {
        fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    }
    return fd;
}

int irsafs_file_read(const char *path, struct irsafs_buf *buf)
{
    IRSAFS_CLEANUP(irsafs_fd_closep) int fd = open_file(path);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return EINVAL;
    }
    return read_all(fd, buf);
}

/* The file, or the first folder on the way whose inside may not be looked at. */
static bool find_obstacle(char path[PATH_MAX], struct stat *ret_st, bool *ret_folder)
{
    *ret_folder = false;
    while (stat(path, ret_st) != 0) {
        char *slash = strrchr(path, '/');
        if (errno != EACCES || slash == NULL || slash[1] == '\0') {
            return false;
        }
        slash[slash == path ? 1 : 0] = '\0';
        *ret_folder = true;
    }
    return true;
}

void irsafs_file_reason(const char *path,
                        int errnum,
                        const char *program,
                        char ret_reason[IRSAFS_FILE_REASON_SIZE])
{
    char obstacle[PATH_MAX];
    struct stat st;
    bool folder = false;
    const char *words = errnum == EINVAL ? "not a regular file" : strerrordesc_np(errnum);
    int n = snprintf(ret_reason, IRSAFS_FILE_REASON_SIZE, "%s", words);
    if (errnum != EACCES || (size_t)snprintf(obstacle, sizeof(obstacle), "%s", path) >= PATH_MAX) {
        return;
    }
    char *more = ret_reason + n;
    size_t size = IRSAFS_FILE_REASON_SIZE - (size_t)n;
    if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0) {
        (void)snprintf(more, size, " (by the sandbox: --sandbox=off would allow it)");
    } else if (find_obstacle(obstacle, &st, &folder)) {
        (void)snprintf(more, size, " (%s%.50s%s%u:%u %04o, %s runs as %u:%u)",
                       folder ? "folder " : "", folder ? obstacle : "", folder ? " " : "",
                       st.st_uid, st.st_gid, st.st_mode & 07777U, program, geteuid(), getegid());
    }
}

int irsafs_fuse_open(int flags)
{
    enum { MISC_MAJOR = 10, FUSE_MINOR = 229 }; /* of every Linux */
    struct stat st;
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | flags);
    if (fd >= 0 && fstat(fd, &st) == 0 &&
        (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(MISC_MAJOR, FUSE_MINOR))) {
        errno = ENODEV;
        return irsafs_fd_close(fd);
    }
    return fd;
}

bool irsafs_write_all(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return false;
        }
        at += n;
        len -= (size_t)n;
    }
    return true;
}
