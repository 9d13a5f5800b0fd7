/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/folder.h"

#include "base/file.h"
#include "base/log.h"
#include "fs/super/copy.h"
#include "fs/super/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define CONFIG  "config"
#define REFRESH "refresh"
#define STATUS  "status"

/* touch(1) and `echo >` are two events or three: they are one touch. Also the most that who touches
 * without end can have of us. */
enum { SETTLE_MS = 10, READS_IN_A_ROW = 32 };

enum { STATUS_MODE = 0444 };

enum {
    TOUCHES = IN_ATTRIB | IN_MODIFY | IN_CLOSE_WRITE,
    CHANGES = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO, /* of names */
};

/* As irsafs makes its files: then they are those of an irsafs before this one. Owner and mode tell them from
 * what people write. */
static bool is_made_by_us(const struct stat *st, uid_t uid, mode_t mode)
{
    return S_ISREG(st->st_mode) && (st->st_mode & 07777) == mode &&
           (st->st_uid == uid || st->st_uid == geteuid());
}

static bool is_known(int dir_fd, const char *name, uid_t uid, mode_t mode)
{
    struct stat st;
    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_made_by_us(&st, uid, mode);
}

bool irsafs_folder_is_known(const char *path, uid_t uid, mode_t config_mode)
{
    IRSAFS_CLEANUP(irsafs_fd_closep) int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 &&
           (is_known(fd, CONFIG, uid, config_mode) || is_known(fd, STATUS, uid, STATUS_MODE));
}

/* A text of somebody else is not lost by our first one. Whatever is no file is replaced or stays. */
static enum irsafs_code
spare(const struct irsafs_folder *f, const char *name, mode_t mode, struct irsafs_error *err)
{
    struct stat st;
    if (fstatat(f->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode) ||
        st.st_size == 0 || is_made_by_us(&st, f->refresh.uid, mode) ||
        irsafs_volume_keep_aside(f->dir_fd, name)) {
        return IRSAFS_OK;
    }
    return irsafs_error_set(err, IRSAFS_E_VOLUME, "move %s in the mount point aside: %s", name,
                            strerrordesc_np(errno));
}

static enum irsafs_code
spare_all(const struct irsafs_folder *f, mode_t config_mode, struct irsafs_error *err)
{
    enum irsafs_code code = spare(f, CONFIG, config_mode, err);
    if (code == IRSAFS_OK && !f->once) {
        code = spare(f, REFRESH, f->refresh.mode, err);
    }
    return code == IRSAFS_OK && !f->once ? spare(f, STATUS, STATUS_MODE, err) : code;
}

/* One that is as we make it, so that anybody may touch it. */
static bool stat_refresh(const struct irsafs_folder *f, struct stat *ret)
{
    return fstatat(f->dir_fd, REFRESH, ret, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(ret->st_mode) &&
           (ret->st_mode & 07777) == f->refresh.mode && ret->st_nlink == 1;
}

static void make_refresh(struct irsafs_folder *f)
{
    int errnum = irsafs_copy_write(f->dir_fd, REFRESH, "", 0, &f->refresh, &f->seen);
    if (errnum != 0 && errnum != f->errnum) {
        irsafs_log(IRSAFS_LOG_ERROR, "file_not_written", IRSAFS_LOG_TEXT("file", REFRESH),
                   IRSAFS_LOG_TEXT("error", strerrordesc_np(errnum)),
                   IRSAFS_LOG_TEXT("note", "tried again every second"));
    }
    f->errnum = errnum;
    if (errnum != 0) {
        f->seen = (struct stat){.st_ino = 0};
    }
}

static void watch(struct irsafs_folder *f)
{
    char link[32];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", f->dir_fd);
    f->watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (f->watch_fd >= 0 &&
        inotify_add_watch(f->watch_fd, link, TOUCHES | CHANGES | IN_ONLYDIR) < 0) {
        f->watch_fd = irsafs_fd_close(f->watch_fd);
    }
    if (f->watch_fd < 0) {
        irsafs_log(IRSAFS_LOG_WARN, "refresh_not_watched",
                   IRSAFS_LOG_TEXT("error", strerrordesc_np(errno)),
                   IRSAFS_LOG_TEXT("note", "it is looked at once a second"));
    }
    make_refresh(f);
}

enum irsafs_code irsafs_folder_open(struct irsafs_folder *f,
                                    struct irsafs_desk *desk,
                                    const struct irsafs_worker_settings *settings,
                                    struct irsafs_error *err)
{
    const char *path = settings->mountpoint;
    if (settings->mode != IRSAFS_MODE_FILE) {
        return IRSAFS_OK;
    }
    f->dir_fd = irsafs_volume_open(path);
    if (f->dir_fd < 0) {
        return irsafs_error_set(err, IRSAFS_E_NO_MOUNTPOINT, "open folder %s: %s", path,
                                strerrordesc_np(errno));
    }
    if (faccessat(f->dir_fd, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        return irsafs_error_set(err, IRSAFS_E_NOT_WRITABLE, "write in folder %s as user %u: %s",
                                path, (unsigned)geteuid(), strerrordesc_np(errno));
    }
    f->once = settings->once;
    f->refresh =
        (struct irsafs_copy_attributes){settings->uid, settings->gid, settings->refresh_mode};
    desk->uid = settings->uid;
    desk->gid = settings->gid;
    desk->dir_fd = f->dir_fd;
    desk->files[IRSAFS_PUBLISHED_CONFIG] =
        (struct irsafs_desk_file){.name = CONFIG, .mode = settings->config_mode};
    desk->files[IRSAFS_PUBLISHED_STATUS] =
        (struct irsafs_desk_file){.name = STATUS, .mode = STATUS_MODE};
    enum irsafs_code code = spare_all(f, settings->config_mode, err);
    if (code != IRSAFS_OK) {
        f->dir_fd = desk->dir_fd = irsafs_fd_close(f->dir_fd); /* what lies there is not ours */
    } else if (!f->once) {
        watch(f);
    }
    return code;
}

void irsafs_folder_notice(struct irsafs_folder *f, int64_t now_ms)
{
    _Alignas(struct inotify_event) char events[4096];
    ssize_t n = 0;
    /* Who makes events faster than they are read does not keep us here. */
    for (int i = 0; i < READS_IN_A_ROW && (n = read(f->watch_fd, events, sizeof(events))) > 0;
         i++) {
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *e = (const struct inotify_event *)(void *)(events + at);
            bool lost = (e->mask & IN_Q_OVERFLOW) != 0;
            bool ours = e->len > 0 && strcmp(e->name, REFRESH) == 0;
            f->touched = f->touched || lost || (ours && (e->mask & TOUCHES) != 0);
            f->look_ms = (lost || ours) && f->look_ms == 0 ? now_ms + SETTLE_MS : f->look_ms;
            at += (ssize_t)(sizeof(*e) + e->len);
        }
    }
}

bool irsafs_folder_look(struct irsafs_folder *f)
{
    struct stat now;
    bool touched = f->touched;
    f->touched = false;
    f->look_ms = 0;
    if (!stat_refresh(f, &now)) {
        make_refresh(f);
    } else {
        bool changed = now.st_ctim.tv_sec != f->seen.st_ctim.tv_sec ||
                       now.st_ctim.tv_nsec != f->seen.st_ctim.tv_nsec ||
                       now.st_ino != f->seen.st_ino;
        touched = touched || (f->watch_fd < 0 && changed);
        f->seen = now;
    }
    return touched;
}

void irsafs_folder_close(struct irsafs_folder *f)
{
    if (f->dir_fd >= 0 && !f->once) {
        (void)unlinkat(f->dir_fd, REFRESH, 0);
        (void)unlinkat(f->dir_fd, STATUS, 0);
    }
    f->dir_fd = irsafs_fd_close(f->dir_fd);
    f->watch_fd = irsafs_fd_close(f->watch_fd);
}
