/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/receive.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    RETRY_MS = 25,
    PAYLOAD_MAX = 500,
    FDS_MAX = 253, /* SCM_MAX_FD of the kernel: all that can come are seen, and closed */
    FUSE_MAJOR = 10,
    FUSE_MINOR = 229,
};

struct waiting {
    const struct irsafs_donor *donor;
    int64_t end_ms;
    struct irsafs_error *err;
};

bool irsafs_donor_parse(const char *word, struct irsafs_donor *ret)
{
    static const struct {
        const char *prefix;
        enum irsafs_donor_kind kind;
    } kinds[] = {{"connect:", IRSAFS_DONOR_CONNECT},
                 {"listen:", IRSAFS_DONOR_LISTEN},
                 {"fd:", IRSAFS_DONOR_FD}};
    for (size_t i = 0; i < IRSAFS_COUNT(kinds); i++) {
        size_t len = strlen(kinds[i].prefix);
        if (strncmp(word, kinds[i].prefix, len) != 0) {
            continue;
        }
        char *end = NULL;
        errno = 0;
        long n = kinds[i].kind == IRSAFS_DONOR_FD ? strtol(word + len, &end, 10) : 0;
        ret->kind = kinds[i].kind;
        ret->path = word + len;
        ret->fd = (int)n;
        return word[len] != '\0' &&
               (end == NULL || (*end == '\0' && errno == 0 && n > STDERR_FILENO && n <= INT_MAX));
    }
    return false;
}

/* ---- waiting */

static bool is_stop_asked(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

/* 1: ready; 0: the time is over; -1: the end is asked for. fd -1: a pause. */
static int wait_for(const struct waiting *w, int fd, int64_t pause_ms)
{
    int64_t begin_ms = irsafs_clock_boot_ms();
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t now_ms = irsafs_clock_boot_ms();
        if (is_stop_asked()) {
            return -1;
        }
        if (now_ms >= w->end_ms) {
            return 0;
        }
        if (fd < 0 && now_ms >= begin_ms + pause_ms) {
            return 1;
        }
        if (poll(&p, 1, RETRY_MS) > 0) {
            return 1;
        }
    }
}

static enum irsafs_code nobody(const struct waiting *w, const char *what, int errnum)
{
    return irsafs_error_set(w->err, IRSAFS_E_NO_DONOR, "%s within %lld ms on %.120s%s%s", what,
                            (long long)w->donor->timeout_ms, w->donor->path,
                            errnum != 0 ? ": " : "", errnum != 0 ? strerrordesc_np(errnum) : "");
}

/* ---- the socket */

/* A socket's name is short; the paths of volumes are not. *ret_dir is to be kept open as long as the
 * address is used. */
static bool find_address(const char *path, struct sockaddr_un *ret, int *ret_dir)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(folder, sizeof(folder), "%.*s", slash != NULL ? (int)(slash + 1 - path) : 1,
                     slash != NULL ? path : ".");
    errno = ENAMETOOLONG;
    *ret_dir =
        n > 0 && (size_t)n < sizeof(folder) ? open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (*ret_dir < 0) {
        return false;
    }
    n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", *ret_dir, name);
    errno = ENAMETOOLONG;
    return n > 0 && (size_t)n < sizeof(ret->sun_path);
}

static int new_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* The driver may start after us, and change the owner of its socket only when it is there. */
static bool may_come(int errnum)
{
    return errnum == ENOENT || errnum == ECONNREFUSED || errnum == EACCES || errnum == EAGAIN;
}

static enum irsafs_code come_to(const struct waiting *w, int *ret_fd)
{
    for (;;) {
        struct sockaddr_un address;
        IRSAFS_CLEANUP(irsafs_fd_closep) int dir = -1;
        int fd = new_socket();
        if (fd >= 0 && find_address(w->donor->path, &address, &dir) &&
            connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
            *ret_fd = fd;
            return IRSAFS_OK;
        }
        int errnum = errno;
        (void)irsafs_fd_close(fd);
        if (!may_come(errnum)) {
            return irsafs_error_set(w->err, IRSAFS_E_NO_DONOR, "connect to %.120s: %s",
                                    w->donor->path, strerrordesc_np(errnum));
        }
        int ready = wait_for(w, -1, RETRY_MS);
        if (ready <= 0) {
            return ready < 0 ? IRSAFS_OK : nobody(w, "no connection", errnum);
        }
    }
}

static void remove_socket(const char *path)
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        (void)unlink(path);
    }
}

static int bind_to(const char *path)
{
    struct sockaddr_un address;
    IRSAFS_CLEANUP(irsafs_fd_closep) int dir = -1;
    int fd = new_socket();
    if (fd < 0 || !find_address(path, &address, &dir)) {
        return irsafs_fd_close(fd);
    }
    remove_socket(path); /* of an irsafs before us */
    mode_t before = umask(0177);
    bool bound = bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    (void)umask(before);
    return bound && listen(fd, 1) == 0 ? fd : irsafs_fd_close(fd);
}

static enum irsafs_code let_come(const struct waiting *w, int *ret_fd)
{
    IRSAFS_CLEANUP(irsafs_fd_closep) int fd = bind_to(w->donor->path);
    if (fd < 0) {
        return irsafs_error_set(w->err, IRSAFS_E_NO_DONOR, "listen on %.120s: %s", w->donor->path,
                                strerrordesc_np(errno));
    }
    for (;;) {
        int ready = wait_for(w, fd, 0);
        if (ready <= 0) {
            return ready < 0 ? IRSAFS_OK : nobody(w, "nobody has connected", 0);
        }
        *ret_fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (*ret_fd >= 0) {
            return IRSAFS_OK;
        }
    }
}

/* ---- the message */

static void close_all(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        (void)close(fds[i]);
    }
}

/* The descriptors of a message. */
static size_t take_fds(struct msghdr *message, int fds[FDS_MAX])
{
    size_t n = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            here = here < FDS_MAX - n ? here : FDS_MAX - n;
            memcpy(fds + n, CMSG_DATA(c), here * sizeof(int));
            n += here;
        }
    }
    return n;
}

/* What was read: len of recvmsg(2), n descriptors. */
static enum irsafs_code
judge_message(ssize_t len, int errnum, size_t n, bool lost, struct irsafs_error *err)
{
    if (len < 0) {
        return irsafs_error_set(err, IRSAFS_E_NO_DONOR, "read the driver's message: %s",
                                strerrordesc_np(errnum));
    }
    if (len == 0 && n == 0 && !lost) {
        return irsafs_error_set(err, IRSAFS_E_NO_DONOR,
                                "the driver has closed the connection without a message");
    }
    if (lost) {
        return irsafs_error_set(err, IRSAFS_E_NOT_FUSE,
                                "the kernel did not let all descriptors of the message through: a "
                                "security module (SELinux), or the limit of descriptors");
    }
    if (n != 1) {
        return irsafs_error_set(err, IRSAFS_E_NOT_FUSE, "the message has %zu descriptors, not one",
                                n);
    }
    if (len > PAYLOAD_MAX) {
        return irsafs_error_set(err, IRSAFS_E_NOT_FUSE, "the message is longer than %d bytes",
                                PAYLOAD_MAX);
    }
    return IRSAFS_OK;
}

static enum irsafs_code receive_one(const struct waiting *w, int socket_fd, int *ret_fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control;
    char payload[PAYLOAD_MAX + 1];
    int fds[FDS_MAX] = {-1};
    struct iovec iov = {payload, sizeof(payload)};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    int ready = wait_for(w, socket_fd, 0);
    if (ready <= 0) {
        return ready < 0 ? IRSAFS_OK : nobody(w, "no message has come", 0);
    }
    ssize_t len = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
    int errnum = errno;
    size_t n = len >= 0 ? take_fds(&message, fds) : 0;
    enum irsafs_code code =
        judge_message(len, errnum, n, (message.msg_flags & MSG_CTRUNC) != 0, w->err);
    if (code != IRSAFS_OK) {
        close_all(fds, n);
        return code;
    }
    *ret_fd = fds[0];
    return IRSAFS_OK;
}

/* ---- the descriptor */

static bool is_fuse(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
           st.st_rdev == makedev(FUSE_MAJOR, FUSE_MINOR);
}

static enum irsafs_code judge(int fd, struct irsafs_error *err)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int flags = fcntl(fd, F_GETFL);
    if (!is_fuse(fd)) {
        return irsafs_error_set(err, IRSAFS_E_NOT_FUSE, "the descriptor is not of /dev/fuse");
    }
    if (flags < 0 || (flags & O_ACCMODE) != O_RDWR || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        return irsafs_error_set(err, IRSAFS_E_NOT_FUSE,
                                "the descriptor of /dev/fuse is not open for reading and writing");
    }
    if (poll(&p, 1, 0) < 0 || (p.revents & (POLLERR | POLLNVAL)) != 0) {
        return irsafs_error_set(err, IRSAFS_E_NOT_FUSE,
                                "nothing is mounted with the descriptor of /dev/fuse");
    }
    return IRSAFS_OK;
}

static void log_peer(int socket_fd)
{
    struct ucred peer = {.pid = 0};
    socklen_t len = sizeof(peer);
    bool known = getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0;
    irsafs_log(IRSAFS_LOG_INFO, "fd_received",
               IRSAFS_LOG_NUMBER("peer_uid", known ? (int64_t)peer.uid : -1),
               IRSAFS_LOG_NUMBER("peer_pid", known ? (int64_t)peer.pid : -1));
}

static enum irsafs_code open_way(const struct waiting *w, int *ret_fd)
{
    switch (w->donor->kind) {
    case IRSAFS_DONOR_CONNECT:
        return come_to(w, ret_fd);
    case IRSAFS_DONOR_LISTEN:
        return let_come(w, ret_fd);
    case IRSAFS_DONOR_FD:
    case IRSAFS_DONOR_NONE:
        break;
    }
    *ret_fd = fcntl(w->donor->fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (*ret_fd < 0) {
        return irsafs_error_set(w->err, IRSAFS_E_NO_DONOR, "descriptor %d: %s", w->donor->fd,
                                strerrordesc_np(errno));
    }
    (void)close(w->donor->fd);
    return IRSAFS_OK;
}

enum irsafs_code
irsafs_donor_receive(const struct irsafs_donor *donor, int *ret_fd, struct irsafs_error *err)
{
    const struct waiting w = {donor, irsafs_clock_boot_ms() + donor->timeout_ms, err};
    IRSAFS_CLEANUP(irsafs_fd_closep) int way = -1;
    int fd = -1;
    *ret_fd = -1;
    enum irsafs_code code = open_way(&w, &way);
    if (code == IRSAFS_OK && donor->kind == IRSAFS_DONOR_FD && is_fuse(way)) {
        fd = way;
        way = -1;
    } else if (code == IRSAFS_OK && way >= 0) {
        code = receive_one(&w, way, &fd);
        if (code == IRSAFS_OK && fd >= 0) {
            log_peer(way);
        }
    }
    if (donor->kind == IRSAFS_DONOR_LISTEN || (donor->kind == IRSAFS_DONOR_CONNECT && fd >= 0)) {
        remove_socket(donor->path);
    }
    if (code == IRSAFS_OK && fd >= 0) {
        code = judge(fd, err);
    }
    if (code != IRSAFS_OK) {
        (void)irsafs_fd_close(fd);
        return code;
    }
    *ret_fd = fd;
    return IRSAFS_OK;
}
