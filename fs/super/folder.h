/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_FOLDER_H
#define IRSAFS_FS_SUPER_FOLDER_H

#include "base/attr.h"
#include "base/error.h"
#include "fs/shared/block.h"
#include "fs/super/copy.h"
#include "fs/super/desk.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Mode file: the folder in which our files lie, and its `refresh`, an empty file that anybody may touch.
 * Others may write in the folder; nothing in it is followed, and nothing is opened but what we have made. */

struct irsafs_folder {
    int dir_fd;   /* -1: there is no folder */
    int watch_fd; /* inotify; -1: none is to be had, then the file is looked at once a second */
    bool once;    /* without a `refresh`: nobody could answer a touch */
    struct irsafs_copy_attributes refresh;
    struct stat seen; /* `refresh` */
    bool touched;     /* since the last look */
    int64_t look_ms;  /* when to look at `refresh`; 0: not now */
    int errnum;       /* why it could not be made */
};
#define IRSAFS_FOLDER_INIT ((struct irsafs_folder){.dir_fd = -1, .watch_fd = -1})

/* Whether an irsafs that gives its files this owner and mode has written here before: such a folder is not a
 * person's own. */
bool irsafs_folder_is_known(const char *path, uid_t uid, mode_t config_mode);

/* In mode file: opens the folder, which must be one that we may write in, has the desk write into it, makes
 * `refresh` and watches it from now on. What somebody else has written at one of our names moves to
 * NAME.before-irsafs first. In other modes nothing. To be called with the rights that we keep. Errors:
 * NO_MOUNTPOINT, NOT_WRITABLE, VOLUME. */
enum irsafs_code irsafs_folder_open(struct irsafs_folder *folder,
                                    struct irsafs_desk *desk,
                                    const struct irsafs_worker_settings *settings,
                                    struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* To be called when watch_fd is ready: says in look_ms when to look. */
void irsafs_folder_notice(struct irsafs_folder *folder, int64_t now_ms);

/* To be called when look_ms has come, and once a second: `refresh` is made again where it is missing, or
 * something else. True when it was touched. */
bool irsafs_folder_look(struct irsafs_folder *folder);

/* The end. What nobody serves goes: `refresh` and `status`; `config` stays as it is. The desk must not be
 * used any more. */
void irsafs_folder_close(struct irsafs_folder *folder);

#endif
