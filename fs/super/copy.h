/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_COPY_H
#define IRSAFS_FS_SUPER_COPY_H

#include "base/attr.h"

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#define IRSAFS_COPY_PREFIX ".irsafs." /* of the names of temporary files */

struct irsafs_copy_attributes {
    uid_t uid;
    gid_t gid;
    mode_t mode;
};

/* Makes these bytes the regular file `name` (no slash) of the directory: a temporary file beside it, then
 * rename(2), so that nobody ever sees a part of it. Whatever has the name, a symlink or a FIFO too, is
 * replaced and never followed or opened; an empty directory is removed, one that is not empty is EISDIR
 * or ENOTEMPTY. Others may have the right to write in the directory: what they do there costs them their own
 * files only.
 *
 * Owner and group become uid and gid, each where we may give a file away so, else they are ours. Returns 0, and
 * in *ret what the file is now, or an errno value; then what was there before is still there, and nothing
 * beside it. ESTALE: others were faster. Blocks on nothing but the file system. A process that is killed
 * meanwhile leaves `.irsafs.NAME.0` behind; the next call takes it away. */
int irsafs_copy_write(int dir_fd,
                      const char *name,
                      const void *bytes,
                      size_t len,
                      const struct irsafs_copy_attributes *attributes,
                      struct stat *ret) IRSAFS_MUST_CHECK;

#endif
