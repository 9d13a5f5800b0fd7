/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_LOOPBACK_H
#define IRSAFS_FS_LOOPBACK_H

#include "base/attr.h"
#include "base/buf.h"
#include "fs/shared/address.h"

#include <stdint.h>

/* One GET of the control endpoint of a local irsafs: as much HTTP as that answers, without a library of
 * the network, which a probe that runs every few seconds would pay for in time and memory. */

/* Appends the body of an answer 200 to buf. Ends at the deadline (irsafs_clock_boot_ms), whoever holds the
 * port. Returns NULL, or why there is no answer (static string). */
const char *irsafs_loopback_get(const struct irsafs_address *address,
                                const char *path,
                                int64_t deadline_ms,
                                struct irsafs_buf *buf) IRSAFS_MUST_CHECK;

#endif
