/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/mode.h"

#include "base/clock.h"
#include "base/deadline.h"
#include "base/file.h"
#include "base/mountinfo.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

enum { PATIENCE_MS = 1000 };

/* Capabilities alone do not say it: AppArmor and seccomp have a word too. */
static int try_mount(const void *arg, int out)
{
    char data[64];
    (void)arg;
    (void)out;
    int fd = irsafs_fuse_open(0);
    if (fd < 0 || unshare(CLONE_NEWNS) != 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        return errno;
    }
    (void)snprintf(data, sizeof(data), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
    return mount("irsafs", "/", IRSAFS_FSTYPE, MS_NOSUID | MS_NODEV | MS_NOEXEC, data) == 0 ? 0
                                                                                            : errno;
}

void irsafs_mode_look(struct irsafs_mode_facts *ret_facts)
{
    if (ret_facts->fd_socket) {
        return; /* nothing is better */
    }
    IRSAFS_CLEANUP(irsafs_fd_closep) int fd = irsafs_fuse_open(0);
    ret_facts->fuse_errnum = fd < 0 ? errno : 0;
    ret_facts->mount_errnum =
        fd < 0 ? 0
               : irsafs_deadline_run(try_mount, NULL, irsafs_clock_boot_ms() + PATIENCE_MS,
                                     &IRSAFS_BUF_INIT(1));
}

static const char *words(int errnum)
{
    const char *text = strerrordesc_np(errnum);
    return text != NULL ? text : "unknown error";
}

struct irsafs_mode_choice irsafs_mode_choose(const struct irsafs_mode_facts *facts)
{
    static const char no_socket[] = "fd: no --fd-socket";
    struct irsafs_mode_choice choice = {.mode = IRSAFS_MODE_FD};
    if (facts->fd_socket) {
        return choice;
    }
    bool fuse = facts->fuse_errnum != 0;
    if (!fuse && facts->mount_errnum == 0) {
        choice.mode = IRSAFS_MODE_MOUNT;
        (void)snprintf(choice.missing, sizeof(choice.missing), "%s", no_socket);
        return choice;
    }
    choice.mode = IRSAFS_MODE_FILE;
    (void)snprintf(choice.missing, sizeof(choice.missing), "%s; mount: %s: %s", no_socket,
                   fuse ? "open /dev/fuse" : "mount(2)",
                   words(fuse ? facts->fuse_errnum : facts->mount_errnum));
    return choice;
}
