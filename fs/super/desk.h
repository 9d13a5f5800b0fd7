/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_DESK_H
#define IRSAFS_FS_SUPER_DESK_H

#include "fs/shared/block.h"
#include "fs/shared/handed.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Where the supervisor makes files of what the worker publishes: a directory, and a name for each. It does
 * not look into the bytes, but for a digest. */

struct irsafs_desk_file {
    const char *name; /* NULL: publications of this one are not wanted */
    mode_t mode;
    bool is_written; /* by us; then: */
    uint64_t
        digest; /* of the text. A worker's number may come again: it was killed before it committed */
    struct stat written; /* the file as we left it */
    int errnum;          /* why the last one was not written, or 0 */
};

struct irsafs_desk {
    int dir_fd; /* the caller's; -1: no desk */
    uid_t uid;
    gid_t gid;
    struct irsafs_desk_file files[IRSAFS_PUBLICATIONS];
};
#define IRSAFS_DESK_INIT ((struct irsafs_desk){.dir_fd = -1})

/* Does what the order PUBLISH says, and gives the answer to it. A file that has this text already, and
 * that nobody has touched since, is left alone. Where the text cannot be written the old one stays, or goes if
 * the order says so. Whatever is in the order, nothing is read outside the
 * publications and nothing is written outside the directory. */
struct irsafs_order irsafs_desk_publish(struct irsafs_desk *desk,
                                        const struct irsafs_publication *publications,
                                        const struct irsafs_order *order);

/* Layout subdir: the last good text lies below the mount. */
void irsafs_desk_lay(struct irsafs_desk *desk,
                     const struct irsafs_worker_settings *settings,
                     int below_fd);

/* The same: takes away a text that is older than the worker may show one, which can be of an irsafs before
 * us. */
void irsafs_desk_expire(const struct irsafs_desk *desk,
                        const struct irsafs_worker_settings *settings);

#endif
