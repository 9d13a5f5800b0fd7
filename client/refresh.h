/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_REFRESH_H
#define IRSAFS_CLIENT_REFRESH_H

#include "base/client_verbs.h"

/* `irsafs-client refresh [--wait]`: has the local irsafs fetch anew. Returns the exit status: 0, that of the
 * fetch's error, 13 no irsafs answers; 2, 3, 75 as everywhere. */
int irsafs_refresh_main(const char *program, const struct irsafs_client_line *line);

#endif
