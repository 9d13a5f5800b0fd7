/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_SHOW_H
#define IRSAFS_CLIENT_SHOW_H

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

/* Text for people on a terminal of 80 columns. */

enum { IRSAFS_SPAN_SIZE = 32 };
/* "less than 1s", "12s", "4m 12s", "2h 3m", "3d 4h"; what is negative counts as its positive. */
void irsafs_show_span(int64_t ms, char ret_text[IRSAFS_SPAN_SIZE]);

/* A paragraph on stdout that begins with head, folded at blanks; further lines begin with `indent` blanks.
 * Foreign bytes may be in it, but not in head: what is not printable ASCII becomes '?'. */
void irsafs_show(const char *head, size_t indent, const char *fmt, ...) IRSAFS_PRINTF(3, 4);

/* The seconds since 1970 of "2026-01-31T03:00:00Z"; -1 when it is no such time. */
int64_t irsafs_show_parse_time(const char *text);

#endif
