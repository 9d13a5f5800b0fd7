/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/connection.h"

#include "base/file.h"
#include "base/log.h"
#include "fs/shared/handed.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PUBLICATIONS_SIZE (sizeof(struct irsafs_publication) * IRSAFS_PUBLICATIONS)

/* Of fixed size: nobody who has it can make it shorter, and so kill others (SIGBUS). */
static int make_memory(const char *name, size_t size)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 && (ftruncate(fd, (off_t)size) != 0 ||
                    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)) {
        return irsafs_fd_close(fd);
    }
    return fd;
}

/* A second descriptor of the same connection: the notifier, which can hang in the kernel, does not keep
 * the first one open when everybody else is gone. Where it cannot be had, a duplicate. */
static int clone_fuse(int fuse_fd)
{
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    uint32_t source = (uint32_t)fuse_fd;
    if (fd >= 0 && ioctl(fd, FUSE_DEV_IOC_CLONE, &source) == 0) {
        return fd;
    }
    irsafs_log(IRSAFS_LOG_WARN, "fuse_not_cloned",
               IRSAFS_LOG_TEXT("error", strerrordesc_np(errno)));
    (void)irsafs_fd_close(fd);
    return fcntl(fuse_fd, F_DUPFD_CLOEXEC, 3);
}

static bool share_memory(struct irsafs_connection *c, const struct irsafs_worker_settings *settings)
{
    c->block_fd = make_memory("irsafs-block", irsafs_block_size());
    c->bell_fd = make_memory("irsafs-bell", sizeof(struct irsafs_bell));
    c->ring_fd = eventfd(0, EFD_CLOEXEC);
    c->told_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->block_fd < 0 || c->bell_fd < 0 || c->ring_fd < 0 || c->told_fd < 0) {
        return false;
    }
    struct irsafs_head *head =
        mmap(NULL, sizeof(*head), PROT_READ | PROT_WRITE, MAP_SHARED, c->block_fd, 0);
    const struct irsafs_bell *bell =
        mmap(NULL, sizeof(*bell), PROT_READ, MAP_SHARED, c->bell_fd, 0);
    const struct irsafs_publication *publications =
        mmap(NULL, PUBLICATIONS_SIZE, PROT_READ, MAP_SHARED, c->block_fd,
             offsetof(struct irsafs_block, publications));
    c->head = head != MAP_FAILED ? head : NULL;
    c->bell = bell != MAP_FAILED ? bell : NULL;
    c->publications = publications != MAP_FAILED ? publications : NULL;
    if (c->head == NULL || c->bell == NULL || c->publications == NULL) {
        return false;
    }
    head->settings = *settings;
    head->layout = IRSAFS_LAYOUT;
    for (size_t i = 0; i < IRSAFS_WATCHED; i++) {
        atomic_store(&head->watched[i], c->watched[i]);
    }
    return true;
}

void irsafs_connection_count(struct irsafs_connection *c, enum irsafs_watched what)
{
    c->watched[what]++;
    if (c->head != NULL) {
        atomic_store(&c->head->watched[what], c->watched[what]);
    }
}

void irsafs_connection_prepare(struct irsafs_connection *c,
                               const struct irsafs_worker_settings *settings,
                               int given_fd)
{
    c->given_fd = given_fd;
    c->mount.layout = (enum irsafs_layout)settings->layout;
    c->mount.owner =
        (struct irsafs_volume_owner){settings->uid, settings->gid, settings->refresh_mode};
}

static enum irsafs_code
open_fuse(struct irsafs_connection *c, enum irsafs_mode mode, struct irsafs_error *err)
{
    enum irsafs_code code = IRSAFS_OK;
    switch (mode) {
    case IRSAFS_MODE_FILE:
        break;
    case IRSAFS_MODE_FD:
        c->fuse_fd = c->given_fd;
        c->given_fd = -1;
        c->clone_fd =
            fcntl(c->fuse_fd, F_DUPFD_CLOEXEC, 3); /* there is no device to clone it with */
        break;
    case IRSAFS_MODE_MOUNT:
        code = irsafs_mountpoint_mount(&c->mount, &c->fuse_fd, err);
        c->clone_fd = code == IRSAFS_OK ? clone_fuse(c->fuse_fd) : -1;
        break;
    }
    return code;
}

enum irsafs_code irsafs_connection_open(struct irsafs_connection *c,
                                        const struct irsafs_worker_settings *settings,
                                        struct irsafs_error *err)
{
    bool serves = settings->mode != IRSAFS_MODE_FILE;
    enum irsafs_code code = open_fuse(c, (enum irsafs_mode)settings->mode, err);
    if (code == IRSAFS_OK) {
        if ((serves && c->clone_fd < 0) || !share_memory(c, settings)) {
            code = irsafs_error_set(err, IRSAFS_E_MEMORY, "shared memory for the worker: %s",
                                    strerrordesc_np(errno));
        }
    }
    if (code != IRSAFS_OK) {
        irsafs_connection_close(c);
    }
    return code;
}

static void unmap(const void *at, size_t size)
{
    if (at != NULL) {
        (void)munmap((void *)(uintptr_t)at, size);
    }
}

void irsafs_connection_close(struct irsafs_connection *c)
{
    irsafs_mountpoint_unmount(&c->mount);
    unmap(c->head, sizeof(*c->head));
    unmap(c->bell, sizeof(*c->bell));
    unmap(c->publications, PUBLICATIONS_SIZE);
    c->head = NULL;
    c->publications = NULL;
    c->bell = NULL;
    c->clone_fd = irsafs_fd_close(c->clone_fd);
    c->fuse_fd = irsafs_fd_close(c->fuse_fd);
    c->block_fd = irsafs_fd_close(c->block_fd);
    c->bell_fd = irsafs_fd_close(c->bell_fd);
    c->ring_fd = irsafs_fd_close(c->ring_fd);
    c->told_fd = irsafs_fd_close(c->told_fd);
}
