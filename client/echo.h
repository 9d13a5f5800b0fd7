/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_ECHO_H
#define IRSAFS_CLIENT_ECHO_H

#include "base/str.h"

#include <stdbool.h>

enum { IRSAFS_ECHO_RUN = 12 }; /* so many bytes of a secret in a row are a leak */

/* Whether text holds a run of IRSAFS_ECHO_RUN bytes of secret. A service that sends the token back must
 * not bring it into a file that others read. Linear in both lengths; pure. */
bool irsafs_echoes(struct irsafs_str secret, struct irsafs_str text);

#endif
