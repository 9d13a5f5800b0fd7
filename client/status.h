/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_STATUS_H
#define IRSAFS_CLIENT_STATUS_H

#include "base/client_verbs.h"

/* `irsafs-client status`: prints on stdout how the local irsafs is. Returns the exit status: 0 works,
 * 11 stale, 12 nothing to serve, 13 no irsafs answers; 2, 3, 75 as everywhere. */
int irsafs_status_main(const char *program, const struct irsafs_client_line *line);

#endif
