/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/notifier.h"

#include "base/file.h"
#include "base/log.h"
#include "fs/super/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    NOTIFY_INC_EPOCH = 8, /* FUSE_NOTIFY_INC_EPOCH; linux/fuse.h has it since 6.16 */
    SOCKET = 3,           /* descriptors of the notifier */
    CLONE = 4,
};

struct message {
    uint64_t tell;
    uint64_t epoch; /* bool */
};

/* ---- in the notifier */

static int write_inval_entry(void)
{
    static const char name[] = "config";
    struct {
        struct fuse_out_header header;
        struct fuse_notify_inval_entry_out entry;
        char name[sizeof(name)];
    } __attribute__((packed)) m = {
        .header = {.len = sizeof(m), .error = FUSE_NOTIFY_INVAL_ENTRY},
        .entry = {.parent = FUSE_ROOT_ID, .namelen = sizeof(name) - 1},
    };
    memcpy(m.name, name, sizeof(name));
    /* ENOENT: the kernel has no such name cached, which is what we want. */
    return write(CLONE, &m, sizeof(m)) < 0 && errno != ENOENT ? errno : 0;
}

static int write_inc_epoch(void)
{
    struct fuse_out_header m = {.len = sizeof(m), .error = NOTIFY_INC_EPOCH};
    return write(CLONE, &m, sizeof(m)) < 0 ? errno : 0;
}

static void notify(const struct message *m)
{
    int error = m->epoch != 0 ? write_inc_epoch() : EINVAL;
    if (error == EINVAL) {
        error = write_inval_entry();
    }
    if (error != 0 && error != ENODEV && error != ENOTCONN && error != EPERM) {
        irsafs_log(IRSAFS_LOG_ERROR, "notify_failed", "error=\"%s\"", strerrordesc_np(error));
    }
}

static void serve(void)
{
    struct message m;
    ssize_t n;
    while ((n = recv(SOCKET, &m, sizeof(m), 0)) != 0) {
        if (n == (ssize_t)sizeof(m)) {
            notify(&m);
            n = send(SOCKET, &m.tell, sizeof(m.tell), MSG_NOSIGNAL);
        }
        if (n < 0 && errno != EINTR) {
            return;
        }
    }
}

static void run_notifier(int socket, int clone)
{
    irsafs_child_keep(socket, SOCKET, clone, CLONE);
    (void)prctl(PR_SET_NAME, "irsafs-notifier");
    /* These are for the daemon, which ends us when it has unmounted. */
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    serve();
    _exit(0);
}

/* ---- in the daemon */

/* A second descriptor of the same connection; where it cannot be had, a duplicate. */
static int clone_fuse(int fuse_fd)
{
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    uint32_t source = (uint32_t)fuse_fd;
    if (fd >= 0 && ioctl(fd, FUSE_DEV_IOC_CLONE, &source) == 0) {
        return fd;
    }
    (void)irsafs_fd_close(fd);
    return fcntl(fuse_fd, F_DUPFD_CLOEXEC, 3);
}

enum irsafs_code
irsafs_notifier_start(int fuse_fd, struct irsafs_notifier *ret_notifier, struct irsafs_error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return irsafs_error_set(err, IRSAFS_E_IO, "socket of the notifier: %s",
                                strerrordesc_np(errno));
    }
    int clone = clone_fuse(fuse_fd);
    pid_t pid = clone >= 0 ? irsafs_child_fork() : -1;
    int saved_errno = errno;
    if (pid == 0) {
        run_notifier(pair[1], clone);
    }
    (void)irsafs_fd_close(clone);
    (void)irsafs_fd_close(pair[1]);
    if (pid < 0) {
        (void)irsafs_fd_close(pair[0]);
        return irsafs_error_set(err, IRSAFS_E_IO, "start the notifier: %s",
                                strerrordesc_np(saved_errno));
    }
    *ret_notifier = (struct irsafs_notifier){.pid = pid, .socket = pair[0]};
    return IRSAFS_OK;
}

void irsafs_notifier_tell(struct irsafs_notifier *n, uint64_t tell, bool epoch)
{
    struct message m = {.tell = tell, .epoch = epoch};
    if (n->busy || n->asked >= tell || n->pid <= 0) {
        return;
    }
    if (send(n->socket, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(m)) {
        n->busy = true;
        n->asked = tell;
    } /* otherwise it is dead: the socket says so to the loop */
}

bool irsafs_notifier_done(struct irsafs_notifier *n, uint64_t *ret_told, bool *ret_dead)
{
    uint64_t told;
    ssize_t got = recv(n->socket, &told, sizeof(told), MSG_DONTWAIT);
    if (got == (ssize_t)sizeof(told)) {
        n->busy = false;
        *ret_told = told;
        return true;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        irsafs_notifier_stop(n);
        *ret_dead = true;
    }
    return false;
}

void irsafs_notifier_stop(struct irsafs_notifier *n)
{
    if (n->pid > 0) {
        (void)kill(n->pid, SIGKILL);
    }
    n->socket = irsafs_fd_close(n->socket);
    n->pid = -1;
}
