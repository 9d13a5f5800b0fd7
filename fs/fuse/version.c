/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/fuse/version.h"

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

const char *irsafs_fuse_version(void)
{
    return fuse_pkgversion();
}
