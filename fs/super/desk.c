/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/desk.h"

#include "base/clock.h"
#include "base/log.h"
#include "fs/super/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* FNV-1a. */
static uint64_t digest_of(const char *bytes, size_t len)
{
    uint64_t digest = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++) {
        digest = (digest ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    }
    return digest;
}

static bool is_untouched(const struct irsafs_desk *desk, const struct irsafs_desk_file *file)
{
    struct stat now;
    const struct stat *then = &file->written;
    return fstatat(desk->dir_fd, file->name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
           now.st_dev == then->st_dev && now.st_ino == then->st_ino &&
           now.st_size == then->st_size && same_time(now.st_mtim, then->st_mtim) &&
           same_time(now.st_ctim, then->st_ctim);
}

static int write_file(struct irsafs_desk *desk,
                      struct irsafs_desk_file *file,
                      const struct irsafs_publication *publication,
                      const struct irsafs_order *order)
{
    if (order->length > sizeof(publication->bytes)) {
        return EMSGSIZE;
    }
    uint64_t digest = digest_of(publication->bytes, order->length);
    if (file->is_written && file->digest == digest && is_untouched(desk, file)) {
        return 0;
    }
    const struct irsafs_copy_attributes attributes = {desk->uid, desk->gid, file->mode};
    int errnum = irsafs_copy_write(desk->dir_fd, file->name, publication->bytes, order->length,
                                   &attributes, &file->written);
    if (errnum != 0 && order->code != 0) {
        (void)unlinkat(desk->dir_fd, file->name, 0); /* which may also make the room */
        errnum = irsafs_copy_write(desk->dir_fd, file->name, publication->bytes, order->length,
                                   &attributes, &file->written);
    }
    file->is_written = errnum == 0;
    file->digest = digest;
    return errnum;
}

struct irsafs_order irsafs_desk_publish(struct irsafs_desk *desk,
                                        const struct irsafs_publication *publications,
                                        const struct irsafs_order *order)
{
    struct irsafs_order answer = {.type = IRSAFS_ORDER_PUBLISHED,
                                  .code = ENOENT,
                                  .file = order->file,
                                  .number = order->number};
    if (desk->dir_fd < 0 || order->file >= IRSAFS_PUBLICATIONS ||
        desk->files[order->file].name == NULL) {
        return answer;
    }
    struct irsafs_desk_file *file = &desk->files[order->file];
    int errnum = write_file(desk, file, &publications[order->file], order);
    if (errnum != 0 && errnum != file->errnum) {
        irsafs_log(IRSAFS_LOG_ERROR, "file_not_written", IRSAFS_LOG_TEXT("file", file->name),
                   IRSAFS_LOG_TEXT("error", strerrordesc_np(errnum)),
                   IRSAFS_LOG_TEXT("note", "tried again every second; the old text stays"));
    } else if (errnum == 0 && file->errnum != 0) {
        irsafs_log(IRSAFS_LOG_INFO, "file_written_again", IRSAFS_LOG_TEXT("file", file->name));
    }
    file->errnum = errnum;
    answer.code = (uint32_t)errnum;
    return answer;
}

static int64_t to_ms(struct timespec t)
{
    enum { MS = 1000, NS = 1000000 };
    return (int64_t)t.tv_sec * MS + t.tv_nsec / NS;
}

void irsafs_desk_expire(const struct irsafs_desk *desk,
                        const struct irsafs_worker_settings *settings)
{
    const struct irsafs_core_settings *core = &settings->core;
    const char *name = desk->files[IRSAFS_PUBLISHED_CONFIG].name;
    int64_t limit_ms = core->max_stale_ms > core->ttl_ms ? core->max_stale_ms : core->ttl_ms;
    struct stat st;
    if (settings->mode == IRSAFS_MODE_MOUNT && desk->dir_fd >= 0 && name != NULL &&
        fstatat(desk->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        to_ms(irsafs_clock_real()) - to_ms(st.st_mtim) > limit_ms) {
        (void)unlinkat(desk->dir_fd, name, 0);
    }
}

void irsafs_desk_lay(struct irsafs_desk *desk,
                     const struct irsafs_worker_settings *settings,
                     int below_fd)
{
    if (settings->mode == IRSAFS_MODE_MOUNT && settings->layout == IRSAFS_LAYOUT_SUBDIR) {
        desk->dir_fd = below_fd;
        desk->uid = settings->uid;
        desk->gid = settings->gid;
        desk->files[IRSAFS_PUBLISHED_CONFIG].name = "config";
        desk->files[IRSAFS_PUBLISHED_CONFIG].mode = settings->config_mode;
        irsafs_desk_expire(desk, settings);
    }
}
