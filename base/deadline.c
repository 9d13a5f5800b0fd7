/* SPDX-License-Identifier: Apache-2.0 */
#include "base/deadline.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whether the child ended in time; 0 or an errno value. */
static int await(pid_t pid, int64_t deadline_ms)
{
    IRSAFS_CLEANUP(irsafs_fd_closep) int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0) {
        return errno;
    }
    for (;;) {
        struct pollfd end = {.fd = pidfd, .events = POLLIN};
        int64_t left_ms = deadline_ms - irsafs_clock_boot_ms();
        int n = poll(&end, 1, left_ms <= 0 ? 0 : left_ms < INT_MAX ? (int)left_ms : INT_MAX);
        if (n > 0) {
            return 0;
        }
        if (n < 0 && errno != EINTR) {
            return errno;
        }
        if (n == 0 && left_ms <= 0) {
            return ETIMEDOUT;
        }
    }
}

static int collect(int fd, struct irsafs_buf *buf)
{
    char chunk[4096];
    off_t at = 0;
    for (;;) {
        ssize_t n = pread(fd, chunk, sizeof(chunk), at);
        if (n <= 0) {
            return n < 0 ? errno : 0;
        }
        if (!irsafs_buf_append(buf, chunk, (size_t)n)) {
            return buf->len + (size_t)n > buf->max ? EFBIG : ENOMEM;
        }
        at += n;
    }
}

int irsafs_deadline_run(irsafs_deadline_job job,
                        const void *arg,
                        int64_t deadline_ms,
                        struct irsafs_buf *buf)
{
    int status = 0;
    IRSAFS_CLEANUP(irsafs_fd_closep) int fd = memfd_create("irsafs-deadline", MFD_CLOEXEC);
    pid_t pid = fd >= 0 ? fork() : -1;
    if (pid < 0) {
        return errno;
    }
    if (pid == 0) {
        _exit(job(arg, fd));
    }
    int errnum = await(pid, deadline_ms);
    if (errnum != 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, WNOHANG); /* it may not be able to end: never wait for it */
        return errnum;
    }
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
        return EIO;
    }
    return WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : collect(fd, buf);
}
