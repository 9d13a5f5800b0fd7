/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_CLIENT_H
#define IRSAFS_FS_CLIENT_H

#include "base/attr.h"
#include "base/error.h"

#include <limits.h>

/* Where irsafs-client is: `given` (of --client), else beside this program, else in PATH. An absolute
 * path of an executable file. Errors: BAD_FLAG_VALUE
 * (given), CLIENT_START. */
enum irsafs_code irsafs_client_find(const char *given,
                                    char ret_path[PATH_MAX],
                                    struct irsafs_error *err) IRSAFS_MUST_CHECK;

#endif
