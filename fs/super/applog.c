/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/applog.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE_MAX_BYTES = 10 << 20, RETRY_MS = 5000, MODE = 0644 };

static const char name[] = "app.log";
static const char old_name[] = "app.log.1";

enum { NOT_OURS = EMLINK }; /* stands for all that is not a regular file with one link */

static const char *in_words(int error)
{
    return error == NOT_OURS ? "app.log is not a regular file with one link"
                             : strerrordesc_np(error);
}

/* Found there, or made. O_EXCL: in a sticky folder the kernel refuses O_CREAT for a file of somebody else
 * (fs.protected_regular), and nobody's link is followed. */
static int open_name(int dir_fd)
{
    const int flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    int fd = openat(dir_fd, name, flags);
    if (fd < 0 && errno == ENOENT) {
        fd = openat(dir_fd, name, flags | O_CREAT | O_EXCL, MODE);
        if (fd >= 0) {
            (void)fchmod(fd, MODE); /* whatever the umask is */
        }
    }
    return fd;
}

/* 0, or an errno value. */
static int open_file(int dir_fd, int *ret_fd)
{
    struct stat st;
    int fd = open_name(dir_fd);
    if (fd < 0) {
        bool foreign = errno == ELOOP || errno == ENXIO || errno == EISDIR;
        return foreign ? NOT_OURS : errno;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1) {
        (void)irsafs_fd_close(fd);
        return NOT_OURS;
    }
    *ret_fd = fd;
    return 0;
}

static int try_open(struct irsafs_applog *a)
{
    int error = 0;
    a->dir_fd = open(a->folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (a->dir_fd < 0) {
        return errno;
    }
    error = open_file(a->dir_fd, &a->fd);
    if (error != 0) {
        a->dir_fd = irsafs_fd_close(a->dir_fd);
        return error;
    }
    (void)irsafs_log_set_file(a->fd);
    return 0;
}

void irsafs_applog_close(struct irsafs_applog *a)
{
    (void)irsafs_log_set_file(-1);
    a->fd = irsafs_fd_close(a->fd);
    a->dir_fd = irsafs_fd_close(a->dir_fd);
}

bool irsafs_applog_reopen(struct irsafs_applog *a, int64_t now_ms)
{
    if (a->folder == NULL) {
        return false;
    }
    bool had = a->fd >= 0;
    bool failing = a->failing;
    irsafs_applog_close(a);
    int error = try_open(a);
    a->failing = error != 0;
    a->retry_ms = now_ms + RETRY_MS;
    if (error != 0 && !failing) {
        irsafs_log(IRSAFS_LOG_WARN, "log_file_failed", IRSAFS_LOG_TEXT("folder", a->folder),
                   IRSAFS_LOG_TEXT("error", in_words(error)));
    } else if (error == 0) {
        irsafs_log(had ? IRSAFS_LOG_DEBUG : IRSAFS_LOG_INFO, "log_file_opened",
                   IRSAFS_LOG_TEXT("folder", a->folder));
    }
    return had || a->fd >= 0;
}

void irsafs_applog_open(struct irsafs_applog *a, const char *folder)
{
    struct stat st;
    if (lstat(folder, &st) == 0) {
        a->folder = folder;
        (void)irsafs_applog_reopen(a, irsafs_clock_boot_ms());
    }
}

/* Whatever has the old name gives way, or else (a directory, a folder that is not ours to change) the
 * file begins anew: it must not grow for ever. */
static bool rotate(struct irsafs_applog *a, int64_t now_ms)
{
    if (renameat(a->dir_fd, name, a->dir_fd, old_name) == 0) {
        (void)irsafs_applog_reopen(a, now_ms);
        irsafs_log(IRSAFS_LOG_INFO, "log_file_rotated", IRSAFS_LOG_TEXT("folder", a->folder));
        return true;
    }
    int error = errno;
    (void)!ftruncate(a->fd, 0);
    irsafs_log(IRSAFS_LOG_WARN, "log_file_truncated", IRSAFS_LOG_TEXT("folder", a->folder),
               IRSAFS_LOG_TEXT("error", strerrordesc_np(error)));
    return false;
}

bool irsafs_applog_check(struct irsafs_applog *a, int64_t now_ms)
{
    struct stat there;
    struct stat ours;
    if (a->folder == NULL) {
        return false;
    }
    if (a->fd < 0) {
        return now_ms >= a->retry_ms && irsafs_applog_reopen(a, now_ms);
    }
    if (fstatat(a->dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) != 0 || fstat(a->fd, &ours) != 0 ||
        there.st_ino != ours.st_ino || there.st_dev != ours.st_dev || ours.st_nlink != 1) {
        return irsafs_applog_reopen(a, now_ms);
    }
    return ours.st_size >= SIZE_MAX_BYTES && rotate(a, now_ms);
}
