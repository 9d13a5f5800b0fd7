/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/copy.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NAMES = 8,
    NAME_SIZE = 64,
    TRIES = 4, /* against who plays with the temporary file */
};

/* A new file of nobody else, with a name that nobody else has. -1 with errno. */
static int make_temporary(int dir_fd, const char *name, char ret_name[NAME_SIZE])
{
    for (unsigned i = 0; i < 2 * NAMES; i++) {
        (void)snprintf(ret_name, NAME_SIZE, IRSAFS_COPY_PREFIX "%.40s.%u", name, i / 2);
        int fd = openat(dir_fd, ret_name,
                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST) {
            return fd;
        }
        (void)unlinkat(dir_fd, ret_name,
                       0); /* of one who was killed; or a directory, which stays */
    }
    errno = EEXIST;
    return -1;
}

static bool
fill(int fd, const void *bytes, size_t len, const struct irsafs_copy_attributes *attributes)
{
    if (!irsafs_write_all(fd, bytes, len) || fchmod(fd, attributes->mode) != 0) {
        return false;
    }
    /* One by one, since either may be refused; the user last, it may cost us the right to the rest. */
    (void)!fchown(fd, (uid_t)-1, attributes->gid);
    (void)!fchown(fd, attributes->uid, (gid_t)-1);
    return true;
}

static bool move(int dir_fd, const char *from, const char *to)
{
    if (renameat(dir_fd, from, dir_fd, to) == 0) {
        return true;
    }
    return errno == EISDIR && unlinkat(dir_fd, to, AT_REMOVEDIR) == 0 &&
           renameat(dir_fd, from, dir_fd, to) == 0;
}

/* Others may take the temporary file away, and put something of theirs in its place, before it is moved. Then
 * even the inode's number may be the same. */
static bool is_ours(int dir_fd, const char *name, const struct stat *ours, struct stat *ret)
{
    return fstatat(dir_fd, name, ret, AT_SYMLINK_NOFOLLOW) == 0 && ret->st_dev == ours->st_dev &&
           ret->st_ino == ours->st_ino && ret->st_mode == ours->st_mode &&
           ret->st_uid == ours->st_uid && ret->st_size == ours->st_size &&
           ret->st_mtim.tv_sec == ours->st_mtim.tv_sec &&
           ret->st_mtim.tv_nsec == ours->st_mtim.tv_nsec;
}

static int try_to_write(int dir_fd,
                        const char *name,
                        const void *bytes,
                        size_t len,
                        const struct irsafs_copy_attributes *attributes,
                        struct stat *ret)
{
    char temporary[NAME_SIZE];
    struct stat ours = {.st_ino = 0};
    int fd = make_temporary(dir_fd, name, temporary);
    if (fd < 0) {
        return errno;
    }
    bool good = fill(fd, bytes, len, attributes) && fstat(fd, &ours) == 0;
    int saved_errno = errno;
    /* Before it has its name: who watches that hears of one event. A file system of the network may say only
     * here that it has no room. */
    if (close(fd) != 0 && good) {
        good = false;
        saved_errno = errno;
    }
    if (good && move(dir_fd, temporary, name)) {
        return is_ours(dir_fd, name, &ours, ret) ? 0 : ESTALE;
    }
    saved_errno = good ? errno : saved_errno;
    (void)unlinkat(dir_fd, temporary, 0);
    return saved_errno;
}

int irsafs_copy_write(int dir_fd,
                      const char *name,
                      const void *bytes,
                      size_t len,
                      const struct irsafs_copy_attributes *attributes,
                      struct stat *ret)
{
    int errnum = ESTALE;
    for (int i = 0; i < TRIES && (errnum == ESTALE || errnum == ENOENT); i++) {
        errnum = try_to_write(dir_fd, name, bytes, len, attributes, ret);
    }
    return errnum;
}
