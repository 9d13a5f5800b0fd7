/* SPDX-License-Identifier: Apache-2.0 */
#include "base/daemon_files.h"

#include "base/file.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { NOT_FUSE = IRSAFS_DAEMON_NOT_FUSE };

int irsafs_daemon_open_files(const char *mountpoint, int *ret_dir)
{
    struct statfs fs;
    int dir = open(mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || fstatfs(dir, &fs) != 0) {
        return errno;
    }
    if (fs.f_type != FUSE_SUPER_MAGIC) { /* layout subdir? */
        dir = openat(dir, ".live", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir < 0 || fstatfs(dir, &fs) != 0) {
            return errno == ENOTCONN || errno == ECONNABORTED ? errno : NOT_FUSE;
        }
    }
    *ret_dir = dir;
    return fs.f_type == FUSE_SUPER_MAGIC ? 0 : NOT_FUSE;
}

int irsafs_daemon_find_job(const void *mountpoint, int out)
{
    int dir = -1; /* a child's: it ends with it */
    (void)out;
    return irsafs_daemon_open_files(mountpoint, &dir);
}

int irsafs_daemon_copy_file(int dir, const char *name, size_t max, int out)
{
    struct stat st;
    char chunk[4096];
    int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        return errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return NOT_FUSE;
    }
    for (size_t total = 0; total <= max;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? errno : 0;
        }
        if (!irsafs_write_all(out, chunk, (size_t)n)) {
            return errno;
        }
        total += (size_t)n;
    }
    return EFBIG;
}

int irsafs_daemon_status_job(const void *mountpoint, int out)
{
    int dir = -1;
    int errnum = irsafs_daemon_open_files(mountpoint, &dir);
    return errnum != 0 ? errnum : irsafs_daemon_copy_file(dir, "status", IRSAFS_STATUS_MAX, out);
}

const char *irsafs_daemon_files_reason(int errnum)
{
    const char *reason = errnum == ETIMEDOUT      ? "the mount does not answer"
                         : errnum == ENOTCONN     ? "a dead mount: its irsafs was killed"
                         : errnum == ECONNABORTED ? "a dead mount: its irsafs has ended"
                         : errnum == NOT_FUSE     ? "no mount"
                                                  : strerrordesc_np(errnum);
    return reason != NULL ? reason : "unknown error";
}

bool irsafs_daemon_is_at(const char *told, const char *path)
{
    char real[PATH_MAX];
    char parent[PATH_MAX];
    char wanted[2 * PATH_MAX];
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    (void)snprintf(parent, sizeof(parent), "%.*s", (int)len, path);
    char *slash = strrchr(parent, '/');
    const char *name = slash != NULL ? path + (slash + 1 - parent) : path;
    int name_len = (int)(path + len - name);
    if (slash != NULL) {
        slash[slash == parent ? 1 : 0] = '\0';
    }
    if (realpath(slash != NULL ? parent : ".", real) == NULL) {
        return false;
    }
    (void)snprintf(wanted, sizeof(wanted), "%s/%.*s", strcmp(real, "/") == 0 ? "" : real, name_len,
                   name);
    return strcmp(wanted, told) == 0;
}
