/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_APPLOG_H
#define IRSAFS_FS_SUPER_APPLOG_H

#include <stdbool.h>
#include <stdint.h>

/* The file app.log in a folder where users can write: every event goes there as well, as lines of the old
 * form (IRSAFS_LOG_AS_PYTHON). They can put there what they like, and take it away: a link, a FIFO,
 * a directory, a file with a second name is not written to, and nothing of it makes us wait. What
 * cannot be had is warned about once (log_file_failed) and tried again every five seconds. At 10 MiB
 * the file becomes app.log.1, in place of the one before. */

struct irsafs_applog {
    const char *folder; /* NULL: there was none at the start, and no file is kept */
    int dir_fd;
    int fd; /* -1: no file at present */
    int64_t retry_ms;
    bool failing; /* and it has been said */
};
#define IRSAFS_APPLOG_INIT ((struct irsafs_applog){.dir_fd = -1, .fd = -1})

/* At the start; folder must stay. */
void irsafs_applog_open(struct irsafs_applog *applog, const char *folder);
/* Once a second: is it still the file of that name, is it too large? And for who has moved it away
 * (SIGHUP): opens it anew. Both are true when it was: `fd` is another file now, or none. */
bool irsafs_applog_check(struct irsafs_applog *applog, int64_t now_ms);
bool irsafs_applog_reopen(struct irsafs_applog *applog, int64_t now_ms);
/* Lines do not go there any more. */
void irsafs_applog_close(struct irsafs_applog *applog);

#endif
