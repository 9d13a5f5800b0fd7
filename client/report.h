/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_REPORT_H
#define IRSAFS_CLIENT_REPORT_H

#include "client/fetch.h"

/* Writes the report of base/report.h about a fetch, however far it came, to a descriptor.
 * E_IO, E_MEMORY. */
enum irsafs_code irsafs_report_write(int fd,
                                     const struct irsafs_fetch *fetch,
                                     struct irsafs_error *err) IRSAFS_MUST_CHECK;

#endif
