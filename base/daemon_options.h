/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_DAEMON_OPTIONS_H
#define IRSAFS_BASE_DAEMON_OPTIONS_H

#include "base/options.h"

#include <limits.h>

/* Where the local irsafs is: for the verbs that ask it (status, refresh, doctor). */

#define IRSAFS_DEFAULT_CONTROL "127.0.0.1:6003"

struct irsafs_daemon_settings {
    const char *control;    /* ADDR:PORT, or "off": do not ask there */
    const char *mountpoint; /* NULL: not named; then irsafs_default_mountpoint */
};

extern const struct irsafs_option_table irsafs_which_options;

/* irsafs_which_options, with its settings pointing at *settings, which is set to the defaults first. */
struct irsafs_option_table irsafs_daemon_options(struct irsafs_daemon_settings *settings);

/* Checks the form of --control. E_BAD_FLAG_VALUE, or E_BAD_VALUE when it came from the environment. */
enum irsafs_code irsafs_daemon_settings_check(const struct irsafs_daemon_settings *settings,
                                              struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* The directory of AWS_CONFIG_FILE, else the place where Domino's pods look. */
void irsafs_default_mountpoint(char ret_path[PATH_MAX]);

#endif
