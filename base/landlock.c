/* SPDX-License-Identifier: Apache-2.0 */
#include "base/landlock.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* include/uapi/linux/landlock.h of Linux 6.18; what the build's headers lack is spelled out. */
enum {
    FS_RIGHTS_ABI_1 = 13,  /* EXECUTE .. MAKE_SYM */
    FS_RIGHTS_ABI_2 = 14,  /* REFER */
    FS_RIGHTS_ABI_3 = 15,  /* TRUNCATE */
    FS_RIGHTS_ABI_5 = 16,  /* IOCTL_DEV */
    NET_BIND_TCP = 1 << 0, /* ABI 4 */
    NET_CONNECT_TCP = 1 << 1,
    SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0, /* ABI 6 */
    SCOPE_SIGNAL = 1 << 1,
    LINKS_MAX = 8,
};

struct ruleset_attr {
    uint64_t handled_access_fs;
    uint64_t handled_access_net; /* ABI 4 */
    uint64_t scoped;             /* ABI 6 */
};

/* A kernel takes a longer struct when what it does not know is zero. */
static struct ruleset_attr all_of(long abi, bool tcp)
{
    int n = abi >= 5   ? FS_RIGHTS_ABI_5
            : abi >= 3 ? FS_RIGHTS_ABI_3
            : abi == 2 ? FS_RIGHTS_ABI_2
                       : FS_RIGHTS_ABI_1;
    return (struct ruleset_attr){
        .handled_access_fs = (UINT64_C(1) << n) - 1,
        .handled_access_net = abi < 4 ? 0
                              : tcp   ? NET_BIND_TCP
                                      : NET_BIND_TCP | NET_CONNECT_TCP,
        .scoped = abi < 6 ? 0 : SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL,
    };
}

int irsafs_landlock_begin(bool tcp, struct irsafs_landlock *ret_rules)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 0) {
        return errno;
    }
    struct ruleset_attr attr = all_of(abi, tcp);
    long fd = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    if (fd < 0) {
        return errno;
    }
    ret_rules->fd = (int)fd; /* close-on-exec */
    return 0;
}

static int allow_fd(const struct irsafs_landlock *rules, int fd)
{
    const struct landlock_path_beneath_attr attr = {
        .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE,
        .parent_fd = fd,
    };
    long result = syscall(SYS_landlock_add_rule, rules->fd, LANDLOCK_RULE_PATH_BENEATH, &attr, 0);
    return result == 0 ? 0 : errno;
}

/* Whoever may not get there needs no rule for it. */
static bool is_absent(int errnum)
{
    return errnum == ENOENT || errnum == ENOTDIR || errnum == EACCES || errnum == ELOOP ||
           errnum == ENAMETOOLONG;
}

int irsafs_landlock_allow(struct irsafs_landlock *rules, const char *path)
{
    IRSAFS_CLEANUP(irsafs_fd_closep) int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        return is_absent(errno) ? 0 : errno;
    }
    return allow_fd(rules, fd);
}

static bool is_root(int fd)
{
    struct stat root;
    struct stat st;
    return stat("/", &root) == 0 && fstat(fd, &st) == 0 && root.st_dev == st.st_dev &&
           root.st_ino == st.st_ino;
}

/* "a/b" -> "a/", "b" -> "./": with what comes last in its own folder. */
static bool folder_of(const char *path, char ret_folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    int len = slash != NULL ? (int)(slash + 1 - path) : 0;
    int n = snprintf(ret_folder, PATH_MAX, "%.*s", len > 0 ? len : 2, len > 0 ? path : "./");
    return n < PATH_MAX;
}

/* The same file, one link further; false when it is no link. */
static bool follow(char path[PATH_MAX], const char *folder)
{
    char target[PATH_MAX];
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    if (n <= 0) {
        return false;
    }
    target[n] = '\0';
    char next[2 * PATH_MAX];
    int len = snprintf(next, sizeof(next), "%s%s", target[0] == '/' ? "" : folder, target);
    if (len >= PATH_MAX) {
        return false;
    }
    memcpy(path, next, (size_t)len + 1);
    return true;
}

int irsafs_landlock_allow_folder_of(struct irsafs_landlock *rules, const char *file)
{
    char path[PATH_MAX];
    char folder[PATH_MAX];
    if ((size_t)snprintf(path, sizeof(path), "%s", file) >= sizeof(path)) {
        return 0; /* nobody can open it */
    }
    int errnum = 0;
    for (int i = 0; i < LINKS_MAX && errnum == 0 && folder_of(path, folder); i++) {
        IRSAFS_CLEANUP(irsafs_fd_closep)
        int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) {
            return is_absent(errno) ? 0 : errno;
        }
        errnum = is_root(fd) ? irsafs_landlock_allow(rules, path) : allow_fd(rules, fd);
        if (!follow(path, folder)) {
            break;
        }
    }
    return errnum;
}

int irsafs_landlock_end(struct irsafs_landlock *rules)
{
    int errnum = syscall(SYS_landlock_restrict_self, rules->fd, 0) == 0 ? 0 : errno;
    irsafs_landlock_deinit(rules);
    return errnum;
}

void irsafs_landlock_deinit(struct irsafs_landlock *rules)
{
    rules->fd = irsafs_fd_close(rules->fd);
}
