/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_CHECK_H
#define IRSAFS_CLIENT_CHECK_H

/* `irsafs-client check FILE`: prints on stdout what irsafs would change in this config, a finding per
 * line, then a line with the verdict. Returns the exit status: 0, 8 (there are findings, or the file
 * is no config), 3 (it cannot be read). */
int irsafs_check(const char *program, const char *path, const char *token_path);

#endif
