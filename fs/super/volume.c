/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/volume.h"

#include "base/file.h"
#include "base/log.h"
#include "fs/super/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LINKS_MAX = 40, NAME_SIZE = 64, ASIDE_MAX = 100 };

#define TEMPORARY ".irsafs."
#define ASIDE     ".before-irsafs"

/* These lead into .live. */
static const char *const names[] = {"config", "refresh", "status"};

static const char unserved[] = "{\n"
                               "  \"schema\": 1,\n"
                               "  \"state\": \"unserved\",\n"
                               "  \"note\": \"no irsafs serves this directory; config, if it is "
                               "here, is the last good text\"\n"
                               "}\n";

bool irsafs_volume_is_own(const char *name)
{
    static const char *const own[] = {IRSAFS_VOLUME_LIVE, "config", "refresh", "status"};
    for (size_t i = 0; i < IRSAFS_COUNT(own); i++) {
        size_t len = strlen(own[i]);
        if (strncmp(name, own[i], len) == 0 &&
            (name[len] == '\0' || strncmp(name + len, ASIDE, strlen(ASIDE)) == 0)) {
            return true;
        }
    }
    return strncmp(name, TEMPORARY, strlen(TEMPORARY)) == 0;
}

/* ---- the way there */

static int open_beneath(int dir_fd, const char *path, uint64_t flags, uint64_t resolve)
{
    const struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
    return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
}

/* Puts the target of a link before the rest of the way. */
static bool prepend(char rest[PATH_MAX], const char *target, const char *behind)
{
    char joined[2 * PATH_MAX];
    int n = snprintf(joined, sizeof(joined), "%s/%s", target, behind);
    if (n <= 0 || n >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(rest, joined, (size_t)n + 1);
    return true;
}

/* Who owns / can lead everybody anywhere: in a user namespace that is not root. */
static bool is_trusted(int link_fd)
{
    struct stat st;
    struct stat top;
    if (fstat(link_fd, &st) != 0 || stat("/", &top) != 0) {
        return false;
    }
    errno = EPERM;
    return st.st_uid == 0 || st.st_uid == geteuid() || st.st_uid == top.st_uid;
}

int irsafs_volume_find(const char *path)
{
    char rest[PATH_MAX];
    char target[PATH_MAX];
    if (!prepend(rest, path, "")) {
        return -1;
    }
    int dir = open(rest[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    size_t at = 0; /* how far we have come in `rest` */
    for (int links = 0; dir >= 0;) {
        at += strspn(rest + at, "/");
        size_t len = strcspn(rest + at, "/");
        if (len == 0) {
            return dir;
        }
        char name[PATH_MAX];
        (void)snprintf(name, sizeof(name), "%.*s", (int)len, rest + at);
        at += len;
        int next = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        /* Of what is no link this fails, without asking whoever serves it. */
        ssize_t n = next >= 0 ? readlinkat(next, "", target, sizeof(target) - 1) : -1;
        if (next >= 0 && n < 0) {
            (void)irsafs_fd_close(dir);
            dir = next;
            continue;
        }
        if (next >= 0 && is_trusted(next)) {
            target[n] = '\0';
            bool absolute = target[0] == '/';
            bool good = prepend(rest, target, rest + at);
            if (++links > LINKS_MAX) {
                errno = ELOOP;
                good = false;
            }
            (void)irsafs_fd_close(next);
            at = 0;
            if (good && !absolute) {
                continue;
            }
            next = good ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
            (void)irsafs_fd_close(dir);
            dir = next;
            continue;
        }
        (void)irsafs_fd_close(next);
        dir = irsafs_fd_close(dir);
    }
    return dir;
}

int irsafs_volume_open(const char *path)
{
    return open_beneath(AT_FDCWD, path, O_PATH | O_DIRECTORY,
                        RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

int irsafs_volume_open_name(int dir_fd, const char *name)
{
    return open_beneath(dir_fd, name, O_PATH,
                        RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
                            (dir_fd != AT_FDCWD ? RESOLVE_BENEATH : 0));
}

/* ---- what stands at our names */

static enum irsafs_code refuse(const char *what, const char *name, struct irsafs_error *err)
{
    return irsafs_error_set(err, IRSAFS_E_VOLUME, "%s %s in the mount point: %s", what, name,
                            strerrordesc_np(errno));
}

bool irsafs_volume_keep_aside(int dir_fd, const char *name)
{
    char aside[NAME_SIZE];
    (void)snprintf(aside, sizeof(aside), "%s" ASIDE, name);
    for (int i = 2; renameat2(dir_fd, name, dir_fd, aside, RENAME_NOREPLACE) != 0; i++) {
        if (errno != EEXIST || i > ASIDE_MAX) {
            return false;
        }
        (void)snprintf(aside, sizeof(aside), "%s" ASIDE ".%d", name, i);
    }
    irsafs_log(IRSAFS_LOG_WARN, "file_moved_aside", IRSAFS_LOG_TEXT("from", name),
               IRSAFS_LOG_TEXT("to", aside));
    return true;
}

/* Makes room for a link or a file, which is then renamed to this place: what is left here is replaced by
 * that. Of a directory only an empty one goes. */
static bool make_room(int dir_fd, const char *name)
{
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT;
    }
    if (S_ISDIR(st.st_mode)) {
        return unlinkat(dir_fd, name, AT_REMOVEDIR) == 0;
    }
    bool written = S_ISREG(st.st_mode) && st.st_size > 0 && (st.st_mode & 0222U) != 0;
    return !written || irsafs_volume_keep_aside(dir_fd, name);
}

static bool leads_to(int dir_fd, const char *name, const char *target)
{
    char found[NAME_SIZE];
    ssize_t n = readlinkat(dir_fd, name, found, sizeof(found));
    return n == (ssize_t)strlen(target) && memcmp(found, target, (size_t)n) == 0;
}

static enum irsafs_code lay_link(int dir_fd, const char *name, struct irsafs_error *err)
{
    char target[NAME_SIZE];
    char temporary[NAME_SIZE];
    (void)snprintf(target, sizeof(target), IRSAFS_VOLUME_LIVE "/%s", name);
    if (leads_to(dir_fd, name, target)) {
        return IRSAFS_OK;
    }
    if (!make_room(dir_fd, name)) {
        return refuse("replace", name, err);
    }
    (void)snprintf(temporary, sizeof(temporary), TEMPORARY "%s.link", name);
    (void)unlinkat(dir_fd, temporary, 0); /* of one who was killed */
    if (symlinkat(target, dir_fd, temporary) != 0) {
        return refuse("make the link", name, err);
    }
    if (renameat(dir_fd, temporary, dir_fd, name) != 0) {
        int saved_errno = errno;
        (void)unlinkat(dir_fd, temporary, 0);
        errno = saved_errno;
        return refuse("make the link", name, err);
    }
    return IRSAFS_OK;
}

/* ---- below the mount */

static bool is_good(int dir_fd, const char *name, size_t len, mode_t mode)
{
    struct stat st;
    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
           st.st_nlink == 1 && (st.st_mode & 07777U) == mode && (size_t)st.st_size == len;
}

static enum irsafs_code lay_file(int live_fd,
                                 const char *name,
                                 const char *text,
                                 const struct irsafs_volume_owner *owner,
                                 mode_t mode,
                                 struct irsafs_error *err)
{
    size_t len = strlen(text);
    struct stat ignored;
    if (is_good(live_fd, name, len, mode)) {
        return IRSAFS_OK;
    }
    const struct irsafs_copy_attributes attributes = {owner->uid, owner->gid, mode};
    errno = irsafs_copy_write(live_fd, name, text, len, &attributes, &ignored);
    return errno == 0 ? IRSAFS_OK : refuse("write to .live", name, err);
}

/* A directory of somebody else, who could put what he likes below the mount. */
static bool clear_foreign(int dir_fd, int live_fd)
{
    for (size_t i = 0; i < IRSAFS_COUNT(names); i++) {
        (void)unlinkat(live_fd, names[i], 0);
    }
    return unlinkat(dir_fd, IRSAFS_VOLUME_LIVE, AT_REMOVEDIR) == 0;
}

static int open_live(int dir_fd)
{
    return open_beneath(dir_fd, IRSAFS_VOLUME_LIVE, O_PATH | O_DIRECTORY,
                        RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
                            RESOLVE_NO_XDEV);
}

static bool make_live(int dir_fd)
{
    return make_room(dir_fd, IRSAFS_VOLUME_LIVE) &&
           (unlinkat(dir_fd, IRSAFS_VOLUME_LIVE, 0) == 0 || errno == ENOENT) &&
           mkdirat(dir_fd, IRSAFS_VOLUME_LIVE, 0700) == 0;
}

/* Readers walk through it, nobody else writes to it. Files that are made in it have its group: later we may
 * not have the right to give it to them. */
static bool set_mode(int live_fd, gid_t gid)
{
    char link[32];
    struct stat st;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", live_fd);
    if (fstat(live_fd, &st) != 0) {
        return false;
    }
    if (st.st_gid != gid) {
        (void)!chown(link, (uid_t)-1, gid);
    }
    return (st.st_mode & 07777U) == 02755 || chmod(link, 02755) == 0;
}

bool irsafs_volume_is_laid(const char *path)
{
    struct stat st;
    IRSAFS_CLEANUP(irsafs_fd_closep) int dir_fd = irsafs_volume_open(path);
    IRSAFS_CLEANUP(irsafs_fd_closep) int fd = dir_fd >= 0 ? open_live(dir_fd) : -1;
    return (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid()) ||
           (dir_fd >= 0 && fd < 0 && errno == EXDEV);
}

static enum irsafs_code lay_live(int dir_fd, gid_t gid, int *ret_live_fd, struct irsafs_error *err)
{
    struct stat st;
    int fd = open_live(dir_fd);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid != geteuid()) {
        bool cleared = clear_foreign(dir_fd, fd);
        fd = irsafs_fd_close(fd);
        if (!cleared) {
            return refuse("replace another user's", IRSAFS_VOLUME_LIVE, err);
        }
        errno = ENOENT;
    }
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) && make_live(dir_fd)) {
        fd = open_live(dir_fd);
    }
    if (fd < 0 || !set_mode(fd, gid)) {
        enum irsafs_code code = refuse("open", IRSAFS_VOLUME_LIVE, err);
        (void)irsafs_fd_close(fd);
        return code;
    }
    *ret_live_fd = fd;
    return IRSAFS_OK;
}

enum irsafs_code irsafs_volume_lay(int dir_fd,
                                   const struct irsafs_volume_owner *owner,
                                   int *ret_live_fd,
                                   struct irsafs_error *err)
{
    int fd = -1;
    enum irsafs_code code = lay_live(dir_fd, owner->gid, &fd, err);
    if (code == IRSAFS_OK) {
        code = lay_file(fd, "refresh", "", owner, owner->refresh_mode, err);
    }
    if (code == IRSAFS_OK) {
        code = lay_file(fd, "status", unserved, owner, 0444, err);
    }
    for (size_t i = 0; code == IRSAFS_OK && i < IRSAFS_COUNT(names); i++) {
        code = lay_link(dir_fd, names[i], err);
    }
    if (code != IRSAFS_OK) {
        (void)irsafs_fd_close(fd);
        return code;
    }
    *ret_live_fd = fd;
    return IRSAFS_OK;
}
