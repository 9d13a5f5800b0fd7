/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_REPORT_H
#define IRSAFS_CLIENT_REPORT_H

#include "base/limits.h"
#include "client/fetch.h"

/* Renders the report (base/report.h, where its form is) into bytes that need no memory: the length is
 * returned, 1 at least. When there is no memory for more it holds only schema, code and message, and
 * says so (E_MEMORY); *fetch's error is then the same. */
size_t irsafs_report_render(struct irsafs_fetch *fetch, char ret_json[IRSAFS_REPORT_MAX]);

#endif
