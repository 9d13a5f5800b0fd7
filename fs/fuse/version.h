/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_FUSE_VERSION_H
#define IRSAFS_FS_FUSE_VERSION_H

/* Version of the libfuse in use, e.g. "3.14.0". Static string. */
const char *irsafs_fuse_version(void);

#endif
