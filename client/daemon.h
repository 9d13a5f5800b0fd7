/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_DAEMON_H
#define IRSAFS_CLIENT_DAEMON_H

#include "base/buf.h"
#include "base/daemon_options.h"
#include "base/error.h"
#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* The local irsafs, asked from outside: over its control endpoint, or through the files of its mount.
 * Nothing here waits longer than its bound, whoever holds the port or the mount point. */

enum irsafs_daemon_source {
    IRSAFS_DAEMON_CONTROL,
    IRSAFS_DAEMON_FILES,
};

/* The document `status` (docs/files.md), as it came: the control endpoint is asked first, the file
 * MOUNTPOINT/status second; a few seconds at most. What answers is believed when it is a document of schema 1,
 * and of the mount point that was named, if one was. Ceiling of ret_json: IRSAFS_STATUS_MAX or more.
 * E_NO_DAEMON says why neither is there. settings are checked ones. */
enum irsafs_code irsafs_daemon_status(const struct irsafs_daemon_settings *settings,
                                      struct irsafs_buf *ret_json,
                                      enum irsafs_daemon_source *ret_source,
                                      struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* The same from one source only; the message is the reason alone. */
enum irsafs_code irsafs_daemon_status_control(const struct irsafs_daemon_settings *settings,
                                              struct irsafs_buf *ret_json,
                                              struct irsafs_error *err) IRSAFS_MUST_CHECK;
enum irsafs_code irsafs_daemon_status_files(const struct irsafs_daemon_settings *settings,
                                            struct irsafs_buf *ret_json,
                                            struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* The mount point that counts: the named one, else the default. */
void irsafs_daemon_mountpoint(const struct irsafs_daemon_settings *settings,
                              char ret_path[PATH_MAX]);

/* The document as JSON: schema 1 and the keys that everything here rests on have their types. NULL when
 * it is not, or for lack of memory. The caller owns it. */
json_t *irsafs_daemon_parse(struct irsafs_str text);

#endif
