/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/mountpoint.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mountinfo.h"
#include "fs/super/child.h"
#include "fs/super/volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ANSWER_LIMIT_MS = 1000,
    LOCK_RETRY_MS = 10,
    ORPHAN_LIMIT_MS = 500, /* twice as long as it serves */
    ORPHAN_RETRY_MS = 50,
};

/* ---- what is mounted there */

/* A place. For the kernel it is looked up without a symlink on the way, whatever others have put there, and
 * from then on it is a descriptor: what is asked, and taken away, is what was found there. */
struct spot {
    char path[PATH_MAX]; /* for mountinfo and for people: absolute, without symlinks */
    int dir_fd;          /* with `name`: for the kernel */
    const char *name;
};

static bool find_spot(const char *path, int dir_fd, enum irsafs_layout layout, struct spot *ret)
{
    bool inside = layout == IRSAFS_LAYOUT_SUBDIR;
    int n =
        snprintf(ret->path, sizeof(ret->path), "%s%s", strcmp(path, "/") == 0 && inside ? "" : path,
                 inside ? "/" IRSAFS_VOLUME_LIVE : "");
    ret->dir_fd = inside ? dir_fd : AT_FDCWD;
    ret->name = inside ? IRSAFS_VOLUME_LIVE : ret->path;
    return n > 0 && (size_t)n < sizeof(ret->path);
}

/* Of the topmost mount there, or of the descriptor where name is ""; -1 with errno: unknown. Needs neither
 * descriptor nor memory nor /proc, so that a process which has run out of them does not leave its mount
 * behind; asks nobody who serves it. */
static int64_t id_of(int dir_fd, const char *name)
{
    struct statx st;
    errno = 0;
    bool known = statx(dir_fd, name,
                       AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH,
                       STATX_MNT_ID, &st) == 0 &&
                 (st.stx_mask & STATX_MNT_ID) != 0;
    return known ? (int64_t)st.stx_mnt_id : -1;
}

/* Whether it is an irsafs that is mounted on the spot that the descriptor is of. Others at that path are
 * hidden below another mount. Returns 0 or ENOMEM. */
static int look_up(const struct spot *at, int fd, bool *ret_ours)
{
    struct irsafs_layer layers[IRSAFS_LAYERS_MAX];
    size_t n = 0;
    int64_t id = id_of(fd, "");
    *ret_ours = false;
    if (irsafs_layers_read(at->path, layers, &n) == ENOMEM) {
        return ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        *ret_ours = *ret_ours || (layers[i].ours && layers[i].id == id);
    }
    return 0;
}

enum life { ALIVE, DEAD, SILENT };

static int pidfd_open(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* Asks the file system itself: the attributes of a daemon that was killed stay cached for a while.
 * In a child, because a daemon that is stopped answers nobody. */
static enum life ask(int place_fd)
{
    pid_t pid = irsafs_child_fork();
    if (pid < 0) {
        return SILENT;
    }
    if (pid == 0) {
        struct statx st;
        int r = statx(place_fd, "", AT_STATX_FORCE_SYNC | AT_EMPTY_PATH, STATX_BASIC_STATS, &st);
        /* ECONNABORTED: it died while we asked. */
        bool dead = r != 0 && (errno == ENOTCONN || errno == ECONNABORTED);
        _exit(r == 0 ? ALIVE : dead ? DEAD : SILENT);
    }
    IRSAFS_CLEANUP(irsafs_fd_closep) int fd = pidfd_open(pid);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n;
    do {
        n = poll(&p, 1, ANSWER_LIMIT_MS);
    } while (n < 0 && errno == EINTR);
    if (n == 0) {
        (void)kill(pid, SIGKILL);
    }
    int status = 0;
    /* A child that hangs in the kernel cannot be waited for; it is reaped by init after us. */
    pid_t reaped = waitpid(pid, &status, n == 0 ? WNOHANG : 0);
    bool answered = reaped == pid && WIFEXITED(status);
    return answered && WEXITSTATUS(status) <= SILENT ? (enum life)WEXITSTATUS(status) : SILENT;
}

/* The mount itself, wherever it is by now. */
static bool detach(int place_fd)
{
    char link[32];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", place_fd);
    return umount2(link, MNT_DETACH) == 0;
}

static enum irsafs_code clear_layers(const struct spot *at, struct irsafs_error *err)
{
    const char *path = at->path;
    int waited_ms = 0;
    for (int i = 0; i < IRSAFS_LAYERS_MAX; i++) {
        bool ours = false;
        IRSAFS_CLEANUP(irsafs_fd_closep) int fd = irsafs_volume_open_name(at->dir_fd, at->name);
        if (fd < 0 && errno != EMFILE && errno != ENFILE && errno != ENOMEM) {
            break; /* nothing, or nothing for us */
        }
        if (fd < 0 || look_up(at, fd, &ours) != 0) {
            return irsafs_error_set(err, IRSAFS_E_MEMORY, "no memory to see what is mounted on %s",
                                    path);
        }
        if (!ours) {
            break;
        }
        switch (ask(fd)) {
        case ALIVE:
            if (waited_ms < ORPHAN_LIMIT_MS) { /* a worker whose supervisor was killed ends soon */
                (void)poll(NULL, 0, ORPHAN_RETRY_MS);
                waited_ms += ORPHAN_RETRY_MS;
                continue;
            }
            return irsafs_error_set(err, IRSAFS_E_SERVED, "%s is already served by irsafs", path);
        case SILENT:
            return irsafs_error_set(err, IRSAFS_E_SILENT,
                                    "%s is served by a process that does not answer", path);
        case DEAD:
            break;
        }
        if (!detach(fd)) {
            return irsafs_error_set(err, IRSAFS_E_MOUNT_DENIED, "unmount the dead irsafs on %s: %s",
                                    path, strerrordesc_np(errno));
        }
        irsafs_log(IRSAFS_LOG_WARN, "dead_mount_removed", IRSAFS_LOG_TEXT("mountpoint", path));
    }
    return IRSAFS_OK;
}

/* Layouts root and file, on a folder that had layout subdir: a dead mount there is in nobody's way, where we
 * may not take it away. */
static enum irsafs_code clear_live(const char *path, struct irsafs_error *err)
{
    struct spot at = {0};
    IRSAFS_CLEANUP(irsafs_fd_closep) int fd = irsafs_volume_open(path);
    if (fd < 0 || !find_spot(path, fd, IRSAFS_LAYOUT_SUBDIR, &at)) {
        return IRSAFS_OK;
    }
    enum irsafs_code code = clear_layers(&at, err);
    return code == IRSAFS_E_MOUNT_DENIED ? IRSAFS_OK : code;
}

/* ---- what lies there */

static enum irsafs_code check_empty(const char *path, struct irsafs_error *err)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return irsafs_error_set(err, errno == ENOMEM ? IRSAFS_E_MEMORY : IRSAFS_E_NO_MOUNTPOINT,
                                "open mount point %s: %s", path, strerrordesc_np(errno));
    }
    enum irsafs_code code = IRSAFS_OK;
    const struct dirent *entry;
    /* The stream is ours alone: readdir(3) is safe. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while (code == IRSAFS_OK && (entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;
        bool itself = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
        if (!itself && !irsafs_volume_is_own(name)) {
            code = irsafs_error_set(err, IRSAFS_E_NOT_EMPTY,
                                    "mount point %s is not empty: it holds '%.40s'", path, name);
        }
    }
    (void)closedir(dir);
    return code;
}

/* The absolute path without symlinks, by opening the place only as a name (O_PATH): that asks nothing of
 * whoever serves it, dead or stopped. False with errno set. */
static bool find_path(const char *path, enum irsafs_layout layout, char ret_real[PATH_MAX])
{
    IRSAFS_CLEANUP(irsafs_fd_closep)
    int fd =
        layout == IRSAFS_LAYOUT_SUBDIR ? irsafs_volume_find(path) : open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    char link[32];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, ret_real, PATH_MAX - 1);
    if (n < 0) {
        return false;
    }
    ret_real[n] = '\0';
    return true;
}

enum irsafs_code irsafs_mountpoint_prepare(const char *path,
                                           enum irsafs_layout layout,
                                           bool allow_nonempty,
                                           char ret_path[PATH_MAX],
                                           struct irsafs_error *err)
{
    char real[PATH_MAX];
    struct stat st;
    struct spot at = {0};
    if (!find_path(path, layout, real)) {
        bool lured = errno == EPERM && layout == IRSAFS_LAYOUT_SUBDIR;
        return irsafs_error_set(
            err, lured ? IRSAFS_E_VOLUME : IRSAFS_E_NO_MOUNTPOINT, "mount point %s: %s", path,
            lured ? "a symlink on the way is another user's" : strerrordesc_np(errno));
    }
    (void)find_spot(real, -1, IRSAFS_LAYOUT_ROOT, &at);
    enum irsafs_code code = clear_layers(&at, err);
    if (code != IRSAFS_OK) {
        return code;
    }
    if (stat(real, &st) != 0) {
        return irsafs_error_set(err, IRSAFS_E_NO_MOUNTPOINT, "mount point %s: %s", real,
                                strerrordesc_np(errno));
    }
    if (!S_ISDIR(st.st_mode)) {
        return irsafs_error_set(err, IRSAFS_E_NOT_A_DIRECTORY, "mount point %s is not a directory",
                                real);
    }
    if (layout == IRSAFS_LAYOUT_ROOT) {
        code = clear_live(real, err);
    }
    bool may_hold_more =
        allow_nonempty || (layout == IRSAFS_LAYOUT_SUBDIR && irsafs_volume_is_laid(real));
    if (code == IRSAFS_OK && !may_hold_more) {
        code = check_empty(real, err);
    }
    if (code == IRSAFS_OK) {
        memcpy(ret_path, real, sizeof(real));
    }
    return code;
}

/* ---- mounting */

/* -1 with errno: unknown. */
static int64_t mount_id_of(const struct irsafs_mount *m)
{
    bool inside = m->layout == IRSAFS_LAYOUT_SUBDIR;
    return id_of(inside ? m->dir_fd : AT_FDCWD, inside ? IRSAFS_VOLUME_LIVE : m->path);
}

/* Two that start at the same moment both find nobody: they go one by one. The lock is that of the
 * directory below, which nothing else needs; who holds it for longer is no irsafs and does not count. */
static int lock_directory(const struct irsafs_mount *m)
{
    bool inside = m->layout == IRSAFS_LAYOUT_SUBDIR;
    int fd = openat(inside ? m->dir_fd : AT_FDCWD, inside ? "." : m->path,
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int waited_ms = 0;
    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && waited_ms < ANSWER_LIMIT_MS) {
        (void)poll(NULL, 0, LOCK_RETRY_MS);
        waited_ms += LOCK_RETRY_MS;
    }
    return fd;
}

/* The place by its descriptor, where there is one. Not to be looked at (access, stat): that would ask
 * whoever serves it, and that is us. */
static const char *place(int fd, const char *path, char ret_link[32])
{
    (void)snprintf(ret_link, 32, "/proc/self/fd/%d", fd);
    return fd >= 0 ? ret_link : path;
}

/* What is wanted on the place before it can be mounted on; opens the directory below. */
static enum irsafs_code prepare_place(struct irsafs_mount *m, struct irsafs_error *err)
{
    struct spot at = {0};
    if (!find_spot(m->path, m->dir_fd, m->layout, &at)) {
        return irsafs_error_set(err, IRSAFS_E_NO_MOUNTPOINT, "the mount point's name is too long");
    }
    enum irsafs_code code = clear_layers(&at, err);
    if (code == IRSAFS_OK && m->layout == IRSAFS_LAYOUT_SUBDIR) {
        m->below_fd = irsafs_fd_close(m->below_fd);
        return irsafs_volume_lay(m->dir_fd, &m->owner, &m->below_fd, err);
    }
    if (code == IRSAFS_OK && m->below_fd < 0) {
        m->below_fd = irsafs_volume_open(m->path);
    }
    return code;
}

/* Who can write in the volume can have put another directory there between our steps. */
static bool is_in_its_place(const struct irsafs_mount *m)
{
    bool hidden = m->id < 0 && errno == EACCES;
    return hidden || (m->id >= 0 && m->id != id_of(m->dir_fd, ""));
}

enum irsafs_code
irsafs_mountpoint_mount(struct irsafs_mount *m, int *ret_fd, struct irsafs_error *err)
{
    if (m->layout == IRSAFS_LAYOUT_SUBDIR && m->dir_fd < 0) {
        m->dir_fd = irsafs_volume_open(m->path);
        if (m->dir_fd < 0) {
            return irsafs_error_set(err, IRSAFS_E_VOLUME, "open mount point %s: %s", m->path,
                                    strerrordesc_np(errno));
        }
    }
    int fd = irsafs_fuse_open(O_NONBLOCK);
    if (fd < 0) {
        return irsafs_error_set(err, IRSAFS_E_NO_FUSE, "open /dev/fuse: %s",
                                strerrordesc_np(errno));
    }
    IRSAFS_CLEANUP(irsafs_fd_closep) int lock = lock_directory(m);
    (void)lock; /* held until we return */
    enum irsafs_code code = prepare_place(m, err);
    if (code != IRSAFS_OK) {
        (void)irsafs_fd_close(fd);
        return code;
    }
    char link[32];
    char data[128];
    (void)snprintf(data, sizeof(data),
                   "fd=%d,rootmode=40000,user_id=%u,group_id=%u,allow_other,default_permissions",
                   fd, (unsigned)getuid(), (unsigned)getgid());
    if (mount("irsafs", place(m->below_fd, m->path, link), IRSAFS_FSTYPE,
              MS_NOSUID | MS_NODEV | MS_NOEXEC, data) != 0) {
        int saved_errno = errno;
        (void)irsafs_fd_close(fd);
        return irsafs_error_set(err, IRSAFS_E_MOUNT_DENIED, "mount on %s: %s", m->path,
                                strerrordesc_np(saved_errno));
    }
    m->id = mount_id_of(m);
    if (m->layout == IRSAFS_LAYOUT_SUBDIR && !is_in_its_place(m)) {
        (void)umount2(place(m->below_fd, m->path, link), MNT_FORCE | MNT_DETACH);
        (void)irsafs_fd_close(fd);
        return irsafs_error_set(err, IRSAFS_E_VOLUME,
                                "somebody has replaced " IRSAFS_VOLUME_LIVE " in %s meanwhile",
                                m->path);
    }
    *ret_fd = fd;
    m->mounted = true;
    return IRSAFS_OK;
}

void irsafs_mountpoint_keep_way(struct irsafs_mount *m)
{
    if (m->mounted && m->layout == IRSAFS_LAYOUT_ROOT && mount_id_of(m) >= 0) {
        m->below_fd = irsafs_fd_close(m->below_fd);
    }
}

/* Layout subdir: who can write in the volume can have given our directory another name, and the mount has
 * gone with it. */
static bool is_elsewhere(const struct irsafs_mount *m)
{
    return m->layout == IRSAFS_LAYOUT_SUBDIR && m->id >= 0 && irsafs_layer_is_bare((int)m->id);
}

void irsafs_mountpoint_unmount(struct irsafs_mount *m)
{
    char link[32];
    if (!m->mounted) {
        return;
    }
    int64_t on_top = mount_id_of(m);
    bool hidden = on_top < 0 && errno == EACCES; /* we may not walk there (any more) */
    /* Otherwise somebody has unmounted it, or mounted over it: what is there now is not ours. */
    bool ours = hidden || (m->id >= 0 && on_top == m->id) || is_elsewhere(m);
    /* Of a place that is mounted on, umount2 takes the mount (LOOKUP_MOUNTPOINT in fs/namei.c). */
    if (ours && umount2(place(m->below_fd, m->path, link), MNT_FORCE | MNT_DETACH) != 0) {
        irsafs_log(IRSAFS_LOG_WARN, "unmount_failed", IRSAFS_LOG_TEXT("mountpoint", m->path),
                   IRSAFS_LOG_TEXT("error", strerrordesc_np(errno)));
    }
    m->mounted = false;
    m->id = -1;
}
